/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/image.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "oci/layer.h"
#include "runtime/local/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

static char *
image_path(const char *root, const char *kind, const struct oci_digest *digest)
{
    return mem_printf("%s/%s/%s", root, kind, oci_digest_hex(digest));
}

/* The names in a folder are collected first, as what they name may be removed meanwhile. */
struct image_names {
    char **items;
    size_t count, room;
};

static void
image_names_free(struct image_names *names)
{
    while (names->count)
        free(names->items[--names->count]);
    free(names->items);
}

static bool
image_names_read(const char *folder, struct image_names *names, struct err **err)
{
    CLEANUP_DIR DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT || err_set(err, ERR_IO, errno, "cannot read %s", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        MEM_RESERVE(names->items, names->count, names->room);
        names->items[names->count++] = mem_strdup(entry->d_name);
    }
    return true;
}

static bool
image_sweep(const char *root, const char *kind, struct err **err)
{
    CLEANUP_FREE char *folder = file_join(root, kind);
    CLEANUP(image_names_free) struct image_names names = {0};
    if (!file_make_dirs(folder, 0755, err) || !image_names_read(folder, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FREE char *path = file_join(folder, names.items[i]);
        if (names.items[i][0] == '.' && !file_remove_tree(path, err))
            return false;
    }
    return true;
}

/* Waits for its turn; removes what was left half-done. Returns the descriptor, or -1. */
static int
image_lock(const char *root, struct err **err)
{
    if (!file_make_dirs(root, 0755, err))
        return -1;
    CLEANUP_FREE char *path = file_join(root, "lock");
    for (bool is_told = false;; is_told = true) {
        ERR_LOCAL(why);
        CLEANUP_FD int fd = file_lock(path, &why);
        if (fd >= 0)
            return image_sweep(root, "layers", err) && image_sweep(root, "images", err)
                       ? steal_fd(&fd)
                       : -1;
        if (why->kind != ERR_BUSY) {
            err_move(err, &why);
            return -1;
        }
        if (!stop_check(err))
            return -1;
        if (!is_told)
            log_debug("waiting for another process that unpacks images in %s", root);
        clock_sleep_ms(50);
    }
}

/* Gives what was made its name. On failure the temporary stays for the caller to remove. */
static bool
image_reveal(const char *temporary, const char *path, struct err **err)
{
    CLEANUP_FREE char *parent = file_dirname(path);
    if (!file_sync_dir(temporary, err))
        return false;
    if (rename(temporary, path) < 0)
        return err_set(err, ERR_IO, errno, "cannot make %s", path);
    return file_sync_dir(parent, err);
}

static bool
image_unpack_layer(const char *root, struct oci_store *store, const struct oci_descriptor *layer,
                   const struct oci_digest *diff_id, struct err **err)
{
    CLEANUP_FREE char *path = image_path(root, "layers", diff_id);
    if (file_exists(path))
        return true;
    CLEANUP_FREE char *temporary = mem_printf("%s/layers/.%s", root, oci_digest_hex(diff_id));
    if (mkdir(temporary, 0755) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", temporary);
    if (oci_layer_unpack(store, layer, diff_id, temporary, NULL, err) &&
        merge_open_modes(temporary, err) && image_reveal(temporary, path, err))
        return true;
    file_remove_tree(temporary, NULL);
    return err_wrap(err, "cannot unpack the layer %s of %s", layer->digest.text,
                    oci_store_location(store));
}

/* runc would make these itself, and then each start of a replica would write to the image. */
static bool
image_make_mount_points(const char *rootfs, struct err **err)
{
    static const char *const names[] = {"proc", "dev"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        CLEANUP_FREE char *path = file_join(rootfs, names[i]);
        struct stat st;
        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode) && unlink(path) < 0)
            return err_set(err, ERR_IO, errno, "cannot remove %s", path);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_set(err, ERR_IO, errno, "cannot make the folder %s", path);
    }
    return file_sync_dir(rootfs, err);
}

