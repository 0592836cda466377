#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Point reads and scans per second: without locks and with mmap against SQLite's defaults, in process and over
# HTTP; and against soul-cli, a SQLite REST server from the npm registry.

. "$(dirname "$0")/common.sh"
SECONDS_EACH=${SECONDS_EACH:-4}
SOUL=0.8.2

build_release
catalogue
cd "$BENCH_DIR" || exit
facts
echo "database: $(stat -c %s catalogue.db) bytes; $SECONDS_EACH s each; clients and server share the CPUs"
gcc -O2 -o inprocess "$TOP/bench/inprocess.c" -lsqlite3
if [ ! -e soul/node_modules/soul-cli ]; then
    echo "installing soul-cli $SOUL from npm" >&2
    mkdir -p soul
    npm install --silent --no-audit --no-fund --prefix soul "soul-cli@$SOUL" >&2
fi

servers=()
stop_servers() {
    [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    servers=()
}
trap stop_servers EXIT

digest=sha256:$(printf '%064d' 0)
cat >generation.json <<JSON
{"service":"catalogue","generation":"g1","position":"-","created":"2026-01-01T00:00:00Z","engine":"sqlite",
 "engine_version":"3","format":"1","databases":[{"name":"main","file":"$BENCH_DIR/catalogue.db","digest":"$digest"}]}
JSON
serve() { # serve PORT LOCKING [NAME=VALUE...]
    env EFFIGY_IDENTITY="$BENCH_DIR/generation.json" EFFIGY_LISTEN=127.0.0.1 EFFIGY_PORT="$1" EFFIGY_LOCKING="$2" \
        "${@:3}" "$BUILD/src/replica/effigy-serve" 2>"serve-$1.log" &
    servers+=($!)
}
answers() { # answers URL: wait until it does
    for _ in $(seq 100); do
        curl -s --fail -o /dev/null "$1" && return 0
        sleep 0.1
    done
    echo "read.sh: nothing answers on $1" >&2
    exit 1
}

off=$(free_port); serve "$off" off
on=$(free_port); serve "$on" on
cp catalogue.db soul.db # soul-cli adds tables of its own
soul=$(free_port)
node soul/node_modules/soul-cli/src/server.js -d soul.db -p "$soul" >soul.log 2>&1 &
servers+=($!)
answers "http://127.0.0.1:$off/-/readyz"
answers "http://127.0.0.1:$on/-/readyz"
answers "http://127.0.0.1:$soul/api/tables/package/rows/1"

# The same row and the same scan from each; only the way of asking differs.
cat >query-point.lua <<'LUA'
request = function()
    return wrk.format("GET", "/query?sql=select%20*%20from%20package%20where%20id%3D%3Aid&id=" .. math.random(60000))
end
LUA
cat >query-scan.lua <<'LUA'
request = function()
    return wrk.format("GET", "/query?sql=select%20*%20from%20package%20where%20homepage%3D%3Ax%20limit%2010&x=nowhere")
end
LUA
cat >soul-point.lua <<'LUA'
request = function() return wrk.format("GET", "/api/tables/package/rows/" .. math.random(60000)) end
LUA
cat >soul-scan.lua <<'LUA'
request = function() return wrk.format("GET", "/api/tables/package/rows?_filters=homepage__eq:nowhere&_limit=10") end
LUA
load() { # load PORT SCRIPT: requests per second; any that failed is an error
    wrk --timeout 30s -t 2 -c 16 -d "${SECONDS_EACH}s" -s "$2.lua" "http://127.0.0.1:$1" >wrk.out
    ! grep -E 'Non-2xx|Socket errors' wrk.out >&2 || { echo "read.sh: requests failed ($2)" >&2; exit 1; }
    awk '/^Requests\/sec/ { print $2 }' wrk.out
}

rm -f ./*.rate
for round in $(seq "$ROUNDS"); do
    for kind in point scan; do
        for mode in default immutable mmap; do
            ./inprocess catalogue.db $mode $kind "$SECONDS_EACH" >>$mode-$kind.rate
        done
        load "$off" query-$kind >>http-off-$kind.rate
        load "$on" query-$kind >>http-on-$kind.rate
        load "$soul" soul-$kind >>soul-$kind.rate
    done
    echo "round $round done"
done
for kind in point scan; do
    echo "-- $kind reads"
    statistics 'in process, SQLite as it is' /s <default-$kind.rate
    statistics 'in process, immutable' /s <immutable-$kind.rate
    statistics 'in process, immutable and mmap' /s <mmap-$kind.rate
    statistics 'over HTTP, locking on, no mmap' /s <http-on-$kind.rate
    statistics 'over HTTP, locking off, mmap' /s <http-off-$kind.rate
    statistics "soul-cli $SOUL" /s <soul-$kind.rate
    ratio 'in process: immutable / default' immutable-$kind.rate default-$kind.rate
    ratio 'in process: immutable and mmap / default' mmap-$kind.rate default-$kind.rate
    ratio 'over HTTP: locking off, mmap / on' http-off-$kind.rate http-on-$kind.rate
    ratio 'over HTTP: effigy / soul-cli' http-off-$kind.rate soul-$kind.rate
done
