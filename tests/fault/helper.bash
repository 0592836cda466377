# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
load ../e2e/helper

# struck SIGNAL SECONDS COMMAND...: starts the command, sends it the signal after that time, and waits.
# $status is its exit code, or 128 + the signal that ended it.
struck() {
    capture python3 -c '
import signal, subprocess, sys
sig = getattr(signal, "SIG" + sys.argv[1])
child = subprocess.Popen(sys.argv[3:], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
try:
    code = child.wait(float(sys.argv[2]))
except subprocess.TimeoutExpired:
    child.send_signal(sig)
    code = child.wait(60)
sys.exit(code if code >= 0 else 128 - code)' "$@"
}
random_between() { # random_between LOW HIGH
    awk -v low="$1" -v high="$2" -v seed="$RANDOM$RANDOM" 'BEGIN { srand(seed); print low + rand() * (high - low) }'
}
seconds_of() { # seconds_of COMMAND...: how long it takes
    local start=$EPOCHREALTIME
    "$@" >/dev/null
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}

# A master of about 30 MB that does not compress.
make_large_master() {
    make_master "${1:-shop.db}" 1000
    sqlite3 "${1:-shop.db}" "CREATE TABLE ballast (bytes BLOB);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO ballast SELECT randomblob(100000) FROM n"
}

# Blobs that no tag leads to
unreferenced_blobs() {
    local digest
    for digest in $(tags | cut -d' ' -f2 | sort -u); do
        echo "${digest#sha256:}"
        jq -r '.. | .digest? // empty' "$(blob "$digest")" | sed 's/^sha256://'
    done | sort -u >"$SANDBOX/.referenced"
    find images/shop/blobs/sha256 -type f -printf '%f\n' | sort >"$SANDBOX/.present"
    comm -13 "$SANDBOX/.referenced" "$SANDBOX/.present"
}
# What is in the layout beside its blobs, index and marker, empty lock files apart
leftovers() {
    find images/shop -type f ! -path '*/blobs/sha256/*' ! -name index.json ! -name oci-layout -size +0
    find images/shop/blobs/sha256 -type f | grep -Ev '/[0-9a-f]{64}$' || true
}
# Everything in the log is whole: each generation once, each verifies, and those in "reported" are there
history_is_whole() {
    local generation
    ok effigy log shop --json
    same "$(field '[.generations[].generation] | length')" "$(field '[.generations[].generation] | unique | length')" \
        "generations and different ones"
    field '.generations[].generation' | sort >"$SANDBOX/.logged"
    while read -r generation; do
        grep -qx "$generation" "$SANDBOX/.logged" || { echo "$generation was reported and is lost"; return 1; }
    done <"$SANDBOX/reported"
}
