/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request to /query asks, parsed from its parts: pure functions over buffers, everything
 * bounded.
 *
 *     GET  /query?sql=SELECT...            arguments of the URL
 *     POST application/x-www-form-urlencoded     the same, in the body (and the URL)
 *     POST application/json                {"sql": "...", "params": [...] or {...}, "format":
 * "csv"} POST application/sql, text/plain     the body is the SQL; params and format in the URL
 *
 * Bound parameters: `params` is a JSON array (by position) or object (by name, with or without its
 * :, @ or $). Any other argument whose name is that of a named parameter is bound as text. JSON
 * values bind as what they are: null, integers, reals, texts, true and false as 1 and 0,
 * {"$base64": "..."} as a blob.
 */
#ifndef EFFIGY_REPLICA_REQUEST_H
#define EFFIGY_REPLICA_REQUEST_H

#include "replica/format.h"
#include "replica/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_PARAMS 1000 /* parameters and arguments of one request */

enum param_kind { PARAM_NULL, PARAM_INTEGER, PARAM_REAL, PARAM_TEXT, PARAM_BLOB };

struct param {
    char *name; /* NULL: by position */
    bool
        optional; /* an argument of the URL or form, which may also mean nothing to the statement */
    enum param_kind kind;
    int64_t integer;
    double real;
    char *data; /* text or blob */
    size_t length;
};

struct request {
    char *sql; /* NUL-terminated UTF-8 without NUL */
    size_t sql_length;
    struct param *params;
    size_t count, room;
    size_t bytes; /* of all names and values of parameters */
    enum format format;
};

struct request_input {
    const char *query;        /* what follows the ? of the URL, or NULL */
    const char *content_type; /* or NULL */
    const char *accept;       /* or NULL */
    const char *body;         /* or NULL: a request that has none, as GET */
    size_t body_length;
};

/* On success request_free() frees *ret_request's fields. */
bool request_parse(const struct request_input *input, struct request *ret_request,
                   struct problem *problem);
void request_free(struct request *request);

/* Undoes %XX and, in place of spaces, +. False if a % is not followed by two hex digits. To be
 * freed; NUL-terminated; may contain NUL. */
bool request_decode(const char *text, size_t length, char **ret_bytes, size_t *ret_length);

/* Standard base64 with padding (RFC 4648 section 4). To be freed; NUL-terminated. */
bool request_base64(const char *text, size_t length, char **ret_bytes, size_t *ret_length);

/* Is it white space, comments and semicolons only? */
bool request_sql_is_blank(const char *sql, size_t length);

#endif
