/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/format-json.h"

#include "base/mem.h"

#include <search.h>
#include <string.h>

static void
json_put_base64(struct answer *answer, const void *bytes, size_t length)
{
    answer_puts(answer, "{\"$base64\":\"");
    answer_base64(answer, bytes, length);
    answer_puts(answer, "\"}");
}

static void
json_put_column(struct answer *answer, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        answer_integer(answer, sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        answer_real(answer, sqlite3_column_double(statement, column));
        break;
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        size_t length = (size_t)sqlite3_column_bytes(statement, column);
        if (!text)
            answer_puts(answer, "null"); /* out of memory, which the next step reports */
        else if (!answer_json_string(answer, text, length))
            json_put_base64(answer, text, length);
        break;
    }
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(statement, column);
        json_put_base64(answer, bytes, (size_t)sqlite3_column_bytes(statement, column));
        break;
    }
    default:
        answer_append(answer, "null", 4);
    }
}

static const char *
json_column_name(sqlite3_stmt *statement, int column)
{
    const char *name = sqlite3_column_name(statement, column);
    return name ? name : "";
}

static void
json_begin(struct answer *answer, struct format_state *state, sqlite3_stmt *statement,
           const char *generation)
{
    state->columns = sqlite3_column_count(statement);
    answer_puts(answer, "{\"generation\":");
    answer_json_string(answer, generation, strlen(generation));
    answer_puts(answer, ",\"columns\":[");
    for (int i = 0; i < state->columns; i++) {
        const char *name = json_column_name(statement, i);
        if (i)
            answer_putc(answer, ',');
        answer_json_string(answer, name, strlen(name));
    }
    answer_puts(answer, "],\"rows\":[");
}

static void
json_row(struct answer *answer, struct format_state *state, sqlite3_stmt *statement, bool first)
{
    answer_puts(answer, first ? "[" : ",[");
    for (int i = 0; i < state->columns; i++) {
        if (i)
            answer_putc(answer, ',');
        json_put_column(answer, statement, i);
    }
    answer_putc(answer, ']');
}

static void
json_end(struct answer *answer, uint64_t rows, bool truncated)
{
    answer_puts(answer, truncated ? "],\"truncated\":true,\"row_count\":"
                                  : "],\"truncated\":false,\"row_count\":");
    answer_integer(answer, (int64_t)rows);
    answer_puts(answer, "}\n");
}

const struct format_writer format_json = {"json", "application/json", json_begin, json_row,
                                          json_end};

/* A name that a column has. */
struct ndjson_name {
    char *text;
    unsigned next; /* text:next is the first that may be free; those before are taken */
};

static int
ndjson_compare(const void *a, const void *b)
{
    const struct ndjson_name *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static void
ndjson_name_free(void *arg)
{
    struct ndjson_name *name = arg;
    free(name->text);
    free(name);
}

/* Gives the text, which it takes over, to a column; false, with the owner, if one has it already.
 */
static bool
ndjson_take(void **names, char *text, struct ndjson_name **ret_owner)
{
    struct ndjson_name *name = mem_new(sizeof *name);
    *name = (struct ndjson_name){text, 1};
    struct ndjson_name **place = tsearch(name, names, ndjson_compare);
    if (!place)
        abort(); /* as mem_new() does */
    *ret_owner = *place;
    if (*place == name)
        return true;
    ndjson_name_free(name);
    return false;
}

/* The column's name, or name:1, name:2, ... if columns to the left took it; `names` is the tree of
 * those. No number is tried twice for a name, and one is taken only once: n columns take n steps,
 * not n for each. */
static const char *
ndjson_unique_name(void **names, const char *text)
{
    struct ndjson_name *name, *other;
    if (ndjson_take(names, mem_strdup(text), &other))
        return other->text;
    while (!ndjson_take(names, mem_printf("%s:%u", text, other->next++), &name))
        ;
    return name->text;
}

static void
ndjson_begin(struct answer *answer, struct format_state *state, sqlite3_stmt *statement,
             const char *generation)
{
    int columns = state->columns = sqlite3_column_count(statement);
    void *names = NULL;
    state->key_ends = mem_new_array((size_t)columns, sizeof *state->key_ends);
    struct answer key = {.limit = SIZE_MAX / 2};
    for (int i = 0; i < columns; i++) {
        const char *name = ndjson_unique_name(&names, json_column_name(statement, i));
        answer_putc(&key, i ? ',' : '{');
        answer_json_string(&key, name, strlen(name));
        answer_putc(&key, ':');
        if (key.cut)
            answer->cut = key.cut;
        state->key_ends[i] = key.length;
    }
    buf_append(&state->keys, key.data, key.length);
    answer_free(&key);
    tdestroy(names, ndjson_name_free);
}

static void
ndjson_row(struct answer *answer, struct format_state *state, sqlite3_stmt *statement, bool first)
{
    size_t start = 0;
    for (int i = 0; i < state->columns; i++) {
        answer_append(answer, state->keys.data + start, state->key_ends[i] - start);
        start = state->key_ends[i];
        json_put_column(answer, statement, i);
    }
    answer_append(answer, "}\n", 2);
}

static void
ndjson_end(struct answer *answer, uint64_t rows, bool truncated)
{
}

const struct format_writer format_ndjson = {"ndjson", "application/x-ndjson", ndjson_begin,
                                            ndjson_row, ndjson_end};
