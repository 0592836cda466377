#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All benchmarks, one after another. ROUNDS=5 of each; BENCH_DIR=/var/tmp/... holds the data (2.5 GB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for name in publish start read memory; do
    printf '\n== bench/%s.sh\n' $name
    "$here/$name.sh"
done
