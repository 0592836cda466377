/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between store.c and its drivers.
 *
 * store.c does what is the same everywhere: it checks arguments (names of tags, sizes against
 * limits), computes digests of what is written, verifies digest and length of what is read, follows
 * indexes, sorts. A driver moves bytes. It embeds `struct oci_store` (and reader and writer) as the
 * first member of its own structure; store.c fills in the fields of reader and writer. What is said
 * in store.h of visibility, durability and atomicity is the driver's to keep. Readers and writers
 * of one store are used from several threads at the same time, each of them from one.
 */
#ifndef EFFIGY_OCI_STORE_INTERNAL_H
#define EFFIGY_OCI_STORE_INTERNAL_H

#include "oci/store.h"

#include "base/sha256.h"

struct oci_store_ops {
    void (*close)(struct oci_store *store); /* also gives the lock back */
    bool (*lock)(struct oci_store *store, struct err **err);
    const char *(*work_dir)(struct oci_store *store, struct err **err);
    bool (*get_note)(struct oci_store *store, const char *key, struct buf *ret_text);
    bool (*put_note)(struct oci_store *store, const char *key, const char *text);
    bool (*has_blob)(struct oci_store *store, const struct oci_digest *digest, uint64_t size,
                     bool *ret_has, struct err **err);

    /* read: raw bytes from the beginning on, 0 at the end. ERR_CORRUPT if the blob is not there or
     * is seen to be of another size. */
    bool (*open_reader)(struct oci_store *store, const struct oci_descriptor *blob,
                        struct oci_blob_reader **ret_reader, struct err **err);
    ssize_t (*read)(struct oci_blob_reader *reader, void *bytes, size_t room, struct err **err);
    void (*close_reader)(struct oci_blob_reader *reader);

    /* The writer is gone after commit (also a failed one) and abort. */
    bool (*open_writer)(struct oci_store *store, struct oci_blob_writer **ret_writer,
                        struct err **err);
    bool (*write)(struct oci_blob_writer *writer, const void *bytes, size_t length,
                  struct err **err);
    bool (*reread)(struct oci_blob_writer *writer, void *bytes, size_t length, uint64_t offset,
                   struct err **err);
    bool (*commit)(struct oci_blob_writer *writer, const struct oci_digest *digest, bool *ret_new,
                   struct err **err);
    void (*abort)(struct oci_blob_writer *writer);

    bool (*put_manifest)(struct oci_store *store, const struct oci_descriptor *descriptor,
                         const char *bytes, bool *ret_new, struct err **err);
    /* Either by tag (digest NULL) or by digest (tag NULL). At most OCI_MANIFEST_LIMIT bytes, which
     * store.c compares with the digest and ret_descriptor->size. A media_type that the driver does
     * not know it leaves NULL: store.c then finds it in the document. */
    bool (*get_manifest)(struct oci_store *store, const char *tag, const struct oci_digest *digest,
                         struct oci_descriptor *ret_descriptor, struct buf *ret_bytes,
                         struct err **err);
    bool (*list_tags)(struct oci_store *store, struct oci_tag **ret_tags, size_t *ret_count,
                      struct err **err);
    bool (*set_tags)(struct oci_store *store, const struct oci_tag_change *changes, size_t count,
                     struct err **err);
};

struct oci_store {
    const struct oci_store_ops *ops;
    char *location;
    bool locked;
};

struct oci_blob_reader {
    struct oci_store *store;
    struct oci_digest digest;
    uint64_t left;      /* bytes */
    struct sha256 *sha; /* NULL once the end was reached and found right */
};

struct oci_blob_writer {
    struct oci_store *store;
    struct sha256 *sha;
    uint64_t size; /* bytes written so far */
};

/* store-layout.c. `folder` is the reference's location. */
bool oci_layout_open(const char *folder, enum oci_store_mode mode, struct oci_store **ret_store,
                     struct err **err);

#endif
