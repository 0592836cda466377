/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/query.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "replica/catalog.h"
#include "replica/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct fixture {
    char dir[32];
    struct identity identity;
    struct database *database;
    struct query_limits limits;
    struct answer answer;
    struct query_result result;
};

static void
make_database(const char *path, const char *sql)
{
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(handle);
}

static int
setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    strcpy(f->dir, "/tmp/effigy-query-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    CLEANUP_FREE char *first = mem_printf("%s/a b%%?#.db", f->dir);
    CLEANUP_FREE char *second = mem_printf("%s/second.db", f->dir);
    make_database(
        first,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO t VALUES(1,'one'),(2,'two'),(3,'three');"
        "CREATE VIRTUAL TABLE f USING fts5(text); INSERT INTO f VALUES('hello world'),('good bye');"
        "CREATE VIRTUAL TABLE r USING rtree(id,x0,x1); INSERT INTO r VALUES(1,0,1),(2,5,6);"
        "CREATE VIEW v AS SELECT name FROM t; CREATE VIEW broken AS SELECT * FROM nowhere; "
        "ANALYZE");
    make_database(second, "CREATE TABLE other(a); INSERT INTO other VALUES('x')");
    CLEANUP_FREE char *json = mem_printf(
        "{\"service\":\"s\",\"generation\":\"g1\",\"engine\":\"sqlite\",\"databases\":["
        "{\"name\":\"s\",\"file\":\"%s\",\"digest\":\"d1\"},{\"name\":\"second\",\"file\":\"%s\","
        "\"digest\":\"d2\"}]}",
        first, second);
    ERR_LOCAL(err);
    struct database_options options = {.value_bytes = 8 << 20};
    if (!identity_parse(json, strlen(json), &f->identity, &err) ||
        !(f->database = database_open(&f->identity, &options, &err)))
        fail_msg("%s", err->message);
    f->limits = (struct query_limits){.max_rows = 1000, .heap = 8 << 20, .time = 5, .client = -1};
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    database_close(f->database);
    answer_free(&f->answer);
    CLEANUP_FREE char *command = mem_printf("rm -rf %s", f->dir);
    int status = system(command);
    identity_free(&f->identity);
    free(f);
    return status;
}

/* Runs the SQL with positional parameters params[], all texts; f->answer and f->result tell. */
static void
run_with(struct fixture *f, const char *sql, const char *const *params)
{
    struct request request = {.sql = (char *)sql, .sql_length = strlen(sql), .format = FORMAT_CSV};
    struct param values[8] = {0};
    for (; params && params[request.count]; request.count++) {
        struct param *value = &values[request.count];
        *value = (struct param){.kind = PARAM_TEXT, .data = (char *)params[request.count]};
        value->length = strlen(value->data);
    }
    request.params = values;
    answer_free(&f->answer);
    f->answer.limit = 1 << 20;
    f->limits.deadline = clock_seconds() + f->limits.time;
    query_run(f->database, &request, "g1", &f->limits, &f->answer, &f->result);
    if (f->answer.data)
        answer_append(&f->answer, "", 1);
}

static void
assert_rows(struct fixture *f, const char *sql, const char *expected)
{
    run_with(f, sql, NULL);
    if (f->result.problem.status)
        fail_msg("%s: %s", sql, f->result.problem.message);
    const char *rows = strstr(f->answer.data, "\r\n") + 2;
    assert_string_equal(rows, expected);
}

static void
assert_problem(struct fixture *f, const char *sql, int status, const char *code)
{
    run_with(f, sql, NULL);
    if (f->result.problem.status != status || strcmp(f->result.problem.code, code) != 0)
        fail_msg("%s: %d %s %s", sql, f->result.problem.status, str_or(f->result.problem.code, "-"),
                 f->result.problem.message);
    assert_null(f->answer.data);
}

static void
test_reading(void **state)
{
    struct fixture *f = *state;
    assert_rows(f, "SELECT name FROM t WHERE id=2; -- done", "two\r\n");
    assert_rows(f, "SELECT a FROM second.other", "x\r\n");
    assert_rows(f, "SELECT text FROM f WHERE f MATCH 'hello'", "hello world\r\n");
    assert_rows(f, "SELECT id FROM r WHERE x0 > 2", "2\r\n");
    assert_rows(f, "SELECT name FROM v LIMIT 1", "one\r\n");
    assert_rows(f, "SELECT value FROM json_each('[5]')", "5\r\n");
    assert_rows(f, "SELECT name FROM pragma_table_info('t') WHERE cid=0", "id\r\n");
    assert_rows(f, "PRAGMA main.user_version", "0\r\n");
    assert_rows(f,
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3) SELECT "
                "max(i) FROM n",
                "3\r\n");
    run_with(f, "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id=1", NULL);
    assert_int_equal(f->result.problem.status, 0);
}

