/* SPDX-License-Identifier: Apache-2.0 */
/* Masters that cannot be published: each is refused with a message that helps. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
refuse_probe(const char *path, const char *message, const char *hint)
{
    struct source *source = source_of(path);
    struct source_probe probe;
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    assert_err(source_probe(source, &probe, &err), &err, ERR_MASTER, message, hint);
    assert_err(source_lock(source, &err), &err, ERR_MASTER, message, hint);
    assert_err(source_snapshot(source, folder, NULL, &snapshot, &err), &err, ERR_MASTER, message,
               hint);
    source_close(source);
}

static void
refuse_settle(const char *path, enum err_kind kind, const char *message, const char *hint)
{
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    bool ok = source_snapshot(source, folder, NULL, &snapshot, &err) &&
              source_settle(source, snapshot, NULL, &err);
    assert_err(ok, &err, kind, message, hint);
    source_snapshot_free(snapshot);
    source_close(source);
}

static void
test_not_a_database(void **state)
{
    CLEANUP_FREE char *path = in_folder("bad.db");
    refuse_probe(path, "No such file", "is the path right?");
    assert_false(file_exists(path)); /* a probe makes no file */
    refuse_probe(folder, "is a folder", "name the database file");
    refuse_probe("/dev/null", "is a special file", NULL);
    file_write_atomic(path, "", 0, 0644, NULL);
    refuse_probe(path, "is empty (0 bytes)", "is the path right?");
    file_write_atomic(path, "id,name\n1,x\n", 12, 0644, NULL);
    refuse_probe(path, "is not an SQLite database (or it is encrypted)", "is the path right?");
    file_write_atomic(path, "SQLite format 3\0\x10", 18, 0644, NULL);
    refuse_probe(path, "ends within its header", NULL);
    CLEANUP_FREE char *link = in_folder("dangling.db");
    assert_int_equal(symlink("nowhere", link), 0);
    refuse_probe(link, "No such file", "is the path right?");
}

static void
file_poke(const char *path, long offset, uint8_t value)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    fputc(value, file);
    fclose(file);
}

static void
filled(const char *path)
{
    sql_run(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB); CREATE INDEX ta ON t(a);"
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                  "INSERT INTO t SELECT i, 'row ' || i, zeroblob(CASE WHEN i %% 100 THEN 50 ELSE "
                  "9000 END) FROM n;"
                  "DELETE FROM t WHERE id > 2900");
}

static void
test_corrupt_pages(void **state)
{
    CLEANUP_FREE char *path = in_folder("corrupt.db");
    filled(path);
    file_poke(path, 20 * 4096, 7); /* no kind of page */
    refuse_settle(path, ERR_CORRUPT, "is damaged", "integrity_check");
    unlink(path);
    filled(path);
    file_poke(path, 20 * 4096 + 9, 0xff); /* a cell's place */
    refuse_settle(path, ERR_CORRUPT, "is damaged", "integrity_check");
    unlink(path);
    filled(path);
    file_poke(path, 39, 200); /* the free list's length */
    refuse_settle(path, ERR_CORRUPT, "is damaged", "integrity_check");
    unlink(path);
    filled(path);
    /* SQLite's own whole check does not see this one behind a view. */
    sql_run(path, "CREATE VIEW v AS SELECT 1");
    file_poke(path, 39, 200);
    refuse_settle(path, ERR_CORRUPT, "is damaged", "integrity_check");
    unlink(path);
    filled(path);
    sql_run(path, "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'CREATE TABLE "
                  "gibber(' WHERE name = 't'");
    refuse_settle(path, ERR_CORRUPT, "malformed", NULL);
    unlink(path);
    filled(path);
    assert_int_equal(truncate(path, 20 * 4096), 0);
    refuse_settle(path, ERR_CORRUPT, "", NULL);
    unlink(path);
}

