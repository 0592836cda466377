/* SPDX-License-Identifier: Apache-2.0 */
#include "control/verify.h"

#include "bake/bake.h"
#include "base/file.h"
#include "base/mem.h"
#include "control/extract.h"
#include "control/service.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define VERIFY_IDENTITY_LIMIT (1u << 20)

/* Counts a blob once, however many images share it. */
struct verify_seen {
    struct oci_digest *digests;
    size_t count, room;
};

static bool
verify_is_first(struct verify_seen *seen, const struct oci_descriptor *blob,
                struct verify_result *result)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (oci_digest_equal(&seen->digests[i], &blob->digest))
            return false;
    }
    MEM_RESERVE(seen->digests, seen->count, seen->room);
    seen->digests[seen->count++] = blob->digest;
    result->blobs++;
    result->bytes += blob->size;
    return true;
}

/* A layer that holds no data: the server's file, or generation.json, whose text is compared with
 * the annotations. */
static bool
verify_identity(const char *text, size_t length, const struct generation *generation,
                struct err **err)
{
    json_t *identity = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const char *service = json_string_value(json_object_get(identity, "service"));
    const char *tag = json_string_value(json_object_get(identity, "generation"));
    const char *position = json_string_value(json_object_get(identity, "position"));
    CLEANUP_FREE char *expected = mem_printf("g%u", generation->number);
    bool ok = service && tag && position && strcmp(service, generation->service) == 0 &&
              strcmp(tag, expected) == 0 && strcmp(position, generation->position) == 0;
    json_t *databases = json_object_get(identity, "databases");
    ok = ok && json_array_size(databases) == generation->file_count;
    for (size_t i = 0; ok && i < generation->file_count; i++) {
        const char *digest =
            json_string_value(json_object_get(json_array_get(databases, i), "digest"));
        ok = digest && strcmp(digest, generation->files[i].layer.diff_id.text) == 0;
    }
    json_decref(identity);
    if (!ok)
        return err_set(err, ERR_CORRUPT, 0, "/%s does not say what the annotations say",
                       BAKE_IDENTITY_PATH);
    return true;
}

struct verify_walk {
    const struct generation *generation;
    bool server, identity;
};

static bool
verify_entry(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, void *context,
             struct err **err)
{
    struct verify_walk *verify = context;
    if (entry->type == OCI_ENTRY_DIR && strcmp(entry->path, "effigy") == 0)
        return true;
    if (entry->type == OCI_ENTRY_FILE && strcmp(entry->path, BAKE_SERVER_PATH) == 0) {
        verify->server = true;
        return true;
    }
    if (entry->type != OCI_ENTRY_FILE || strcmp(entry->path, BAKE_IDENTITY_PATH) != 0)
        return err_set(err, ERR_CORRUPT, 0, "the image holds %s, which does not belong there",
                       entry->path);
    verify->identity = true;
    CLEANUP_BUF struct buf text = {0};
    for (;;) {
        char *end = buf_reserve(&text, 4096);
        ssize_t n = oci_layer_entry_read(walk, end, 4096, err);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        text.length += (size_t)n;
        if (text.length > VERIFY_IDENTITY_LIMIT)
            return err_set(err, ERR_CORRUPT, 0, "/%s is too large", BAKE_IDENTITY_PATH);
    }
    return verify_identity(buf_text(&text), text.length, verify->generation, err);
}

/* One architecture's image: its configuration, and the layers that are not data. */
static bool
verify_image(struct oci_store *store, const char *digest, const struct generation *generation,
             struct verify_seen *seen, struct verify_result *result, struct err **err)
{
    struct oci_descriptor descriptor = {0};
    struct oci_manifest manifest = {0};
    struct oci_config config = {0};
    struct verify_walk walk = {.generation = generation};
    bool ok = oci_store_resolve(store, digest, NULL, &descriptor, &manifest, err) &&
              oci_store_get_config(store, &manifest, &config, err);
    if (ok) {
        verify_is_first(seen, &descriptor, result);
        verify_is_first(seen, &manifest.config, result);
        const char *label = oci_map_get(&config.labels, GENERATION_KEY_GENERATION);
        const char *annotation = oci_map_get(&manifest.annotations, GENERATION_KEY_GENERATION);
        if (!label || !annotation || strcmp(label, annotation) != 0)
            ok = err_set(err, ERR_CORRUPT, 0,
                         "the labels of the image do not say what its annotations say");
    }
    for (size_t i = 0; ok && i < manifest.layer_count; i++) {
        const struct oci_descriptor *layer = &manifest.layers[i];
        bool first = verify_is_first(seen, layer, result);
        if (oci_map_get(&layer->annotations, GENERATION_KEY_FILE)) {
            /* Read by extract_files(); another architecture's image must have the same ones. */
            bool known = false;
            for (size_t k = 0; k < generation->file_count; k++)
                known = known || oci_digest_equal(&generation->files[k].layer.descriptor.digest,
                                                  &layer->digest);
            if (!known)
                ok = err_set(err, ERR_CORRUPT, 0,
                             "the images of this generation do not have the same data");
        } else if (first || !walk.server || !walk.identity) {
            ok = oci_layer_walk(store, layer, &config.diff_ids[i], NULL, verify_entry, &walk, err);
        }
        if (!ok)
            err_wrap(err, "layer %s", layer->digest.text);
    }
    if (ok && (!walk.server || !walk.identity))
        ok = err_set(err, ERR_CORRUPT, 0, "the image lacks /%s",
                     walk.server ? BAKE_IDENTITY_PATH : BAKE_SERVER_PATH);
    oci_descriptor_free(&descriptor);
    oci_manifest_free(&manifest);
    oci_config_free(&config);
    return ok;
}