static void
test_refusals(void **state)
{
    struct fixture *f = *state;
    static const char *const writes[] = {
        "INSERT INTO t VALUES(9,'x')",
        "UPDATE t SET name='x'",
        "DELETE FROM t",
        "CREATE TABLE x(a)",
        "CREATE TEMP TABLE x(a)",
        "DROP TABLE t",
        "ALTER TABLE t ADD y",
        "CREATE INDEX i ON t(name)",
        "CREATE VIRTUAL TABLE x USING fts5(a)",
        "ATTACH ':memory:' AS x",
        "DETACH second",
        "VACUUM",
        "VACUUM INTO '/tmp/x'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "SAVEPOINT x",
        "COMMIT",
        "PRAGMA writable_schema=1",
        "PRAGMA journal_mode=wal",
        "PRAGMA query_only=0",
        "PRAGMA user_version=3",
        "PRAGMA cache_size=1000000",
        "PRAGMA mmap_size=0",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT * FROM sqlite_stmt",
        "SELECT * FROM pragma_journal_mode",
        "INSERT INTO f(f) VALUES('optimize')",
        "INSERT INTO r_rowid VALUES(1,1)",
        "EXPLAIN INSERT INTO t VALUES(9,'x')",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "PRAGMA integrity_check",
        "REPLACE INTO f_data VALUES(1,x'00')",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(writes); i++)
        assert_problem(f, writes[i], 403, "read-only");
    assert_rows(f, "SELECT count(*) FROM t", "3\r\n");
}

static void
test_bad_sql(void **state)
{
    struct fixture *f = *state;
    assert_problem(f, "SELECT 1; SELECT 2", 400, "several-statements");
    assert_problem(f, "SELEC 1", 400, "sql-error");
    assert_problem(f, "SELECT nope FROM t", 400, "sql-error");
    assert_problem(f, "SELECT json('{')", 400, "sql-error");
    assert_problem(f, "SELECT abs(-9223372036854775808)", 400, "sql-error");
    assert_problem(f, "SELECT * FROM broken", 400, "sql-error");
    assert_non_null(strstr(f->result.problem.message, "nowhere"));
}

static void
test_parameters(void **state)
{
    struct fixture *f = *state;
    run_with(f, "SELECT name FROM t WHERE name IN (?, ?)",
             (const char *const[]){"one", "three", NULL});
    assert_string_equal(f->answer.data, "name\r\none\r\nthree\r\n");
    assert_problem(f, "SELECT ?", 400, "bad-parameters");
    assert_problem(f, "SELECT :a", 400, "bad-parameters");
    run_with(f, "SELECT ?", (const char *const[]){"a", "b", NULL});
    assert_int_equal(f->result.problem.status, 400);
    run_with(f, "SELECT ?2 || ?1", (const char *const[]){"a", "b", NULL});
    assert_string_equal(strchr(f->answer.data, '\n'), "\nba\r\n");
}

static void
test_names_of_parameters(void **state)
{
    struct fixture *f = *state;
    struct param params[] = {{.name = "a", .kind = PARAM_INTEGER, .integer = 1},
                             {.name = "b", .kind = PARAM_INTEGER, .integer = 2},
                             {.name = "$c", .kind = PARAM_INTEGER, .integer = 3},
                             {.name = "d", .kind = PARAM_INTEGER, .integer = 4},
                             {.name = "other", .kind = PARAM_INTEGER, .optional = true}};
    static char sql[] = "SELECT :a || @b || $c || $d AS x";
    struct request request = {
        .sql = sql, .sql_length = strlen(sql), .params = params, .count = 5, .format = FORMAT_CSV};
    answer_free(&f->answer);
    f->answer.limit = 1 << 20;
    f->limits.deadline = clock_seconds() + f->limits.time;
    query_run(f->database, &request, "g1", &f->limits, &f->answer, &f->result);
    if (f->result.problem.status)
        fail_msg("%s", f->result.problem.message);
    answer_append(&f->answer, "", 1);
    assert_string_equal(f->answer.data, "x\r\n1234\r\n");
    params[4].optional = false;
    answer_free(&f->answer);
    query_run(f->database, &request, "g1", &f->limits, &f->answer, &f->result);
    assert_string_equal(f->result.problem.message, "the statement has no parameter \"other\"");
}

