/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/format-csv.h"

#include <string.h>

static void
csv_put_text(struct answer *answer, const char *text, size_t length)
{
    bool plain = length > 0;
    for (size_t i = 0; i < length && plain; i++)
        plain = text[i] != '"' && text[i] != ',' && text[i] != '\n' && text[i] != '\r';
    if (plain) {
        answer_append(answer, text, length);
        return;
    }
    answer_putc(answer, '"');
    while (length && !answer->cut) {
        const char *quote = memchr(text, '"', length);
        size_t run = quote ? (size_t)(quote - text) + 1 : length;
        answer_append(answer, text, run);
        if (quote)
            answer_putc(answer, '"');
        text += run;
        length -= run;
    }
    answer_putc(answer, '"');
}

static void
csv_begin(struct answer *answer, struct format_state *state, sqlite3_stmt *statement,
          const char *generation)
{
    state->columns = sqlite3_column_count(statement);
    for (int i = 0; i < state->columns; i++) {
        const char *name = sqlite3_column_name(statement, i);
        if (i)
            answer_putc(answer, ',');
        if (name)
            csv_put_text(answer, name, strlen(name));
    }
    answer_append(answer, "\r\n", 2);
}

static void
csv_put_column(struct answer *answer, sqlite3_stmt *statement, int column)
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
        if (text)
            csv_put_text(answer, text, (size_t)sqlite3_column_bytes(statement, column));
        break;
    }
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(statement, column);
        size_t length = (size_t)sqlite3_column_bytes(statement, column);
        if (length)
            answer_base64(answer, bytes, length);
        else
            answer_append(answer, "\"\"", 2);
        break;
    }
    default:
        break;
    }
}

static void
csv_row(struct answer *answer, struct format_state *state, sqlite3_stmt *statement, bool first)
{
    for (int i = 0; i < state->columns; i++) {
        if (i)
            answer_putc(answer, ',');
        csv_put_column(answer, statement, i);
    }
    answer_append(answer, "\r\n", 2);
}

static void
csv_end(struct answer *answer, uint64_t rows, bool truncated)
{
}

const struct format_writer format_csv = {"csv", "text/csv; charset=utf-8", csv_begin, csv_row,
                                         csv_end};