static bool
verify_images(struct oci_store *store, const struct generation *generation,
              struct verify_result *result, struct err **err)
{
    struct verify_seen seen = {0};
    bool ok = true;
    if (strcmp(generation->top.media_type, OCI_MEDIA_INDEX) == 0) {
        struct oci_descriptor top = {0};
        CLEANUP_BUF struct buf bytes = {0};
        struct oci_index index = {0};
        ok = oci_store_get_manifest(store, generation->top.digest.text, &top, &bytes, err) &&
             oci_index_parse(bytes.data, bytes.length, &index, err);
        if (ok)
            verify_is_first(&seen, &generation->top, result);
        for (size_t i = 0; ok && i < index.count; i++)
            ok =
                verify_image(store, index.manifests[i].digest.text, generation, &seen, result, err);
        oci_index_free(&index);
        oci_descriptor_free(&top);
    } else {
        ok = verify_image(store, generation->image.digest.text, generation, &seen, result, err);
    }
    free(seen.digests);
    return ok;
}

static void
verify_add_difference(struct verify_result *result, const struct source_table_hash *image,
                      const struct source_table_hash *master)
{
    const struct source_table_hash *any = image ? image : master;
    result->differences =
        mem_grow(result->differences, result->difference_count + 1, sizeof *result->differences);
    result->differences[result->difference_count++] = (struct verify_difference){
        .database = mem_strdup(any->database),
        .table = mem_strdup(any->table),
        .rows_image = image ? image->rows : 0,
        .rows_master = master ? master->rows : 0,
        .only_image = !master,
        .only_master = !image,
    };
}

/* Both are sorted by database and table. */
static void
verify_compare(const struct source_content *image, const struct source_content *master,
               struct verify_result *result)
{
    size_t i = 0, k = 0;
    while (i < image->count || k < master->count) {
        int order = 0;
        if (i == image->count) {
            order = 1;
        } else if (k == master->count) {
            order = -1;
        } else {
            order = strcmp(image->tables[i].database, master->tables[k].database);
            if (!order)
                order = strcmp(image->tables[i].table, master->tables[k].table);
        }
        if (order < 0) {
            verify_add_difference(result, &image->tables[i++], NULL);
        } else if (order > 0) {
            verify_add_difference(result, NULL, &master->tables[k++]);
        } else {
            if (image->tables[i].rows != master->tables[k].rows ||
                memcmp(image->tables[i].hash, master->tables[k].hash,
                       sizeof image->tables[i].hash) != 0)
                verify_add_difference(result, &image->tables[i], &master->tables[k]);
            i++;
            k++;
        }
    }
}

static bool
verify_master(const struct config *config, const struct config_service *service,
              const struct generation *generation, const char *const *names,
              const char *const *paths, struct verify_result *result, struct err **err)
{
    struct source *source = NULL;
    struct source_content master = {0}, image = {0};
    struct source_position position = {0};
    bool ok =
        source_hash_files(generation->engine, names, paths, generation->file_count, &image, err) &&
        service_open_source(config, service, &source, err) &&
        source_hash_master(source, &master, &position, err);
    if (ok) {
        verify_compare(&image, &master, result);
        result->equal = !result->difference_count;
        result->master_moved = !generation_is_at(generation, position.text);
    }
    source_content_free(&master);
    source_content_free(&image);
    source_position_free(&position);
    source_close(source);
    if (!ok || result->equal)
        return ok;
    if (result->master_moved) {
        err_set(err, ERR_MOVED, 0,
                "g%u differs from the master in %zu table%s; the master has committed since",
                generation->number, result->difference_count,
                result->difference_count == 1 ? "" : "s");
        return err_hint(err, "effigy publish %s makes a generation of what the master has now",
                        service->name);
    }
    return err_set(
        err, ERR_DIFFERS, 0,
        "g%u differs from the master in %zu table%s, although the master has not committed since",
        generation->number, result->difference_count, result->difference_count == 1 ? "" : "s");
}

