/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `layout` driver: an OCI image layout in a folder (image-layout.md). Beside what the
 * specification names there is
 *
 *   .effigy/lock       the publisher's lock
 *   .effigy/work/      the publisher's working files
 *   .effigy/note-KEY   what saves work and may be lost
 *   .effigy/incoming/  files that are not whole yet; each is locked by the process that writes it
 *
 * so that everything that is half-done lies where outsiders do not look, on the same file system.
 *
 * store-layout.c knows folders, files and blobs; store-layout-index.c knows index.json.
 */
#ifndef EFFIGY_OCI_STORE_LAYOUT_INTERNAL_H
#define EFFIGY_OCI_STORE_LAYOUT_INTERNAL_H

#include "oci/store-internal.h"

#define OCI_LAYOUT_INDEX "index.json"
#define OCI_LAYOUT_INDEX_EMPTY \
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"manifests\":[]}"

struct oci_layout {
    struct oci_store base;
    char *path;
    char *work;
    int fd;      /* of the folder */
    int lock_fd; /* or -1 */
};

/* The whole of a regular file inside the layout; no link is followed. ERR_CORRUPT if it is none or
 * larger than limit. If there is no such file *ret_missing is set, and no error. */
bool oci_layout_read_file(const struct oci_layout *layout, const char *path, size_t limit,
                          struct buf *ret_bytes, bool *ret_missing, struct err **err);
/* Atomically and durably; everything put before is then durable too. */
bool oci_layout_replace_file(const struct oci_layout *layout, const char *name, const char *text,
                             struct err **err);
bool oci_layout_has_blob(struct oci_store *store, const struct oci_digest *digest, uint64_t size,
                         bool *ret_has, struct err **err);

/* store-layout-index.c */
bool oci_layout_find_tag(const struct oci_layout *layout, const char *tag,
                         struct oci_descriptor *ret_descriptor, struct err **err);
bool oci_layout_list_tags(struct oci_store *store, struct oci_tag **ret_tags, size_t *ret_count,
                          struct err **err);
bool oci_layout_set_tags(struct oci_store *store, const struct oci_tag_change *changes,
                         size_t count, struct err **err);

#endif
