/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer-tar.h"

#include "base/file.h"
#include "base/mem.h"
#include "oci/layer-internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define TAR_RECORD 512u
#define TAR_END (2 * TAR_RECORD)
#define TAR_MODE_BITS 07777

char *
layer_path_normalise(const char *path)
{
    size_t length = strlen(path);
    if (path[0] == '/' || length > LAYER_PATH_LIMIT)
        return NULL;
    CLEANUP_FREE char *normal = mem_new(length + 1);
    size_t used = 0;
    for (const char *part = path; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && memcmp(part, "..", 2) == 0)
            return NULL;
        if (n > 0 && !(n == 1 && *part == '.')) {
            if (used)
                normal[used++] = '/';
            memcpy(normal + used, part, n);
            used += n;
        }
        part += n;
        part += strspn(part, "/");
    }
    normal[used] = '\0';
    return steal_ptr(&normal);
}

struct tar_collector {
    struct buf *headers;
    bool closed;
};

static la_ssize_t
tar_collect(struct archive *archive, void *context, const void *bytes, size_t length)
{
    struct tar_collector *collector = context;
    if (collector->closed) {
        archive_set_error(archive, ECANCELED, "only the header is wanted");
        return -1;
    }
    buf_append(collector->headers, bytes, length);
    return (la_ssize_t)length;
}

static bool
tar_header_append(struct buf *headers, const struct oci_layer_entry *entry, const char *path,
                  struct err **err)
{
    static const unsigned types[] = {
        [OCI_ENTRY_FILE] = AE_IFREG, [OCI_ENTRY_DIR] = AE_IFDIR, [OCI_ENTRY_SYMLINK] = AE_IFLNK};
    struct tar_collector collector = {.headers = headers};
    struct archive *archive = archive_write_new();
    struct archive_entry *header = archive_entry_new();
    archive_entry_set_pathname(header, path);
    archive_entry_set_filetype(header, types[entry->type]);
    archive_entry_set_perm(header, entry->mode & TAR_MODE_BITS);
    archive_entry_set_uid(header, 0);
    archive_entry_set_gid(header, 0);
    archive_entry_set_mtime(header, 0, 0);
    archive_entry_set_size(header, entry->type == OCI_ENTRY_FILE ? (la_int64_t)entry->size : 0);
    if (entry->type == OCI_ENTRY_SYMLINK)
        archive_entry_set_symlink(header, entry->target);

    bool ok = archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
              archive_write_set_bytes_per_block(archive, 0) == ARCHIVE_OK &&
              archive_write_open(archive, &collector, NULL, tar_collect, NULL) == ARCHIVE_OK &&
              archive_write_header(archive, header) == ARCHIVE_OK;
    if (!ok)
        err_set(err, ERR_FAILED, 0, "cannot make the tar header of %s: %s", path,
                archive_error_string(archive));
    /* Freeing it would append the entry's content as zeros, all of it (after archive_write_fail()
     * it would not, but would leak instead). */
    collector.closed = true;
    archive_write_free(archive);
    archive_entry_free(header);
    return ok;
}

bool
layer_tar_init(struct layer_tar *tar, const struct oci_layer_entry *entries, size_t count,
               struct err **err)
{
    *tar = (struct layer_tar){.entries = mem_new_array(count ? count : 1, sizeof *tar->entries)};
    struct layer_locale locale = layer_locale_enter();
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const struct oci_layer_entry *entry = &entries[i];
        struct layer_tar_entry *place = &tar->entries[tar->count++];
        bool is_file = entry->type == OCI_ENTRY_FILE;
        place->path = layer_path_normalise(entry->path);
        if (!place->path || !*place->path || (is_file && entry->size > INT64_MAX / 2) ||
            (entry->type == OCI_ENTRY_SYMLINK && !entry->target)) {
            ok = err_set(err, ERR_FAILED, 0, "a layer cannot have an entry %s", entry->path);
            break;
        }
        place->start = tar->size;
        place->header_offset = tar->headers.length;
        place->size = is_file ? entry->size : 0;
        place->fd = is_file ? entry->fd : -1;
        ok = tar_header_append(&tar->headers, entry, place->path, err);
        place->content = place->start + (tar->headers.length - place->header_offset);
        tar->size = (place->content + place->size + TAR_RECORD - 1) / TAR_RECORD * TAR_RECORD;
    }
    tar->size += TAR_END;
    layer_locale_leave(&locale);
    if (!ok)
        layer_tar_free(tar);
    return ok;
}

void
layer_tar_free(struct layer_tar *tar)
{
    for (size_t i = 0; i < tar->count; i++)
        free(tar->entries[i].path);
    free(tar->entries);
    buf_free(&tar->headers);
    *tar = (struct layer_tar){0};
}

/* The last entry that starts at or before offset. */
static size_t
tar_entry_at(const struct layer_tar *tar, uint64_t offset)
{
    size_t low = 0, high = tar->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (tar->entries[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool
layer_tar_read(const struct layer_tar *tar, void *bytes, size_t length, uint64_t offset,
               struct err **err)
{
    uint8_t *out = bytes;
    size_t i = tar_entry_at(tar, offset);
    while (length) {
        const struct layer_tar_entry *entry = i < tar->count ? &tar->entries[i] : NULL;
        uint64_t end = i + 1 < tar->count ? tar->entries[i + 1].start : tar->size;
        size_t n = length;
        if (entry && offset < entry->content) {
            if (n > entry->content - offset)
                n = entry->content - offset;
            memcpy(out, tar->headers.data + entry->header_offset + (offset - entry->start), n);
        } else if (entry && offset < entry->content + entry->size) {
            if (n > entry->content + entry->size - offset)
                n = entry->content + entry->size - offset;
            if (!file_pread_all(entry->fd, out, n, offset - entry->content, entry->path, err))
                return false;
        } else {
            if (n > end - offset)
                n = end - offset;
            memset(out, 0, n);
        }
        out += n;
        offset += n;
        length -= n;
        if (offset == end)
            i++;
    }
    return true;
}
