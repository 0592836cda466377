#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Publishing 1 GB against `pigz -1 | openssl dgst -sha256` over the same bytes on the same cores.

. "$(dirname "$0")/common.sh"

build_release
large_database "$BENCH_DIR/large.db" 1000
cd "$BENCH_DIR" || exit
facts
echo "database: $(stat -c %s large.db) bytes, in the page cache; every round publishes into an empty store"
{ echo services:; write_service large "$BENCH_DIR/large.db"; } >effigy.yaml

# Both write the compressed bytes to this disk and wait until they are there.
peer() { pigz -1 -c large.db | tee peer.gz | openssl dgst -sha256 >/dev/null && sync peer.gz; }
peer_plain() { pigz -1 -c large.db | openssl dgst -sha256 >/dev/null; }

: >effigy.s; : >pigz.s; : >rss; : >pigz-disk.s
cat large.db >/dev/null
for round in $(seq "$ROUNDS"); do
    rm -rf images
    warm_memory 2600
    start=$(now)
    /usr/bin/time -f %M -o rss.now effigy -q publish large --json >publish.json
    since "$start" >>effigy.s
    cat rss.now >>rss
    warm_memory 2600
    start=$(now)
    peer_plain
    since "$start" >>pigz.s
    warm_memory 2600
    start=$(now)
    peer
    since "$start" >>pigz-disk.s
    rm -f peer.gz
    echo "round $round: effigy $(tail -n 1 effigy.s) s, $(tail -n 1 rss) KiB;" \
        "pigz | openssl $(tail -n 1 pigz.s) s; the same, and onto the disk $(tail -n 1 pigz-disk.s) s"
done
echo "stages of the last round: $(jq -c .seconds publish.json); $(jq .bytes_written publish.json) bytes written"
statistics 'effigy publish' s <effigy.s
statistics 'pigz -1 | openssl dgst -sha256' s <pigz.s
statistics 'the same, with the result on the disk' s <pigz-disk.s
statistics 'peak memory of effigy' KiB <rss
ratio 'effigy / (pigz | openssl)' effigy.s pigz.s '0.90'
ratio 'effigy / (pigz | openssl, onto the disk)' effigy.s pigz-disk.s
echo "peak memory: $(sort -n rss | tail -n 1 | awk '{ printf "%.0f MiB", $1 / 1024 }'); target 96 MiB"

echo 'nothing has changed:'
: >again.s
for round in $(seq "$ROUNDS"); do
    start=$(now)
    effigy -q publish large --json >publish.json
    since "$start" >>again.s
    [ "$(jq .changed publish.json)" = false ]
done
statistics 'effigy publish, master unchanged' s <again.s
rm -rf images
