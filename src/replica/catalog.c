/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/catalog.h"

#include "base/file.h"

#include <string.h>

struct catalog {
    struct database *database;
    struct answer *answer;
    const char *schema;
    int code; /* of the first statement that failed, SQLITE_OK until then */
};

/* The next row of the statement, until it ends or fails. */
static bool
catalog_step(struct catalog *catalog, sqlite3_stmt *statement)
{
    if (catalog->code != SQLITE_OK || catalog->answer->cut)
        return false;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        catalog->code = code;
    return code == SQLITE_ROW;
}

/* Compiles SQL in which %w stands for the schema's name; ?1 and ?2 are the texts. NULL on failure.
 */
static sqlite3_stmt *
catalog_prepare(struct catalog *catalog, const char *format, const char *first, const char *second)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf(format, catalog->schema);
    int code =
        sql ? sqlite3_prepare_v2(database_handle(catalog->database), sql, -1, &statement, NULL)
            : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (code == SQLITE_OK && first)
        code = sqlite3_bind_text(statement, 1, first, -1, SQLITE_TRANSIENT);
    if (code == SQLITE_OK && second)
        code = sqlite3_bind_text(statement, 2, second, -1, SQLITE_TRANSIENT);
    if (code != SQLITE_OK && catalog->code == SQLITE_OK)
        catalog->code = code;
    return statement;
}

static void
catalog_put_text(struct answer *answer, const char *text)
{
    if (!text)
        answer_puts(answer, "null");
    else if (!answer_json_string(answer, text, strlen(text)))
        answer_puts(answer, "\"(not UTF-8)\"");
}

static void
catalog_put_column(struct answer *answer, const char *label, sqlite3_stmt *statement, int column)
{
    answer_puts(answer, label);
    catalog_put_text(answer, (const char *)sqlite3_column_text(statement, column));
}

static void
catalog_put_estimate(struct catalog *catalog, const char *table, bool analyzed)
{
    struct answer *answer = catalog->answer;
    answer_puts(answer, ",\"rows_estimate\":");
    if (analyzed) {
        sqlite3_stmt *statement = catalog_prepare(
            catalog, "SELECT max(CAST(stat AS INTEGER)) FROM \"%w\".sqlite_stat1 WHERE tbl=?1",
            table, NULL);
        if (catalog_step(catalog, statement) && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
            answer_integer(answer, sqlite3_column_int64(statement, 0));
        else
            analyzed = false;
        sqlite3_finalize(statement);
    }
    if (!analyzed)
        answer_puts(answer, "null");
}

/* A view over something that is missing has no columns that could be told; it is listed without
 * them. */
static void
catalog_put_columns(struct catalog *catalog, const char *table)
{
    struct answer *answer = catalog->answer;
    sqlite3_stmt *statement = catalog_prepare(
        catalog,
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1, ?2) WHERE hidden<>1", table,
        catalog->schema);
    answer_puts(answer, ",\"columns\":[");
    int code = SQLITE_OK;
    for (bool first = true;
         !catalog->code && !answer->cut && (code = sqlite3_step(statement)) == SQLITE_ROW;
         first = false) {
        catalog_put_column(answer, first ? "{\"name\":" : ",{\"name\":", statement, 0);
        catalog_put_column(answer, ",\"type\":", statement, 1);
        answer_puts(answer, sqlite3_column_int(statement, 2) ? ",\"notnull\":true,\"pk\":"
                                                             : ",\"notnull\":false,\"pk\":");
        answer_integer(answer, sqlite3_column_int(statement, 3));
        answer_putc(answer, '}');
    }
    answer_putc(answer, ']');
    if (code != SQLITE_DONE && code != SQLITE_ERROR && !catalog->code && !answer->cut)
        catalog->code = code;
    sqlite3_finalize(statement);
}

static bool
catalog_is_analyzed(struct catalog *catalog)
{
    sqlite3_stmt *statement = catalog_prepare(
        catalog, "SELECT 1 FROM \"%w\".sqlite_schema WHERE name='sqlite_stat1'", NULL, NULL);
    bool found = catalog_step(catalog, statement);
    sqlite3_finalize(statement);
    return found;
}

static void
catalog_put_tables(struct catalog *catalog)
{
    struct answer *answer = catalog->answer;
    bool analyzed = catalog_is_analyzed(catalog), first = true;
    sqlite3_stmt *statement =
        catalog_prepare(catalog,
                        "SELECT name, type FROM pragma_table_list WHERE schema='%q' AND "
                        "type<>'shadow' AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\' ORDER BY name",
                        NULL, NULL);
    for (; catalog_step(catalog, statement); first = false) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        catalog_put_column(answer, first ? "{\"name\":" : ",{\"name\":", statement, 0);
        catalog_put_column(answer, ",\"type\":", statement, 1);
        catalog_put_estimate(catalog, name ? name : "", analyzed);
        catalog_put_columns(catalog, name ? name : "");
        answer_putc(answer, '}');
    }
    sqlite3_finalize(statement);
}

