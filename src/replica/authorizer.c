/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/authorizer.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

static bool
authorizer_listed(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcasecmp(name, *list) == 0)
            return true;
    }
    return false;
}

static enum authorizer_verdict
authorizer_judge_function(const char *name)
{
    /* Most do not exist in this build; the list holds whatever a later build may bring. */
    static const char *const denied[] = {
        "load_extension", "fts3_tokenizer", "readfile", "writefile",  "edit",
        "eval",           "lsdir",          "fsdir",    "sqlite_log", "sqlar_uncompress",
        "rtreecheck",     "sqlite_dbpage",  "zipfile",  NULL,
    };
    /* Functions of date and time read the clock for 'now', which may come out of a column or
     * parameter, so each of them counts. The counters are the connection's, which several clients
     * share. */
    static const char *const varying[] = {
        "random",
        "randomblob",
        "date",
        "time",
        "datetime",
        "julianday",
        "strftime",
        "unixepoch",
        "timediff",
        "current_date",
        "current_time",
        "current_timestamp",
        "changes",
        "total_changes",
        "last_insert_rowid",
        "sqlite_offset",
        NULL,
    };
    if (authorizer_listed(name, denied))
        return AUTHORIZER_DENY;
    return authorizer_listed(name, varying) ? AUTHORIZER_ALLOW_VARYING : AUTHORIZER_ALLOW;
}

const char *const authorizer_pragmas_with_value[] = {
    "table_info", "table_xinfo", "table_list",       "index_list",
    "index_info", "index_xinfo", "foreign_key_list", NULL,
};
const char *const authorizer_pragmas[] = {
    "database_list",  "user_version",    "application_id", "encoding",
    "page_count",     "page_size",       "schema_version", "data_version",
    "freelist_count", "compile_options", "function_list",  "collation_list",
    "module_list",    "pragma_list",     "auto_vacuum",    NULL,
};

static enum authorizer_verdict
authorizer_judge_pragma(const char *name, const char *value)
{
    if (authorizer_listed(name, authorizer_pragmas_with_value) ||
        (!value && authorizer_listed(name, authorizer_pragmas)))
        return AUTHORIZER_ALLOW;
    return AUTHORIZER_DENY;
}

enum authorizer_verdict
authorizer_judge(int action, const char *first, const char *second)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return AUTHORIZER_ALLOW;
    case SQLITE_READ:
        if (first && strcasecmp(first, "sqlite_stmt") == 0)
            return AUTHORIZER_DENY;
        return first && strcasecmp(first, "dbstat") == 0 ? AUTHORIZER_ALLOW_LONG : AUTHORIZER_ALLOW;
    case SQLITE_FUNCTION:
        /* count(*) of a whole table is one step of SQLite's virtual machine. */
        if (second && strcasecmp(second, "count") == 0)
            return AUTHORIZER_ALLOW_LONG;
        return second ? authorizer_judge_function(second) : AUTHORIZER_DENY;
    case SQLITE_PRAGMA:
        return first ? authorizer_judge_pragma(first, second) : AUTHORIZER_DENY;
    default:
        return AUTHORIZER_DENY;
    }
}

void
authorizer_describe(int action, const char *first, const char *second, char *ret_text, size_t room)
{
    static const struct {
        int action;
        const char *text;
        bool named; /* the object's name follows */
    } names[] = {
        {SQLITE_INSERT, "INSERT into", true},
        {SQLITE_UPDATE, "UPDATE of", true},
        {SQLITE_DELETE, "DELETE from", true},
        {SQLITE_READ, "reading", true},
        {SQLITE_PRAGMA, "PRAGMA", true},
        {SQLITE_ATTACH, "ATTACH of another database", false},
        {SQLITE_DETACH, "DETACH of", true},
        {SQLITE_TRANSACTION, "BEGIN, COMMIT or ROLLBACK", false},
        {SQLITE_SAVEPOINT, "a savepoint", false},
        {SQLITE_ANALYZE, "ANALYZE", false},
        {SQLITE_REINDEX, "REINDEX", false},
        {SQLITE_ALTER_TABLE, "ALTER TABLE", false},
        {SQLITE_CREATE_VTABLE, "CREATE VIRTUAL TABLE", true},
        {SQLITE_DROP_VTABLE, "DROP TABLE", true},
        {SQLITE_CREATE_TABLE, "CREATE TABLE", true},
        {SQLITE_CREATE_TEMP_TABLE, "CREATE TEMP TABLE", true},
        {SQLITE_CREATE_VIEW, "CREATE VIEW", true},
        {SQLITE_CREATE_TEMP_VIEW, "CREATE TEMP VIEW", true},
        {SQLITE_CREATE_INDEX, "CREATE INDEX", true},
        {SQLITE_CREATE_TRIGGER, "CREATE TRIGGER", true},
        {SQLITE_CREATE_TEMP_TRIGGER, "CREATE TEMP TRIGGER", true},
        {SQLITE_DROP_TABLE, "DROP TABLE", true},
        {SQLITE_DROP_VIEW, "DROP VIEW", true},
        {SQLITE_DROP_INDEX, "DROP INDEX", true},
        {SQLITE_DROP_TRIGGER, "DROP TRIGGER", true},
    };
    if ((action == SQLITE_UPDATE || action == SQLITE_INSERT) && first &&
        strncasecmp(first, "sqlite_", 7) == 0) {
        snprintf(ret_text, room, "changing the schema, or a virtual table that is not served,");
        return;
    }
    if (action == SQLITE_FUNCTION) {
        snprintf(ret_text, room, "the function %.80s()", second ? second : "");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (names[i].action == action) {
            snprintf(ret_text, room, "%s%s%.100s", names[i].text, names[i].named ? " " : "",
                     names[i].named && first ? first : "");
            return;
        }
    }
    snprintf(ret_text, room, "changing the database");
}
