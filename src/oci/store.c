/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store-internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/manifest-internal.h"

#include <assert.h>
#include <string.h>

#define INDEX_DEPTH 2 /* indexes that resolving follows one inside the other */

bool
oci_store_open(const struct oci_ref *ref, enum oci_store_mode mode, struct oci_store **ret_store,
               struct err **err)
{
    struct oci_ref repository = {.transport = ref->transport, .location = ref->location};
    CLEANUP_FREE char *location = oci_ref_format(&repository);
    struct oci_store *store;
    switch (ref->transport) {
    case OCI_TRANSPORT_LAYOUT:
        if (!oci_layout_open(ref->location, mode, &store, err))
            return false;
        break;
    default:
        err_set(err, ERR_UNSUPPORTED, 0,
                "cannot open %s: this version of effigy cannot talk to registries", location);
        return err_hint(err,
                        "use a folder, such as oci:./images/%s, and copy it with \"skopeo copy\"",
                        file_basename(ref->location));
    }
    store->location = steal_ptr(&location);
    *ret_store = store;
    return true;
}

void
oci_store_close(struct oci_store *store)
{
    if (!store)
        return;
    free(store->location);
    store->ops->close(store);
}

const char *
oci_store_location(const struct oci_store *store)
{
    return store->location;
}

bool
oci_store_lock(struct oci_store *store, struct err **err)
{
    if (!store->locked)
        store->locked = store->ops->lock(store, err);
    return store->locked;
}

const char *
oci_store_work_dir(struct oci_store *store, struct err **err)
{
    return store->ops->work_dir(store, err);
}

/* Blobs */

bool
oci_store_has_blob(struct oci_store *store, const struct oci_digest *digest, uint64_t size,
                   bool *ret_has, struct err **err)
{
    struct oci_digest valid; /* it becomes part of a path or address */
    return oci_digest_parse(digest->text, &valid, err) &&
           store->ops->has_blob(store, &valid, size, ret_has, err);
}

bool
oci_store_read_blob(struct oci_store *store, const struct oci_descriptor *blob,
                    struct oci_blob_reader **ret_reader, struct err **err)
{
    struct oci_digest valid;
    struct oci_blob_reader *reader;
    if (!oci_digest_parse(blob->digest.text, &valid, err) ||
        !store->ops->open_reader(store, blob, &reader, err))
        return false;
    reader->store = store;
    reader->digest = valid;
    reader->left = blob->size;
    reader->sha = sha256_new();
    *ret_reader = reader;
    return true;
}

static bool
reader_verify(struct oci_blob_reader *reader, struct err **err)
{
    uint8_t raw[SHA256_BYTES];
    sha256_final(reader->sha, raw);
    sha256_free(steal_ptr(&reader->sha));
    struct oci_digest is = oci_digest_of_raw(raw);
    if (oci_digest_equal(&is, &reader->digest))
        return true;
    /* The end must not be reported by a later call either. */
    reader->left = UINT64_MAX;
    return err_set(err, ERR_CORRUPT, 0,
                   "the blob %s in %s is damaged: its bytes have the digest %s",
                   reader->digest.text, reader->store->location, is.text);
}

ssize_t
oci_blob_reader_read(struct oci_blob_reader *reader, void *bytes, size_t room, struct err **err)
{
    assert(room > 0);
    if (!reader->sha) {
        if (reader->left == 0)
            return 0;
        err_set(err, ERR_CORRUPT, 0, "the blob %s in %s is damaged", reader->digest.text,
                reader->store->location);
        return -1;
    }
    if (reader->left == 0)
        return reader_verify(reader, err) ? 0 : -1;
    ssize_t n = reader->store->ops->read(reader, bytes,
                                         room < reader->left ? room : (size_t)reader->left, err);
    if (n < 0)
        return -1;
    if (n == 0) {
        err_set(err, ERR_CORRUPT, 0, "the blob %s in %s is damaged: it ends %llu bytes early",
                reader->digest.text, reader->store->location, (unsigned long long)reader->left);
        return -1;
    }
    sha256_update(reader->sha, bytes, (size_t)n);
    reader->left -= (uint64_t)n;
    return n;
}

void
oci_blob_reader_close(struct oci_blob_reader *reader)
{
    if (!reader)
        return;
    sha256_free(reader->sha);
    reader->store->ops->close_reader(reader);
}

static void
reader_cleanup(struct oci_blob_reader **reader)
{
    oci_blob_reader_close(*reader);
}

