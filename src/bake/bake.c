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

/* One database file while it is baked. */
struct bake_file {
    struct oci_layer_build *build; /* NULL before the snapshot begins the file */
    char *path;                    /* in the image: "data/catalogue.db" */
};

struct baking {
    struct oci_store *store;
    enum oci_compression compression;
    struct bake_file *files;
    size_t count, room;
    struct err *err; /* the first failure inside a callback */
};

/* The entry of the file's content among the entries of its layer. */
#define BAKE_ENTRY_CONTENT 1

static bool
baking_begin_build(struct baking *baking, struct bake_file *file, const struct source_file *info, struct err **err)
{
    free(file->path);
    file->path = mem_printf("%s/%s", BAKE_DATA_DIR, info->path);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = BAKE_DATA_DIR, .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = file->path, .mode = 0444, .size = info->size, .fd = info->fd},
    };
    return oci_layer_build_begin(baking->store, baking->compression, 0, entries, ARRAY_LENGTH(entries), &file->build,
                                 err);
}

static struct bake_file *
baking_file(struct baking *baking, size_t number)
{
    while (baking->count <= number) {
        MEM_RESERVE(baking->files, baking->count, baking->room);
        baking->files[baking->count++] = (struct bake_file){0};
    }
    return &baking->files[number];
}

/* A snapshot that starts again takes all back that it has said of the file. */
static void
baking_begin(void *context, size_t number, const struct source_file *info)
{
    struct baking *baking = context;
    struct bake_file *file = baking_file(baking, number);
    oci_layer_build_cancel(steal_ptr(&file->build));
    if (!baking->err)
        baking_begin_build(baking, file, info, &baking->err);
}

static void
baking_ready(void *context, size_t number, uint64_t upto)
{
    struct bake_file *file = baking_file(context, number);
    if (file->build)
        oci_layer_build_ready(file->build, BAKE_ENTRY_CONTENT, upto);
}

static void
baking_touched(void *context, size_t number, uint64_t offset, uint64_t length)
{
    struct bake_file *file = baking_file(context, number);
    if (file->build)
        oci_layer_build_touch(file->build, BAKE_ENTRY_CONTENT, offset, length);
}

static void
baking_sealed(void *context)
{
    struct baking *baking = context;
    for (size_t i = 0; i < baking->count; i++) {
        if (baking->files[i].build)
            oci_layer_build_seal(baking->files[i].build);
    }
}

static const struct oci_layer *
baking_known(const char *file, const struct bake_parent *parent, size_t parent_count)
{
    for (size_t i = 0; i < parent_count; i++) {
        if (strcmp(parent[i].file, file) == 0)
            return &parent[i].layer;
    }
    return NULL;
}

/* Ends the builds; a source that told nothing on the way has its files baked here. */
static bool
baking_finish(struct baking *baking, const struct source_snapshot *snapshot, const struct bake_parent *parent,
              size_t parent_count, struct bake_data *data, struct err **err)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct source_file *info = &snapshot->files[i];
        struct bake_file *file = baking_file(baking, i);
        if (!file->build) {
            if (!baking_begin_build(baking, file, info, err))
                return false;
            oci_layer_build_seal(file->build);
        }
        if (!oci_layer_build_finish(steal_ptr(&file->build), baking_known(info->path, parent, parent_count),
                                    &data->layers[i], err))
            return false;
        data->files[i] = mem_strdup(info->path);
        data->names[i] = mem_strdup(info->name);
        data->count++;
        data->data_bytes += info->size;
    }
    return true;
}

bool
bake_data_layers(struct source *source, struct oci_store *store, enum oci_compression compression,
                 const struct bake_parent *parent, size_t parent_count, struct bake_data *ret_data, struct err **err)
{
    const char *work_dir = oci_store_work_dir(store, err);
    if (!work_dir)
        return false;
    struct baking baking = {.store = store, .compression = compression};
    const struct source_sink sink = {
        .begin = baking_begin,
        .ready = baking_ready,
        .touched = baking_touched,
        .sealed = baking_sealed,
        .context = &baking,
    };
    struct bake_data data = {0};
    struct source_snapshot *snapshot = NULL;
    struct source_probe probe = {0};
    if (!source_probe(source, &probe, err))
        return false;
    progress_start("baking", probe.data_bytes);
    source_probe_free(&probe);

    double started = clock_seconds();
    bool ok = source_snapshot(source, work_dir, &sink, &snapshot, err);
    double copied = clock_seconds();
    ok = ok && source_settle(source, snapshot, &sink, err);
    double settled = clock_seconds();
    if (baking.err)
        ok = err_move(err, &baking.err);
    if (ok) {
        data.layers = mem_new_array(snapshot->count, sizeof *data.layers);
        data.files = mem_new_array(snapshot->count, sizeof *data.files);
        data.names = mem_new_array(snapshot->count, sizeof *data.names);
        ok = baking_finish(&baking, snapshot, parent, parent_count, &data, err);
    }
    progress_end();
    for (size_t i = 0; i < baking.count; i++) {
        oci_layer_build_cancel(baking.files[i].build);
        free(baking.files[i].path);
    }
    free(baking.files);
    if (ok) {
        data.seconds_snapshot = copied - started;
        data.seconds_settle = settled - copied;
        data.seconds_bake = clock_seconds() - settled;
        data.position = snapshot->position;
        snapshot->position = (struct source_position){0};
        data.engine_version = mem_strdup(snapshot->engine_version);
        *ret_data = data;
    } else {
        bake_data_free(&data);
    }
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
    free(data->engine_version);
    source_position_free(&data->position);
    *data = (struct bake_data){0};
}

bool
bake_server_layer(struct oci_store *store, enum oci_compression compression, const char *server_file,
                  struct oci_layer *ret_layer, struct err **err)
{
    CLEANUP_FD int fd = open(server_file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot open the replica server %s", server_file);
    const struct oci_layer_entry entry = {
        .type = OCI_ENTRY_FILE, .path = BAKE_SERVER_PATH, .mode = 0755, .size = (uint64_t)st.st_size, .fd = fd};
    return oci_layer_write(store, compression, &entry, 1, NULL, ret_layer, err);
}

bool
bake_identity_layer(struct oci_store *store, enum oci_compression compression, const char *json, size_t length,
                    struct oci_layer *ret_layer, struct err **err)
{
    CLEANUP_FD int fd = memfd_create("generation.json", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, errno, "cannot make a file in memory");
    if (!file_write_all(fd, json, length, BAKE_IDENTITY_PATH, err))
        return false;
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "effigy", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = BAKE_IDENTITY_PATH, .mode = 0444, .size = length, .fd = fd},
    };
    return oci_layer_write(store, compression, entries, ARRAY_LENGTH(entries), NULL, ret_layer, err);
}
