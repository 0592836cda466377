/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/format.h"

#include "base/mem.h"
#include "replica/format-csv.h"
#include "replica/format-json.h"

#include <string.h>
#include <strings.h>

const struct format_writer *const format_writers[FORMAT_COUNT] = {
    [FORMAT_JSON] = &format_json,
    [FORMAT_NDJSON] = &format_ndjson,
    [FORMAT_CSV] = &format_csv,
};

void
format_state_free(struct format_state *state)
{
    buf_free(&state->keys);
    free(state->key_ends);
    *state = (struct format_state){0};
}

bool
format_by_name(const char *name, enum format *ret_format)
{
    for (int f = 0; f < FORMAT_COUNT; f++) {
        if (strcmp(name, format_writers[f]->name) == 0) {
            *ret_format = (enum format)f;
            return true;
        }
    }
    return false;
}

/* How exactly the range text[0..length) ("text/csv", "text/" + "*", ...) means the type: 0 not at
 * all. */
static int
format_range_match(const char *range, size_t length, const char *type)
{
    size_t slash = (size_t)(strchr(type, '/') - type);
    if (length == 3 && memcmp(range, "*/*", 3) == 0)
        return 1;
    if (length == slash + 2 && range[slash + 1] == '*' && strncasecmp(range, type, slash + 1) == 0)
        return 2;
    return length == strlen(type) && strncasecmp(range, type, length) == 0 ? 3 : 0;
}

/* The q of the parameters ";a=b;q=0.5" in thousandths; 1000 without one. */
static int
format_quality(const char *parameters, const char *end)
{
    while (parameters < end) {
        const char *p = parameters + 1;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (end - p >= 3 && (*p == 'q' || *p == 'Q') && p[1] == '=') {
            int quality = p[2] == '1' ? 1000 : 0, unit = 100;
            if (end - p > 3 && p[2] == '0' && p[3] == '.') {
                for (p += 4; p < end && *p >= '0' && *p <= '9' && unit; p++, unit /= 10)
                    quality += (*p - '0') * unit;
            }
            return quality;
        }
        while (p < end && *p != ';')
            p++;
        parameters = p;
    }
    return 1000;
}

static int
format_type_quality(const char *accept, const char *type)
{
    int exactness = 0, quality = 0;
    while (*accept) {
        size_t length = strcspn(accept, ",");
        const char *start = accept, *end = accept + length;
        while (start < end && (*start == ' ' || *start == '\t'))
            start++;
        const char *parameters = memchr(start, ';', (size_t)(end - start));
        const char *stop = parameters ? parameters : end;
        while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        int match = format_range_match(start, (size_t)(stop - start), type);
        if (match > exactness) {
            exactness = match;
            quality = format_quality(parameters ? parameters : end, end);
        }
        accept = *end ? end + 1 : end;
    }
    return quality;
}

int
format_negotiate(const char *accept, const char *const *types)
{
    if (!accept || !accept[strspn(accept, " \t")])
        return 0;
    int best = -1, best_quality = 0;
    for (int i = 0; types[i]; i++) {
        int quality = format_type_quality(accept, types[i]);
        if (quality > best_quality) {
            best = i;
            best_quality = quality;
        }
    }
    return best;
}

bool
format_by_accept(const char *accept, enum format *ret_format)
{
    static const char *const types[] = {
        "application/json",   "application/x-ndjson",
        "application/ndjson", "application/jsonl",
        "text/csv",           NULL,
    };
    static const enum format formats[] = {FORMAT_JSON, FORMAT_NDJSON, FORMAT_NDJSON, FORMAT_NDJSON,
                                          FORMAT_CSV};
    int best = format_negotiate(accept, types);
    if (best < 0)
        return false;
    *ret_format = formats[best];
    return true;
}
