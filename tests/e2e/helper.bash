# SPDX-License-Identifier: Apache-2.0
# What the scenarios share. Each test has a sandbox of its own: a working folder, roots for images and
# replicas, and a service "shop" whose master is shop.db. teardown stops every replica and fails if a
# process of the sandbox is left over.
# shellcheck shell=bash

TOP=$(cd "${BATS_TEST_DIRNAME}/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac

setup() {
    sandbox_make
}

teardown() {
    sandbox_remove
}

sandbox_make() {
    SANDBOX=$(mktemp -d /tmp/effigy-e2e.XXXXXX)
    export SANDBOX
    export EFFIGY_ROOT=$SANDBOX/root EFFIGY_RUN_ROOT=$SANDBOX/run
    # The program finds the server that was built beside it.
    export PATH=$BUILD/src/cli:$PATH LC_ALL=C.UTF-8
    unset EFFIGY_CONFIG EFFIGY_LIBDIR EFFIGY_LOCKING SOURCE_DATE_EPOCH
    JOBS=()
    cd "$SANDBOX" || return 1
}

sandbox_remove() {
    local pid left service
    for pid in "${JOBS[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    if [ -n "${SANDBOX:-}" ] && cd "$SANDBOX"; then
        for service in "$EFFIGY_RUN_ROOT"/*; do
            [ -d "$service" ] || continue
            stop_all
            break
        done
        left=$(sandbox_processes)
        cd / || return 1
        rm -rf "$SANDBOX"
        if [ -n "$left" ]; then
            echo "left over: $left"
            # Only what this sandbox started.
            # shellcheck disable=SC2046
            kill -9 $(awk '{ print $1 }' <<<"$left") 2>/dev/null || true
            return 1
        fi
    fi
}

# Stops the replicas of every service of the sandbox, whatever state its files are in by now.
stop_all() {
    local name config=$SANDBOX/.stop.yaml
    for name in $(services_running); do
        effigy init "$name" --master "sqlite:$SANDBOX/shop.db" --image "oci:$SANDBOX/images/$name" \
            -c "$config" >/dev/null 2>&1
        effigy -q -c "$config" stop "$name" >/dev/null 2>&1 || true
    done
}
services_running() {
    local file
    for file in "$SANDBOX"/*.yaml; do
        [ ! -e "$file" ] || sed -n 's/^ *-\{0,1\} *name: *\([a-z0-9_-]*\).*/\1/p' "$file"
    done | sort -u
}

# "PID COMMAND" of each process whose command line or environment names the sandbox's roots.
sandbox_processes() {
    local pid found
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        found=''
        for pid in $(pgrep -f "$SANDBOX" 2>/dev/null); do
            [ "$pid" = "$$" ] || [ "$pid" = "${BASHPID:-}" ] || [ ! -e "/proc/$pid/cmdline" ] ||
                found+="$pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"$'\n'
        done
        [ -n "$found" ] || return 0
        sleep 0.3
    done
    printf '%s' "$found"
}

# A command that hangs is a failure, not a test that never ends.
effigy() {
    timeout --foreground -k 5 180 "$BUILD/src/cli/effigy" "$@"
}

# Runs a command; its exit code, stdout and stderr are then in $status, $out and $err.
capture() {
    status=0
    "$@" >"$SANDBOX/.out" 2>"$SANDBOX/.err" || status=$?
    out=$(tr -d '\0' <"$SANDBOX/.out")
    err=$(tr -d '\0' <"$SANDBOX/.err")
}
told() {
    printf -- '--- exit %s, stdout:\n%s\n--- stderr:\n%s\n' "$status" "$(head -c 4000 <<<"$out")" "$(head -c 4000 <<<"$err")"
}
# ok COMMAND...: it must succeed
ok() {
    capture "$@"
    [ "$status" -eq 0 ] || { echo "failed: $*"; told; return 1; }
}
# refused CODE COMMAND...: it must fail with this exit code, say so on stderr, and give a hint
refused() {
    local code=$1
    shift
    capture "$@"
    [ "$status" -eq "$code" ] || { echo "expected exit $code: $*"; told; return 1; }
    [ -n "$err" ] || { echo "nothing was said: $*"; return 1; }
    grep -q 'hint: ' <<<"$err" || { echo "no hint: $*"; told; return 1; }
}
# says TEXT: the last command's stdout or stderr holds it
says() {
    grep -qF -- "$1" "$SANDBOX/.out" "$SANDBOX/.err" || { echo "it does not say '$1':"; told; return 1; }
}
# same ACTUAL EXPECTED [WHAT]
same() {
    [ "$1" = "$2" ] || { echo "${3:-value}: '$1' instead of '$2'"; return 1; }
}
# field PATH: of the JSON on the last command's stdout
field() {
    jq -r "$1" <"$SANDBOX/.out"
}
# field_is PATH VALUE
field_is() {
    same "$(field "$1")" "$2" "$1"
}

# A small shop: make_master [FILE [ROWS]]
make_master() {
    sqlite3 "${1:-shop.db}" "
        CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, picture BLOB);
        CREATE INDEX item_name ON item (name);
        CREATE TABLE state (value TEXT);
        INSERT INTO state VALUES ('one');
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${2:-1000})
        INSERT INTO item SELECT i, 'item ' || i, i * 1.5, randomblob(20) FROM n;"
}
sql() { # sql STATEMENT [FILE]
    sqlite3 -cmd '.timeout 20000' "${2:-shop.db}" "$1"
}

