/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: tar archives (OCI image spec 1.1, layer.md), uncompressed, gzip (RFC 1952) or zstd (RFC
 * 8878).
 *
 * BUILDING. The tar stream is a function of its entries alone (ustar; pax records only for what
 * ustar cannot say; uid, gid and mtime 0), and the compressed stream a function of the tar stream,
 * the compression and the compressing library's version: the tar stream is cut into blocks of
 * OCI_LAYER_BLOCK bytes, each of which becomes a gzip member or zstd frame of its own, so that the
 * number of threads makes no difference. The blocks are compressed in parallel, in bounded memory.
 *
 * A layer can be built while the content of its files still arrives. The caller gives each file's
 * size and descriptor at the start and then says how far the bytes are there
 * (oci_layer_build_ready); these are compressed at once, speculatively. Bytes that it changes later
 * it reports (oci_layer_build_touch), and their blocks are compressed again. With
 * oci_layer_build_seal it promises that all is final; only then does the digest of the tar stream
 * (sequential by nature) begin. If the snapshot must start again, the caller cancels the build and
 * begins a new one.
 *
 * Blocks that are compressed are reported to base/progress.h. A requested stop (base/stop.h) ends
 * the work with ERR_INTERRUPTED from finish. Memory is bounded for all builds of the process
 * together, whatever the number of builds and their sizes: about 1.4 MB (zstd: 2 MB) for each CPU
 * and four more.
 *
 * Thread safety: ready, touch, seal and cancel may be called from a thread other than the one that
 * began the build. A failure inside (no space, cannot read) is reported by finish. A build uses its
 * entries' descriptors, and a writer of the store, from its own threads.
 */
#ifndef EFFIGY_OCI_LAYER_H
#define EFFIGY_OCI_LAYER_H

#include "base/err.h"
#include "oci/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OCI_LAYER_BLOCK (512u << 10)

enum oci_compression {
    OCI_COMPRESSION_GZIP, /* libdeflate level 1 */
    OCI_COMPRESSION_NONE,
    OCI_COMPRESSION_ZSTD, /* level 1 */
};
bool oci_compression_parse(const char *text,
                           enum oci_compression *ret_compression); /* gzip none zstd */
const char *oci_compression_media_type(enum oci_compression compression);

enum oci_entry_type {
    OCI_ENTRY_FILE,
    OCI_ENTRY_DIR,
    OCI_ENTRY_SYMLINK,
};
struct oci_layer_entry {
    enum oci_entry_type type;
    const char
        *path;     /* in the image, relative, no "." or ".."; parents must come before as entries */
    mode_t mode;   /* permission bits */
    uint64_t size; /* FILE: bytes */
    int fd;        /* FILE: its bytes begin at offset 0; read with pread only; must stay open */
    const char *target; /* SYMLINK */
};

struct oci_layer_build;
/* threads 0: one per CPU that the process may use. The entries are copied. */
bool oci_layer_build_begin(struct oci_store *store, enum oci_compression compression,
                           unsigned threads, const struct oci_layer_entry *entries, size_t count,
                           struct oci_layer_build **ret_build, struct err **err);
/* The bytes [0, upto) of entry `entry` can be read. Never goes back. */
void oci_layer_build_ready(struct oci_layer_build *build, size_t entry, uint64_t upto);
/* The bytes [offset, offset + length) of the entry, which had been announced as ready, were changed
 * (the change is already visible to pread). */
void oci_layer_build_touch(struct oci_layer_build *build, size_t entry, uint64_t offset,
                           uint64_t length);
/* All bytes of all entries are ready and final. */
void oci_layer_build_seal(struct oci_layer_build *build);

struct oci_layer {
    struct oci_descriptor descriptor; /* media type, digest and size of the blob */
    struct oci_digest diff_id;
    uint64_t tar_size; /* bytes, uncompressed */
    bool is_new;       /* bytes were added to the store */
};
/* Waits for the end of a sealed build and stores the blob. With `known` (its diff_id is not empty):
 * if the tar stream has known->diff_id and the store has known->descriptor, no blob is stored and
 * *known is returned with is_new = false, whatever the compression; so an unchanged master leaves
 * no second copy. The build is gone afterwards, also on failure. */
bool oci_layer_build_finish(struct oci_layer_build *build, const struct oci_layer *known,
                            struct oci_layer *ret_layer, struct err **err);
/* Ends a build without a result (NULL: does nothing); nothing of it is left in the store, and what
 * it reported to base/progress.h is taken back. */
void oci_layer_build_cancel(struct oci_layer_build *build);
/* All at once, for entries that are there already. */
bool oci_layer_write(struct oci_store *store, enum oci_compression compression,
                     const struct oci_layer_entry *entries, size_t count,
                     const struct oci_layer *known, struct oci_layer *ret_layer, struct err **err);
void oci_layer_free(struct oci_layer *layer); /* the fields */

/*
 * READING. Everything in a layer is hostile until shown otherwise: absolute paths, "..", links that
 * lead out, devices, sizes that lie, more entries or bytes than allowed are refused (ERR_CORRUPT),
 * and nothing is ever written outside the folder. The blob's digest and, where given, the diff_id
 * are checked; on a mismatch the caller must throw the folder away.
 */
struct oci_unpack_limits {
    uint64_t entries; /* 0: 1,000,000 */
    uint64_t bytes;   /* of file content; 0: no limit */
};
/* Unpacks into an existing empty folder. Owners, times and extended attributes are not applied,
 * setuid bits dropped; modes are kept, with read permission for the owner added, and for folders
 * all of the owner's, so that what was unpacked can be removed again. Hard links are followed to
 * files of the same layer only; a path that comes twice is refused, unless it is a folder's.
 * Whiteouts (layer.md, "Whiteouts") are kept as files of those names, for who merges the layers.
 * All is synced. */
bool oci_layer_unpack(struct oci_store *store, const struct oci_descriptor *descriptor,
                      const struct oci_digest *diff_id, const char *folder,
                      const struct oci_unpack_limits *limits, struct err **err);

/* Calls back for each entry, without writing anything; the content of files can be read with
 * oci_layer_entry_read inside the callback (0 at the end, -1 on failure). Return false (with *err
 * set) to end. */
struct oci_layer_walk;
struct oci_walk_entry {
    enum oci_entry_type type;
    const char *path;
    mode_t mode;
    uint64_t size;
    const char
        *target; /* SYMLINK; a FILE that has one is a hard link to that path of the layer, size 0 */
};
typedef bool oci_layer_walk_fn(struct oci_layer_walk *walk, const struct oci_walk_entry *entry,
                               void *context, struct err **err);
ssize_t oci_layer_entry_read(struct oci_layer_walk *walk, void *bytes, size_t room,
                             struct err **err);
/* Checks digests as oci_layer_unpack does. */
bool oci_layer_walk(struct oci_store *store, const struct oci_descriptor *descriptor,
                    const struct oci_digest *diff_id, const struct oci_unpack_limits *limits,
                    oci_layer_walk_fn *visit, void *context, struct err **err);

#endif
