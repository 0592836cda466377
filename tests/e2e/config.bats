#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# effigy.yaml: what init writes, what is refused, and that secrets stay secret.

load helper

@test "init writes a commented file that works as it is, and adds to it" {
    make_master
    ok effigy init shop --master sqlite:shop.db --image oci:images/shop
    [ "$(grep -c '#' effigy.yaml)" -ge 5 ]
    publish
    cp effigy.yaml before.yaml
    ok effigy init other --master sqlite:shop.db --image oci:images/other --port 8123 --replicas 3
    same "$(head -c "$(stat -c %s before.yaml)" effigy.yaml)" "$(cat before.yaml)" "what was there before"
    ok effigy publish other
    refused 2 effigy init shop --master sqlite:x.db --image oci:y
    says shop
}

@test "config prints what holds, with defaults" {
    write_config 'serve: { max_rows: 77 }'
    ok effigy config
    says max_rows
    says 77
    ok effigy config --json
    jq -e . <"$SANDBOX/.out" >/dev/null
}

@test "-c and EFFIGY_CONFIG name the file; paths are taken from its folder" {
    mkdir there
    (cd there && make_master && effigy init shop --master sqlite:shop.db --image oci:images/shop >/dev/null)
    ok effigy publish shop -c there/effigy.yaml
    [ -e there/images/shop/index.json ]
    EFFIGY_CONFIG=there/effigy.yaml ok effigy log shop
    says g1
    refused 4 effigy log shop
    says effigy.yaml
}

bad_config() { # bad_config TEXT WORD: refused with exit code 3, and the message holds the word
    printf '%b' "$1" >effigy.yaml
    refused 3 effigy log shop
    says "$2"
}
head='services:\n  - name: shop\n    master: sqlite:shop.db\n    image: oci:images/shop\n'

@test "unknown keys name the nearest one" {
    bad_config "${head}    replikas: 2\n" replicas
    bad_config "${head}    serve:\n      max_row: 2\n" max_rows
    bad_config "servces: []\n" services
}

@test "wrong types and values" {
    bad_config "${head}    port: http\n" port
    bad_config "${head}    port: 70000\n" port
    bad_config "${head}    replicas: -1\n" replicas
    bad_config "${head}    memory: lots\n" memory
    bad_config "${head}    compression: rar\n" gzip
    bad_config "${head}    listen: not-an-address\n" listen
    bad_config "${head}    serve: 5\n" serve
    bad_config 'services: shop\n' services
    bad_config 'services:\n  - name: shop\n    image: oci:x\n' master
    bad_config 'services:\n  - name: "Shop of Horrors"\n    master: sqlite:a\n    image: oci:x\n' name
}

@test "duplicates, broken YAML, anchors gone wild, an empty file, a huge one" {
    bad_config "${head}    port: 1\n    port: 2\n" port
    bad_config "${head}  - name: shop\n    master: sqlite:b\n    image: oci:y\n" 'another name'
    bad_config 'services: [\n' effigy.yaml
    bad_config '\t- : : [{\n' effigy.yaml
    bad_config '' effigy.yaml
    bad_config '\xff\xfe\x00' effigy.yaml
    head -c 3000000 /dev/zero | tr '\0' '#' >effigy.yaml
    refused 3 effigy log shop
    python3 - <<'PY'
lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
for n in range(1, 12):
    lines.append("a%d: &a%d [%s]" % (n, n, ", ".join(["*a%d" % (n - 1)] * 10)))
open("effigy.yaml", "w").write("\n".join(lines) + "\nservices: *a11\n")
PY
    capture timeout 20 effigy log shop
    same "$status" 3 "exit code"
}

@test "secrets come from the environment and from files, and are never printed" {
    make_master
    # shellcheck disable=SC2016
    printf 'services:\n  - name: shop\n    master: ${env:SHOP_MASTER}\n    image: ${file:image.ref}\n' >effigy.yaml
    printf 'oci:images/shop\n' >image.ref
    export SHOP_MASTER=sqlite:shop.db
    publish
    # A word that is in no path must not turn up in any message.
    export SHOP_MASTER='postgres://king:swordfish@db/shop'
    for command in 'publish shop' 'status shop' 'verify shop --against master' 'config' 'config --json' 'status shop --json'; do
        # shellcheck disable=SC2086
        capture effigy -v $command
        ! grep -qF swordfish .out .err || { echo "effigy $command told the secret"; told; return 1; }
    done
    unset SHOP_MASTER
    refused 3 effigy publish shop
    says SHOP_MASTER
    export SHOP_MASTER=sqlite:shop.db
    rm image.ref
    refused 3 effigy publish shop
    says image.ref
}
