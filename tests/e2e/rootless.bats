#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same without root.

load helper

USERNAME=effigy-test

setup_file() {
    if [ "$(id -u)" -eq 0 ] && ! id "$USERNAME" >/dev/null 2>&1; then
        useradd --system --no-create-home --home-dir /nonexistent --shell /bin/sh "$USERNAME"
    fi
}
teardown_file() {
    [ "$(id -u)" -ne 0 ] || userdel "$USERNAME" 2>/dev/null || true
}

as_user() {
    runuser -u "$USERNAME" -- env -i PATH="$SANDBOX/programs/cli:$PATH" HOME="$SANDBOX/home" EFFIGY_ROOT="$EFFIGY_ROOT" \
        EFFIGY_RUN_ROOT="$EFFIGY_RUN_ROOT" "$@"
}

@test "a normal user publishes, runs, rolls and stops" {
    [ "$(id -u)" -eq 0 ] || skip "this test becomes a normal user; the others ran as one already"
    command -v runuser >/dev/null || skip "there is no runuser"
    chmod 755 "$SANDBOX"
    mkdir -p home programs/cli programs/replica
    # The build folder may be closed to others.
    cp "$BUILD/src/cli/effigy" programs/cli/
    cp "$BUILD/src/replica/effigy-serve" programs/replica/
    chown -R "$USERNAME" "$SANDBOX"
    as_user unshare --user --map-root-user true 2>/dev/null || skip "this kernel gives users no namespaces"
    as_user sqlite3 shop.db "create table state (value text); insert into state values ('one')"
    ok as_user effigy init shop --master sqlite:shop.db --image oci:images/shop
    ok as_user effigy publish shop
    PORT=$(free_port)
    ok as_user effigy run shop --replicas 2 --port "$PORT"
    same "$(query 'select value from state')" one
    as_user sqlite3 shop.db "update state set value = 'two'"
    ok as_user effigy publish shop
    start_reader new first
    start_reader kept second
    ok as_user effigy run shop
    sleep 0.3
    stop_readers
    same "$(jq .failed reader.first)" 0
    same "$(jq .failed reader.second)" 0
    same "$(query 'select value from state')" two
    ok as_user effigy status shop --json
    field_is '[.replicas[].generation] | join(" ")' 'g2 g2'
    [ "$(pgrep -u "$USERNAME" effigy-serve | wc -l)" -ge 2 ]
    ok as_user effigy stop shop
    nobody_left() { ! pgrep -u "$USERNAME" -l; }
    until_true 5 nobody_left
}
