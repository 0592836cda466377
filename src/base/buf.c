/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/mem.h"

#include <string.h>

char *
buf_reserve(struct buf *buf, size_t more)
{
    size_t need = buf->length + more + 1;
    if (need > buf->room) {
        size_t room = buf->room ? buf->room : 64;
        while (room < need)
            room *= 2;
        buf->data = mem_grow(buf->data, room, 1);
        buf->room = room;
    }
    return buf->data + buf->length;
}

void
buf_append(struct buf *buf, const void *bytes, size_t length)
{
    char *end = buf_reserve(buf, length);
    if (length)
        memcpy(end, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void
buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void
buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void
buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    char *text = mem_vprintf(format, args);
    buf_puts(buf, text);
    free(text);
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

const char *
buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *
buf_steal(struct buf *buf)
{
    char *data = buf->data ? buf->data : mem_strdup("");
    *buf = (struct buf){0};
    return data;
}

void
buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}
