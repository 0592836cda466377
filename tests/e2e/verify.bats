#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# verify finds what was damaged, and compares with the master.

load helper

damage() { # damage FILE [OFFSET]: flips bits of one byte in the middle
    chmod u+w "$1"
    python3 - "$1" "${2:-}" <<'PY'
import os, sys
with open(sys.argv[1], "r+b") as file:
    at = int(sys.argv[2]) if sys.argv[2] else os.path.getsize(sys.argv[1]) // 2
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 0x55]))
PY
}

@test "a sound generation: every blob is read, and equal to the master" {
    new_shop
    ok effigy verify shop:g1 --json
    field_is .generation g1
    ok effigy verify shop:g1 --against master --json
    field_is .equal true
    ok effigy verify shop
}

@test "a byte of a data layer was changed" {
    new_shop
    damage "$(blob "$(data_layers g1)")"
    refused 6 effigy verify shop:g1
    says "$(data_layers g1 | cut -c1-19)"
    refused 6 effigy run shop --port "$(free_port)"
    refused 6 effigy export shop:g1 exported
    capture ls exported/shop.db
    [ "$status" -ne 0 ]
}

@test "a layer was cut short, or is missing" {
    new_shop
    layer=$(blob "$(data_layers g1)")
    chmod u+w "$layer"
    cp "$layer" whole
    truncate -s -100 "$layer"
    refused 6 effigy verify shop:g1
    rm -f "$layer"
    capture effigy verify shop:g1
    [ "$status" -eq 6 ] || [ "$status" -eq 4 ]
    cp whole "$layer"
    ok effigy verify shop:g1
}

@test "the manifest was changed" {
    new_shop
    manifest=$(blob "$(field .digest)")
    chmod u+w "$manifest"
    sed -i 's/"io.effigy.service":"shop"/"io.effigy.service":"shoq"/' "$manifest"
    grep -q shoq "$manifest"
    refused 6 effigy verify shop:g1
    refused 6 effigy inspect shop:g1
    refused 6 effigy run shop --port "$(free_port)"
}

@test "the image's config was changed" {
    new_shop
    damage "$(blob "$(manifest_of g1 | jq -r .config.digest)")"
    refused 6 effigy verify shop:g1
}

@test "the index is not JSON, is empty, is huge, or names what is not there" {
    new_shop
    cp images/shop/index.json good.json
    for bad in '{"schemaVersion":2,"manifests":[' '' 'null' '[]' '{"schemaVersion":2,"manifests":"none"}' \
        '{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:../../../../etc/passwd","size":1,"annotations":{"org.opencontainers.image.ref.name":"g1"}}]}'; do
        printf '%s' "$bad" >images/shop/index.json
        refused 6 effigy verify shop:g1
        refused 6 effigy publish shop
    done
    head -c 20000000 /dev/zero >images/shop/index.json
    refused 6 effigy log shop
    cp good.json images/shop/index.json
    ok effigy verify shop:g1
    publish
    field_is .changed false
}

@test "g1 was made to name another image: its own annotations tell" {
    new_shop
    sql "UPDATE state SET value = 'two'"
    publish
    jq '(.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "g2") | {digest, size}) as $g2
        | (.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "g1")) += $g2' \
        images/shop/index.json >index.json
    mv index.json images/shop/index.json
    refused 6 effigy verify shop:g1
}

@test "against the master: equal, moved on, and different although it has not moved" {
    new_shop
    ok effigy verify shop:g1 --against master

    sql "UPDATE item SET price = 0 WHERE id = 3"
    capture effigy verify shop:g1 --against master --json
    same "$status" 13 "exit code"
    field_is .equal false
    field_is .master_moved true
    field_is '[.differences[].table] | join(" ")' item
    capture effigy verify shop:g1 --against master
    same "$status" 13 "exit code"
    says item

    publish
    ok effigy verify shop:g2 --against master

    # An image that claims to be of the master's position, and holds something else.
    sql "UPDATE item SET price = 1 WHERE id = 3"
    sleep 2.5 # until the file's times cannot be mistaken any more
    ok effigy status shop --json
    python3 "$TOP/tests/e2e/forge.py" images/shop g2 "$(field .master.position)"
    ok effigy verify shop:g2
    capture effigy verify shop:g2 --against master --json
    same "$status" 12 "exit code"
    field_is .equal false
    field_is .master_moved false
}

@test "against the master: a new table, a dropped one, another schema" {
    new_shop
    sql "CREATE TABLE fresh (a); DROP TABLE state; ALTER TABLE item ADD COLUMN colour"
    capture effigy verify shop:g1 --against master --json
    same "$status" 13 "exit code"
    field_is '[.differences[] | select(.table == "fresh") | .only_master] | join(" ")' true
    field_is '[.differences[] | select(.table == "state") | .only_image] | join(" ")' true
}

@test "against the master: values that look alike are not equal" {
    make_master
    sql "CREATE TABLE typed (v); INSERT INTO typed VALUES (1), ('a'), (NULL), (2.0), (x'61')"
    init_shop
    publish
    for change in "v = '1' WHERE v = 1" "v = x'61' WHERE typeof(v) = 'text'" "v = '' WHERE v IS NULL"; do
        cp shop.db kept.db
        sql "UPDATE typed SET $change"
        capture effigy verify shop:g1 --against master
        same "$status" 13 "exit code after $change"
        cp kept.db shop.db
    done
    ok effigy verify shop:g1 --against master
}
