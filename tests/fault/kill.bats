#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 and Ctrl-C at any moment.

load helper

@test "kill -9 of publish at thirty random moments: nothing is lost, nothing is served half" {
    make_large_master
    init_shop
    long=$(seconds_of effigy publish shop)
    echo g1 >reported
    run_shop --replicas 1
    before=$(query 'select value from state')
    killed=0
    for round in $(seq 30); do
        sql "UPDATE state SET value = 'round $round'"
        struck KILL "$(random_between 0 "$long")" effigy publish shop --json
        if [ "$status" -eq 0 ]; then
            jq -r .generation .out >>reported
        else
            same "$status" 137 "exit code"
            killed=$((killed + 1))
        fi
        # As it was, or as it will be; never in between.
        history_is_whole
        ok effigy inspect shop:latest --json
        same "$(query 'select value from state')" "$before" "what the replica serves"
        # Sometimes the same state is tried again at once, sometimes the next change comes first.
        if [ $((round % 2)) -eq 0 ]; then
            publish
            field .generation >>reported
        fi
    done
    echo "$killed of 30 were killed"
    [ "$killed" -ge 10 ]
    publish
    field .generation >>reported
    history_is_whole
    ok effigy verify shop --against master
    for generation in $(field '.generation' <.out); do ok effigy verify "shop:$generation"; done
    same "$(leftovers)" '' "files left in the store"
    ok effigy run shop
    same "$(query 'select value from state')" 'round 30'
}

@test "a publish that was killed is finished by the next one, and leaves no blob behind" {
    make_large_master
    init_shop
    long=$(seconds_of effigy publish shop)
    for round in 1 2 3 4 5 6 7 8 9 10; do
        sql "UPDATE state SET value = 'round $round'"
        struck KILL "$(random_between 0 "$long")" effigy publish shop
        publish
        same "$(unreferenced_blobs)" '' "blobs that nothing names"
        same "$(leftovers)" '' "files left in the store"
    done
    # Nothing of the working files is left on the disk either: nameless files have gone with their process.
    [ "$(du -sm images | cut -f1)" -lt $((35 * 12)) ]
}

@test "Ctrl-C of publish at every stage: exit code 130, and nothing is left" {
    make_large_master
    init_shop
    long=$(seconds_of effigy publish shop)
    cp -R images before
    interrupted=0
    for step in 1 2 3 4 5 6 7 8 9 10 11 12; do
        sql "UPDATE state SET value = 'step $step'"
        struck INT "$(awk -v l="$long" -v s="$step" 'BEGIN { print l * s / 13 }')" effigy publish shop
        [ "$status" -eq 130 ] || [ "$status" -eq 0 ] || { told; return 1; }
        if [ "$status" -eq 130 ]; then
            interrupted=$((interrupted + 1))
            same "$(leftovers)" '' "files left in the store after step $step"
        fi
    done
    echo "$interrupted of 12 were interrupted"
    [ "$interrupted" -ge 4 ]
    publish
    ok effigy verify shop --against master
}

@test "Ctrl-C and kill -9 of run: the next one gives what was asked for" {
    new_shop
    run_shop --replicas 3
    long=$(seconds_of effigy run shop)
    for round in 1 2 3 4 5 6; do
        sql "UPDATE state SET value = 'round $round'"
        publish
        signal=INT
        [ $((round % 2)) -eq 0 ] || signal=KILL
        struck $signal "$(random_between 0.02 1)" effigy run shop
        # Whatever happened, there is someone who answers.
        query 'select value from state' >/dev/null
        # A rollout that was killed between starting and stopping leaves one more than there were; the next knows.
        ok effigy run shop --json
        field_is '.replicas | length' 3
        field_is '[.replicas[].generation] | unique | length' 1
        field_is '[.replicas[].healthy] | all' true
        same "$(query 'select value from state')" "round $round"
    done
}

@test "kill -9 of a replica: the others answer, and it comes back" {
    new_shop
    run_shop --replicas 2
    ok effigy status shop --json
    pid=$(field '.replicas[0].pid')
    id=$(field '.replicas[0].id')
    kill -9 "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        same "$(query 'select value from state')" one
    done
    back() {
        ok effigy status shop --json &&
            jq -e --arg id "$id" '.replicas[] | select(.id == $id) | .healthy and .restarts >= 1' .out >/dev/null
    }
    until_true 20 back
    [ "$(jq -r --arg id "$id" '.replicas[] | select(.id == $id) | .pid' .out)" != "$pid" ]
}

@test "kill -9 of a replica's monitor: status is true, and run and stop put it right" {
    new_shop
    run_shop --replicas 2
    monitors=$(sandbox_processes | grep -i monitor | cut -d' ' -f1)
    [ -n "$monitors" ]
    kill -9 "$(head -n 1 <<<"$monitors")"
    sleep 1
    ok effigy status shop --json
    ok effigy run shop --json
    field_is '[.replicas[] | select(.healthy)] | length' 2
    same "$(query 'select value from state')" one
    ok effigy stop shop
    ok effigy status shop --json
    field_is '.replicas | length' 0
    capture get /-/readyz
    [ "$status" -ne 0 ]
}
