/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this replica is: /effigy/generation.json, which baking puts into the image.
 *
 *     {"service": "catalogue", "generation": "g2", "parent": "g1", "position": "...",
 *      "created": "2026-01-31T12:00:00Z", "engine": "sqlite", "engine_version": "3.40.1", "format":
 * "1", "databases": [{"name": "main", "file": "/data/catalogue.db", "digest": "sha256:..."}]}
 *
 * A database's digest (of its data layer, uncompressed) stands for its content. The first database
 * is SQLite's "main", whatever its name; the others are attached under theirs. Unknown keys are
 * ignored.
 */
#ifndef EFFIGY_REPLICA_IDENTITY_H
#define EFFIGY_REPLICA_IDENTITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define IDENTITY_BYTES (1u << 20) /* the file's limit */
#define IDENTITY_DATABASES 11     /* main and SQLite's ten attached ones */

struct identity_database {
    char *name, *file, *digest;
};

struct identity {
    char *service, *generation, *parent, *position,
        *engine_version; /* parent, position: may be NULL */
    struct identity_database databases[IDENTITY_DATABASES];
    size_t count;
    char *json; /* the whole, as /-/generation answers it */
};

/* Pure. ERR_CORRUPT says what is wrong with the text. */
bool identity_parse(const char *text, size_t length, struct identity *ret_identity,
                    struct err **err);
bool identity_read(const char *path, struct identity *ret_identity, struct err **err);
void identity_free(struct identity *identity); /* the fields */

/* The name by which a query reaches the database: "main" for the first. */
const char *identity_schema(const struct identity *identity, size_t index);

#endif
