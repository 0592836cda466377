/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: one repository of images, behind one contract for all drivers, so that all above
 * treats a folder and a registry alike. Drivers: `layout` (OCI image layout, image-layout.md:
 * oci-layout, index.json, blobs/sha256); later `registry` (OCI distribution spec 1.1).
 *
 * What a driver promises:
 *  - A blob or manifest becomes visible only whole, synced, and under the digest of its bytes.
 * Putting one that is there already writes nothing.
 *  - What is read is verified: bytes that do not have the digest asked for are ERR_CORRUPT, and
 * never more than the size said is read. (For a blob reader: at the latest when it reports the
 * end.)
 *  - oci_store_set_tags() changes all the given tags at once (layout: one rename of index.json). A
 *    kill -9 at any moment leaves the tags as before or as after.
 *  - Readers and writers of one store may be used in several threads at the same time, each in one.
 *  - Nothing that was put is lost by another process that puts at the same time; a writer that
 *    publishes holds oci_store_lock().
 */
#ifndef EFFIGY_OCI_STORE_H
#define EFFIGY_OCI_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "oci/digest.h"
#include "oci/manifest.h"
#include "oci/ref.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct oci_store;

enum oci_store_mode {
    OCI_STORE_READ,   /* ERR_NOT_FOUND if it is not there */
    OCI_STORE_CREATE, /* made if it is not there (an empty or absent folder; anything else is
                         refused) */
};
/* Opens the repository that the reference names (its tag and digest are not looked at). */
bool oci_store_open(const struct oci_ref *ref, enum oci_store_mode mode,
                    struct oci_store **ret_store, struct err **err);
void oci_store_close(struct oci_store *store);
const char *
oci_store_location(const struct oci_store *store); /* for messages: "oci:./images/catalogue" */

/* Takes the publisher's lock until the store is closed; ERR_BUSY at once if another publisher has
 * it. Also removes what a publisher that was killed left half-written. */
bool oci_store_lock(struct oci_store *store, struct err **err);

/* Is the blob there (with this size)? */
bool oci_store_has_blob(struct oci_store *store, const struct oci_digest *digest, uint64_t size,
                        bool *ret_has, struct err **err);

/* Reading a blob from its beginning to its end. _read returns the number of bytes, 0 at the end
 * (when the digest and size have been found right), or -1; room must not be 0. A blob that is not
 * there is ERR_CORRUPT: whoever asks has a manifest that says it should be. */
struct oci_blob_reader;
bool oci_store_read_blob(struct oci_store *store, const struct oci_descriptor *blob,
                         struct oci_blob_reader **ret_reader, struct err **err);
ssize_t oci_blob_reader_read(struct oci_blob_reader *reader, void *bytes, size_t room,
                             struct err **err);
void oci_blob_reader_close(struct oci_blob_reader *reader);
/* The whole of a small blob, verified; ERR_CORRUPT if blob->size is over limit. */
bool oci_store_get_blob(struct oci_store *store, const struct oci_descriptor *blob, size_t limit,
                        struct buf *ret_bytes, struct err **err);

/* Writing a blob whose digest is known only at the end. The writer computes the digest itself.
 * After _commit or _abort the writer is gone. *ret_new (may be NULL) says whether bytes were added
 * to the store; they were not if the blob was there already. */
struct oci_blob_writer;
bool oci_store_write_blob(struct oci_store *store, struct oci_blob_writer **ret_writer,
                          struct err **err);
bool oci_blob_writer_write(struct oci_blob_writer *writer, const void *bytes, size_t length,
                           struct err **err);
/* Reads back what was written before, for who makes a second blob of parts of a first; also from
 * several threads at once, and while others write behind it. */
bool oci_blob_writer_reread(struct oci_blob_writer *writer, void *bytes, size_t length,
                            uint64_t offset, struct err **err);
bool oci_blob_writer_commit(struct oci_blob_writer *writer, struct oci_digest *ret_digest,
                            uint64_t *ret_size, bool *ret_new, struct err **err);
void oci_blob_writer_abort(struct oci_blob_writer *writer);
/* A small blob at once. */
bool oci_store_put_blob(struct oci_store *store, const void *bytes, size_t length,
                        struct oci_digest *ret_digest, bool *ret_new, struct err **err);
/* A folder on the store's file system for the publisher's working files, emptied by
 * oci_store_lock() and by oci_store_close() of the store that holds the lock. Drivers without a
 * file system give one in $TMPDIR. */
const char *oci_store_work_dir(struct oci_store *store, struct err **err);

/* Small texts (at most 4 KiB) that are kept near the images to save work. They may be missing or
 * lost at any time, and nothing may depend on them; so neither function gives a reason. `key` is a
 * plain file name. */
bool oci_store_get_note(struct oci_store *store, const char *key, struct buf *ret_text);
bool oci_store_put_note(struct oci_store *store, const char *key, const char *text);

/* Manifests and indexes, by digest. `bytes` are stored exactly as given. */
bool oci_store_put_manifest(struct oci_store *store, const char *media_type, const char *bytes,
                            size_t length, struct oci_descriptor *ret_descriptor, bool *ret_new,
                            struct err **err);
/* What a tag or digest (as in a reference) names: its descriptor and bytes. ERR_NOT_FOUND if
 * nothing; ERR_USAGE if tag_or_digest is neither. */
bool oci_store_get_manifest(struct oci_store *store, const char *tag_or_digest,
                            struct oci_descriptor *ret_descriptor, struct buf *ret_bytes,
                            struct err **err);

/* The image manifest for an architecture that a tag or digest names: follows an index (nested at
 * most twice) to the entry for linux and `architecture` (NULL: the host's); an image that is no
 * index is taken as it is. ERR_NOT_FOUND names the architectures that there are. */
bool oci_store_resolve(struct oci_store *store, const char *tag_or_digest, const char *architecture,
                       struct oci_descriptor *ret_descriptor, struct oci_manifest *ret_manifest,
                       struct err **err);
bool oci_store_get_config(struct oci_store *store, const struct oci_manifest *manifest,
                          struct oci_config *ret_config, struct err **err);

/* All tags, sorted by name (as strcmp has it), each with its descriptor. Names that other tools
 * gave and that are no tags, such as whole references, are left out. */
struct oci_tag {
    char *name;
    struct oci_descriptor descriptor;
};
bool oci_store_list_tags(struct oci_store *store, struct oci_tag **ret_tags, size_t *ret_count,
                         struct err **err);
void oci_tags_free(struct oci_tag *tags, size_t count);

/* Points tags at manifests that have been put; descriptor NULL removes the tag. All or none; needs
 * the lock. The annotations and platform of the descriptor go along. */
struct oci_tag_change {
    const char *name;
    const struct oci_descriptor *descriptor;
};
bool oci_store_set_tags(struct oci_store *store, const struct oci_tag_change *changes, size_t count,
                        struct err **err);

#endif
