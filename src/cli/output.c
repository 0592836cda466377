/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
out_table_add(struct out_table *table, char *cell)
{
    MEM_RESERVE(table->cells, table->count, table->room);
    table->cells[table->count++] = cell ? cell : mem_strdup("-");
}

void
out_table_add_text(struct out_table *table, const char *cell)
{
    out_table_add(table, mem_strdup(cell));
}

void
out_table_headings(struct out_table *table, const char *const *headings)
{
    for (; *headings; headings++, table->columns++)
        out_table_add_text(table, *headings);
}

void
out_table_write(struct out_table *table, unsigned indent, struct buf *out)
{
    size_t *widths = mem_new_array(table->columns, sizeof *widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t length = strlen(table->cells[i]);
        if (length > widths[i % table->columns])
            widths[i % table->columns] = length;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        buf_printf(out, "%*s%s", column ? 0 : (int)indent, "", table->cells[i]);
        if (!last)
            buf_printf(out, "%*s", (int)(widths[column] - strlen(table->cells[i]) + 3), "");
        while (last && out->length && out->data[out->length - 1] == ' ')
            out->length--;
        if (last)
            buf_putc(out, '\n');
        free(table->cells[i]);
    }
    free(widths);
    free(table->cells);
    *table = (struct out_table){0};
}

void
out_field(struct buf *out, const char *name, const char *format, ...)
{
    buf_printf(out, "  %-11s ", name);
    va_list args;
    va_start(args, format);
    buf_vprintf(out, format, args);
    va_end(args);
    buf_putc(out, '\n');
}

json_t *
out_json_string(const char *text)
{
    if (!text)
        return json_null();
    if (str_is_utf8(text, strlen(text)))
        return json_string(text);
    CLEANUP_BUF struct buf right = {0};
    while (*text) {
        size_t length = 1;
        while (length < 4 && text[length] && !str_is_utf8(text, length))
            length++;
        bool ok = str_is_utf8(text, length);
        if (ok)
            buf_append(&right, text, length);
        else
            buf_puts(&right, "\xef\xbf\xbd");
        text += ok ? length : 1;
    }
    return json_string(buf_text(&right));
}

void
out_json_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, out_json_string(text));
}

void
out_json_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

void
out_json_real(json_t *object, const char *name, double seconds)
{
    int64_t microseconds = (int64_t)(seconds * 1e6 + 0.5);
    json_t *value = seconds < 0        ? json_null()
                    : microseconds > 0 ? json_real((double)microseconds / 1e6)
                                       : json_integer(0);
    json_object_set_new(object, name, value);
}

void
out_json_bool(json_t *object, const char *name, bool value)
{
    json_object_set_new(object, name, json_boolean(value));
}

void
out_json_write(const json_t *object, struct buf *out)
{
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    buf_puts(out, str_or(text, "{}"));
    buf_putc(out, '\n');
    free(text);
}

void
out_error_text(const struct err *err, struct buf *out)
{
    buf_printf(out, "effigy: %s\n", err->message);
    if (err->hint)
        buf_printf(out, "  hint: %s\n", err->hint);
}

json_t *
out_error_json(const struct err *err)
{
    json_t *error = json_object();
    out_json_text(error, "kind", err_kind_name(err->kind));
    out_json_text(error, "message", err->message);
    out_json_text(error, "hint", err->hint);
    out_json_number(error, "exit", err->kind);
    return error;
}

void
out_make_safe(struct buf *text)
{
    unsigned char *p = (unsigned char *)text->data;
    for (size_t i = 0; i < text->length; i++) {
        bool c0 = (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f;
        bool c1 = p[i] == 0xc2 && i + 1 < text->length && p[i + 1] >= 0x80 && p[i + 1] < 0xa0;
        if (c0 || c1)
            p[i] = '?';
        if (c1)
            p[i + 1] = '?';
    }
}

bool
out_write(const struct buf *text, struct err **err)
{
    ERR_LOCAL(failed);
    if (file_write_all(STDOUT_FILENO, buf_text(text), text->length, "to stdout", &failed))
        return true;
    err_rekind(&failed, ERR_IO);
    return err_move(err, &failed);
}

char *
out_time(int64_t wall_ns)
{
    return wall_ns ? clock_rfc3339(wall_ns) : mem_strdup("-");
}

char *
out_digest_short(const char *digest)
{
    return mem_strndup(digest, strlen("sha256:") + 12);
}

char *
out_shorten(const char *text, size_t room)
{
    size_t length = strlen(text);
    return length <= room ? mem_strdup(text) : mem_printf("%.*s...", (int)(room - 3), text);
}
