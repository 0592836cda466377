#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# make install: what lands where, and that the installed program works from there.

load helper

@test "make install honours DESTDIR and PREFIX; the installed program publishes and runs" {
    # A copy of the sources with a build folder of its own, so that the one under test stays as it is.
    mkdir source
    (cd "$TOP" && tar -cf - --exclude='./build*' --exclude=./.git --exclude=./demo/work .) | tar -xf - -C source
    ok make -C source install DESTDIR="$SANDBOX/dest" PREFIX=/opt/effigy
    dest=$SANDBOX/dest/opt/effigy
    [ -x "$dest/bin/effigy" ]
    same "$(find "$SANDBOX/dest" -mindepth 1 -maxdepth 1 -printf '%f\n')" opt
    [ -n "$(find "$dest" -name effigy-serve -type f -perm -0555)" ]
    for page in effigy.1 effigy.yaml.5; do
        [ -n "$(find "$dest/share/man" -name "$page*")" ] || { echo "no $page"; return 1; }
    done
    [ -n "$(find "$dest/share/bash-completion" -type f)" ]
    [ -n "$(find "$dest" -name '*.service' -type f)" ]

    # From where it will be after the package is unpacked, without any help from the environment.
    if [ "$(id -u)" -eq 0 ] && [ ! -e /opt/effigy ]; then
        ln -s "$dest" /opt/effigy
        make_master
        (
            PATH=/opt/effigy/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
            /opt/effigy/bin/effigy init shop --master sqlite:shop.db --image oci:images/shop
            /opt/effigy/bin/effigy publish shop
        ) || { rm -f /opt/effigy; return 1; }
        rm -f /opt/effigy
    fi
}

@test "the manual pages are well-formed and name every command and key" {
    man=$(find "$BUILD" -name effigy.1 2>/dev/null | head -n 1)
    yaml=$(find "$BUILD" -name effigy.yaml.5 2>/dev/null | head -n 1)
    [ -n "$man" ] && [ -n "$yaml" ]
    ok mandoc -T lint -W warning "$man" "$yaml"
    mandoc -T utf8 "$man" | col -b >text
    for command in init publish run status log inspect verify rollback unpin stop export logs config; do
        grep -qw "$command" text || { echo "effigy.1 does not name $command"; return 1; }
    done
    mandoc -T utf8 "$yaml" | col -b >text
    for key in services name master image attach compression replicas port max_rows max_time; do
        grep -qw "$key" text || { echo "effigy.yaml.5 does not name $key"; return 1; }
    done
}

@test "bash completes commands, services, generations and options" {
    new_shop
    effigy completion bash >completion.bash
    complete_words() {
        bash --norc -c '
            . "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
            fn=$(complete -p effigy | sed "s/.*-F \([^ ]*\) .*/\1/")
            "$fn" effigy "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
            printf "%s\n" "${COMPREPLY[@]}"' bash completion.bash "$@" | sed 's/ *$//' | sort | xargs
    }
    same "$(complete_words effigy pub)" publish
    same "$(complete_words effigy publish sh)" shop
    same "$(complete_words effigy publish --fo)" --force
}

@test "the exit codes in docs/operations.md are those of the program" {
    sed -n 's/^ *ERR_\([A-Z_]*\) = \([0-9]*\),.*/\1 \2/p' "$TOP/src/base/err.h" >kinds
    [ "$(wc -l <kinds)" -ge 10 ]
    while read -r kind code; do
        grep -Eq "^\| *$code *\|" "$TOP/docs/operations.md" || { echo "no row for $kind, $code"; return 1; }
    done <kinds
}
