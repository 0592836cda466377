#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What status and log say, and that staleness means what it says.

load helper

@test "before anything is published or run" {
    make_master
    init_shop
    ok effigy status shop --json
    field_is .newest null
    field_is '.replicas | length' 0
    ok effigy status shop
    ok effigy log shop --json
    field_is '.generations | length' 0
}

@test "staleness is 0 on an idle master, however long it is idle" {
    new_shop
    run_shop --replicas 2
    sleep 2
    ok effigy status shop --json
    field_is '[.replicas[].staleness_seconds] | max' 0
    field_is '.newest.generation' g1
}

@test "staleness rises from a commit on, and a rollout ends it" {
    new_shop
    run_shop --replicas 2
    sql "UPDATE state SET value = 'two'"
    sleep 1.2
    ok effigy status shop --json
    first=$(field '[.replicas[].staleness_seconds] | min')
    sleep 1.5
    ok effigy status shop --json
    second=$(field '[.replicas[].staleness_seconds] | min')
    awk -v a="$first" -v b="$second" 'BEGIN { exit !(a > 1 && b > a + 1.3 && b < a + 10) }' ||
        { echo "staleness was $first and then $second"; return 1; }

    # Published, but the replicas still run the old one: they are behind.
    publish
    ok effigy status shop --json
    field_is .newest.generation g2
    awk -v a="$(field '[.replicas[].staleness_seconds] | min')" 'BEGIN { exit !(a > 1) }'
    ok effigy run shop
    ok effigy status shop --json
    field_is '[.replicas[].staleness_seconds] | max' 0
    field_is '[.replicas[].generation] | unique | join(" ")' g2
}

@test "each replica: id, generation, address, published, state" {
    new_shop
    run_shop --replicas 2
    ok effigy status shop --json
    field_is '[.replicas[].id] | unique | length' 2
    field_is '[.replicas[].address] | unique | length' 2
    field_is '[.replicas[].published] | unique | join(" ")' "127.0.0.1:$PORT"
    field_is '[.replicas[].state] | unique | join(" ")' healthy
    field_is '[.replicas[].restarts] | add' 0
}

@test "the master is away: replicas go on, and status says so" {
    new_shop
    run_shop --replicas 1
    mv shop.db away.db
    same "$(query 'select value from state')" one
    ok effigy status shop --json
    field_is '.replicas[0].healthy' true
    [ "$(field '.master.error')" != null ]
    ok effigy status shop
    says shop.db
}

@test "log: one entry for each generation, oldest to newest or the other way, with sizes and parents" {
    new_shop
    for n in 2 3; do
        sql "UPDATE state SET value = 'v$n'"
        publish
    done
    ok effigy log shop --json
    field_is '.generations | length' 3
    field_is '.generations[] | select(.generation == "g1") | .parent' null
    field_is '.generations[] | select(.generation == "g3") | .parent' g2
    field_is '[.generations[] | select(.latest) | .generation] | join(" ")' g3
    field_is '[.generations[].position] | unique | length' 3
    field_is '[.generations[] | select(.bytes_data > 20000 and .bytes_image > 20000)] | length' 3
    for digest in $(field '.generations[].digest'); do
        [ -e "$(blob "$digest")" ]
    done
}

@test "inspect shows one generation; latest and digests work as names" {
    new_shop
    digest=$(field .digest)
    ok effigy inspect shop:g1 --json
    field_is .generation g1
    field_is .digest "$digest"
    ok effigy inspect shop:latest --json
    field_is .generation g1
    ok effigy inspect shop --json
    field_is .generation g1
    refused 4 effigy inspect shop:g9
    says g1
}