/* Whatever bytes are wrong, it ends, and with a verdict. */
static void
test_random_damage(void **state)
{
    CLEANUP_FREE char *path = in_folder("random.db");
    uint64_t seed = 7;
    struct buf whole = {0};
    filled(path);
    assert_true(file_read(path, 1u << 30, &whole, NULL));
    for (int round = 0; round < 60; round++) {
        struct buf bad = {0};
        buf_append(&bad, whole.data, whole.length);
        for (int i = 0; i < 20; i++) {
            size_t page = random_next(&seed) % (whole.length / 4096) * 4096;
            size_t at = page + random_next(&seed) % (round % 2 ? 4096 : 12);
            if (at >= 100)
                bad.data[at] = (char)random_next(&seed);
        }
        assert_true(file_write_atomic(path, bad.data, bad.length, 0644, NULL));
        buf_free(&bad);
        struct source *source = source_of(path);
        struct source_snapshot *snapshot = NULL;
        struct err *err = NULL;
        bool ok = source_snapshot(source, folder, NULL, &snapshot, &err) &&
                  source_settle(source, snapshot, NULL, &err);
        if (!ok && err->kind != ERR_CORRUPT)
            fail_msg("%s: %s", err_kind_name(err->kind), err->message);
        err_free(err);
        source_snapshot_free(snapshot);
        source_close(source);
    }
    buf_free(&whole);
    unlink(path);
}

static int
collate_reverse(void *context, int n, const void *a, int m, const void *b)
{
    return -strncmp(a, b, (size_t)(n < m ? n : m));
}

static void
test_missing_collation(void **state)
{
    CLEANUP_FREE char *path = in_folder("collation.db");
    sqlite3 *db = db_open(path);
    sqlite3_create_collation(db, "german", SQLITE_UTF8, NULL, collate_reverse);
    db_run(db, "CREATE TABLE t(a TEXT COLLATE german); INSERT INTO t VALUES('x'), ('y')");
    refuse_settle(path, ERR_UNSUPPORTED, "collation \"german\" of column \"a\" of table \"t\"",
                  "NOCASE");
    db_run(db, "DROP TABLE t; CREATE TABLE t(a TEXT); CREATE INDEX i ON t(a COLLATE german)");
    refuse_settle(path, ERR_UNSUPPORTED, "collation \"german\" of index \"i\"", "NOCASE");
    sqlite3_close(db);
}

static int
module_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
               char **message)
{
    *ret = sqlite3_malloc(sizeof **ret);
    memset(*ret, 0, sizeof **ret);
    return sqlite3_declare_vtab(db, "CREATE TABLE x(a)");
}

static int
module_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    return SQLITE_OK;
}

static int
module_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static void
test_missing_module(void **state)
{
    static const sqlite3_module module = {
        .xCreate = module_connect,
        .xConnect = module_connect,
        .xBestIndex = module_best_index,
        .xDisconnect = module_disconnect,
        .xDestroy = module_disconnect,
    };
    CLEANUP_FREE char *path = in_folder("module.db");
    sqlite3 *db = db_open(path);
    sqlite3_create_module(db, "vec0", &module, NULL);
    db_run(db, "CREATE VIRTUAL TABLE embeddings USING vec0(x)");
    sqlite3_close(db);
    refuse_settle(path, ERR_UNSUPPORTED, "virtual table \"embeddings\"", "fts5");
}

/* Functions that only the master's program has do not matter in CHECK. */
static void
test_unknown_function_in_check(void **state)
{
    CLEANUP_FREE char *path = in_folder("function.db");
    sql_run(
        path,
        "CREATE TABLE t(a CHECK (a > 0)); INSERT INTO t VALUES(1);"
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t(a CHECK (is_fine(a)))' WHERE name = 't'");
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    source_snapshot_free(snapshot);
    source_close(source);
}

static void
test_work_dir(void **state)
{
    CLEANUP_FREE char *path = in_folder("good.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    assert_err(source_snapshot(source, "/nowhere", NULL, &snapshot, &err), &err, ERR_NOT_FOUND,
               "temporary file in /nowhere", NULL);
    source_close(source);
}

static void
test_check_files(void **state)
{
    CLEANUP_FREE char *path = in_folder("check.db");
    const char *name = "main";
    const char *paths[] = {path};
    struct err *err = NULL;
    filled(path);
    assert_ok(source_check_files("sqlite", &name, paths, 1, &err), err);
    file_poke(path, 20 * 4096, 7);
    assert_err(source_check_files("sqlite", &name, paths, 1, &err), &err, ERR_CORRUPT, "is damaged",
               NULL);
    paths[0] = "/nowhere";
    assert_err(source_check_files("sqlite", &name, paths, 1, &err), &err, ERR_NOT_FOUND, "/nowhere",
               NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_a_database), cmocka_unit_test(test_corrupt_pages),
        cmocka_unit_test(test_random_damage),  cmocka_unit_test(test_missing_collation),
        cmocka_unit_test(test_missing_module), cmocka_unit_test(test_unknown_function_in_check),
        cmocka_unit_test(test_work_dir),       cmocka_unit_test(test_check_files),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
