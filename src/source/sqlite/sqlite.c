/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite/sqlite.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "source/sqlite/sqlite-internal.h"

#include <string.h>

#define BUSY_SECONDS 10

/* The name in the image: the file's own name in characters that every file system and shell takes.
 */
static char *
master_place(const struct sqlite_source *source, const char *name, const char *path)
{
    char *place = mem_strdup(file_basename(path));
    for (char *c = place; *c; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!plain && *c != '_' && *c != '-' && (*c != '.' || c == place))
            *c = '_';
    }
    for (size_t i = 0; i < source->count;) {
        if (strcmp(source->masters[i].place, place) != 0) {
            i++;
            continue;
        }
        char *longer = mem_printf("%s-%s", name, place);
        free(place);
        place = longer;
        i = 0; /* that one may be taken, too */
    }
    return place;
}

static void
sqlite_source_close(struct source *head)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    for (size_t i = 0; i < source->count; i++) {
        struct sqlite_master *master = &source->masters[i];
        if (master->fd >= 0)
            close(master->fd);
        free(master->name);
        free(master->path);
        free(master->place);
        free(master->real);
    }
    for (size_t i = 0; i < source->retired_count; i++)
        close(source->retired[i]);
    free(source->retired);
    free(source->masters);
    free(source);
}

static struct source *
sqlite_source_open(const struct source_database *databases, const char *const *rests, size_t count,
                   const char *base_dir, struct err **err)
{
    struct sqlite_source *source = mem_new(sizeof *source);
    source->head.ops = &sqlite_source_ops;
    source->masters = mem_new_array(count, sizeof *source->masters);
    for (size_t i = 0; i < count; i++) {
        const char *path = rests[i];
        const char *url = databases[i].url;
        if (!path[0] || strcmp(path, ":memory:") == 0 || path[strlen(path) - 1] == '/') {
            err_set(err, ERR_USAGE, 0, "the master \"%s\" names no file", url);
            err_hint(err, "write \"sqlite:\" and the path of the database file, as in "
                          "\"sqlite:catalogue.db\"");
        } else if (strncmp(path, "//", 2) == 0) {
            err_set(err, ERR_USAGE, 0, "the master \"%s\" is ambiguous", url);
            err_hint(err, "there is no host in it: write \"sqlite:PATH\", as in \"sqlite:%s\"",
                     path + 2);
        } else {
            struct sqlite_master *master = &source->masters[i];
            master->place = master_place(source, databases[i].name, path);
            master->name = mem_strdup(databases[i].name);
            master->path = base_dir ? file_join(base_dir, path) : mem_strdup(path);
            master->fd = -1;
            source->count++;
            continue;
        }
        sqlite_source_close(&source->head);
        return NULL;
    }
    return &source->head;
}

bool
sqlite_fail(struct err **err, sqlite3 *db, int rc, const char *what, const char *path)
{
    if (!stop_check(err))
        return false;
    const char *reason =
        db && sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int errnum = db ? sqlite3_system_errno(db) : 0;
    const char *hint = NULL;
    enum err_kind kind = ERR_MASTER;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        kind = ERR_BUSY;
        hint = "another program keeps it locked; try again when it is done, or use WAL mode "
               "(PRAGMA journal_mode=WAL), in which readers and writers do not wait for each other";
        break;
    case SQLITE_CORRUPT:
        kind = ERR_CORRUPT;
        hint = "see what \"PRAGMA integrity_check\" says; the last good generation is still served";
        break;
    case SQLITE_NOTADB:
        hint = "is the path right? Effigy cannot read encrypted databases";
        break;
    case SQLITE_NOMEM:
    case SQLITE_FULL:
        kind = ERR_NO_SPACE;
        break;
    case SQLITE_IOERR:
        kind = errnum ? err_kind_of_errno(errnum) : ERR_IO;
        break;
    case SQLITE_ERROR:
        kind = ERR_UNSUPPORTED;
        break;
    default:
        break;
    }
    err_set(err, kind, 0, "cannot %s %s: %s", what, path, reason);
    if (rc == SQLITE_READONLY_ROLLBACK)
        return err_hint(
            err,
            "a writer crashed and left a hot journal, which only somebody who may write the file "
            "can roll back: open it once as its owner, as in: sqlite3 %s .tables",
            path);
    if (rc == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)
        return err_hint(
            err,
            "a database in WAL mode needs its -wal and -shm files, or a folder in which they can "
            "be "
            "made: run as a user who may write there, keep another program connected, or leave WAL "
            "mode (PRAGMA journal_mode=DELETE)");
    return hint ? err_hint(err, "%s", hint) : false;
}

bool
sqlite_number(sqlite3 *db, const char *sql, const char *path, int64_t *ret_value, struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        *ret_value = sqlite3_column_int64(statement, 0);
        return true;
    }
    return sqlite_fail(err, db, rc == SQLITE_DONE ? SQLITE_INTERNAL : rc, "read", path);
}