static bool
image_assemble(const char *root, const char *temporary, const struct oci_config *config,
               struct err **err)
{
    CLEANUP_FREE char *rootfs = file_join(temporary, "rootfs");
    if (mkdir(temporary, 0755) < 0 || mkdir(rootfs, 0755) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", rootfs);
    for (size_t i = 0; i < config->diff_id_count; i++) {
        CLEANUP_FREE char *layer = image_path(root, "layers", &config->diff_ids[i]);
        if (!merge_layer(layer, rootfs, err))
            return false;
    }
    CLEANUP_FREE char *text = oci_config_format(config);
    CLEANUP_FREE char *path = file_join(temporary, "config.json");
    return image_make_mount_points(rootfs, err) &&
           file_write_atomic(path, text, strlen(text), 0644, err);
}

static bool
image_check(const struct oci_manifest *manifest, const struct oci_config *config, struct err **err)
{
    if (config->diff_id_count != manifest->layer_count)
        return err_set(err, ERR_CORRUPT, 0, "the image has %zu layers, but its config names %zu",
                       manifest->layer_count, config->diff_id_count);
    const char *host = oci_platform_host_architecture();
    if (config->architecture && strcmp(config->architecture, host) != 0) {
        err_set(err, ERR_UNSUPPORTED, 0, "the image is for %s, this machine is %s",
                config->architecture, host);
        return err_hint(err, "publish it again on a machine of this architecture");
    }
    return true;
}

bool
image_prepare(const char *root, struct oci_store *store, const struct oci_descriptor *manifest,
              struct err **err)
{
    CLEANUP_FREE char *path = image_path(root, "images", &manifest->digest);
    if (utimensat(AT_FDCWD, path, NULL, 0) == 0) /* the time of its last use, for image_prune() */
        return true;
    CLEANUP(oci_descriptor_free) struct oci_descriptor found = {0};
    CLEANUP_BUF struct buf bytes = {0};
    if (!oci_store_get_manifest(store, manifest->digest.text, &found, &bytes, err))
        return false;
    CLEANUP(oci_manifest_free) struct oci_manifest parsed = {0};
    if (!oci_manifest_parse(buf_text(&bytes), bytes.length, &parsed, err))
        return err_wrap(err, "cannot read the manifest %s of %s", manifest->digest.text,
                        oci_store_location(store));
    CLEANUP(oci_config_free) struct oci_config config = {0};
    if (!oci_store_get_config(store, &parsed, &config, err))
        return false;
    if (!image_check(&parsed, &config, err))
        return err_wrap(err, "cannot run %s of %s", manifest->digest.text,
                        oci_store_location(store));
    CLEANUP_FD int lock = image_lock(root, err);
    if (lock < 0)
        return false;
    if (file_exists(path)) /* made by the one that was waited for */
        return true;
    progress_start("unpacking", 0);
    bool ok = true;
    for (size_t i = 0; ok && i < parsed.layer_count; i++)
        ok = stop_check(err) &&
             image_unpack_layer(root, store, &parsed.layers[i], &config.diff_ids[i], err);
    progress_end();
    if (!ok)
        return false;
    CLEANUP_FREE char *temporary =
        mem_printf("%s/images/.%s", root, oci_digest_hex(&manifest->digest));
    if (image_assemble(root, temporary, &config, err) && image_reveal(temporary, path, err))
        return true;
    file_remove_tree(temporary, NULL);
    return err_wrap(err, "cannot put the image %s together", manifest->digest.text);
}

static bool
image_read_config(const char *folder, struct oci_config *ret_config, struct err **err)
{
    CLEANUP_FREE char *path = file_join(folder, "config.json");
    CLEANUP_BUF struct buf bytes = {0};
    return file_read(path, OCI_CONFIG_LIMIT, &bytes, err) &&
           oci_config_parse(buf_text(&bytes), bytes.length, ret_config, err);
}

bool
image_open(const char *root, const struct oci_digest *manifest, char **ret_rootfs,
           struct oci_config *ret_config, struct err **err)
{
    CLEANUP_FREE char *folder = image_path(root, "images", manifest);
    if (!file_exists(folder))
        return err_set(err, ERR_NOT_FOUND, 0, "the image %s is not unpacked in %s", manifest->text,
                       root);
    if (!image_read_config(folder, ret_config, err))
        return false;
    *ret_rootfs = file_join(folder, "rootfs");
    return true;
}

static bool
image_is_among(const char *hex, const struct oci_digest *digests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(hex, oci_digest_hex(&digests[i])) == 0)
            return true;
    }
    return false;
}

static bool
image_is_young(const char *images, const char *name, unsigned min_age)
{
    CLEANUP_FREE char *path = file_join(images, name);
    struct stat st;
    return stat(path, &st) == 0 && time(NULL) - st.st_mtime < (time_t)min_age;
}

/* What is removed loses its name at once, so that a kill leaves nothing that looks whole. */
static bool
image_discard(const char *folder, const char *name, struct err **err)
{
    CLEANUP_FREE char *path = file_join(folder, name);
    CLEANUP_FREE char *hidden = mem_printf("%s/.%s", folder, name);
    if (rename(path, hidden) < 0)
        return err_set(err, ERR_IO, errno, "cannot remove %s", path);
    return file_remove_tree(hidden, err);
}

bool
image_prune(const char *root, const char *service, const struct oci_digest *keep, size_t count,
            unsigned min_age, unsigned *ret_removed, struct err **err)
{
    CLEANUP_FD int lock = image_lock(root, err);
    if (lock < 0)
        return false;
    CLEANUP_FREE char *images = file_join(root, "images");
    CLEANUP_FREE char *layers = file_join(root, "layers");
    CLEANUP(image_names_free) struct image_names image_names = {0}, layer_names = {0};
    if (!image_names_read(images, &image_names, err) ||
        !image_names_read(layers, &layer_names, err))
        return false;
    unsigned removed = 0;
    CLEANUP_FREE struct oci_digest *used = NULL;
    size_t used_count = 0, used_room = 0;
    for (size_t i = 0; i < image_names.count; i++) {
        const char *name = image_names.items[i];
        CLEANUP_FREE char *folder = file_join(images, name);
        CLEANUP(oci_config_free) struct oci_config config = {0};
        if (!image_read_config(folder, &config, err))
            return false;
        if (strcmp(str_or(oci_map_get(&config.labels, "io.effigy.service"), ""), service) == 0 &&
            !image_is_among(name, keep, count) && !image_is_young(images, name, min_age)) {
            if (!image_discard(images, name, err))
                return false;
            removed++;
            continue;
        }
        for (size_t j = 0; j < config.diff_id_count; j++) {
            MEM_RESERVE(used, used_count, used_room);
            used[used_count++] = config.diff_ids[j];
        }
    }
    for (size_t i = 0; i < layer_names.count; i++) {
        if (!image_is_among(layer_names.items[i], used, used_count) &&
            !image_discard(layers, layer_names.items[i], err))
            return false;
    }
    *ret_removed = removed;
    return true;
}