static void
catalog_put_schema(struct catalog *catalog, bool json)
{
    struct answer *answer = catalog->answer;
    bool first = true;
    sqlite3_stmt *statement =
        catalog_prepare(catalog,
                        "SELECT sql, type, name, tbl_name FROM \"%w\".sqlite_schema WHERE sql IS "
                        "NOT NULL ORDER BY rowid",
                        NULL, NULL);
    for (; catalog_step(catalog, statement); first = false) {
        if (json) {
            catalog_put_column(answer, first ? "{\"type\":" : ",{\"type\":", statement, 1);
            catalog_put_column(answer, ",\"name\":", statement, 2);
            catalog_put_column(answer, ",\"table\":", statement, 3);
            catalog_put_column(answer, ",\"sql\":", statement, 0);
            answer_putc(answer, '}');
        } else {
            answer_append(answer, sqlite3_column_text(statement, 0),
                          (size_t)sqlite3_column_bytes(statement, 0));
            answer_puts(answer, ";\n");
        }
    }
    sqlite3_finalize(statement);
}

enum catalog_kind { CATALOG_TABLES, CATALOG_SCHEMA_TEXT, CATALOG_SCHEMA_JSON };

static void
catalog_put_databases(struct catalog *catalog, const struct identity *identity,
                      enum catalog_kind kind)
{
    struct answer *answer = catalog->answer;
    if (kind != CATALOG_SCHEMA_TEXT) {
        answer_puts(answer, "{\"generation\":");
        catalog_put_text(answer, identity->generation);
        answer_puts(answer, ",\"databases\":[");
    }
    for (size_t i = 0; i < identity->count && !catalog->code; i++) {
        catalog->schema = identity_schema(identity, i);
        if (kind == CATALOG_SCHEMA_TEXT) {
            answer_puts(answer, i ? "\n-- database " : "-- database ");
            answer_puts(answer, catalog->schema);
            answer_putc(answer, '\n');
            catalog_put_schema(catalog, false);
            continue;
        }
        answer_puts(answer, i ? ",{\"name\":" : "{\"name\":");
        catalog_put_text(answer, catalog->schema);
        answer_puts(answer, ",\"file\":");
        catalog_put_text(answer, file_basename(identity->databases[i].file));
        answer_puts(answer, kind == CATALOG_TABLES ? ",\"tables\":[" : ",\"schema\":[");
        if (kind == CATALOG_TABLES)
            catalog_put_tables(catalog);
        else
            catalog_put_schema(catalog, true);
        answer_puts(answer, "]}");
    }
    if (kind != CATALOG_SCHEMA_TEXT)
        answer_puts(answer, "]}\n");
}

static void
catalog_answer(struct database *database, const struct identity *identity, enum catalog_kind kind,
               const struct query_limits *limits, struct answer *answer,
               struct query_result *result)
{
    struct query_watch watch;
    struct catalog catalog = {.database = database, .answer = answer, .code = SQLITE_OK};
    *result = (struct query_result){0};
    database_connect_virtual(database);
    database_forget_refusal(database);
    query_begin(database, limits, &watch);
    catalog_put_databases(&catalog, identity, kind);
    if (catalog.code != SQLITE_OK)
        query_explain_failure(database, limits, &watch, catalog.code, result);
    else if (answer->cut == ANSWER_FULL)
        problem_set(&result->problem, 422, "too-many-bytes",
                    "ask sqlite_schema for a part of it, or raise EFFIGY_MAX_BYTES",
                    "the answer is longer than allowed");
    else if (answer->cut)
        problem_set(&result->problem, 503, "out-of-memory", "try again in a moment",
                    "the server is out of memory");
    query_end(database);
    if (result->problem.status)
        answer_free(answer);
}

void
catalog_tables(struct database *database, const struct identity *identity,
               const struct query_limits *limits, struct answer *answer,
               struct query_result *ret_result)
{
    catalog_answer(database, identity, CATALOG_TABLES, limits, answer, ret_result);
}

void
catalog_schema(struct database *database, const struct identity *identity, bool json,
               const struct query_limits *limits, struct answer *answer,
               struct query_result *ret_result)
{
    enum catalog_kind kind = json ? CATALOG_SCHEMA_JSON : CATALOG_SCHEMA_TEXT;
    catalog_answer(database, identity, kind, limits, answer, ret_result);
}
