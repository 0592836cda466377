/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite/sqlite-internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/stop.h"
#include "source/sqlite/sqlite-vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int
check_progress(void *context)
{
    return stop_requested();
}

static bool
check_prepare(sqlite3 *db, const char *sql, const char *what, sqlite3_stmt **ret_statement,
              struct err **err)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, ret_statement, NULL);
    return rc == SQLITE_OK || sqlite_fail(err, db, rc, "check", what);
}

/* The names in the first column of a statement's rows, in one line. */
static void
check_list(sqlite3 *db, const char *sql, struct buf *list)
{
    CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return;
    while (sqlite3_step(statement) == SQLITE_ROW)
        buf_printf(list, "%s%s", list->length ? ", " : "",
                   (const char *)sqlite3_column_text(statement, 0));
}

static bool
check_virtual_table(sqlite3 *db, const char *table, const char *what, struct err **err)
{
    char *sql = sqlite3_mprintf("SELECT * FROM main.\"%w\" LIMIT 0", table);
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_DONE)
        rc = SQLITE_OK;
    bool ok = rc == SQLITE_OK;
    if (!ok && rc != SQLITE_ERROR) {
        sqlite_fail(err, db, rc, "check", what);
    } else if (!ok) {
        CLEANUP_FREE char *reason = mem_strdup(sqlite3_errmsg(db));
        CLEANUP_BUF struct buf modules = {0};
        check_list(
            db,
            "SELECT name FROM pragma_module_list WHERE name NOT LIKE 'pragma\\_%' ESCAPE '\\' "
            "AND name NOT LIKE 'json\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND name NOT IN ('bytecode', 'tables_used') ORDER BY name",
            &modules);
        err_set(err, ERR_UNSUPPORTED, 0,
                "replicas could not use the virtual table \"%s\" of %s: %s", table, what, reason);
        err_hint(err,
                 "replicas have the modules %s; drop the table from the master or keep its rows in "
                 "a plain one",
                 buf_text(&modules));
    }
    sqlite3_finalize(statement);
    return ok;
}

static bool
check_virtual_tables(sqlite3 *db, const char *what, struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *tables = NULL;
    if (!check_prepare(db,
                       "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0 "
                       "AND sql LIKE 'create virtual%' ORDER BY name",
                       what, &tables, err))
        return false;
    int rc;
    while ((rc = sqlite3_step(tables)) == SQLITE_ROW) {
        if (!check_virtual_table(db, (const char *)sqlite3_column_text(tables, 0), what, err))
            return false;
    }
    return rc == SQLITE_DONE || sqlite_fail(err, db, rc, "check", what);
}

/* pragma_collation_list has unknown ones too, as soon as the schema names them. */
static bool
check_collation_known(sqlite3 *db, const char *collation)
{
    CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("SELECT 'a' < 'b' COLLATE \"%w\"", collation);
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK;
}

static bool
check_collation(sqlite3 *db, const char *collation, const char *where, const char *what,
                struct err **err)
{
    if (!collation || check_collation_known(db, collation))
        return true;
    err_set(err, ERR_UNSUPPORTED, 0, "replicas do not have the collation \"%s\" of %s in %s",
            collation, where, what);
    return err_hint(err, "replicas have BINARY, NOCASE and RTRIM; recreate it with one of these");
}

/* Columns and indexes may name a collation that only the master's program defines. */
static bool
check_collations(sqlite3 *db, const char *what, struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *columns = NULL;
    CLEANUP_STATEMENT sqlite3_stmt *indexes = NULL;
    int rc;
    if (!check_prepare(db,
                       "SELECT t.name, c.name FROM sqlite_master t, pragma_table_xinfo(t.name) c "
                       "WHERE t.type = 'table' AND t.rootpage > 0",
                       what, &columns, err))
        return false;
    while ((rc = sqlite3_step(columns)) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(columns, 0);
        const char *column = (const char *)sqlite3_column_text(columns, 1);
        const char *collation = NULL;
        if (sqlite3_table_column_metadata(db, "main", table, column, NULL, &collation, NULL, NULL,
                                          NULL) != SQLITE_OK)
            continue;
        CLEANUP_FREE char *where = mem_printf("column \"%s\" of table \"%s\"", column, table);
        if (!check_collation(db, collation, where, what, err))
            return false;
    }
    if (rc != SQLITE_DONE)
        return sqlite_fail(err, db, rc, "check", what);
    if (!check_prepare(db,
                       "SELECT i.name, x.coll FROM sqlite_master i, pragma_index_xinfo(i.name) x "
                       "WHERE i.type = 'index' AND x.coll IS NOT NULL",
                       what, &indexes, err))
        return false;
    while ((rc = sqlite3_step(indexes)) == SQLITE_ROW) {
        CLEANUP_FREE char *where =
            mem_printf("index \"%s\"", (const char *)sqlite3_column_text(indexes, 0));
        if (!check_collation(db, (const char *)sqlite3_column_text(indexes, 1), where, what, err))
            return false;
    }
    return rc == SQLITE_DONE || sqlite_fail(err, db, rc, "check", what);
}

/* Appends what one check finds; false if it could not be made. */
static bool
check_run(sqlite3 *db, const char *sql, const char *what, struct buf *problems, struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *check = NULL;
    if (!check_prepare(db, sql, what, &check, err))
        return false;
    int rc;
    while ((rc = sqlite3_step(check)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(check, 0);
        if (text && strcmp(text, "ok") != 0)
            buf_printf(problems, "%s%s", problems->length ? "; " : "", text);
    }
    if (!stop_check(err))
        return false;
    if (rc == SQLITE_CORRUPT && !problems->length)
        buf_puts(problems, sqlite3_errmsg(db));
    return rc == SQLITE_DONE || rc == SQLITE_CORRUPT || sqlite_fail(err, db, rc, "check", what);
}

static bool
check_integrity(sqlite3 *db, const char *what, struct err **err)
{
    CLEANUP_BUF struct buf problems = {0};
    /* Rows that break a CHECK are the master's business, and may need functions that only it has.
     */
    sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL);
    /* SQLite 3.40 takes a whole check for that of one table, and leaves the free list out, if the
     * first object that it comes upon is a view or a virtual table. The check of the schema has it.
     */
    if (!check_run(db, "PRAGMA quick_check('sqlite_master')", what, &problems, err) ||
        (!problems.length && !check_run(db, "PRAGMA quick_check(5)", what, &problems, err)))
        return false;
    if (!problems.length)
        return true;
    for (char *c = problems.data; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    err_set(err, ERR_CORRUPT, 0, "%s is damaged: %s", what, buf_text(&problems));
    return err_hint(err, "see \"PRAGMA integrity_check\" on the master; \"sqlite3 MASTER "
                         ".recover\" or a backup may help");
}

bool
sqlite_check_fd(int fd, const char *what, struct err **err)
{
    CLEANUP_READER struct sqlite_reader *reader = sqlite_reader_open(fd, what, err);
    if (!reader)
        return false;
    sqlite3 *db = sqlite_reader_db(reader);
    sqlite3_progress_handler(db, 10000, check_progress, NULL);
    return check_virtual_tables(db, what, err) && check_collations(db, what, err) &&
           check_integrity(db, what, err);
}

bool
sqlite_check_files(const char *const *names, const char *const *paths, size_t count,
                   struct err **err)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FD int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_set(err, ERR_IO, errno, "cannot open %s", paths[i]);
        if (!sqlite_check_fd(fd, paths[i], err))
            return err_wrap(err, "database \"%s\"", names[i]);
    }
    return true;
}
