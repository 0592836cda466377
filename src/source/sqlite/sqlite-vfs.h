/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite on descriptors of ours. Two kinds of file systems (sqlite3_vfs), each for one connection
 * and one file; neither locks anything nor has journals, and temporary data stay in memory:
 *
 *   reader   a finished database file that nobody writes, read-only and immutable, with read-ahead
 *   writer   the destination of a backup: pages are gathered into large writes, and handed to a
 *            function on the way, in the file's order, while they are still in memory
 *
 * Both give up with SQLITE_IOERR once a stop is requested (base/stop.h).
 */
#ifndef EFFIGY_SOURCE_SQLITE_VFS_H
#define EFFIGY_SOURCE_SQLITE_VFS_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite_reader;
/* Opens the database in fd (which stays the caller's, and open). `what` names it in messages. Close
 * with sqlite_reader_close(). */
struct sqlite_reader *sqlite_reader_open(int fd, const char *what, struct err **err);
sqlite3 *sqlite_reader_db(struct sqlite_reader *reader);
void sqlite_reader_close(struct sqlite_reader *reader);
static inline void
sqlite_reader_cleanup(struct sqlite_reader **reader)
{
    sqlite_reader_close(*reader);
}
#define CLEANUP_READER __attribute__((cleanup(sqlite_reader_cleanup)))

struct sqlite_writer_hooks {
    /* A run of whole pages is about to be written at `offset`; it may be changed. */
    void (*pass)(void *context, uint64_t offset, uint8_t *bytes, size_t length);
    /* It has been written. */
    void (*wrote)(void *context, uint64_t offset, size_t length);
    void *context;
};
struct sqlite_writer;
/* An empty database in fd (the caller's), to be filled by sqlite3_backup_step(). */
struct sqlite_writer *sqlite_writer_open(int fd, uint32_t page_size,
                                         const struct sqlite_writer_hooks *hooks, const char *what,
                                         struct err **err);
sqlite3 *sqlite_writer_db(struct sqlite_writer *writer);
/* Writes what is still gathered. Fails with the reason of the first write that failed, here or
 * earlier (SQLite itself only says that there was one). */
bool sqlite_writer_flush(struct sqlite_writer *writer, struct err **err);
void sqlite_writer_close(struct sqlite_writer *writer);
static inline void
sqlite_writer_cleanup(struct sqlite_writer **writer)
{
    sqlite_writer_close(*writer);
}
#define CLEANUP_WRITER __attribute__((cleanup(sqlite_writer_cleanup)))

#endif