bool
oci_store_get_blob(struct oci_store *store, const struct oci_descriptor *blob, size_t limit,
                   struct buf *ret_bytes, struct err **err)
{
    if (blob->size > limit)
        return err_set(err, ERR_CORRUPT, 0,
                       "the blob %s in %s is said to have %llu bytes; at most %zu are possible",
                       blob->digest.text, store->location, (unsigned long long)blob->size, limit);
    CLEANUP(reader_cleanup) struct oci_blob_reader *reader = NULL;
    if (!oci_store_read_blob(store, blob, &reader, err))
        return false;
    CLEANUP_BUF struct buf bytes = {0};
    for (;;) {
        size_t room = (size_t)reader->left + 1;
        ssize_t n = oci_blob_reader_read(reader, buf_reserve(&bytes, room), room, err);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        bytes.length += (size_t)n;
    }
    buf_append(&bytes, "", 0);
    *ret_bytes = bytes;
    bytes = (struct buf){0};
    return true;
}

bool
oci_store_write_blob(struct oci_store *store, struct oci_blob_writer **ret_writer, struct err **err)
{
    struct oci_blob_writer *writer;
    if (!store->ops->open_writer(store, &writer, err))
        return false;
    writer->store = store;
    writer->sha = sha256_new();
    *ret_writer = writer;
    return true;
}

bool
oci_blob_writer_write(struct oci_blob_writer *writer, const void *bytes, size_t length,
                      struct err **err)
{
    if (!writer->store->ops->write(writer, bytes, length, err))
        return false;
    sha256_update(writer->sha, bytes, length);
    writer->size += length;
    return true;
}

bool
oci_blob_writer_reread(struct oci_blob_writer *writer, void *bytes, size_t length, uint64_t offset,
                       struct err **err)
{
    return writer->store->ops->reread(writer, bytes, length, offset, err);
}

bool
oci_blob_writer_commit(struct oci_blob_writer *writer, struct oci_digest *ret_digest,
                       uint64_t *ret_size, bool *ret_new, struct err **err)
{
    uint8_t raw[SHA256_BYTES];
    sha256_final(writer->sha, raw);
    sha256_free(steal_ptr(&writer->sha));
    struct oci_digest digest = oci_digest_of_raw(raw);
    uint64_t size = writer->size;
    bool is_new;
    if (!writer->store->ops->commit(writer, &digest, &is_new, err))
        return false;
    *ret_digest = digest;
    *ret_size = size;
    if (ret_new)
        *ret_new = is_new;
    return true;
}

void
oci_blob_writer_abort(struct oci_blob_writer *writer)
{
    if (!writer)
        return;
    sha256_free(writer->sha);
    writer->store->ops->abort(writer);
}

bool
oci_store_put_blob(struct oci_store *store, const void *bytes, size_t length,
                   struct oci_digest *ret_digest, bool *ret_new, struct err **err)
{
    struct oci_digest digest = oci_digest_of(bytes, length);
    bool has, is_new = false;
    if (!store->ops->has_blob(store, &digest, length, &has, err))
        return false;
    if (has) {
        /* One that is damaged is as good as none. */
        const struct oci_descriptor there = {.digest = digest, .size = length};
        CLEANUP_BUF struct buf old = {0};
        has = oci_store_get_blob(store, &there, length, &old, NULL);
    }
    if (!has) {
        struct oci_blob_writer *writer;
        if (!oci_store_write_blob(store, &writer, err))
            return false;
        if (!oci_blob_writer_write(writer, bytes, length, err)) {
            oci_blob_writer_abort(writer);
            return false;
        }
        uint64_t size;
        if (!oci_blob_writer_commit(writer, &digest, &size, &is_new, err))
            return false;
    }
    *ret_digest = digest;
    if (ret_new)
        *ret_new = is_new;
    return true;
}

/* Notes */

bool
oci_store_get_note(struct oci_store *store, const char *key, struct buf *ret_text)
{
    return store->ops->get_note(store, key, ret_text);
}

bool
oci_store_put_note(struct oci_store *store, const char *key, const char *text)
{
    return store->ops->put_note(store, key, text);
}

/* Manifests */

bool
oci_store_put_manifest(struct oci_store *store, const char *media_type, const char *bytes,
                       size_t length, struct oci_descriptor *ret_descriptor, bool *ret_new,
                       struct err **err)
{
    if (length > OCI_MANIFEST_LIMIT)
        return err_set(err, ERR_UNSUPPORTED, 0,
                       "cannot put a manifest of %zu bytes into %s: at most %u are possible",
                       length, store->location, OCI_MANIFEST_LIMIT);
    struct oci_descriptor descriptor = {.digest = oci_digest_of(bytes, length), .size = length};
    descriptor.media_type = mem_strdup(media_type);
    bool is_new;
    if (!store->ops->put_manifest(store, &descriptor, bytes, &is_new, err)) {
        oci_descriptor_free(&descriptor);
        return false;
    }
    *ret_descriptor = descriptor;
    if (ret_new)
        *ret_new = is_new;
    return true;
}