static bool
verify_content(const struct config *config, const struct config_service *service,
               struct oci_store *store, const struct generation *generation, bool against_master,
               struct verify_result *result, struct err **err)
{
    CLEANUP_FREE char *folder = extract_temporary_folder(err);
    if (!folder)
        return false;
    size_t count = generation->file_count;
    CLEANUP_FREE const char **names = mem_new_array(count, sizeof *names);
    CLEANUP_FREE char **paths = mem_new_array(count, sizeof *paths);
    for (size_t i = 0; i < count; i++) {
        names[i] = generation->files[i].name;
        paths[i] = file_join(folder, generation->files[i].file);
    }
    bool ok = extract_files(store, generation, folder, err) &&
              source_check_files(generation->engine, names, (const char *const *)paths, count, err);
    if (ok && against_master)
        ok = verify_master(config, service, generation, names, (const char *const *)paths, result,
                           err);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    file_remove_tree(folder, NULL);
    return ok;
}

bool
verify(const struct config *config, const struct config_service *service, const char *tag,
       bool against_master, struct verify_result *ret_result, struct err **err)
{
    struct oci_store *store = NULL;
    struct verify_result result = {.against_master = against_master};
    bool ok =
        service_open_store(config, service, OCI_STORE_READ, &store, err) &&
        generation_read(store, tag ? tag : GENERATION_TAG_LATEST, &result.generation, err) &&
        verify_images(store, &result.generation, &result, err) &&
        verify_content(config, service, store, &result.generation, against_master, &result, err);
    oci_store_close(store);
    *ret_result = result;
    return ok ? true : err_wrap(err, "verifying %s", service->name);
}

void
verify_result_free(struct verify_result *result)
{
    generation_free(&result->generation);
    for (size_t i = 0; i < result->difference_count; i++) {
        free(result->differences[i].database);
        free(result->differences[i].table);
    }
    free(result->differences);
    *result = (struct verify_result){0};
}

bool
export_files(const struct config *config, const struct config_service *service, const char *tag,
             const char *folder, char ***ret_files, struct err **err)
{
    struct oci_store *store = NULL;
    struct generation generation = {0};
    CLEANUP_FREE char *working = file_join(folder, ".effigy-export-XXXXXX");
    bool ok = service_open_store(config, service, OCI_STORE_READ, &store, err) &&
              generation_read(store, tag ? tag : GENERATION_TAG_LATEST, &generation, err) &&
              file_make_dirs(folder, 0777, err);
    for (size_t i = 0; ok && i < generation.file_count; i++) {
        CLEANUP_FREE char *path = file_join(folder, generation.files[i].file);
        if (file_exists(path)) {
            ok = err_set(err, ERR_USAGE, 0, "%s is already there", path);
            err_hint(err, "choose another folder, or remove that file first");
        }
    }
    if (ok && !mkdtemp(working))
        ok = err_set(err, ERR_IO, errno, "cannot write to %s", folder);
    if (ok) {
        ok = extract_files(store, &generation, working, err);
        char **files = mem_new_array(generation.file_count + 1, sizeof *files);
        size_t placed = 0;
        for (; ok && placed < generation.file_count; placed++) {
            CLEANUP_FREE char *from = file_join(working, generation.files[placed].file);
            files[placed] = file_join(folder, generation.files[placed].file);
            if (renameat2(AT_FDCWD, from, AT_FDCWD, files[placed], RENAME_NOREPLACE) < 0) {
                ok = err_set(err, ERR_IO, errno, "cannot make %s", files[placed]);
                while (placed)
                    unlink(files[--placed]);
                break;
            }
        }
        file_remove_tree(working, NULL);
        ok = ok && file_sync_dir(folder, err);
        if (ok) {
            *ret_files = files;
        } else {
            for (size_t i = 0; files[i]; i++)
                free(files[i]);
            free(files);
        }
    }
    generation_free(&generation);
    oci_store_close(store);
    return ok ? true : err_wrap(err, "exporting %s", service->name);
}
