/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/database.h"

#include "base/buf.h"
#include "base/mem.h"
#include "replica/authorizer.h"
#include "replica/memory.h"
#include "replica/request.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(DATABASE_PARAMETERS == REQUEST_PARAMS, "each parameter wants a value");

#define DATABASE_MMAP_BYTES \
    0x7fff0000LL /* SQLite's own ceiling; what lies behind it is read by pread(2) */

struct database {
    sqlite3 *handle;
    const struct identity *identity;
    bool connected; /* the virtual tables */
    struct statement *cache[DATABASE_STATEMENTS];
    uint64_t uses;
    bool varying, long_steps; /* what the authorizer saw while the current statement was compiled */
    bool refused;
    char refusal[160];
};

void
database_setup(bool locking)
{
    memory_install();
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, locking ? 0LL : DATABASE_MMAP_BYTES,
                   DATABASE_MMAP_BYTES);
    sqlite3_initialize();
}

static int
database_authorize(void *arg, int action, const char *first, const char *second, const char *schema,
                   const char *trigger)
{
    struct database *database = arg;
    switch (authorizer_judge(action, first, second)) {
    case AUTHORIZER_ALLOW_VARYING:
        database->varying = true;
        return SQLITE_OK;
    case AUTHORIZER_ALLOW_LONG:
        database->long_steps = true;
        return SQLITE_OK;
    case AUTHORIZER_ALLOW:
        return SQLITE_OK;
    case AUTHORIZER_DENY:
        break;
    }
    if (!database->refused)
        authorizer_describe(action, first, second, database->refusal, sizeof database->refusal);
    database->refused = true;
    return SQLITE_DENY;
}

static char *
database_uri(const char *path, bool locking)
{
    CLEANUP_BUF struct buf uri = {0};
    buf_puts(&uri, "file:");
    for (const char *p = path; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("/._-", *p))
            buf_putc(&uri, *p);
        else
            buf_printf(&uri, "%%%02x", (unsigned char)*p);
    }
    buf_puts(&uri, locking ? "?mode=ro" : "?mode=ro&immutable=1");
    return buf_steal(&uri);
}

static bool
database_exec(sqlite3 *handle, const char *sql, struct err **err)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return err_set(err, ERR_CORRUPT, 0, "%s", sqlite3_errmsg(handle));
}

static bool
database_attach(sqlite3 *handle, const char *uri, const char *name, struct err **err)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(handle, "ATTACH ?1 AS ?2", -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_bind_text(statement, 1, uri, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_DONE;
    if (!ok)
        err_set(err, ERR_CORRUPT, 0, "%s", sqlite3_errmsg(handle));
    sqlite3_finalize(statement);
    return ok;
}

/* Opens one file under its schema name and reads its schema, so that whatever is wrong shows now.
 */
static bool
database_open_file(struct database *database, const struct identity *identity, size_t index,
                   const struct database_options *options, struct err **err)
{
    const char *path = identity->databases[index].file, *schema = identity_schema(identity, index);
    struct stat st;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot open %s", path);
    CLEANUP_FREE char *uri = database_uri(path, options->locking);
    bool ok;
    if (index == 0) {
        int flags =
            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        ok = sqlite3_open_v2(uri, &database->handle, flags, NULL) == SQLITE_OK ||
             err_set(err, ERR_IO, 0, "%s",
                     database->handle ? sqlite3_errmsg(database->handle) : "out of memory");
    } else {
        ok = database_attach(database->handle, uri, schema, err);
    }
    /* Mapped pages do not go through SQLite's cache, which then only holds what lies behind the
     * map. */
    bool mapped = !options->locking && st.st_size <= DATABASE_MMAP_BYTES;
    char *sql =
        sqlite3_mprintf("PRAGMA \"%w\".cache_size=%d; SELECT count(*) FROM \"%w\".sqlite_schema",
                        schema, mapped ? -256 : -2000, schema);
    ok = ok && database_exec(database->handle, sql, err);
    sqlite3_free(sql);
    return ok || err_wrap(err, "cannot open %s", path);
}

static void
database_connect(struct database *database, const char *schema, const char *prefix,
                 const char *table)
{
    char *sql = schema ? sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\"", schema, table)
                       : sqlite3_mprintf("SELECT 1 FROM \"%w%w\"", prefix, table);
    sqlite3_stmt *statement = NULL;
    if (sql)
        sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
}

