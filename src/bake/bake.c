/* SPDX-License-Identifier: Apache-2.0 */
#include "bake/bake.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_MODE 0444
#define DIR_MODE 0755
/* Each build has threads of its own: with more files, the others wait for the end of the snapshot.
 */
#define BUILDS_LIMIT 8

/* A database file on its way into a layer. */
struct bake_file {
    struct oci_layer_build *build; /* NULL where none was begun */
    int fd; /* our own, since the source may close its before the build ends */
    uint64_t size;
};
struct baking {
    struct oci_store *store;
    enum oci_compression compression;
    struct bake_file *files;
    size_t count;
    double began;    /* clock_seconds(); 0 before the first build */
    struct err *err; /* of a callback */
};

/* A layer of one file in one folder, which is how all of ours are. */
static bool
bake_begin(struct oci_store *store, enum oci_compression compression, const char *path, mode_t mode,
           int fd, uint64_t size, struct oci_layer_build **ret_build, struct err **err)
{
    CLEANUP_FREE char *dir = file_dirname(path);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = dir, .mode = DIR_MODE},
        {.type = OCI_ENTRY_FILE, .path = path, .mode = mode, .size = size, .fd = fd},
    };
    bool in_root = strcmp(dir, ".") == 0;
    return oci_layer_build_begin(store, compression, 0, entries + in_root, 2 - in_root, ret_build,
                                 err) ||
           err_wrap(err, "cannot bake %s", path);
}

/* The entry of the file in the layers that bake_begin makes of it. */
#define DATA_ENTRY 1

static void
bake_file_drop(struct bake_file *file)
{
    oci_layer_build_cancel(steal_ptr(&file->build));
    if (file->fd >= 0)
        close(steal_fd(&file->fd));
}

static struct bake_file *
baking_file(struct baking *baking, size_t index)
{
    while (baking->count <= index) {
        baking->files = mem_grow(baking->files, baking->count + 1, sizeof *baking->files);
        baking->files[baking->count++] = (struct bake_file){.fd = -1};
    }
    return &baking->files[index];
}

static bool
bake_file_begin(struct baking *baking, struct bake_file *file, const struct source_file *info,
                struct err **err)
{
    bake_file_drop(file);
    file->size = info->size;
    file->fd = fcntl(info->fd, F_DUPFD_CLOEXEC, 0);
    if (file->fd < 0)
        return err_set(err, ERR_IO, errno, "cannot bake %s", info->path);
    if (baking->began <= 0)
        baking->began = clock_seconds();
    CLEANUP_FREE char *path = mem_printf("%s/%s", BAKE_DATA_DIR, info->path);
    return bake_begin(baking->store, baking->compression, path, FILE_MODE, file->fd, file->size,
                      &file->build, err);
}

static void
bake_on_begin(void *context, size_t index, const struct source_file *info)
{
    struct baking *baking = context;
    struct bake_file *file = baking_file(baking, index);
    bake_file_drop(file);
    file->size = info->size;
    uint64_t total = 0;
    for (size_t i = 0; i < baking->count; i++)
        total += baking->files[i].size;
    progress_set_total(total);
    if (!baking->err && index < BUILDS_LIMIT)
        bake_file_begin(baking, file, info, &baking->err);
}

static struct oci_layer_build *
baking_build(struct baking *baking, size_t index)
{
    return index < baking->count ? baking->files[index].build : NULL;
}

static void
bake_on_ready(void *context, size_t index, uint64_t upto)
{
    struct oci_layer_build *build = baking_build(context, index);
    if (build)
        oci_layer_build_ready(build, DATA_ENTRY, upto);
}

static void
bake_on_touched(void *context, size_t index, uint64_t offset, uint64_t length)
{
    struct oci_layer_build *build = baking_build(context, index);
    if (build)
        oci_layer_build_touch(build, DATA_ENTRY, offset, length);
}

static void
bake_on_sealed(void *context)
{
    struct baking *baking = context;
    for (size_t i = 0; i < baking->count; i++)
        if (baking->files[i].build)
            oci_layer_build_seal(baking->files[i].build);
}

static const struct oci_layer *
bake_find_parent(const struct bake_parent *parent, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(parent[i].file, file) == 0)
            return &parent[i].layer;
    return NULL;
}

