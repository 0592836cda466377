# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the benchmarks share: a release build, a working folder, the machine's facts, medians.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build-bench
BENCH_DIR=${BENCH_DIR:-/var/tmp/effigy-bench-$(id -u)}
ROUNDS=${ROUNDS:-5}
export EFFIGY_ROOT=$BENCH_DIR/root EFFIGY_RUN_ROOT=$BENCH_DIR/run
unset EFFIGY_CONFIG EFFIGY_LIBDIR SOURCE_DATE_EPOCH

build_release() {
    if [ ! -e "$BUILD/build.ninja" ]; then
        meson setup "$BUILD" "$TOP" --buildtype=release -Dtests=false >/dev/null
    fi
    ninja -C "$BUILD" >/dev/null
    export PATH=$BUILD/src/cli:$PATH
}

facts() {
    echo "machine: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs," \
        "$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), Linux $(uname -r)," \
        "$(. /etc/os-release && echo "$PRETTY_NAME"); $(df --output=fstype "$BENCH_DIR" | tail -n 1) on $BENCH_DIR"
    echo "effigy: $(effigy --version), $(git -C "$TOP" rev-parse --short HEAD 2>/dev/null || echo 'no git'), release build;" \
        "$ROUNDS rounds, interleaved"
}

# statistics LABEL UNIT < numbers: median and spread
statistics() {
    sort -n | awk -v label="$1" -v unit="$2" '
        { v[NR] = $1 }
        END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
              printf "%-44s median %10.3f %s   (%.3f to %.3f, %d rounds)\n", label, m, unit, v[1], v[NR], NR }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# ratio LABEL FILE-A FILE-B [TARGET]: of the medians, and of each round
ratio() {
    paste "$2" "$3" | awk '{ print $1 / $2 }' | median >"$BENCH_DIR/.ratio"
    printf '%-44s %.2f%s\n' "$1" "$(awk -v a="$(median <"$2")" -v b="$(median <"$3")" 'BEGIN { print a / b }')" \
        " (median of the rounds' ratios: $(printf %.2f "$(cat "$BENCH_DIR/.ratio")"))${4:+; target $4}"
}
now() { echo "$EPOCHREALTIME"; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.4f\n", b - a }'; }

drop_caches() { # true if it could be done
    sync
    [ "$(id -u)" -eq 0 ] && echo 3 2>/dev/null >/proc/sys/vm/drop_caches
}

# The package catalogue, once
catalogue() {
    mkdir -p "$BENCH_DIR"
    [ -e "$BENCH_DIR/catalogue.db" ] || "$TOP/demo/load-packages" base "$BENCH_DIR/catalogue.db" >&2
    sqlite3 "$BENCH_DIR/catalogue.db" 'PRAGMA journal_mode = delete' >/dev/null
}
# large_database FILE MEGABYTES: the catalogue's rows again and again, with a counter in the names
large_database() {
    local file=$1 bytes=$(($2 * 1000000)) step=$(($2 * 200)) round=0
    [ ! -e "$file" ] || return 0
    catalogue
    echo "making $file ($2 MB)" >&2
    rm -f "$file.tmp"
    sqlite3 "$file.tmp" "PRAGMA journal_mode = off; ATTACH '$BENCH_DIR/catalogue.db' AS c;
        CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT, section TEXT, priority TEXT,
            installed_size INTEGER, size INTEGER, maintainer TEXT, homepage TEXT, description TEXT, sha256 TEXT);
        CREATE TABLE dependency (package INTEGER, kind TEXT, target TEXT, version TEXT);" >/dev/null
    while [ "$(stat -c %s "$file.tmp")" -lt $((bytes * 9 / 10)) ]; do
        sqlite3 "$file.tmp" "PRAGMA journal_mode = off; PRAGMA synchronous = off; ATTACH '$BENCH_DIR/catalogue.db' AS c;
            INSERT INTO package (name, version, section, priority, installed_size, size, maintainer, homepage,
                description, sha256)
                SELECT name || '-$round', version, section, priority, installed_size, size, maintainer, homepage,
                    description, sha256 FROM c.package
                WHERE id <= $step;
            INSERT INTO dependency SELECT package + $round * 100000, kind, target, version FROM c.dependency
                WHERE package <= $step;" >/dev/null
        round=$((round + 1))
    done
    sqlite3 "$file.tmp" "CREATE INDEX package_name ON package (name); ANALYZE" >/dev/null
    mv "$file.tmp" "$file"
}

write_service() { # write_service NAME DATABASE
    printf '  - name: %s\n    master: sqlite:%s\n    image: oci:%s\n' "$1" "$2" "$BENCH_DIR/images/$1"
}
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A virtual machine may hand memory that is free back to its host, and whoever allocates next pays for having it
# brought back (1.5 to 4 s a gigabyte were seen). warm_memory MB takes that much and frees it, so that a timed command
# that fills the page cache does not pay for the machine's idleness.
warm_memory() {
    local available
    available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    [ "$available" -gt $(($1 * 2)) ] || return 0
    head -c "$1M" /dev/zero >/dev/shm/effigy-bench.$$
    rm -f /dev/shm/effigy-bench.$$
}