bool
oci_store_get_manifest(struct oci_store *store, const char *tag_or_digest,
                       struct oci_descriptor *ret_descriptor, struct buf *ret_bytes,
                       struct err **err)
{
    struct oci_digest digest;
    bool by_digest = oci_digest_parse(tag_or_digest, &digest, NULL);
    if (!by_digest && !oci_tag_valid(tag_or_digest))
        return err_set(err, ERR_USAGE, 0, "\"%.200s\" is neither a tag nor a digest",
                       tag_or_digest);
    CLEANUP(oci_descriptor_free) struct oci_descriptor descriptor = {0};
    CLEANUP_BUF struct buf bytes = {0};
    if (!store->ops->get_manifest(store, by_digest ? NULL : tag_or_digest,
                                  by_digest ? &digest : NULL, &descriptor, &bytes, err))
        return false;
    struct oci_digest is = oci_digest_of(bytes.data, bytes.length);
    const struct oci_digest *wanted = by_digest ? &digest : &descriptor.digest;
    if (!oci_digest_equal(&is, wanted) || descriptor.size != bytes.length)
        return err_set(err, ERR_CORRUPT, 0,
                       "the manifest %s in %s is damaged: its %zu bytes have the digest %s",
                       wanted->text, store->location, bytes.length, is.text);
    descriptor.digest = is;
    if (!descriptor.media_type) {
        CLEANUP_FREE char *what = mem_printf("%s in %s", is.text, store->location);
        json_auto_t *json = oci_json_load(bytes.data, bytes.length, OCI_MANIFEST_LIMIT, what, err);
        if (!json || !(descriptor.media_type = oci_media_type_sniff(json)))
            return err_set(err, ERR_UNSUPPORTED, 0, "%s is neither an image nor an index", what);
    }
    *ret_descriptor = descriptor;
    descriptor = (struct oci_descriptor){0};
    *ret_bytes = bytes;
    bytes = (struct buf){0};
    return true;
}

/* The entry of an index to follow for linux on the architecture: the first that says so; else, as
 * other tools write indexes without platforms, the only one that says nothing. NULL if there is
 * none. */
static const struct oci_descriptor *
index_select(const struct oci_index *index, const char *architecture)
{
    const struct oci_descriptor *silent = NULL;
    size_t silent_count = 0;
    for (size_t i = 0; i < index->count; i++) {
        const struct oci_platform *platform = &index->manifests[i].platform;
        if (!platform->os && !platform->architecture) {
            silent = &index->manifests[i];
            silent_count++;
        } else if (strcmp(str_or(platform->os, ""), "linux") == 0 &&
                   strcmp(str_or(platform->architecture, ""), architecture) == 0)
            return &index->manifests[i];
    }
    return silent_count == 1 ? silent : NULL;
}

static bool
index_refuse(const struct oci_store *store, const char *name, const struct oci_index *index,
             const char *architecture, struct err **err)
{
    CLEANUP_BUF struct buf list = {0};
    for (size_t i = 0; i < index->count && i < 16; i++) {
        const struct oci_platform *platform = &index->manifests[i].platform;
        buf_printf(&list, "%s%.32s/%.32s", i ? ", " : "", str_or(platform->os, "?"),
                   str_or(platform->architecture, "?"));
    }
    if (index->count > 16)
        buf_puts(&list, ", ...");
    return err_set(err, ERR_NOT_FOUND, 0, "%s in %s has no image for linux/%s; it has %s", name,
                   store->location, architecture, index->count ? buf_text(&list) : "none at all");
}

