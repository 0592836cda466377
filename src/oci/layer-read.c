/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer.h"

#include "base/mem.h"
#include "base/stop.h"
#include "oci/layer-internal.h"
#include "oci/layer-tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_DEFAULT 1000000u
#define TRAILING_LIMIT \
    (1u << 20) /* bytes behind the archive's end; tar pads to records of 10 KiB */
#define MODE_BITS 01777

struct oci_layer_walk {
    struct layer_unpacker *unpacker;
    struct sha256 *sha; /* of the tar stream */
    struct archive *archive;
    struct err *err;         /* what a callback of libarchive failed with */
    const char *path;        /* of the entry in hand */
    uint64_t size, position; /* of its content */
    const uint8_t *block;    /* what is left of the piece read last */
    size_t block_length;
    uint64_t content, content_limit; /* bytes, of all entries */
};

static la_ssize_t
walk_feed(struct archive *archive, void *context, const void **ret_bytes)
{
    struct oci_layer_walk *walk = context;
    ssize_t n =
        stop_check(&walk->err) ? layer_unpacker_next(walk->unpacker, ret_bytes, &walk->err) : -1;
    if (n > 0)
        sha256_update(walk->sha, *ret_bytes, (size_t)n);
    if (n < 0)
        archive_set_error(archive, EIO, "cannot read the layer");
    return n;
}

/* Our own reason if there is one, else libarchive's. */
static bool
walk_failed(struct oci_layer_walk *walk, struct err **err)
{
    if (walk->err)
        return err_move(err, &walk->err);
    const char *reason = archive_error_string(walk->archive);
    return err_set(err, ERR_CORRUPT, 0, "the tar archive is damaged%s%s", reason ? ": " : "",
                   reason ? reason : "");
}

ssize_t
layer_walk_block(struct oci_layer_walk *walk, const void **ret_bytes, struct err **err)
{
    if (walk->position == walk->size)
        return 0;
    const void *bytes = NULL;
    size_t length = 0;
    la_int64_t offset = 0;
    int result = archive_read_data_block(walk->archive, &bytes, &length, &offset);
    if (result != ARCHIVE_OK && result != ARCHIVE_EOF) {
        walk_failed(walk, err);
        return -1;
    }
    if (result == ARCHIVE_EOF || (uint64_t)offset != walk->position ||
        length > walk->size - walk->position) {
        err_set(err, ERR_CORRUPT, 0, "%s: sparse files are not allowed in a layer", walk->path);
        return -1;
    }
    walk->position += length;
    *ret_bytes = bytes;
    return (ssize_t)length;
}

ssize_t
oci_layer_entry_read(struct oci_layer_walk *walk, void *bytes, size_t room, struct err **err)
{
    while (!walk->block_length) {
        const void *block = NULL;
        ssize_t n = layer_walk_block(walk, &block, err);
        if (n < 0 || (n == 0 && walk->position == walk->size))
            return n;
        walk->block = block;
        walk->block_length = (size_t)n;
    }
    size_t n = room < walk->block_length ? room : walk->block_length;
    memcpy(bytes, walk->block, n);
    walk->block += n;
    walk->block_length -= n;
    return (ssize_t)n;
}

static bool
walk_type(struct archive_entry *header, const char *path, enum oci_entry_type *ret_type,
          struct err **err)
{
    if (archive_entry_hardlink(header)) {
        *ret_type = OCI_ENTRY_FILE;
        return true;
    }
    switch (archive_entry_filetype(header)) {
    case AE_IFREG:
        *ret_type = OCI_ENTRY_FILE;
        return true;
    case AE_IFDIR:
        *ret_type = OCI_ENTRY_DIR;
        return true;
    case AE_IFLNK:
        *ret_type = OCI_ENTRY_SYMLINK;
        return true;
    default:
        return err_set(err, ERR_CORRUPT, 0,
                       "%s: devices, pipes and sockets are not allowed in a layer", path);
    }
}

