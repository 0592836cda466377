#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What other tools make of the image: nothing in it needs Effigy to read, check or run it.

load helper

@test "skopeo inspects it: labels, layers, platform" {
    new_shop
    digest=$(field .digest)
    ok skopeo inspect oci:images/shop:g1
    field_is .Digest "$digest"
    field_is .Os linux
    field_is '.Labels["io.effigy.service"]' shop
    field_is '.Labels["io.effigy.generation"]' g1
    field_is '.Labels["io.effigy.role"]' generation
    [ "$(field '.Labels["io.effigy.position"]')" != null ]
    same "$(field '.Layers | length')" 3
    ok skopeo inspect --config oci:images/shop:latest
    field_is '.rootfs.diff_ids | length' 3
    field_is '.history | map(select(.empty_layer | not)) | length' 3
    ok skopeo inspect --raw oci:images/shop:g1
    field_is .schemaVersion 2
}

@test "skopeo copies it, with digests unchanged, and reads all of it on the way" {
    new_shop
    sql "UPDATE state SET value = 'two'"
    publish
    digest=$(field .digest)
    ok skopeo --insecure-policy copy oci:images/shop:g2 dir:copy
    same "sha256:$(sha256sum <copy/manifest.json | cut -d' ' -f1)" "$digest"
    ok skopeo --insecure-policy copy oci:images/shop:g2 docker-archive:shop.tar:shop:g2
    [ -s shop.tar ]
    # And back: what comes out of another layout is the same image to effigy.
    ok skopeo --insecure-policy copy oci:images/shop:g2 oci:images/copied:g2
    same "$(manifest_of g2 images/copied | sha256sum)" "$(manifest_of g2 | sha256sum)"
}

unpack() {
    if [ "$(id -u)" -eq 0 ]; then
        ok umoci unpack --image images/shop:g1 bundle
    else
        ok umoci unpack --rootless --image images/shop:g1 bundle
    fi
}

@test "umoci unpacks it: a server, the data, the identity, and nothing else" {
    new_shop
    unpack
    same "$(cd bundle/rootfs && find . -type f | sort | xargs)" \
        './data/shop.db ./effigy-serve ./effigy/generation.json'
    same "$(cd bundle/rootfs && find . ! -type f ! -type d)" ''
    same "$(find bundle/rootfs -perm /6000)" '' "setuid files"
    same "$(find bundle/rootfs -type f -perm /022)" '' "files that others may write"
    same "$(sql 'SELECT count(*) FROM item' bundle/rootfs/data/shop.db)" 1000
    same "$(sql 'PRAGMA integrity_check' bundle/rootfs/data/shop.db)" ok
    same "$(sql 'PRAGMA journal_mode' bundle/rootfs/data/shop.db)" delete
    for key in service:shop generation:g1 engine:sqlite; do
        same "$(jq -r ".${key%%:*}" bundle/rootfs/effigy/generation.json)" "${key#*:}"
    done
    same "$(jq -r '.databases[0].file' bundle/rootfs/effigy/generation.json)" /data/shop.db
}

@test "the server is self-contained and small" {
    new_shop
    unpack
    size=$(stat -c %s bundle/rootfs/effigy-serve)
    echo "effigy-serve has $size bytes"
    [ "$size" -le $((12 * 1024 * 1024)) ]
    capture readelf -lW bundle/rootfs/effigy-serve
    same "$(grep -c INTERP "$SANDBOX/.out")" 0 "program interpreters"
}

@test "nothing of the machine, the clock or the secrets gets into the image" {
    make_master
    init_shop
    printf 'top-%s\n' secret-word >secret
    # shellcheck disable=SC2016
    sed -i 's|sqlite:shop.db|${file:secret-path}|' effigy.yaml
    printf 'sqlite:shop.db' >secret-path
    SECRET_IN_ENVIRONMENT=swordfish-$$ publish
    mkdir all
    ok skopeo --insecure-policy copy --dest-decompress oci:images/shop:g1 dir:all
    for text in "$SANDBOX" "$TOP" "swordfish-$$" secret-word secret-path /root/ /home/; do
        for file in all/*; do
            # The server and the data are layers; the words of the machine must be in no file at all.
            ! grep -qaF -- "$text" "$file" || { echo "'$text' is in $file"; return 1; }
        done
    done
    for digest in $(tags | cut -d' ' -f2) $(manifest_of g1 | jq -r .config.digest); do
        ! grep -qwF -- "$(hostname)" "$(blob "$digest")"
    done
    # No time but the master's own.
    year=$(date -u +%Y)
    config_of g1 | jq -r '.. | strings' | grep -E "^$year-" | sort -u >seen-times
    position_time=$(config_of g1 | jq -r .created)
    same "$(cat seen-times)" "$position_time" "times in the image's config"
}

@test "plain runc runs it from umoci's bundle: read-only, any user, no capabilities, no new network" {
    [ "$(id -u)" -eq 0 ] || skip "entering the container's network from outside takes root"
    new_shop
    unpack
    jq '.process.terminal = false
        | .process.user = { uid: 54321, gid: 54321 }
        | .process.capabilities = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] }
        | .process.noNewPrivileges = true
        | .root.readonly = true' bundle/config.json >config.json
    mv config.json bundle/config.json
    id=effigy-outsider-$$
    background runc --root "$SANDBOX/runc" run --bundle "$PWD/bundle" "$id"
    container_pid() {
        pid=$(runc --root "$SANDBOX/runc" state "$id" 2>/dev/null | jq -r 'select(.status == "running") | .pid') &&
            [ -n "$pid" ]
    }
    until_true 20 container_pid
    inside() { nsenter -t "$pid" -n curl -sS --fail --max-time 10 "$@"; }
    until_true 10 inside -o /dev/null http://127.0.0.1:8080/-/readyz
    same "$(awk '/^(CapEff|CapPrm|CapBnd):/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000000
    same "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" 54321
    same "$(inside -G http://127.0.0.1:8080/query -H 'Accept: text/csv' --data-urlencode 'sql=select count(*) from item' |
        tr -d '\r' | tail -n 1)" 1000
    # SIGTERM ends it, gracefully and soon.
    runc --root "$SANDBOX/runc" kill "$id" TERM
    wait "${JOBS[-1]}"
}