static void
test_too_many_parameters(void **state)
{
    struct fixture *f = *state;
    assert_problem(f, "SELECT ?1000", 400, "bad-parameters"); /* known, and without a value */
    assert_problem(f, "SELECT ?1001", 400, "sql-error");
    CLEANUP_BUF struct buf sql = {0};
    buf_puts(&sql, "SELECT 1 IN (?");
    for (int i = 1; i < REQUEST_PARAMS; i++)
        buf_puts(&sql, ",?");
    CLEANUP_FREE char *most = mem_printf("%s)", buf_text(&sql)),
                      *more = mem_printf("%s,?)", buf_text(&sql));
    assert_problem(f, most, 400, "bad-parameters");
    assert_problem(f, more, 400, "sql-error");
}

static void
test_limits(void **state)
{
    struct fixture *f = *state;
    f->limits.max_rows = 2;
    assert_rows(f, "SELECT id FROM t WHERE id<3", "1\r\n2\r\n");
    assert_null(f->result.truncated);
    assert_rows(f, "SELECT id FROM t", "1\r\n2\r\n");
    assert_string_equal(f->result.truncated, "rows");
    f->limits.max_rows = 1000;
    run_with(f, "SELECT hex(zeroblob(400000)) FROM t", NULL);
    assert_string_equal(f->result.truncated, "bytes");
    assert_int_equal(f->result.rows, 1);
    assert_problem(f, "SELECT zeroblob(1000000000)", 422, "value-limit");
    assert_problem(f, "SELECT randomblob(1000000000)", 422, "value-limit");
    assert_problem(
        f, "SELECT group_concat(hex(zeroblob(100000))) FROM json_each('[1,2,3]'), t, t, t, t, t",
        422, "heap-limit");
    assert_problem(f,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT DISTINCT "
                   "i % 10000000 FROM n "
                   "ORDER BY 1",
                   422, "heap-limit");
    f->limits.time = 0.1;
    assert_problem(
        f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n",
        504, "time-limit");
    f->limits.time = 5;
    assert_rows(f, "SELECT count(*) FROM t", "3\r\n");
}

/* Each level doubles the work of the compiler, which SQLite does not interrupt. */
static void
test_compile_bomb(void **state)
{
    struct fixture *f = *state;
    CLEANUP_BUF struct buf sql = {0};
    buf_puts(&sql, "WITH a0 AS (SELECT 1 AS x)");
    for (int i = 1; i < 40; i++)
        buf_printf(&sql, ", a%d AS (SELECT l.x FROM a%d AS l, a%d AS r UNION SELECT 2)", i, i - 1,
                   i - 1);
    buf_puts(&sql, " SELECT * FROM a39");
    f->limits.time = 0.3;
    double begin = clock_seconds();
    run_with(f, sql.data, NULL);
    assert_int_not_equal(f->result.problem.status, 0);
    assert_true(clock_seconds() - begin < 2);
    f->limits.time = 5;
}

static void
test_client_gone(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    f->limits.client = pair[0];
    double begin = clock_seconds();
    run_with(f,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n",
             NULL);
    assert_true(f->result.gone);
    assert_true(clock_seconds() - begin < 1);
    f->limits.client = -1;
    close(pair[0]);
}

static void
test_varying(void **state)
{
    struct fixture *f = *state;
    static const char *const varying[] = {"SELECT random()", "SELECT datetime('now')",
                                          "SELECT current_timestamp", "SELECT date(name) FROM t"};
    for (size_t i = 0; i < ARRAY_LENGTH(varying); i++) {
        for (int again = 0; again < 2; again++) { /* compiled, and from the cache */
            run_with(f, varying[i], NULL);
            assert_true(f->result.varying);
        }
    }
    run_with(f, "SELECT upper(name) FROM t", NULL);
    assert_false(f->result.varying);
}

