/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of a service, as the image store has them.
 *
 * Tags: g<N> is the Nth generation and never moves; `latest` is what is served; `pinned`, where it
 * exists, names the same image as `latest` and says that publishing does not move `latest` (effigy
 * rollback sets it, effigy unpin removes it).
 *
 * Annotations of the manifest, and labels of the image, beside
 * org.opencontainers.image.{title,created,version}:
 */
#ifndef EFFIGY_CONTROL_GENERATION_H
#define EFFIGY_CONTROL_GENERATION_H

#include "base/err.h"
#include "oci/layer.h"
#include "oci/store.h"

#define GENERATION_KEY_ROLE "io.effigy.role" /* "generation" on images, "replica" on containers */
#define GENERATION_KEY_SERVICE "io.effigy.service"
#define GENERATION_KEY_GENERATION "io.effigy.generation" /* "g2" */
#define GENERATION_KEY_PARENT "io.effigy.parent"         /* "g1"; absent on the first */
#define GENERATION_KEY_PARENT_DIGEST "io.effigy.parent.digest"
#define GENERATION_KEY_POSITION "io.effigy.position"
#define GENERATION_KEY_POSITION_EXACT "io.effigy.position.exact" /* "true" or "false" */
#define GENERATION_KEY_ENGINE "io.effigy.engine"
#define GENERATION_KEY_ENGINE_VERSION "io.effigy.engine.version"
#define GENERATION_KEY_FORMAT "io.effigy.format"         /* BAKE_FORMAT */
#define GENERATION_KEY_DATA_BYTES "io.effigy.data.bytes" /* settled size */
#define GENERATION_KEY_FILE                                                                       \
    "io.effigy.data.file"                         /* on a data layer's descriptor: "catalogue.db" \
                                                   */
#define GENERATION_KEY_NAME "io.effigy.data.name" /* on a data layer's descriptor: "main" */
#define GENERATION_TAG_LATEST "latest"
#define GENERATION_TAG_PINNED "pinned"

struct generation_file {
    char *file, *name;
    struct oci_layer layer; /* descriptor and diff_id */
};

struct generation {
    unsigned number;
    struct oci_descriptor top;   /* what the tag names: a manifest or an index */
    struct oci_descriptor image; /* the manifest for the host, or the first */
    char *service, *parent, *parent_digest, *position, *engine, *engine_version, *format;
    bool position_exact;
    char *seen_position; /* a later position at which the content was the same still, or NULL */
    int64_t created_ns;
    uint64_t data_bytes;  /* settled size */
    uint64_t image_bytes; /* blobs of the image, compressed */
    struct generation_file *files;
    size_t file_count;
    bool latest, pinned; /* carries that tag */
};

/* Is this a position at which the master had the generation's content? The text need not be exact.
 */
bool generation_is_at(const struct generation *generation, const char *position);
/* Notes beside the images that the content was the same at this (exact) position, too, so that
 * nobody has to look again; a note that is lost costs a look. */
void generation_note_position(struct oci_store *store, const struct generation *generation,
                              const char *position);

/* "g12" as 12; false if it is no generation's tag. */
bool generation_tag_parse(const char *tag, unsigned *ret_number);
/* Reads what `tag` names ("g3", "latest" or a digest); ERR_NOT_FOUND hints at the newest there is;
 * ERR_CORRUPT if it is no image of ours. */
bool generation_read(struct oci_store *store, const char *tag, struct generation *ret_generation,
                     struct err **err);
void generation_free(struct generation *generation); /* the fields */
/* The newest generation (zeroed if there is none), with *ret_highest, the highest number that is
 * known to have been given, and whether there is a pin. Reads no other generation, however many
 * there are. */
bool generation_read_newest(struct oci_store *store, unsigned *ret_highest,
                            struct generation *ret_generation, bool *ret_pinned, struct err **err);
/* All generations, oldest first. */
bool generation_list(struct oci_store *store, struct generation **ret_generations,
                     size_t *ret_count, struct err **err);
void generation_list_free(struct generation *generations, size_t count);

#endif