# init_shop: effigy.yaml with the service "shop"
init_shop() {
    ok effigy init shop --master sqlite:shop.db --image oci:images/shop
}
# write_config [LINE...]: the same by hand, with more lines for the service
write_config() {
    {
        printf 'services:\n  - name: shop\n    master: sqlite:shop.db\n    image: oci:images/shop\n'
        [ $# -eq 0 ] || printf '    %s\n' "$@"
    } >effigy.yaml
}
publish() {
    ok effigy publish shop --json "$@"
}
new_shop() {
    make_master shop.db "${1:-1000}"
    init_shop
    publish
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# run_shop [OPTIONS]: replicas of "shop" on $PORT
run_shop() {
    PORT=${PORT:-$(free_port)}
    ok effigy run shop --port "$PORT" --json "$@"
}
# query SQL [CURL-OPTIONS]: the answer as CSV without its header line
query() {
    local statement=$1
    shift
    curl -sS --fail --max-time 20 -G "http://127.0.0.1:$PORT/query" -H 'Accept: text/csv' \
        --data-urlencode "sql=$statement" "$@" | tr -d '\r' | tail -n +2
}
get() { # get PATH [CURL-OPTIONS]
    local path=$1
    shift
    curl -sS --max-time 20 "http://127.0.0.1:$PORT$path" "$@"
}

# A digest over every file of a folder: names, content, times of change, and whether it is still the same file.
tree_digest() {
    find "$1" -type f -printf '%P %s %T@ %i\n' | sort | sha256sum
    find "$1" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}
# The tags of the layout images/shop, as "tag digest" lines
tags() {
    jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"]) |
           .annotations["org.opencontainers.image.ref.name"] + " " + .digest' "${1:-images/shop}/index.json" | sort
}
blob() { # blob DIGEST [LAYOUT]: the path of its file
    echo "${2:-images/shop}/blobs/sha256/${1#sha256:}"
}
# manifest_of TAG [LAYOUT]: the image manifest as JSON, through an index where there is one
manifest_of() {
    local layout=${2:-images/shop} digest
    digest=$(tags "$layout" | awk -v tag="$1" '$1 == tag { print $2 }')
    if jq -e .manifests "$(blob "$digest" "$layout")" >/dev/null; then
        digest=$(jq -r '.manifests[0].digest' "$(blob "$digest" "$layout")")
    fi
    cat "$(blob "$digest" "$layout")"
}
config_of() { # config_of TAG [LAYOUT]
    cat "$(blob "$(manifest_of "$1" "${2:-images/shop}" | jq -r .config.digest)" "${2:-images/shop}")"
}
# The digests of the data layers of a generation
data_layers() {
    manifest_of "$1" "${2:-images/shop}" | jq -r '.layers[] | select(.annotations["io.effigy.data.file"]) | .digest'
}

# background COMMAND...: ended by teardown
background() {
    "$@" <&0 3>&- &
    JOBS+=($!)
}
# A process that reads through the published port until it is ended, and then writes what it saw:
# start_reader new|kept NAME, stop_readers; reader_summary NAME
start_reader() {
    python3 "$TOP/tests/e2e/reader.py" "$PORT" "$1" "$SANDBOX/reader.$2" 3>&- &
    READERS+=($!)
    JOBS+=($!)
    until_true 20 test -e "$SANDBOX/reader.$2.reads"
}
stop_readers() {
    local pid
    for pid in "${READERS[@]}"; do
        kill -TERM "$pid"
        wait "$pid" || true
    done
    READERS=()
}
until_true() { # until_true SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "still not true: $*"; return 1; }
        sleep 0.2
    done
}
