#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Getting the plain database files back.

load helper

@test "export gives a database with the same rows, which can be written again" {
    new_shop
    ok effigy export shop:g1 out --json
    same "$(sql 'SELECT count(*), sum(id), sum(price) FROM item' out/shop.db)" \
        "$(sql 'SELECT count(*), sum(id), sum(price) FROM item')"
    same "$(sql 'PRAGMA integrity_check' out/shop.db)" ok
    chmod u+w out/shop.db
    sql "INSERT INTO item (name) VALUES ('new')" out/shop.db
    same "$(ls out)" shop.db
}

@test "export of an old generation gives the old rows; without a generation, the latest" {
    new_shop
    sql "UPDATE state SET value = 'two'"
    publish
    ok effigy export shop:g1 old
    ok effigy export shop new
    same "$(sql 'SELECT value FROM state' old/shop.db)" one
    same "$(sql 'SELECT value FROM state' new/shop.db)" two
}

@test "nothing is overwritten" {
    new_shop
    mkdir out
    echo mine >out/shop.db
    capture effigy export shop:g1 out
    [ "$status" -ne 0 ]
    says 'hint: '
    same "$(cat out/shop.db)" mine
    same "$(ls -A out)" shop.db
}

@test "a folder that cannot be made" {
    new_shop
    echo >file
    capture effigy export shop:g1 file/out
    [ "$status" -ne 0 ]
    refused 4 effigy export shop:g5 out
    [ ! -e out/shop.db ]
}