static void
database_connect_schema(struct database *database, const char *schema)
{
    char *sql = sqlite3_mprintf(
        "SELECT name FROM \"%w\".sqlite_schema WHERE type='table' AND rootpage=0", schema);
    sqlite3_stmt *list = NULL;
    if (sql && sqlite3_prepare_v2(database->handle, sql, -1, &list, NULL) == SQLITE_OK) {
        while (sqlite3_step(list) == SQLITE_ROW)
            database_connect(database, schema, NULL, (const char *)sqlite3_column_text(list, 0));
    }
    sqlite3_finalize(list);
    sqlite3_free(sql);
}

static void
database_connect_eponymous(struct database *database)
{
    static const char *const tables[] = {"json_each", "json_tree", "dbstat", NULL};
    for (size_t i = 0; tables[i]; i++)
        database_connect(database, NULL, "", tables[i]);
    for (size_t i = 0; authorizer_pragmas_with_value[i]; i++)
        database_connect(database, NULL, "pragma_", authorizer_pragmas_with_value[i]);
    for (size_t i = 0; authorizer_pragmas[i]; i++)
        database_connect(database, NULL, "pragma_", authorizer_pragmas[i]);
}

/* A table whose module is missing fails here in silence, and aloud for whoever asks for it. */
bool
database_connect_virtual(struct database *database)
{
    if (database->connected)
        return false;
    database->connected = true;
    sqlite3_set_authorizer(database->handle, NULL, NULL);
    for (size_t i = 0; i < database->identity->count; i++)
        database_connect_schema(database, identity_schema(database->identity, i));
    database_connect_eponymous(database);
    sqlite3_set_authorizer(database->handle, database_authorize, database);
    return true;
}

static void
database_set_limits(struct database *database, const struct identity *identity,
                    const struct database_options *options)
{
    sqlite3 *handle = database->handle;
    uint64_t bytes = options->value_bytes < 1000000000 ? options->value_bytes : 1000000000;
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, (int)bytes);
    sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, 1 << 20);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, (int)identity->count - 1);
    sqlite3_limit(handle, SQLITE_LIMIT_VARIABLE_NUMBER, DATABASE_PARAMETERS);
    sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 500);
    sqlite3_limit(handle, SQLITE_LIMIT_WORKER_THREADS, 0);
    /* Matching takes pattern times text, in one step that nothing can interrupt. */
    sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, options->small ? 64 : 1000);
}

static bool
database_harden(struct database *database, struct err **err)
{
    sqlite3 *handle = database->handle;
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
    return database_exec(handle, "PRAGMA query_only=1; PRAGMA temp_store=memory", err);
}

struct database *
database_open(const struct identity *identity, const struct database_options *options,
              struct err **err)
{
    struct database *database = mem_new(sizeof *database);
    database->identity = identity;
    bool ok = true;
    for (size_t i = 0; ok && i < identity->count; i++)
        ok = database_open_file(database, identity, i, options, err);
    if (ok && database_harden(database, err)) {
        database_set_limits(database, identity, options);
        sqlite3_set_authorizer(database->handle, database_authorize, database);
        return database;
    }
    database_close(database);
    return NULL;
}

static void
statement_free(struct statement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(statement->handle);
    free(statement->sql);
    free(statement);
}

void
database_close(struct database *database)
{
    if (!database)
        return;
    for (size_t i = 0; i < DATABASE_STATEMENTS; i++)
        statement_free(database->cache[i]);
    sqlite3_close_v2(database->handle);
    free(database);
}

