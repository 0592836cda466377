/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar stream of a layer as an address space: which byte stands where is known before any
 * content is there, so that parts of it can be read in any order and by several threads at once.
 * Per entry: a header (ustar as libarchive writes it; a pax header before it where ustar cannot say
 * the size, path or target), the content, zeros up to a multiple of 512; at the end two blocks of
 * zeros.
 */
#ifndef EFFIGY_OCI_LAYER_TAR_H
#define EFFIGY_OCI_LAYER_TAR_H

#include "base/buf.h"
#include "base/err.h"
#include "oci/layer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYER_PATH_LIMIT 4096 /* bytes, as PATH_MAX */

struct layer_tar_entry {
    uint64_t start;       /* of the header, in the stream */
    uint64_t content;     /* of the content, in the stream */
    uint64_t size;        /* bytes of content */
    size_t header_offset; /* in headers */
    int fd;
    char *path;
};
struct layer_tar {
    struct layer_tar_entry *entries;
    size_t count;
    struct buf headers;
    uint64_t size; /* bytes of the whole stream */
};

/* ERR_FAILED for an entry that no layer may have (see layer_path_normalise). */
bool layer_tar_init(struct layer_tar *tar, const struct oci_layer_entry *entries, size_t count,
                    struct err **err);
void layer_tar_free(struct layer_tar *tar); /* the fields */
/* Reads `length` bytes of the stream at `offset`; all of them must be within it. Thread safe. */
bool layer_tar_read(const struct layer_tar *tar, void *bytes, size_t length, uint64_t offset,
                    struct err **err);

/* The path as "a/b/c": without "./" in front, doubled slashes and a slash at the end; "" for the
 * folder itself. NULL if it is absolute, has ".." in it, or is longer than LAYER_PATH_LIMIT. To be
 * freed. */
char *layer_path_normalise(const char *path);

#endif