static bool
walk_entry(struct oci_layer_walk *walk, struct archive_entry *header, oci_layer_walk_fn *visit,
           void *context, struct err **err)
{
    const char *name = archive_entry_pathname(header);
    if (!name)
        return err_set(err, ERR_CORRUPT, 0, "an entry of the layer has no readable name");
    CLEANUP_FREE char *path = layer_path_normalise(name);
    if (!path)
        return err_set(err, ERR_CORRUPT, 0, "%.200s: a path in a layer must stay inside it", name);
    struct oci_walk_entry entry = {.path = path, .mode = archive_entry_mode(header) & MODE_BITS};
    if (!walk_type(header, path, &entry.type, err))
        return false;
    if (!*path)
        return entry.type == OCI_ENTRY_DIR ||
               err_set(err, ERR_CORRUPT, 0, "an entry of the layer that is no folder has no name");
    CLEANUP_FREE char *link = NULL;
    if (archive_entry_hardlink(header)) {
        entry.target = link = layer_path_normalise(archive_entry_hardlink(header));
        if (!link || !*link)
            return err_set(err, ERR_CORRUPT, 0, "%s: a hard link in a layer must stay inside it",
                           path);
    } else if (entry.type == OCI_ENTRY_SYMLINK) {
        entry.target = archive_entry_symlink(header);
        if (!entry.target || !*entry.target || strlen(entry.target) > LAYER_PATH_LIMIT)
            return err_set(err, ERR_CORRUPT, 0, "%s: a symbolic link without a readable target",
                           path);
    } else if (entry.type == OCI_ENTRY_FILE) {
        la_int64_t size = archive_entry_size(header);
        if (size < 0 || (uint64_t)size > walk->content_limit - walk->content)
            return err_set(err, ERR_CORRUPT, 0,
                           "the layer has more than the %" PRIu64 " bytes of content allowed",
                           walk->content_limit);
        entry.size = (uint64_t)size;
        walk->content += entry.size;
    }
    walk->path = path;
    walk->size = entry.size;
    walk->position = 0;
    walk->block_length = 0;
    bool ok = visit(walk, &entry, context, err);
    walk->path = NULL;
    return ok;
}

/* Digests are of all bytes, also of those behind the archive's end. */
static bool
walk_drain(struct oci_layer_walk *walk, struct err **err)
{
    for (uint64_t tail = 0; tail <= TRAILING_LIMIT;) {
        const void *bytes;
        la_ssize_t n = walk_feed(walk->archive, walk, &bytes);
        if (n <= 0)
            return n == 0 || walk_failed(walk, err);
        tail += (uint64_t)n;
    }
    return err_set(err, ERR_CORRUPT, 0, "the layer goes on behind the end of its tar archive");
}

bool
layer_walk_stream(layer_read_fn *read, void *read_context, enum oci_compression compression,
                  const struct oci_unpack_limits *limits, oci_layer_walk_fn *visit, void *context,
                  struct oci_digest *ret_diff_id, struct err **err)
{
    uint64_t entries = limits && limits->entries ? limits->entries : ENTRIES_DEFAULT;
    struct oci_layer_walk walk = {
        .unpacker = layer_unpacker_new(compression, read, read_context),
        .sha = sha256_new(),
        .archive = archive_read_new(),
        .content_limit = limits && limits->bytes ? limits->bytes : INT64_MAX,
    };
    struct layer_locale locale = layer_locale_enter();
    archive_read_support_format_tar(walk.archive);
    bool ok = archive_read_open(walk.archive, &walk, NULL, walk_feed, NULL) == ARCHIVE_OK ||
              walk_failed(&walk, err);
    while (ok) {
        struct archive_entry *header;
        int result = archive_read_next_header(walk.archive, &header);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            ok = walk_failed(&walk, err);
        else if (entries-- == 0)
            ok = err_set(err, ERR_CORRUPT, 0,
                         "the layer has more than the %" PRIu64 " entries allowed",
                         limits && limits->entries ? limits->entries : ENTRIES_DEFAULT);
        else
            ok = walk_entry(&walk, header, visit, context, err);
    }
    ok = ok && walk_drain(&walk, err);
    if (ok) {
        uint8_t digest[SHA256_BYTES];
        sha256_final(walk.sha, digest);
        *ret_diff_id = oci_digest_of_raw(digest);
    }
    archive_read_free(walk.archive);
    layer_locale_leave(&locale);
    layer_unpacker_free(walk.unpacker);
    sha256_free(walk.sha);
    err_free(walk.err);
    return ok;
}

static ssize_t
walk_read_blob(void *reader, void *bytes, size_t room, struct err **err)
{
    return oci_blob_reader_read(reader, bytes, room, err);
}

bool
oci_layer_walk(struct oci_store *store, const struct oci_descriptor *descriptor,
               const struct oci_digest *diff_id, const struct oci_unpack_limits *limits,
               oci_layer_walk_fn *visit, void *context, struct err **err)
{
    enum oci_compression compression;
    struct oci_blob_reader *reader;
    if (!layer_compression_of_media_type(descriptor->media_type, &compression, err) ||
        !oci_store_read_blob(store, descriptor, &reader, err))
        return false;
    struct oci_digest found;
    bool ok =
        layer_walk_stream(walk_read_blob, reader, compression, limits, visit, context, &found, err);
    oci_blob_reader_close(reader);
    if (ok && diff_id && diff_id->text[0] && !oci_digest_equal(diff_id, &found))
        ok =
            err_set(err, ERR_CORRUPT, 0, "its uncompressed content has the digest %s instead of %s",
                    found.text, diff_id->text);
    return ok || err_wrap(err, "cannot read the layer %s", descriptor->digest.text);
}
