#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bad input: each gives a clear message with a hint and its exit code; nothing half-done is left.

load helper

# Nothing was published, and no working file is left in the store.
nothing_published() {
    [ ! -e images/shop/index.json ] || same "$(tags)" ''
    same "$(find images -type f -size +64k 2>/dev/null)" '' "large files left in the store"
}

@test "the master is missing" {
    init_shop
    refused 5 effigy publish shop
    says shop.db
    nothing_published
    [ ! -e shop.db ]
}

@test "the master cannot be read" {
    make_master
    chmod 000 shop.db
    init_shop
    if [ "$(id -u)" -eq 0 ]; then
        command -v runuser >/dev/null || skip "root reads everything, and there is no runuser"
        chmod 755 .
        cp "$BUILD/src/cli/effigy" program # its folder may be closed to others
        chown -R nobody "$SANDBOX"
        capture runuser -u nobody -- "$SANDBOX/program" publish shop
        [ "$status" -eq 5 ] || [ "$status" -eq 9 ] || { told; return 1; }
        says shop.db
        says 'hint: '
    else
        capture effigy publish shop
        [ "$status" -eq 5 ] || [ "$status" -eq 9 ] || { told; return 1; }
    fi
}

@test "the master is empty" {
    : >shop.db
    init_shop
    capture effigy publish shop
    # An empty file is a valid database without tables to SQLite; it is most likely a mistake.
    [ "$status" -eq 5 ] || [ "$status" -eq 6 ] || { told; return 1; }
    says shop.db
    says 'hint: '
    nothing_published
}

@test "the master is not a database, a folder, encrypted noise" {
    init_shop
    seq 1 20000 >shop.db
    capture effigy publish shop
    [ "$status" -eq 5 ] || [ "$status" -eq 6 ] || { told; return 1; }
    says shop.db
    head -c 65536 /dev/urandom >shop.db
    capture effigy publish shop
    [ "$status" -eq 5 ] || [ "$status" -eq 6 ] || { told; return 1; }
    says 'hint: '
    rm shop.db
    mkdir shop.db
    refused 5 effigy publish shop
    nothing_published
}

@test "the master has a corrupt page" {
    make_master shop.db 20000
    python3 - <<'PY'
with open("shop.db", "r+b") as file:
    file.seek(4096 * 20)
    file.write(b"\xff" * 4096)
PY
    init_shop
    refused 6 effigy publish shop
    says shop.db
    nothing_published
}

@test "the master was cut short" {
    make_master shop.db 20000
    truncate -s 200000 shop.db
    init_shop
    refused 6 effigy publish shop
    nothing_published
}

@test "a virtual table whose module is missing" {
    make_master
    sql "PRAGMA writable_schema = on;
         INSERT INTO sqlite_schema VALUES ('table', 'places', 'places', 0, 'CREATE VIRTUAL TABLE places USING spellfix9(word)');"
    init_shop
    refused 10 effigy publish shop
    says spellfix9
    nothing_published
}

@test "the schema changes all the time while it is published" {
    make_master shop.db 20000
    init_shop
    background python3 - <<'PY'
import sqlite3, os
db = sqlite3.connect("shop.db", timeout=30, isolation_level=None)
n = 0
while not os.path.exists("stop"):
    n += 1
    db.execute("CREATE TABLE extra (a)")
    db.execute("CREATE INDEX extra_a ON extra (a)")
    db.execute("DROP TABLE extra")
    open("changes", "w").write(str(n))
PY
    until_true 10 test -s changes
    for _ in 1 2 3; do
        ok effigy publish shop --json
        ok effigy verify shop
    done
    touch stop
}

@test "malformed image references" {
    make_master
    for image in 'oci:' 'oci' ':::' 'oci:dir:bad tag' 'http://example.com/x' 'oci:dir:' ''; do
        printf 'services:\n  - name: shop\n    master: sqlite:shop.db\n    image: "%s"\n' "$image" >effigy.yaml
        capture effigy publish shop
        [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || { echo "image: $image"; told; return 1; }
        says 'hint: '
    done
    capture effigy init other --master sqlite:shop.db --image 'oci:' -c other.yaml
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || { told; return 1; }
}

@test "generation names that are none" {
    new_shop
    for name in shop:g0 shop:g01 shop:x 'shop:g1;ls' shop:g99999999999999999999; do
        capture effigy inspect "$name"
        [ "$status" -eq 4 ] || [ "$status" -eq 2 ] || { echo "$name"; told; return 1; }
    done
    refused 4 effigy inspect shap:g1
    says shop
}

@test "the target is a folder of something else, or a file" {
    make_master
    init_shop
    mkdir -p images/shop
    echo mine >images/shop/letter.txt
    capture effigy publish shop
    [ "$status" -ne 0 ]
    says 'hint: '
    same "$(ls images/shop)" letter.txt
    rm -r images/shop
    echo mine >images/shop
    capture effigy publish shop
    [ "$status" -ne 0 ]
    same "$(cat images/shop)" mine
}

@test "the port is in use" {
    new_shop
    PORT=$(free_port)
    background python3 -m http.server --bind 127.0.0.1 "$PORT"
    until_true 10 get / -o /dev/null
    refused 7 effigy run shop --port "$PORT"
    says "$PORT"
    ok effigy status shop --json
    field_is '.replicas | length' 0
}

@test "ports, numbers and options that are none" {
    new_shop
    for port in 0 65536 -1 http 80.5 ''; do
        refused 2 effigy run shop --port "$port"
    done
    for replicas in 0 -3 many 1000000; do
        refused 2 effigy run shop --port 1 --replicas "$replicas"
    done
    refused 2 effigy run
    refused 2 effigy run shop shop2 shop3
    refused 2 effigy publish shop --forse
    says --force
    refused 2 effigy publsh shop
    says publish
    refused 4 effigy publish shoq
    says shop
    same "$out" '' "stdout"
}

@test "errors are one JSON object with --json" {
    init_shop
    capture effigy publish shop --json
    same "$status" 5 "exit code"
    jq -e '.error.kind and .error.message and .error.hint and .error.exit == 5' "$SANDBOX/.out" >/dev/null ||
        jq -e '.error.kind and .error.message and .error.hint and .error.exit == 5' "$SANDBOX/.err" >/dev/null ||
        { told; return 1; }
}

@test "names with spaces, quotes and other letters are only names" {
    mkdir 'a folder'
    make_master "a folder/it's a \"shöp\".db"
    ok effigy init shop --master "sqlite:a folder/it's a \"shöp\".db" --image 'oci:a folder/images'
    publish
    run_shop --replicas 1
    same "$(query 'select count(*) from item')" 1000
    ok effigy verify shop --against master
}
