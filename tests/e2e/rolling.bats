#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Replacing replicas under load, generations that do not come up, and going back.

load helper

no_read_failed() { # no_read_failed NAME VALUE...: none failed, and exactly these values were read
    local name=$1
    shift
    cat "reader.$name"; echo
    same "$(jq .failed "reader.$name")" 0 "failed reads of $name"
    same "$(jq -r '.values | keys | sort | join(" ")' "reader.$name")" "$(printf '%s\n' "$@" | sort | xargs)"
    [ "$(jq .reads "reader.$name")" -gt 100 ]
}

@test "clients that read without a pause see no failed read over five rollouts" {
    new_shop
    run_shop --replicas 2
    start_reader new first
    start_reader new second
    start_reader kept third
    start_reader kept fourth
    for n in 2 3 4 5 6; do
        sql "UPDATE state SET value = 'v$n'"
        publish
        ok effigy run shop --json
        field_is .generation "g$n"
        field_is .started 2
        field_is .stopped 2
    done
    sleep 0.5
    stop_readers
    for name in first second third fourth; do
        no_read_failed $name one v2 v3 v4 v5 v6
    done
}

@test "one replica is enough for a rollout without a failed read" {
    new_shop
    run_shop --replicas 1
    start_reader new first
    start_reader kept second
    for n in 2 3 4; do
        sql "UPDATE state SET value = 'v$n'"
        publish
        ok effigy run shop --json
    done
    sleep 0.5
    stop_readers
    no_read_failed first one v2 v3 v4
    no_read_failed second one v2 v3 v4
}

@test "running the generation that runs already replaces nothing" {
    new_shop
    run_shop --replicas 2
    ids=$(field '[.replicas[].id] | sort | join(" ")')
    ok effigy run shop --json
    field_is .started 0
    field_is .kept 2
    field_is '[.replicas[].id] | sort | join(" ")' "$ids"
}

@test "more and fewer replicas, without a failed read" {
    new_shop
    run_shop --replicas 1
    start_reader new first
    ok effigy run shop --replicas 4 --json
    field_is '.replicas | length' 4
    ok effigy run shop --replicas 2 --json
    field_is '.replicas | length' 2
    stop_readers
    no_read_failed first one
}

@test "a generation that does not become healthy is rolled back by itself, with the reason" {
    new_shop
    run_shop --replicas 2
    ids=$(field '[.replicas[].id] | sort | join(" ")')
    # g2 is published with a server that says why it cannot start, and ends.
    server=broken/$(dpkg --print-architecture)/effigy-serve
    mkdir -p "$(dirname "$server")"
    printf '#include <stdio.h>\nint main(void) { fputs("the crown is missing\\n", stderr); return 3; }\n' |
        gcc -static -x c -o "$server" -
    sql "UPDATE state SET value = 'two'"
    EFFIGY_LIBDIR=$PWD/broken publish
    field_is .generation g2
    start_reader new first
    refused 11 effigy run shop
    says 'the crown is missing'
    says g2
    stop_readers
    no_read_failed first one
    ok effigy status shop --json
    field_is '[.replicas[].id] | sort | join(" ")' "$ids"
    field_is '[.replicas[].generation] | unique | join(" ")' g1
    # The same when going back to it on purpose: nothing moves.
    sql "UPDATE state SET value = 'three'"
    publish
    ok effigy run shop
    before=$(tags)
    refused 11 effigy rollback shop g2
    same "$(tags)" "$before" "the tags"
    same "$(query 'select value from state')" three
}

@test "rollback pins; publish goes on numbering; unpin goes back to the newest" {
    new_shop
    run_shop --replicas 2
    sql "UPDATE state SET value = 'two'"
    publish
    ok effigy run shop
    start_reader new first
    ok effigy rollback shop g1 --json
    field_is .generation g1
    same "$(query 'select value from state')" one
    ok effigy status shop --json
    field_is .newest.generation g2
    field_is .latest.generation g1
    field_is .latest.pinned true
    field_is '[.replicas[].generation] | unique | join(" ")' g1

    # An unchanged master moves nothing; a changed one gives g3, and latest stays.
    publish
    field_is .changed false
    sql "UPDATE state SET value = 'three'"
    publish
    field_is .generation g3
    field_is .latest_moved false
    ok effigy run shop
    same "$(query 'select value from state')" one
    ok effigy log shop --json
    field_is '[.generations[].generation] | sort | join(" ")' 'g1 g2 g3'
    field_is '[.generations[] | select(.pinned) | .generation] | join(" ")' g1

    ok effigy unpin shop --json
    field_is .generation g3
    same "$(query 'select value from state')" three
    sql "UPDATE state SET value = 'four'"
    publish
    field_is .generation g4
    field_is .latest_moved true
    stop_readers
    same "$(jq .failed reader.first)" 0
}

@test "rollback without replicas moves the tag alone; to what is not there: a clear error" {
    new_shop
    sql "UPDATE state SET value = 'two'"
    publish
    refused 4 effigy rollback shop g7
    says g7
    says g2
    ok effigy rollback shop g1
    same "$(tags | awk '$1 == "latest" { print $2 }')" "$(tags | awk '$1 == "g1" { print $2 }')"
    run_shop --replicas 1
    same "$(query 'select value from state')" one
}

@test "two services run side by side; stopping one leaves the other" {
    new_shop
    run_shop --replicas 1
    ok effigy init other --master sqlite:shop.db --image oci:images/other
    ok effigy publish other
    other=$(free_port)
    ok effigy run other --replicas 1 --port "$other"
    ok effigy stop shop
    same "$(PORT=$other query 'select value from state')" one
    capture get /-/readyz
    [ "$status" -ne 0 ]
    ok effigy stop other
}

@test "logs shows what a replica wrote" {
    new_shop
    run_shop --replicas 1
    ok effigy logs shop
    [ -n "$out" ]
}
