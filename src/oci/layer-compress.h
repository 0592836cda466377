/* SPDX-License-Identifier: Apache-2.0 */
/* Compressing blocks of a layer one by one, and decompressing a layer as a stream. */
#ifndef EFFIGY_OCI_LAYER_COMPRESS_H
#define EFFIGY_OCI_LAYER_COMPRESS_H

#include "base/err.h"
#include "oci/layer.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For one thread at a time. What it takes of memory (0.2 to 2 MB) it takes when it is first used.
 */
struct layer_packer;
struct layer_packer *layer_packer_new(void);
void layer_packer_free(struct layer_packer *packer);
/* The most bytes that a block of OCI_LAYER_BLOCK bytes can become under any compression. */
size_t layer_packer_room(void);
/* Compresses a block of at most OCI_LAYER_BLOCK bytes to a gzip member or zstd frame of its own, a
 * function of the bytes and the library's version alone. `out` has layer_packer_room() bytes. Not
 * for OCI_COMPRESSION_NONE. */
size_t layer_packer_pack(struct layer_packer *packer, enum oci_compression compression,
                         const void *bytes, size_t length, void *out);

/* Gives the next compressed bytes: how many, 0 at the end, -1 on failure. */
typedef ssize_t layer_read_fn(void *context, void *bytes, size_t room, struct err **err);

struct layer_unpacker;
struct layer_unpacker *layer_unpacker_new(enum oci_compression compression, layer_read_fn *read,
                                          void *context);
void layer_unpacker_free(struct layer_unpacker *unpacker);
/* The next piece of the decompressed stream (valid until the next call): its length, 0 at the end
 * of the input, -1 on failure; ERR_CORRUPT if the input is damaged or cut off. At most 1 MiB at
 * once. */
ssize_t layer_unpacker_next(struct layer_unpacker *unpacker, const void **ret_bytes,
                            struct err **err);

#endif
