/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <string.h>

static void *
mem_check(void *fresh)
{
    if (!fresh) {
        fputs("effigy: out of memory\n", stderr);
        abort();
    }
    return fresh;
}

void *
mem_new(size_t size)
{
    return mem_check(calloc(1, size ? size : 1));
}

void *
mem_new_array(size_t count, size_t size)
{
    return mem_check(calloc(count ? count : 1, size ? size : 1));
}

void *
mem_grow(void *old, size_t count, size_t size)
{
    return mem_check(reallocarray(old, count ? count : 1, size));
}

char *
mem_strdup(const char *text)
{
    return text ? mem_check(strdup(text)) : NULL;
}

char *
mem_strndup(const char *text, size_t length)
{
    return mem_check(strndup(text, length));
}

void *
mem_dup(const void *bytes, size_t size)
{
    void *copy = mem_new(size);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

char *
mem_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    return mem_check(text);
}

char *
mem_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(format, args);
    va_end(args);
    return text;
}
