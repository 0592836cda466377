/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baking: a master's snapshot becomes the layers of a generation.
 *
 * The image of a generation has, from the lowest layer up:
 *
 *   server   /effigy-serve, the engine's server for one architecture           0755
 *   data     /data/FILE, one layer for each database file                      0444
 *   identity /effigy/generation.json, what a replica knows of itself           0444
 *
 * Data layers are a function of the content and of BAKE_FORMAT alone.
 */
#ifndef EFFIGY_BAKE_BAKE_H
#define EFFIGY_BAKE_BAKE_H

#include "base/err.h"
#include "oci/layer.h"
#include "source/source.h"

#define BAKE_FORMAT "1" /* changes when the same content would give other data layers */
#define BAKE_DATA_DIR "data"
#define BAKE_IDENTITY_PATH "effigy/generation.json"
#define BAKE_SERVER_PATH "effigy-serve"

/* The data layers of one snapshot, in the order of the databases. */
struct bake_data {
    struct oci_layer *layers;
    char **files; /* "catalogue.db" */
    char **names; /* "main" */
    size_t count;
    uint64_t data_bytes; /* settled size of all files */
    struct source_position position;
    char *engine_version;
    double seconds_snapshot, seconds_settle,
        seconds_bake; /* wall time of each stage; they overlap */
};

/* Snapshots, settles and bakes: the layers are in the store when it returns true. `parent` (may be
 * NULL) are the data layers of the parent generation, matched by file name: a file with the same
 * content keeps the parent's layer. On failure nothing but unreferenced blobs is left. */
struct bake_parent {
    const char *file;
    struct oci_layer layer; /* descriptor and diff_id */
};
bool bake_data_layers(struct source *source, struct oci_store *store,
                      enum oci_compression compression, const struct bake_parent *parent,
                      size_t parent_count, struct bake_data *ret_data, struct err **err);
void bake_data_free(struct bake_data *data); /* the fields */

/* The layer with the server's binary, read from the host's file. */
bool bake_server_layer(struct oci_store *store, enum oci_compression compression,
                       const char *server_file, struct oci_layer *ret_layer, struct err **err);
/* The layer with generation.json. */
bool bake_identity_layer(struct oci_store *store, enum oci_compression compression,
                         const char *json, size_t length, struct oci_layer *ret_layer,
                         struct err **err);

#endif
