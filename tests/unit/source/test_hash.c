/* SPDX-License-Identifier: Apache-2.0 */
/* The content hash: what counts and what does not. */
#include "support.h"

#include <string.h>

static struct source_content
content_of(const char *path)
{
    struct source *source = source_of(path);
    struct source_content content = {0};
    struct source_position position = {0};
    struct err *err = NULL;
    assert_ok(source_hash_master(source, &content, &position, &err), err);
    source_position_free(&position);
    source_close(source);
    return content;
}

/* Runs sql and tells which tables' hashes changed, as "t,w". */
static void
expect_change(const char *path, const char *sql, const char *expected)
{
    struct source_content before = content_of(path);
    sql_run(path, "%s", sql);
    struct source_content after = content_of(path);
    struct buf changed = {0};
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < after.count; i++) {
        assert_string_equal(before.tables[i].table, after.tables[i].table);
        if (memcmp(before.tables[i].hash, after.tables[i].hash, 32) != 0)
            buf_printf(&changed, "%s%s", changed.length ? "," : "",
                       after.tables[i].table[0] ? after.tables[i].table : "schema");
    }
    assert_string_equal(buf_text(&changed), expected);
    buf_free(&changed);
    source_content_free(&before);
    source_content_free(&after);
}

static void
test_what_counts(void **state)
{
    CLEANUP_FREE char *path = in_folder("counts.db");
    sql_run(
        path,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE TABLE p(a, b);"
        "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE s(id INTEGER PRIMARY KEY "
        "AUTOINCREMENT);"
        "CREATE VIRTUAL TABLE f USING fts5(body); CREATE VIRTUAL TABLE c USING fts5(body, "
        "content='');"
        "INSERT INTO t VALUES(1, 'x', 1), (2, 'y', 2.5), (3, NULL, x'00ff'); INSERT INTO p "
        "VALUES(1, 2), (3, 4);"
        "INSERT INTO w VALUES('k', 1); INSERT INTO f VALUES('some words'); INSERT INTO s VALUES(5);"
        "INSERT INTO c(rowid, body) VALUES(1, 'other words')");
    struct source_content content = content_of(path);
    assert_string_equal(content.tables[0].table, "");
    for (size_t i = 0; i < content.count; i++) {
        assert_string_equal(content.tables[i].database, "main");
        if (strcmp(content.tables[i].table, "t") == 0)
            assert_int_equal(content.tables[i].rows, 3);
        assert_null(strstr(content.tables[i].table, "f_"));
    }
    source_content_free(&content);

    /* Order, layout, rowids that are no column, and the engine's own tables do not count. */
    expect_change(path, "UPDATE p SET rowid = rowid + 10", "");
    expect_change(path,
                  "CREATE TABLE x AS SELECT * FROM t; DELETE FROM t; INSERT INTO t SELECT * FROM x "
                  "ORDER BY id DESC;"
                  "DROP TABLE x",
                  "");
    expect_change(path, "PRAGMA page_size=1024; VACUUM", "");
    expect_change(path, "PRAGMA journal_mode=WAL", "");
    expect_change(path, "ANALYZE", "");
    expect_change(path, "INSERT INTO f(f) VALUES('optimize')", "");
    expect_change(path, "UPDATE sqlite_sequence SET seq = 50", "");
    expect_change(path, "UPDATE t SET a = a", "");

    expect_change(path, "UPDATE t SET b = 1.0 WHERE id = 1", "t"); /* 1 and 1.0 differ */
    expect_change(path, "UPDATE t SET b = '1' WHERE id = 1", "t");
    expect_change(path, "UPDATE t SET b = x'31' WHERE id = 1", "t");
    expect_change(path, "UPDATE t SET a = '' WHERE a IS NULL", "t");
    expect_change(path, "UPDATE t SET id = 9 WHERE id = 3", "t");
    expect_change(path, "UPDATE p SET a = b, b = a", "p");
    expect_change(path, "INSERT INTO p VALUES(7, 8), (7, 8)", "p"); /* twice is not never */
    expect_change(path, "DELETE FROM w", "w");
    expect_change(path, "UPDATE f SET body = 'more words'", "f");
    expect_change(path, "UPDATE t SET b = zeroblob(200000) WHERE id = 1", "t");
    expect_change(path, "UPDATE t SET b = zeroblob(200001) WHERE id = 1", "t");
    expect_change(path, "PRAGMA user_version=3", "schema");
    expect_change(path, "CREATE INDEX i ON t(a)", "schema");
    expect_change(path, "CREATE VIEW v AS SELECT 1", "schema");
    /* A full-text index without its text shows nothing but through its shadow tables. */
    expect_change(path, "INSERT INTO c(rowid, body) VALUES(2, 'and more')",
                  "c,c_data,c_docsize,c_idx");
}

static void
test_boundaries_of_values(void **state)
{
    CLEANUP_FREE char *path = in_folder("boundaries.db");
    sql_run(path, "CREATE TABLE t(a TEXT, b TEXT); INSERT INTO t VALUES('ab', 'c')");
    expect_change(path, "UPDATE t SET a = 'a', b = 'bc'", "t");
}

static void
test_missing_module(void **state)
{
    CLEANUP_FREE char *path = in_folder("missing.db");
    sql_run(path, "CREATE TABLE t(x); PRAGMA writable_schema=ON;"
                  "INSERT INTO sqlite_master VALUES('table', 'e', 'e', 0, 'CREATE VIRTUAL TABLE e "
                  "USING vec0(x)')");
    struct source *source = source_of(path);
    struct source_content content;
    struct source_position position;
    struct err *err = NULL;
    assert_err(source_hash_master(source, &content, &position, &err), &err, ERR_UNSUPPORTED, "vec0",
               NULL);
    source_close(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_boundaries_of_values),
        cmocka_unit_test(test_missing_module),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
