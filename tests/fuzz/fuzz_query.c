/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /query makes of a request, before SQLite sees any of it. The input's first byte chooses the
 * content type of the body; the rest is split at newlines into Accept header, URL arguments and
 * body.
 */
#include "replica/request.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The part up to the next newline, as a text of its own. */
static char *
fuzz_line(const char **rest, const char *end)
{
    const char *stop = memchr(*rest, '\n', (size_t)(end - *rest));
    char *line = mem_strndup(*rest, (size_t)((stop ? stop : end) - *rest));
    *rest = stop ? stop + 1 : end;
    return line;
}

static void
fuzz_check(const struct request *request)
{
    if (strlen(request->sql) != request->sql_length ||
        !str_is_utf8(request->sql, request->sql_length) ||
        request_sql_is_blank(request->sql, request->sql_length) ||
        request->count > REQUEST_PARAMS || request->format >= FORMAT_COUNT)
        __builtin_trap();
    for (size_t i = 0; i < request->count; i++) {
        const struct param *param = &request->params[i];
        if ((param->kind == PARAM_TEXT || param->kind == PARAM_BLOB) &&
            param->data[param->length] != '\0')
            __builtin_trap();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {NULL,
                                        "application/json",
                                        "application/x-www-form-urlencoded",
                                        "application/sql",
                                        "text/plain; charset=utf-8",
                                        "image/png"};
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1, *end = (const char *)data + size;
    CLEANUP_FREE char *accept = fuzz_line(&rest, end);
    CLEANUP_FREE char *query = fuzz_line(&rest, end);
    struct request_input input = {
        .query = query,
        .accept = accept,
        .content_type = types[data[0] % ARRAY_LENGTH(types)],
        .body = rest,
        .body_length = (size_t)(end - rest),
    };
    struct request request;
    struct problem problem = {0};
    if (request_parse(&input, &request, &problem)) {
        fuzz_check(&request);
        request_free(&request);
    } else if (problem.status < 400 || !problem.code || !problem.message[0]) {
        __builtin_trap();
    }
    return 0;
}
