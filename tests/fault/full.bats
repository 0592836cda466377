#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Full disks and folders that cannot be written.

# shellcheck disable=SC2030,SC2031
load helper

small_disk() { # small_disk FOLDER SIZE
    [ "$(id -u)" -eq 0 ] || skip "mounting a small disk takes root"
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2" tmpfs "$1" 2>/dev/null || skip "mounting is not allowed here"
    MOUNTS+=("$SANDBOX/$1")
}
setup() {
    MOUNTS=()
    sandbox_make
}
teardown() {
    local place
    for place in "${MOUNTS[@]}"; do umount -l "$place"; done
    sandbox_remove
}

@test "the disk is full during a publish: a clear error, nothing left, and it works with more room" {
    make_large_master
    init_shop
    small_disk images 12m
    refused 8 effigy publish shop
    says 'No space'
    [ "$(df --output=used -m images | tail -n 1)" -le 4 ]
    same "$(leftovers 2>/dev/null)" ''
    mount -o remount,size=200m images
    publish
    field_is .generation g1
    ok effigy verify shop:g1 --against master
}

@test "the disk fills with the second generation: the first is as it was" {
    make_large_master
    init_shop
    # Room for one generation and the working copy, not for two.
    small_disk images 80m
    publish
    digest=$(field .digest)
    sql "UPDATE ballast SET bytes = randomblob(100000)"
    refused 8 effigy publish shop
    ok effigy verify shop:g1
    ok effigy log shop --json
    field_is '[.generations[].generation] | join(" ")' g1
    field_is '.generations[0].digest' "$digest"
}

@test "the disk is full when replicas are started, and when files are exported" {
    make_large_master
    init_shop
    publish
    small_disk root 10m
    PORT=$(free_port)
    refused 8 effigy run shop --port "$PORT"
    ok effigy status shop --json
    field_is '.replicas | length' 0
    mount -o remount,size=200m root
    ok effigy run shop --port "$PORT"
    same "$(query 'select value from state')" one
    ok effigy stop shop

    small_disk out 10m
    refused 8 effigy export shop:g1 out
    same "$(ls -A out)" '' "what is left of the export"
}

@test "the target folder cannot be written" {
    make_master
    init_shop
    publish
    sql "UPDATE state SET value = 'two'"
    if [ "$(id -u)" -eq 0 ]; then
        mount --bind images images 2>/dev/null || skip "mounting is not allowed here"
        MOUNTS+=("$SANDBOX/images")
        mount -o remount,bind,ro images
    else
        chmod -R a-w images
    fi
    refused 9 effigy publish shop
    says images
    # Reading goes on.
    ok effigy log shop
    ok effigy verify shop:g1
    ok effigy export shop:g1 out
    [ "$(id -u)" -eq 0 ] || chmod -R u+w images
}

@test "the master's folder cannot be written: a rollback-journal master is published all the same" {
    mkdir master
    make_master master/shop.db
    ok effigy init shop --master sqlite:master/shop.db --image oci:images/shop
    if [ "$(id -u)" -eq 0 ]; then
        mount --bind master master 2>/dev/null || skip "mounting is not allowed here"
        MOUNTS+=("$SANDBOX/master")
        mount -o remount,bind,ro master
    else
        chmod a-w master
    fi
    publish
    field_is .generation g1
    ok effigy verify shop:g1 --against master
    [ "$(id -u)" -eq 0 ] || chmod u+w master
}
