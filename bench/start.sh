#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From the start of a replica to its first answer: 1 GB against 10 MB. Layers are unpacked already; the page
# cache is dropped before each start (as root).

. "$(dirname "$0")/common.sh"

build_release
large_database "$BENCH_DIR/large.db" 1000
large_database "$BENCH_DIR/small.db" 10
cd "$BENCH_DIR" || exit
facts
{ echo services:; write_service large "$BENCH_DIR/large.db"; write_service small "$BENCH_DIR/small.db"; } >effigy.yaml
trap 'effigy -q stop large >/dev/null 2>&1 || true; effigy -q stop small >/dev/null 2>&1 || true' EXIT

port=$(free_port)
for service in small large; do
    echo "$service: $(stat -c %s $service.db) bytes"
    effigy -q publish $service >/dev/null
    effigy -q run $service --replicas 1 --port "$port" >/dev/null
    effigy -q stop $service >/dev/null
    : >$service.start; : >$service.answer
done
drop_caches && echo 'the page cache is dropped before each start' || echo 'the page cache stays warm (not root)'
for round in $(seq "$ROUNDS"); do
    for service in small large; do
        drop_caches || true
        start=$(now)
        effigy -q run $service --replicas 1 --port "$port" >/dev/null
        since "$start" >>$service.start
        curl -sS --fail -G "http://127.0.0.1:$port/query" --data-urlencode 'sql=select name from package where id = 777' >/dev/null
        since "$start" >>$service.answer
        effigy -q stop $service >/dev/null
    done
    echo "round $round: small $(tail -n 1 small.answer) s, large $(tail -n 1 large.answer) s"
done
statistics '10 MB: command to first answer' s <small.answer
statistics '1 GB: command to first answer' s <large.answer
ratio '1 GB / 10 MB' large.answer small.answer 1.20
rm -rf images
