/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print: tables and fields for people, JSON for scripts. */
#ifndef EFFIGY_CLI_OUTPUT_H
#define EFFIGY_CLI_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table: cells in the order of reading, the first row is the heading. Zero-initialise it, but for
 * .columns. */
struct out_table {
    size_t columns;
    char **cells;
    size_t count, room;
};
void out_table_add(struct out_table *table, char *cell);            /* takes it; NULL is "-" */
void out_table_add_text(struct out_table *table, const char *cell); /* NULL is "-" */
void out_table_headings(struct out_table *table,
                        const char *const *headings); /* ends with a NULL */
/* Appends the lines, each behind `indent` spaces, and frees the table. */
void out_table_write(struct out_table *table, unsigned indent, struct buf *out);

/* "  digest      sha256:..." */
void out_field(struct buf *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Members of a JSON object. Text that is not UTF-8 has U+FFFD in place of each wrong byte; NULL
 * gives null. */
void out_json_text(json_t *object, const char *name, const char *text);
void out_json_number(json_t *object, const char *name, uint64_t number);
void out_json_real(json_t *object, const char *name,
                   double seconds); /* to the microsecond; below 0: null */
void out_json_bool(json_t *object, const char *name, bool value);
json_t *out_json_string(const char *text);
/* One object with a line break, appended. */
void out_json_write(const json_t *object, struct buf *out);

/* The error as people and as scripts see it. */
void out_error_text(const struct err *err, struct buf *out);
json_t *out_error_json(const struct err *err);

/* Text for a terminal: control characters (ISO 6429, C0 but for tab and line break, and C1) become
 * '?'. In place. */
void out_make_safe(struct buf *text);
/* Writes to stdout. ERR_IO; with errnum EPIPE if there is no reader any more. */
bool out_write(const struct buf *text, struct err **err);

char *out_time(int64_t wall_ns);            /* "2026-01-31T12:00:00Z"; "-" for 0 */
char *out_digest_short(const char *digest); /* "sha256:0123456789ab" */
char *out_shorten(const char *text, size_t room);

#endif