static int
master_busy(void *context, int times)
{
    if (stop_requested() || times * 5 > BUSY_SECONDS * 1000)
        return 0;
    clock_sleep_ms(5);
    return 1;
}

static int
master_begin(sqlite3 *db)
{
    int rc = sqlite3_exec(db, "BEGIN; PRAGMA schema_version", NULL, NULL, NULL);
    return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db);
}

void
sqlite_db_end(sqlite3 *db)
{
    if (db && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

bool
sqlite_master_begin(const struct sqlite_master *master, sqlite3 *db, struct err **err)
{
    int rc = master_begin(db);
    return rc == SQLITE_OK || sqlite_fail(err, db, rc, "read", master->path);
}

bool
sqlite_masters_begin(const struct sqlite_source *source, sqlite3 *const *dbs, const bool *which,
                     struct err **err)
{
    double end = clock_seconds() + BUSY_SECONDS;
    for (;;) {
        int rc = SQLITE_OK;
        bool holds = false;
        size_t at = source->count;
        for (size_t i = 0; i < source->count && rc == SQLITE_OK; i++) {
            if (!which[i])
                continue;
            if (holds)
                sqlite3_busy_handler(dbs[i], NULL, NULL);
            rc = master_begin(dbs[i]);
            sqlite3_busy_handler(dbs[i], master_busy, NULL);
            holds = true;
            at = i;
        }
        if (rc == SQLITE_OK)
            return true;
        bool again = (rc & 0xff) == SQLITE_BUSY && clock_seconds() < end && !stop_requested();
        if (!again)
            sqlite_fail(err, dbs[at], rc, "read", source->masters[at].path);
        for (size_t i = 0; i < source->count; i++)
            sqlite_db_end(dbs[i]);
        if (!again)
            return false;
        clock_sleep_ms(5);
    }
}

bool
sqlite_masters_begin_at_once(struct sqlite_source *source, sqlite3 *const *dbs,
                             struct source_position *position, bool *ret_same, struct err **err)
{
    CLEANUP_FREE bool *all = mem_new_array(source->count, sizeof *all);
    memset(all, true, source->count);
    double end = clock_seconds() + BUSY_SECONDS;
    for (;;) {
        struct source_position after = {0};
        if (!sqlite_masters_begin(source, dbs, all, err) ||
            !sqlite_position_read(source, &after, err))
            return false;
        *ret_same = strcmp(position->text, after.text) == 0;
        if (*ret_same || source->count == 1) {
            source_position_free(&after);
            return true;
        }
        source_position_free(position);
        *position = after;
        for (size_t i = 0; i < source->count; i++)
            sqlite_db_end(dbs[i]);
        if (!stop_check(err))
            return false;
        if (clock_seconds() > end) {
            err_set(err, ERR_BUSY, 0,
                    "the master's files change too often to be read as of one moment");
            return err_hint(
                err, "try again when less is written, or give each file a service of its own");
        }
    }
}

static int
master_connect_as(const struct sqlite_master *master, int flags, sqlite3 **ret_db)
{
    /* The file that `fd` is; what SQLite opens by it must be the same file. */
    int rc = sqlite3_open_v2(master->real, ret_db,
                             flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_busy_handler(*ret_db, master_busy, NULL);
    sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(*ret_db,
                        "PRAGMA cache_size=-256; PRAGMA mmap_size=0; PRAGMA schema_version", NULL,
                        NULL, NULL);
}

sqlite3 *
sqlite_master_connect(const struct sqlite_master *master, struct err **err)
{
    CLEANUP_DB sqlite3 *db = NULL;
    int rc = master_connect_as(master, SQLITE_OPEN_READONLY, &db);
    if (rc == SQLITE_READONLY_ROLLBACK) {
        CLEANUP_DB sqlite3 *healer = NULL;
        int healed = master_connect_as(master, SQLITE_OPEN_READWRITE, &healer);
        if (healed == SQLITE_OK) {
            sqlite_db_cleanup(&db);
            db = NULL;
            rc = master_connect_as(master, SQLITE_OPEN_READONLY, &db);
        }
    }
    if (rc != SQLITE_OK) {
        sqlite_fail(err, db, rc, "read", master->path);
        return NULL;
    }
    return steal_ptr(&db);
}

static const char *const replica_entrypoint[] = {"/effigy-serve", NULL};

const struct source_ops sqlite_source_ops = {
    .engine = "sqlite",
    .scheme = "sqlite",
    .replica =
        {
            .entrypoint = replica_entrypoint,
            .port = 8080,
            .health_path = "/-/readyz",
            .takes_listeners = true,
            .portable_data = true,
        },
    .open = sqlite_source_open,
    .close = sqlite_source_close,
    .probe = sqlite_source_probe,
    .lock = sqlite_source_lock,
    .snapshot = sqlite_source_snapshot,
    .settle = sqlite_source_settle,
    .hash_master = sqlite_source_hash_master,
    .hash_files = sqlite_hash_files,
    .check_files = sqlite_check_files,
};