bool
oci_store_resolve(struct oci_store *store, const char *tag_or_digest, const char *architecture,
                  struct oci_descriptor *ret_descriptor, struct oci_manifest *ret_manifest,
                  struct err **err)
{
    architecture = str_or(architecture, oci_platform_host_architecture());
    CLEANUP(oci_descriptor_free) struct oci_descriptor descriptor = {0};
    CLEANUP_BUF struct buf bytes = {0};
    if (!oci_store_get_manifest(store, tag_or_digest, &descriptor, &bytes, err))
        return false;
    for (int depth = 0; strcmp(str_or(descriptor.media_type, ""), OCI_MEDIA_INDEX) == 0; depth++) {
        if (depth == INDEX_DEPTH)
            return err_set(err, ERR_UNSUPPORTED, 0,
                           "%s in %s: indexes inside one another more than %d deep", tag_or_digest,
                           store->location, INDEX_DEPTH);
        CLEANUP(oci_index_free) struct oci_index index = {0};
        if (!oci_index_parse(bytes.data, bytes.length, &index, err))
            return err_wrap(err, "%s in %s", descriptor.digest.text, store->location);
        const struct oci_descriptor *entry = index_select(&index, architecture);
        if (!entry)
            return index_refuse(store, tag_or_digest, &index, architecture, err);
        struct oci_descriptor found = {0};
        buf_free(&bytes);
        if (!oci_store_get_manifest(store, entry->digest.text, &found, &bytes, err))
            return err_wrap(err, "%s in %s", tag_or_digest, store->location);
        oci_descriptor_free(&found);
        oci_descriptor_free(&descriptor);
        oci_descriptor_copy(&descriptor, entry);
        if (descriptor.size != bytes.length)
            return err_set(err, ERR_CORRUPT, 0,
                           "%s in %s has %zu bytes, not %llu as its index says",
                           descriptor.digest.text, store->location, bytes.length,
                           (unsigned long long)descriptor.size);
    }
    if (strcmp(str_or(descriptor.media_type, ""), OCI_MEDIA_MANIFEST) != 0)
        return err_set(err, ERR_UNSUPPORTED, 0,
                       "%s in %s is not an image but of the media type \"%.200s\"", tag_or_digest,
                       store->location, str_or(descriptor.media_type, ""));
    if (!oci_manifest_parse(bytes.data, bytes.length, ret_manifest, err))
        return err_wrap(err, "%s in %s", descriptor.digest.text, store->location);
    *ret_descriptor = descriptor;
    descriptor = (struct oci_descriptor){0};
    return true;
}

bool
oci_store_get_config(struct oci_store *store, const struct oci_manifest *manifest,
                     struct oci_config *ret_config, struct err **err)
{
    const struct oci_descriptor *blob = &manifest->config;
    if (strcmp(str_or(blob->media_type, ""), OCI_MEDIA_CONFIG) != 0)
        return err_set(err, ERR_UNSUPPORTED, 0,
                       "%s in %s is not an image's config but of the media type \"%.200s\"",
                       blob->digest.text, store->location, str_or(blob->media_type, ""));
    CLEANUP_BUF struct buf bytes = {0};
    CLEANUP(oci_config_free) struct oci_config config = {0};
    if (!oci_store_get_blob(store, blob, OCI_CONFIG_LIMIT, &bytes, err))
        return false;
    if (!oci_config_parse(bytes.data, bytes.length, &config, err))
        return err_wrap(err, "%s in %s", blob->digest.text, store->location);
    if (config.diff_id_count != manifest->layer_count)
        return err_set(
            err, ERR_CORRUPT, 0, "the image config %s in %s names %zu layers, its manifest %zu",
            blob->digest.text, store->location, config.diff_id_count, manifest->layer_count);
    *ret_config = config;
    config = (struct oci_config){0};
    return true;
}

/* Tags */

static int
tag_compare(const void *a, const void *b)
{
    return strcmp(((const struct oci_tag *)a)->name, ((const struct oci_tag *)b)->name);
}

bool
oci_store_list_tags(struct oci_store *store, struct oci_tag **ret_tags, size_t *ret_count,
                    struct err **err)
{
    if (!store->ops->list_tags(store, ret_tags, ret_count, err))
        return false;
    if (*ret_count)
        qsort(*ret_tags, *ret_count, sizeof **ret_tags, tag_compare);
    return true;
}

void
oci_tags_free(struct oci_tag *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(tags[i].name);
        oci_descriptor_free(&tags[i].descriptor);
    }
    free(tags);
}

bool
oci_store_set_tags(struct oci_store *store, const struct oci_tag_change *changes, size_t count,
                   struct err **err)
{
    if (!store->locked)
        return err_set(err, ERR_FAILED, 0, "cannot set tags in %s without its lock",
                       store->location);
    for (size_t i = 0; i < count; i++) {
        struct oci_digest valid;
        if (!oci_tag_valid(changes[i].name))
            return err_set(err, ERR_USAGE, 0, "\"%.200s\" is not a tag", changes[i].name);
        if (changes[i].descriptor &&
            !oci_digest_parse(changes[i].descriptor->digest.text, &valid, err))
            return err_wrap(err, "cannot set the tag %s in %s", changes[i].name, store->location);
    }
    return store->ops->set_tags(store, changes, count, err);
}