static bool
bake_finish(struct baking *baking, const struct source_snapshot *snapshot,
            const struct bake_parent *parent, size_t parent_count, struct bake_data *data,
            struct err **err)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct source_file *info = &snapshot->files[i];
        struct bake_file *file = baking_file(baking, i);
        /* Not begun because there are many, or because the source says nothing while it works. */
        if ((!file->build || file->size != info->size) && !bake_file_begin(baking, file, info, err))
            return false;
        oci_layer_build_seal(file->build);
        struct oci_layer layer;
        if (!oci_layer_build_finish(steal_ptr(&file->build),
                                    bake_find_parent(parent, parent_count, info->path), &layer,
                                    err))
            return err_wrap(err, "cannot bake %s", info->path);
        bake_file_drop(file);
        data->files[i] = mem_strdup(info->path);
        data->names[i] = mem_strdup(info->name);
        data->layers[i] = layer;
        data->count = i + 1;
        data->data_bytes += info->size;
    }
    return true;
}

bool
bake_data_layers(struct source *source, struct oci_store *store, enum oci_compression compression,
                 const struct bake_parent *parent, size_t parent_count, struct bake_data *ret_data,
                 struct err **err)
{
    const char *work_dir = oci_store_work_dir(store, err);
    if (!work_dir)
        return false;
    struct baking baking = {.store = store, .compression = compression};
    const struct source_sink sink = {
        .begin = bake_on_begin,
        .ready = bake_on_ready,
        .touched = bake_on_touched,
        .sealed = bake_on_sealed,
        .context = &baking,
    };
    struct source_snapshot *snapshot = NULL;
    struct bake_data data = {0};
    progress_start("baking", 0);
    double start = clock_seconds();
    bool ok = source_snapshot(source, work_dir, &sink, &snapshot, err);
    double copied = clock_seconds();
    ok = ok && source_settle(source, snapshot, &sink, err);
    double settled = clock_seconds();
    if (ok && baking.err)
        ok = err_move(err, &baking.err);
    if (ok) {
        data.files = mem_new_array(snapshot->count, sizeof *data.files);
        data.names = mem_new_array(snapshot->count, sizeof *data.names);
        data.layers = mem_new_array(snapshot->count, sizeof *data.layers);
        ok = bake_finish(&baking, snapshot, parent, parent_count, &data, err);
    }
    progress_end();
    if (ok) {
        data.position = snapshot->position;
        data.position.text = mem_strdup(snapshot->position.text);
        data.engine_version = mem_strdup(snapshot->engine_version);
        data.seconds_snapshot = copied - start;
        data.seconds_settle = settled - copied;
        data.seconds_bake = clock_seconds() - baking.began;
        *ret_data = data;
    } else {
        bake_data_free(&data);
    }
    for (size_t i = 0; i < baking.count; i++)
        bake_file_drop(&baking.files[i]);
    free(baking.files);
    err_free(baking.err);
    if (snapshot)
        source_snapshot_free(snapshot);
    return ok;
}

void
bake_data_free(struct bake_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        oci_layer_free(&data->layers[i]);
        free(data->files[i]);
        free(data->names[i]);
    }
    free(data->layers);
    free(data->files);
    free(data->names);
    source_position_free(&data->position);
    free(data->engine_version);
    *data = (struct bake_data){0};
}

static bool
bake_one_file(struct oci_store *store, enum oci_compression compression, const char *path,
              mode_t mode, int fd, uint64_t size, struct oci_layer *ret_layer, struct err **err)
{
    struct oci_layer_build *build;
    if (!bake_begin(store, compression, path, mode, fd, size, &build, err))
        return false;
    oci_layer_build_seal(build);
    return oci_layer_build_finish(build, NULL, ret_layer, err) ||
           err_wrap(err, "cannot bake %s", path);
}

bool
bake_server_layer(struct oci_store *store, enum oci_compression compression,
                  const char *server_file, struct oci_layer *ret_layer, struct err **err)
{
    CLEANUP_FD int fd = open(server_file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, ERR_IO, errno, "cannot read the server %s", server_file);
        return err_hint(err, "it is installed together with effigy; is the installation complete?");
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_FAILED, 0, "the server %s is not a file", server_file);
    return bake_one_file(store, compression, BAKE_SERVER_PATH, 0755, fd, (uint64_t)st.st_size,
                         ret_layer, err);
}

bool
bake_identity_layer(struct oci_store *store, enum oci_compression compression, const char *json,
                    size_t length, struct oci_layer *ret_layer, struct err **err)
{
    CLEANUP_FD int fd = memfd_create("generation.json", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, errno, "cannot bake %s", BAKE_IDENTITY_PATH);
    return file_write_all(fd, json, length, BAKE_IDENTITY_PATH, err) &&
           bake_one_file(store, compression, BAKE_IDENTITY_PATH, FILE_MODE, fd, length, ret_layer,
                         err);
}
