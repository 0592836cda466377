#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What publish writes, when it writes nothing, and that it catches every commit.

load helper

@test "the first generation: every field that scripts read is there" {
    make_master
    init_shop
    publish
    field_is .service shop
    field_is .generation g1
    field_is .parent null
    field_is .changed true
    field_is .latest_moved true
    [[ $(field .digest) =~ ^sha256:[0-9a-f]{64}$ ]]
    [ -n "$(field .position)" ]
    [ "$(field .bytes_data)" -gt 20000 ]
    [ "$(field .bytes_written)" -gt 20000 ]
    for stage in probe snapshot settle bake store total; do
        [[ $(field ".seconds.$stage") =~ ^[0-9.e-]+$ ]] || { echo "no time of stage $stage"; told; return 1; }
    done
    same "$(tags | cut -d' ' -f1 | xargs)" 'g1 latest'
}

@test "an unchanged master gives no new generation, and nothing is written" {
    new_shop
    digest=$(field .digest)
    before=$(tree_digest images/shop)
    publish
    field_is .changed false
    field_is .generation g1
    field_is .digest "$digest"
    field_is .bytes_written 0
    same "$(tree_digest images/shop)" "$before" "the image store"
}

@test "a commit that leaves the content as it was gives no new generation" {
    new_shop
    sql "PRAGMA user_version = 0"
    publish
    field_is .changed false
    sql "UPDATE state SET value = value"
    publish
    field_is .changed false
    sql "INSERT INTO item (id, name) VALUES (999999, 'short-lived')"
    sql "DELETE FROM item WHERE id = 999999"
    publish
    field_is .changed false
    same "$(tags | cut -d' ' -f1 | xargs)" 'g1 latest'
}

@test "a change gives the next generation; the parent's tag stays where it was" {
    new_shop
    before=$(tags | grep '^g1 ')
    sql "UPDATE state SET value = 'two'"
    publish
    field_is .generation g2
    field_is .parent g1
    field_is .changed true
    same "$(tags | grep '^g1 ')" "$before"
    same "$(tags | awk '$1 == "latest" { print $2 }')" "$(tags | awk '$1 == "g2" { print $2 }')"
    same "$(manifest_of g2 | jq -r '.annotations["io.effigy.parent"]')" g1
}

@test "WAL mode: no commit is missed, even when each is followed by a truncating checkpoint" {
    make_master
    sql 'PRAGMA journal_mode = wal' >/dev/null
    init_shop
    publish
    for n in 2 3 4 5; do
        sql "UPDATE state SET value = 'v$n'; PRAGMA wal_checkpoint(truncate)" >/dev/null
        publish
        field_is .changed true
        field_is .generation "g$n"
    done
}

@test "WAL mode: what is only in the WAL is published, and the master keeps its WAL" {
    make_master
    # A connection that stays keeps the WAL from being checkpointed away.
    mkfifo hold
    sqlite3 shop.db <hold 3>&- &
    JOBS+=($!)
    exec 7>hold
    echo "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; UPDATE state SET value = 'in the WAL';" >&7
    until_true 10 test -s shop.db-wal
    init_shop
    publish
    ok effigy export shop:g1 exported --json
    same "$(sql 'SELECT value FROM state' exported/shop.db)" 'in the WAL'
    [ -s shop.db-wal ]
    exec 7>&-
}

writer() { # writer MODE: moves money between two accounts without a pause; each sum is always 0
    exec python3 - "$1" <<'PY'
import os, random, sqlite3, sys, time
db = sqlite3.connect("shop.db", timeout=30, isolation_level=None)
db.execute("PRAGMA journal_mode = " + sys.argv[1])
longest, n = 0.0, 0
while not os.path.exists("stop"):
    start = time.monotonic()
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET balance = balance - 1 WHERE id = ?", (random.randint(1, 500),))
    db.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (random.randint(1, 500),))
    db.execute("COMMIT")
    longest = max(longest, time.monotonic() - start)
    n += 1
    open("commits.new", "w").write("%d %.3f" % (n, longest))
    os.replace("commits.new", "commits")
PY
}
accounts() {
    make_master shop.db 20000
    sql "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER);
         INSERT INTO account SELECT id, 0 FROM item ORDER BY id LIMIT 500"
}

@test "WAL mode: writers go on during a publish, which sees one consistent state" {
    accounts
    init_shop
    background writer wal
    until_true 10 test -s commits
    for n in 1 2 3 4 5; do
        before=$(cut -d' ' -f1 commits)
        publish
        field_is .generation "g$n"
        [ "$(cut -d' ' -f1 commits)" -gt "$before" ]
        ok effigy export "shop:g$n" "exported$n"
        same "$(sql 'SELECT sum(balance) FROM account' "exported$n/shop.db")" 0 "the sum over all accounts"
    done
    touch stop
    # Nobody waited for the publisher: the longest commit took less than two seconds.
    awk '{ exit !($2 < 2) }' commits
}

