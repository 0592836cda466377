#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The main job from end to end, as a user would do it.

load helper

@test "a catalogue is published, run, changed, published again, looked at, verified and rolled back" {
    PORT=$(free_port)
    sqlite3 catalogue.db "
        create table package (name text primary key, version text);
        insert into package values ('bash', '5.2'), ('dash', '0.5'), ('zsh', '5.9');"

    ok effigy init catalogue --master sqlite:catalogue.db --image oci:./images/catalogue
    [ -e effigy.yaml ]
    grep -q '^ *#' effigy.yaml

    ok effigy publish catalogue
    says g1
    says sha256:

    ok effigy run catalogue --replicas 2 --port "$PORT"
    same "$(query 'select count(*) from package')" 3

    sqlite3 catalogue.db "insert into package values ('fish', '3.6')"
    ok effigy publish catalogue
    says g2
    ok effigy run catalogue
    same "$(query 'select count(*) from package')" 4

    ok effigy status catalogue
    says g2
    says 127.0.0.1
    ok effigy status catalogue --json
    field_is .service catalogue
    field_is .newest.generation g2
    field_is '.replicas | length' 2
    field_is '[.replicas[].generation] | unique | join(" ")' g2
    field_is '[.replicas[].healthy] | all' true
    field_is '[.replicas[].staleness_seconds] | max' 0

    ok effigy log catalogue
    says g1
    says g2
    ok effigy log catalogue --json
    field_is '[.generations[].generation] | sort | join(" ")' 'g1 g2'
    field_is '.generations[] | select(.generation == "g2") | .parent' g1

    ok effigy inspect catalogue:g1
    says sha256:
    ok effigy verify catalogue:g2 --against master

    ok effigy rollback catalogue g1
    same "$(query 'select count(*) from package')" 3
    ok effigy stop catalogue
    ok effigy status catalogue --json
    field_is '.replicas | length' 0
    capture curl -sS --max-time 5 "http://127.0.0.1:$PORT/-/readyz"
    [ "$status" -ne 0 ]
}

@test "each replica can be reached past the front, and a killed one loses nothing" {
    new_shop
    run_shop --replicas 2
    ok effigy status shop --json
    addresses=$(field '.replicas[].address')
    same "$(sort -u <<<"$addresses" | wc -l)" 2
    for address in $addresses; do
        same "$(curl -sS --max-time 10 -G "http://$address/query" -H 'Accept: text/csv' \
            --data-urlencode 'sql=select count(*) from item' | tr -d '\r' | tail -n 1)" 1000
        ok curl -sS --fail --max-time 10 "http://$address/-/readyz"
    done
}

@test "every command says what it is, at most 80 columns wide, on stdout" {
    for command in '' init publish run status log inspect verify rollback unpin stop export logs config; do
        # shellcheck disable=SC2086
        ok effigy $command --help
        same "$err" ''
        [ "$(wc -l <<<"$out")" -ge 3 ]
        same "$(awk 'length > 80' <<<"$out")" '' "lines over 80 columns in the help of '$command'"
    done
    ok effigy --version
    says 0.
}
