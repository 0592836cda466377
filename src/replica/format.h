/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of an answer, and choosing one.
 *
 *   json
 * {"generation":"g2","columns":["a","b"],"rows":[[1,"x"],...],"truncated":false,"row_count":1}
 *   ndjson  one object per row: {"a":1,"b":"x"}; the second column of a name "a" is "a:1", as
 * SQLite itself renames it csv     RFC 4180: CRLF, a header row; NULL is an empty field and the
 * empty text is ""; blobs in base64
 *
 * In JSON a blob is {"$base64":"..."}, and so is a text that is not UTF-8. Integers are written
 * whole, all 64 bits of them; infinities as 9e999 and -9e999 (SQLite has no NaN).
 */
#ifndef EFFIGY_REPLICA_FORMAT_H
#define EFFIGY_REPLICA_FORMAT_H

#include "base/buf.h"
#include "replica/answer.h"

#include <sqlite3.h>
#include <stdbool.h>

enum format { FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV, FORMAT_COUNT };

/* What a writer keeps between rows. Zero-initialise; format_state_free(). */
struct format_state {
    int columns;
    struct buf keys;  /* ndjson: the columns' keys with quotes and colon, one after another */
    size_t *key_ends; /* ndjson: where each ends in keys */
};

struct format_writer {
    const char *name, *content_type;
    void (*begin)(struct answer *answer, struct format_state *state, sqlite3_stmt *statement,
                  const char *generation);
    void (*row)(struct answer *answer, struct format_state *state, sqlite3_stmt *statement,
                bool first);
    void (*end)(struct answer *answer, uint64_t rows, bool truncated);
};

extern const struct format_writer *const format_writers[FORMAT_COUNT];
void format_state_free(struct format_state *state);

/* "csv" as FORMAT_CSV; false if there is none of that name. */
bool format_by_name(const char *name, enum format *ret_format);

/* The best of `types` ("text/csv", ...; the first of equals; ends with NULL) by an Accept header
 * (RFC 9110 section 12.5.1); its index, or -1 if none is acceptable. No header (NULL) accepts all.
 */
int format_negotiate(const char *accept, const char *const *types);
/* The same among the forms of an answer. */
bool format_by_accept(const char *accept, enum format *ret_format);

#endif
