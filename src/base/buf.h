/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer. Zero-initialise it (`struct buf b = {0}`); buf_free() leaves it empty. The
 * bytes are always followed by a NUL that is not counted, so text can be read off .data directly
 * (which is NULL only while nothing was ever appended; buf_text() hides that). */
#ifndef EFFIGY_BASE_BUF_H
#define EFFIGY_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t length; /* bytes */
    size_t room;
};

void buf_append(struct buf *buf, const void *bytes, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Room for at least `more` bytes behind the end; returns a pointer to it. */
char *buf_reserve(struct buf *buf, size_t more);
const char *buf_text(const struct buf *buf); /* "" when empty */
/* Hands the bytes (NUL-terminated, to be freed) to the caller and empties the buffer. */
char *buf_steal(struct buf *buf);
void buf_free(struct buf *buf);
#define CLEANUP_BUF __attribute__((cleanup(buf_free)))

#endif
