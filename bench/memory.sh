#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Memory of 8 replicas against 1, after all of them have read the whole database.

. "$(dirname "$0")/common.sh"

build_release
large_database "$BENCH_DIR/large.db" 1000
cd "$BENCH_DIR" || exit
facts
{ echo services:; write_service large "$BENCH_DIR/large.db"
  printf '    serve:\n      max_time: 60s\n'; } >effigy.yaml
trap 'effigy -q stop large >/dev/null 2>&1 || true' EXIT
effigy -q publish large >/dev/null
port=$(free_port)

# measure N: PSS and private memory of N replicas, in KiB, and RSS as a naive sum would have it
measure() {
    local address pids=''
    effigy -q run large --replicas "$1" --port "$port" --json >run.json
    for address in $(jq -r '.replicas[].address' run.json); do
        curl -sS --fail -G "http://$address/query" --data-urlencode 'sql=select sum(length(description)) from package' >/dev/null
        curl -sS --fail -G "http://$address/query" --data-urlencode 'sql=select count(distinct target) from dependency' >/dev/null
    done
    pids=$(effigy status large --json | jq -r '.replicas[].pid')
    for pid in $pids; do cat "/proc/$pid/smaps_rollup"; done | awk -v n="$1" '
        /^Rss:/ { rss += $2 } /^Pss:/ { pss += $2 } /^Private_(Clean|Dirty):/ { private += $2 } /^Private_Dirty:/ { dirty += $2 }
        END { printf "%d %d %d %d\n", rss, pss, private, dirty }'
    effigy -q stop large >/dev/null
}
one=$(measure 1)
eight=$(measure 8)
printf '1 %s\n8 %s\n' "$one" "$eight" | awk '{
    printf "%d replica(s): RSS summed %6.0f MB, PSS summed %6.0f MB, private and written %5.1f MB\n",
        $1, $2 / 1e3, $3 / 1e3, $5 / 1e3 }'
awk -v a="$one" -v b="$eight" 'BEGIN { split(a, x); split(b, y);
    printf "8 / 1: %.2f times the memory (PSS), where copies would be 8.00\n", y[2] / x[2]
    printf "a further replica costs %.1f MB\n", (y[2] - x[2]) / 7e3 }'
rm -rf images
