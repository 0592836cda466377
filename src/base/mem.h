/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and descriptors bound to scope.
 *
 * Allocation never returns NULL: out of memory aborts the tool with a message (publishing is
 * atomic, so nothing is lost). Code in src/replica that must survive a failed allocation uses
 * malloc() itself.
 *
 * `CLEANUP_FREE char *s = ...` frees s when it goes out of scope; `return steal_ptr(&s)` hands it
 * to the caller instead. The same for descriptors (CLEANUP_FD, steal_fd), FILE and DIR.
 */
#ifndef EFFIGY_BASE_MEM_H
#define EFFIGY_BASE_MEM_H

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *mem_new(size_t size);                           /* zeroed */
void *mem_new_array(size_t count, size_t size);       /* zeroed; aborts on overflow */
void *mem_grow(void *old, size_t count, size_t size); /* realloc; new bytes are undefined */
char *mem_strdup(const char *text);                   /* NULL gives NULL */
char *mem_strndup(const char *text, size_t length);
void *mem_dup(const void *bytes, size_t size);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static inline void
mem_cleanup_free(void *place)
{
    free(*(void **)place);
}
static inline void
mem_cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void
mem_cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}
static inline void
mem_cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(mem_cleanup_free)
#define CLEANUP_FD CLEANUP(mem_cleanup_fd)
#define CLEANUP_FILE CLEANUP(mem_cleanup_file)
#define CLEANUP_DIR CLEANUP(mem_cleanup_dir)

/* Takes the value out of *place and leaves NULL (or -1), so that its cleanup does nothing. */
#define steal_ptr(place)                         \
    __extension__({                              \
        __typeof__(*(place)) stolen_ = *(place); \
        *(place) = NULL;                         \
        stolen_;                                 \
    })
static inline int
steal_fd(int *place)
{
    int fd = *place;
    *place = -1;
    return fd;
}

/* Makes room for one more element in a growing array:
 *     MEM_RESERVE(list->items, list->count, list->room);
 *     list->items[list->count++] = x;                          */
#define MEM_RESERVE(items, count, room)                           \
    do {                                                          \
        if ((count) >= (room)) {                                  \
            (room) = (room) ? (room)*2 : 8;                       \
            (items) = mem_grow((items), (room), sizeof *(items)); \
        }                                                         \
    } while (0)

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
