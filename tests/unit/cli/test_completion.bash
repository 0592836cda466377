#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The completion script: loads, and offers what belongs there. test_completion.bash SCRIPT EFFIGY
set -u
script=$1 program=$2
folder=$(mktemp -d "${TMPDIR:-/tmp}/effigy-test-XXXXXX")
trap 'rm -rf "$folder"' EXIT
failed=0

bash -n "$script" || exit 1
# shellcheck source=/dev/null
. "$script"

# offers WORDS... : what is offered when the last word is being completed
offers() {
    COMP_WORDS=("$program" "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _effigy 2>/dev/null
    echo "${COMPREPLY[*]}"
}
expect() { # expect WANTED WORDS...
    local wanted=$1 got
    shift
    got=$(offers "$@")
    [ "$got" = "$wanted" ] || { echo "'effigy $*': offered '$got', not '$wanted'"; failed=1; }
}

cd "$folder" || exit 1
unset EFFIGY_CONFIG
cat >effigy.yaml <<'YAML'
services:
  - {name: catalogue, master: 'sqlite:a.db', image: 'oci:a'}
  - {name: prices, master: 'sqlite:b.db', image: 'oci:b'}
YAML
printf 'services: [{name: other, master: x, image: y}]\n' >other.yaml
touch catalogue.db
mkdir images

expect 'publish' pub
expect 'run rollback' r
expect 'catalogue prices' publish ''
expect 'prices' run --replicas 2 p
expect 'other' -c other.yaml stop ''
expect 'other' stop -c other.yaml ''
expect '--replicas' run catalogue --repl
expect '--root --run-root' status --r
expect '' publish --root
expect 'master' verify catalogue --against ''
expect 'other.yaml' status --config o
expect 'catalogue.db' init x --master sqlite : cata
expect 'images' export catalogue im
expect 'bash' completion ''
expect 'sample services' config ''
expect 'inspect' help ins
[ "$(offers '' | wc -w)" -ge 14 ] || { echo "few commands are offered: $(offers '')"; failed=1; }
case " $(offers '') " in *' man '* | *' monitor '*) echo 'hidden commands are offered'; failed=1 ;; esac
exit $failed