sqlite3 *
database_handle(struct database *database)
{
    return database->handle;
}

uint64_t
database_sql_hash(const char *sql, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)sql[i]) * 0x100000001b3;
    return hash;
}

const char *
database_refusal(const struct database *database)
{
    return database->refused ? database->refusal : NULL;
}

void
database_forget_refusal(struct database *database)
{
    database->refused = false;
}

static struct statement *
database_compile(struct database *database, const char *sql, size_t length, struct problem *problem)
{
    sqlite3_stmt *handle = NULL;
    const char *tail = NULL;
    database->varying = database->long_steps = false;
    /* Cached statements live long; SQLite then does not spend its lookaside memory on them. */
    unsigned flags = length <= DATABASE_STATEMENT_BYTES ? SQLITE_PREPARE_PERSISTENT : 0;
    if (sqlite3_prepare_v3(database->handle, sql, (int)length + 1, flags, &handle, &tail) !=
        SQLITE_OK)
        return NULL;
    bool ok = handle || problem_set(problem, 400, "no-sql", NULL, "the SQL is empty");
    if (ok && !request_sql_is_blank(tail, length - (size_t)(tail - sql)))
        ok = problem_set(problem, 400, "several-statements", "send one statement per request",
                         "the SQL has more than one statement");
    if (ok && !sqlite3_stmt_readonly(handle))
        ok = problem_set(problem, 403, "read-only",
                         "replicas are read-only; send writes to the master",
                         "the statement is not one that only reads");
    if (!ok) {
        sqlite3_finalize(handle);
        return NULL;
    }
    struct statement *statement = mem_new(sizeof *statement);
    statement->handle = handle;
    statement->varying = database->varying;
    statement->long_steps = database->long_steps;
    return statement;
}

struct statement *
database_prepare(struct database *database, const char *sql, size_t length, struct problem *problem)
{
    uint64_t hash = database_sql_hash(sql, length);
    database_forget_refusal(database);
    for (size_t i = 0; i < DATABASE_STATEMENTS && length <= DATABASE_STATEMENT_BYTES; i++) {
        struct statement *kept = database->cache[i];
        if (kept && kept->hash == hash && kept->sql_length == length &&
            memcmp(kept->sql, sql, length) == 0) {
            kept->last_use = ++database->uses;
            return kept;
        }
    }
    struct statement *statement = database_compile(database, sql, length, problem);
    if (statement && length <= DATABASE_STATEMENT_BYTES) {
        statement->hash = hash;
        statement->sql = mem_dup(sql, length);
        statement->sql_length = length;
    }
    return statement;
}

/* The place of the statement, or the one to give it: an empty one or the least recently used. */
static size_t
database_cache_place(const struct database *database, const struct statement *statement)
{
    size_t place = 0;
    for (size_t i = 0; i < DATABASE_STATEMENTS; i++) {
        if (database->cache[i] == statement)
            return i;
        if (!database->cache[place])
            continue;
        if (!database->cache[i] || database->cache[i]->last_use < database->cache[place]->last_use)
            place = i;
    }
    return place;
}

void
database_release(struct database *database, struct statement *statement, bool keep)
{
    sqlite3_reset(statement->handle);
    size_t place = database_cache_place(database, statement);
    bool cached = database->cache[place] == statement;
    if (keep && !cached)
        keep = statement->sql &&
               sqlite3_stmt_status(statement->handle, SQLITE_STMTSTATUS_MEMUSED, 0) < (1 << 18);
    if (keep) {
        sqlite3_clear_bindings(statement->handle);
        if (!cached) {
            statement_free(database->cache[place]);
            statement->last_use = ++database->uses;
            database->cache[place] = statement;
        }
        return;
    }
    if (cached)
        database->cache[place] = NULL;
    statement_free(statement);
}
