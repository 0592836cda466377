#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Two at once.

load helper

@test "two publishers of one service: they exclude each other, and no generation is lost or given twice" {
    make_large_master
    init_shop
    : >reported
    for round in 1 2 3 4 5 6 7 8; do
        sql "UPDATE state SET value = 'round $round'"
        for one in a b c; do
            (effigy publish shop --json >"$one.out" 2>"$one.err" && s=0 || s=$?; echo "$s" >"$one.status") 3>&- &
        done
        wait
        for one in a b c; do
            case $(cat $one.status) in
            0) jq -r 'select(.changed) | .generation' $one.out >>reported ;;
            7) grep -q 'hint: ' $one.err ;;
            *) cat $one.out $one.err; return 1 ;;
            esac
        done
        same "$(grep -lx 0 a.status b.status c.status | wc -l | awk '{ print ($1 >= 1) }')" 1 "someone succeeded"
    done
    same "$(sort reported | uniq -d)" '' "numbers given twice"
    history_is_whole
    publish
    ok effigy verify shop --against master
}

@test "two masters that publish to one store take turns" {
    make_master one.db
    make_master two.db
    for name in one two; do
        printf 'services:\n  - name: shop\n    master: sqlite:%s.db\n    image: oci:images/shop\n' $name >$name.yaml
    done
    : >reported
    for round in 1 2 3 4 5 6 7 8; do
        for name in one two; do
            sql "UPDATE state SET value = '$name $round'" $name.db
            (effigy publish shop -c $name.yaml --json >$name.out 2>$name.err && s=0 || s=$?; echo "$s" >$name.status) 3>&- &
        done
        wait
        for name in one two; do
            case $(cat $name.status) in
            0) jq -r 'select(.changed) | .generation' $name.out >>reported ;;
            7) ;;
            *) cat $name.out $name.err; return 1 ;;
            esac
        done
    done
    same "$(sort reported | uniq -d)" '' "numbers given twice"
    cp one.yaml effigy.yaml
    history_is_whole
}

@test "two rollouts of one service: the second waits its turn or is told to" {
    new_shop
    run_shop --replicas 2
    sql "UPDATE state SET value = 'two'"
    publish
    for one in a b; do
        (effigy run shop --json >$one.out 2>$one.err && s=0 || s=$?; echo "$s" >$one.status) 3>&- &
    done
    wait
    for one in a b; do
        case $(cat $one.status) in
        0 | 7) ;;
        *) cat $one.out $one.err; return 1 ;;
        esac
    done
    ok effigy run shop --json
    field_is '.replicas | length' 2
    same "$(query 'select value from state')" two
}