static void
test_long_steps_are_not_quick(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"SELECT CASE 1 WHEN 1 THEN (SELECT count(*) FROM t) END",
                                      "SELECT pageno FROM dbstat WHERE aggregate=1 AND name='t'"};
    for (size_t i = 0; i < ARRAY_LENGTH(sql); i++) {
        run_with(f, sql[i], NULL);
        assert_int_equal(f->result.problem.status, 0);
        assert_true(f->result.long_steps);
        f->limits.quick = true;
        assert_problem(f, sql[i], 504, "time-limit");
        f->limits.quick = false;
    }
    f->limits.quick = true;
    assert_rows(f, "SELECT name FROM t WHERE id=1", "one\r\n");
    assert_false(f->result.long_steps);
    f->limits.quick = false;
}

static void
test_cache_holds_no_values(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        CLEANUP_FREE char *sql = mem_printf("SELECT %d, ?", i);
        run_with(f, sql, (const char *const[]){"value", NULL});
        assert_int_equal(f->result.problem.status, 0);
    }
    int64_t used = memory_used();
    for (int i = 0; i < 2000; i++)
        run_with(f, "SELECT ?, hex(zeroblob(10000))", (const char *const[]){"value", NULL});
    assert_true(memory_used() < used + 100000);
    assert_problem(f, "SELECT ?, hex(zeroblob(10000))", 400,
                   "bad-parameters"); /* not the value of last time */
}

static void
test_catalog(void **state)
{
    struct fixture *f = *state;
    answer_free(&f->answer);
    f->answer.limit = 1 << 20;
    f->limits.deadline = clock_seconds() + 5;
    catalog_tables(f->database, &f->identity, &f->limits, &f->answer, &f->result);
    if (f->result.problem.status)
        fail_msg("%s", f->result.problem.message);
    answer_append(&f->answer, "", 1);
    assert_non_null(
        strstr(f->answer.data,
               "{\"name\":\"t\",\"type\":\"table\",\"rows_estimate\":3,\"columns\":[{\"name\":"
               "\"id\",\"type\":\"INTEGER\",\"notnull\":false,\"pk\":1}"));
    assert_non_null(
        strstr(f->answer.data,
               "{\"name\":\"broken\",\"type\":\"view\",\"rows_estimate\":null,\"columns\":[]}"));
    assert_non_null(strstr(f->answer.data, "{\"name\":\"f\",\"type\":\"virtual\""));
    assert_non_null(
        strstr(f->answer.data,
               "{\"name\":\"second\",\"file\":\"second.db\",\"tables\":[{\"name\":\"other\""));
    assert_null(strstr(f->answer.data, "f_data"));
    answer_free(&f->answer);
    f->answer.limit = 1 << 20;
    catalog_schema(f->database, &f->identity, false, &f->limits, &f->answer, &f->result);
    answer_append(&f->answer, "", 1);
    assert_non_null(strstr(f->answer.data, "CREATE VIEW v AS SELECT name FROM t;\n"));
}

/* What another client was refused on this connection is not the reason why the catalog fails. */
static void
test_catalog_after_a_refusal(void **state)
{
    struct fixture *f = *state;
    assert_problem(f, "DELETE FROM t", 403, "read-only");
    answer_free(&f->answer);
    f->answer.limit = 1 << 20;
    f->limits.deadline = clock_seconds() - 1;
    catalog_tables(f->database, &f->identity, &f->limits, &f->answer, &f->result);
    assert_int_equal(f->result.problem.status, 504);
    assert_null(f->answer.data);
}

static void
test_databases_that_cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    CLEANUP_FREE char *junk = mem_printf("%s/junk.db", f->dir);
    FILE *file = fopen(junk, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database. ", file);
    fclose(file);
    struct database_options options = {.value_bytes = 1 << 20};
    const char *const paths[] = {junk, "/nonexistent/x.db", "/tmp"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct identity identity = {.generation = "g1", .count = 1};
        identity.databases[0] = (struct identity_database){"main", (char *)paths[i], "d"};
        ERR_LOCAL(err);
        assert_null(database_open(&identity, &options, &err));
        assert_non_null(strstr(err->message, paths[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_sql),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_names_of_parameters),
        cmocka_unit_test(test_too_many_parameters),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_compile_bomb),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_varying),
        cmocka_unit_test(test_long_steps_are_not_quick),
        cmocka_unit_test(test_cache_holds_no_values),
        cmocka_unit_test(test_catalog),
        cmocka_unit_test(test_catalog_after_a_refusal),
        cmocka_unit_test(test_databases_that_cannot_be_opened),
    };
    database_setup(false);
    return cmocka_run_group_tests(tests, setup, teardown);
}
