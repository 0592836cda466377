/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef EFFIGY_SOURCE_SQLITE_SQLITE_INTERNAL_H
#define EFFIGY_SOURCE_SQLITE_SQLITE_INTERNAL_H

#include "source/source-internal.h"
#include "source/sqlite/sqlite-page.h"

#include <sqlite3.h>
#include <sys/types.h>

/* One database file of a master.
 *
 * Closing any descriptor of a file drops all POSIX locks that the process has on it, SQLite's too
 * (https://www.sqlite.org/howtocorrupt.html 2.2). So `fd`, which probing reads and flock(2) is held
 * on, stays open as long as the source; if the file is replaced by another one meanwhile, the old
 * descriptor is kept in `retired` until source_close(). */
struct sqlite_master {
    char *name;
    char *path;  /* as the user wrote it, below base_dir: for messages and for opening */
    char *place; /* file name in the image */
    char *real;  /* resolved, as of the last probe: where SQLite puts -wal and -journal */
    int fd;
    dev_t device;
    ino_t inode;
};

struct sqlite_source {
    struct source head;
    struct sqlite_master *masters;
    size_t count;
    bool locked;
    int *retired;
    size_t retired_count;
    size_t retired_room;
};

/* sqlite-probe.c */

/* Opens the master's file if it is not open, or not the one that is at its path now. */
bool sqlite_master_refresh(struct sqlite_source *source, struct sqlite_master *master,
                           struct err **err);
bool sqlite_source_probe(struct source *source, struct source_probe *ret_probe, struct err **err);
bool sqlite_source_lock(struct source *source, struct err **err);
/* On a local file system, a file that was left alone for so long cannot change any more without
 * another time stamp. */
#define SQLITE_REST_MS 20
/* The position alone. */
bool sqlite_position_read(struct sqlite_source *source, struct source_position *ret_position,
                          struct err **err);

/* sqlite.c */

/* A read-only connection to a master with a busy timeout that heeds stop requests. A hot journal
 * (left by a writer that crashed) is rolled back, as any SQLite program would do it. NULL on
 * failure. */
sqlite3 *sqlite_master_connect(const struct sqlite_master *master, struct err **err);
/* Begins a read transaction on each master whose `which` is true, and makes it take its view of the
 * database now. Never waits for one lock while it holds another: a writer of several databases may
 * wait for the latter. */
/* Begins a read transaction on each master so that all views are of one moment: begins again while
 * a commit to any of them came in between (a view of a WAL file holds up nobody). *position, read
 * before, becomes the views'; *ret_same is false if it cannot be told whether it is exactly theirs.
 */
bool sqlite_masters_begin_at_once(struct sqlite_source *source, sqlite3 *const *dbs,
                                  struct source_position *position, bool *ret_same,
                                  struct err **err);
bool sqlite_masters_begin(const struct sqlite_source *source, sqlite3 *const *dbs,
                          const bool *which, struct err **err);
bool sqlite_master_begin(const struct sqlite_master *master, sqlite3 *db,
                         struct err **err); /* on one */
void sqlite_db_end(sqlite3 *db);            /* of the transaction, if there is one */
/* Turns an SQLite result code into an error: "cannot <what> <path>: <message>". Returns false. */
bool sqlite_fail(struct err **err, sqlite3 *db, int rc, const char *what, const char *path);
/* The number that a statement of one row and one column gives. */
bool sqlite_number(sqlite3 *db, const char *sql, const char *path, int64_t *ret_value,
                   struct err **err);

static inline void
sqlite_db_cleanup(sqlite3 **db)
{
    if (*db)
        sqlite3_close(*db);
}
#define CLEANUP_DB __attribute__((cleanup(sqlite_db_cleanup)))
static inline void
sqlite_statement_cleanup(sqlite3_stmt **statement)
{
    if (*statement)
        sqlite3_finalize(*statement);
}
#define CLEANUP_STATEMENT __attribute__((cleanup(sqlite_statement_cleanup)))

/* sqlite-snapshot.c */

/* What streaming has learnt about a file of a snapshot. */
struct sqlite_copy {
    struct sqlite_geometry geometry;
    uint8_t *spilling; /* one bit per page: its cells go on in overflow pages */
};
struct sqlite_snapshot {
    struct source_snapshot_own own;
    struct sqlite_copy *copies; /* one for each file */
};
struct source_snapshot *sqlite_source_snapshot(struct source *source, const char *work_dir,
                                               const struct source_sink *sink, struct err **err);

/* sqlite-settle.c */
bool sqlite_source_settle(struct source *source, struct source_snapshot *snapshot,
                          const struct source_sink *sink, struct err **err);

/* sqlite-check.c */

/* SQLite's quick_check, and whether a plain SQLite like a replica's can use every table. */
bool sqlite_check_fd(int fd, const char *what, struct err **err);
bool sqlite_check_files(const char *const *names, const char *const *paths, size_t count,
                        struct err **err);

/* sqlite-hash.c */
bool sqlite_source_hash_master(struct source *source, struct source_content *ret_content,
                               struct source_position *ret_position, struct err **err);
bool sqlite_hash_files(const char *const *names, const char *const *paths, size_t count,
                       struct source_content *ret_content, struct err **err);

#endif