@test "rollback journal: writers go on during a publish, which succeeds in the end" {
    accounts
    init_shop
    background writer delete
    until_true 10 test -s commits
    for n in 1 2 3; do
        publish
        field_is .generation "g$n"
        ok effigy export "shop:g$n" "exported$n"
        same "$(sql 'SELECT sum(balance) FROM account' "exported$n/shop.db")" 0 "the sum over all accounts"
    done
    touch stop
    awk '{ exit !($2 < 5) }' commits
}

@test "what was deleted does not travel" {
    make_master
    sql "PRAGMA secure_delete = off; INSERT INTO item (name) VALUES ('the secret of the king');
         INSERT INTO item (id, picture) SELECT 5000 + id, NULL FROM item WHERE 0;
         CREATE TABLE doomed (text); INSERT INTO doomed SELECT 'another secret of the king' FROM item;" >/dev/null
    grep -q 'secret of the king' shop.db
    sql "PRAGMA secure_delete = off; DELETE FROM item WHERE name LIKE '%secret%'; DROP TABLE doomed" >/dev/null
    grep -q 'secret of the king' shop.db # still in the master's free pages and unused bytes
    init_shop
    publish
    ok effigy export shop:g1 exported
    same "$(sql 'SELECT count(*) FROM item' exported/shop.db)" 1000
    capture grep -c 'secret of the king' exported/shop.db
    same "$out" 0
}

@test "several databases in one service: each has its layer, and a query names it" {
    make_master
    sqlite3 rates.db "create table rate (currency text, value real); insert into rate values ('EUR', 1.1)"
    write_config 'attach:' '  - name: rates' '    master: sqlite:rates.db'
    publish
    same "$(data_layers g1 | wc -l)" 2
    run_shop --replicas 1
    same "$(query 'select i.id, r.currency from item i, rates.rate r where i.id = 7')" '7,EUR'

    shop_layer=$(data_layers g1 | head -n 1)
    sqlite3 rates.db "insert into rate values ('JPY', 0.006)"
    publish
    field_is .generation g2
    same "$(data_layers g2 | head -n 1)" "$shop_layer" "the layer of the unchanged database"
    ok effigy verify shop:g2 --against master
    ok effigy export shop:g2 exported
    same "$(ls exported)" $'rates.db\nshop.db'
}

@test "the same content gives the same image, whenever, wherever and by whomever it is made" {
    make_master
    init_shop
    publish
    first=$(field .digest)
    mkdir elsewhere
    sleep 1.1
    (
        umask 077
        export TZ=Asia/Kolkata LC_ALL=C.UTF-8
        cd elsewhere
        effigy init shop --master sqlite:../shop.db --image oci:images/shop >/dev/null
        taskset -c 0 effigy publish shop --json >result
    )
    same "$(jq -r .digest elsewhere/result)" "$first" "the manifest's digest"
}

@test "a copy of the database with other pages holds the same rows, and verify says so" {
    new_shop
    sqlite3 shop.db 'VACUUM INTO "copy.db"'
    mv copy.db shop.db
    ok effigy verify shop:g1 --against master
}

@test "SOURCE_DATE_EPOCH is the time of the image" {
    make_master
    init_shop
    SOURCE_DATE_EPOCH=1700000000 publish
    same "$(config_of g1 | jq -r .created)" 2023-11-14T22:13:20Z
    same "$(manifest_of g1 | jq -r '.annotations["org.opencontainers.image.created"]')" 2023-11-14T22:13:20Z
    same "$(config_of g1 | jq -r '[.history[].created] | unique | join(" ")')" 2023-11-14T22:13:20Z
}

@test "layers can be gzip, zstd or plain, and all hold the same" {
    make_master
    for compression in gzip zstd none; do
        write_config "compression: $compression"
        sed -i "s|images/shop|images/$compression|" effigy.yaml
        publish
        ok effigy verify shop:g1 --against master
    done
    # The data layers; the server and the identity are so small that they are always gzip.
    type_of() {
        manifest_of g1 "images/$1" |
            jq -r '[.layers[] | select(.annotations["io.effigy.data.file"]) | .mediaType] | unique | join(" ")'
    }
    same "$(type_of gzip)" application/vnd.oci.image.layer.v1.tar+gzip
    same "$(type_of zstd)" application/vnd.oci.image.layer.v1.tar+zstd
    same "$(type_of none)" application/vnd.oci.image.layer.v1.tar
    diff_ids() { config_of g1 "images/$1" | jq -c .rootfs.diff_ids; }
    same "$(diff_ids zstd)" "$(diff_ids gzip)"
    same "$(diff_ids none)" "$(diff_ids gzip)"
}
