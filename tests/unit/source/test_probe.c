/* SPDX-License-Identifier: Apache-2.0 */
/* A position changes with every commit, and never without a reason. */
#include "support.h"

#include "base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static void
assert_moved(struct source *source, struct source_position *position)
{
    struct source_position next = position_of(source);
    if (strcmp(next.text, position->text) == 0)
        fail_msg("the position is still %s", next.text);
    source_position_free(position);
    *position = next;
}

static void
assert_still(struct source *source, const struct source_position *position)
{
    struct source_position next = position_of(source);
    assert_string_equal(next.text, position->text);
    source_position_free(&next);
}

/* The time stamps must not be what makes the difference. */
static void
stamp(const char *path, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* In WAL mode a commit followed by a truncating checkpoint leaves the change counter and even the
 * size as they were. */
static void
test_wal_checkpoints(void **state)
{
    CLEANUP_FREE char *path = in_folder("checkpoint.db");
    sql_run(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(0); PRAGMA "
                  "wal_checkpoint(TRUNCATE)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    for (int i = 0; i < 3; i++) {
        assert_still(source, &position);
        sql_run(path, "UPDATE t SET x = %d; PRAGMA wal_checkpoint(TRUNCATE)", i + 1);
        assert_moved(source, &position);
    }
    source_position_free(&position);
    source_close(source);
}

static void
test_wal_commits(void **state)
{
    CLEANUP_FREE char *path = in_folder("wal.db");
    CLEANUP_FREE char *wal = mem_printf("%s-wal", path);
    sqlite3 *db = db_open(path);
    db_run(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(x)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    assert_non_null(strstr(position.text, "-w"));
    assert_false(position.exact);
    for (int i = 0; i < 30; i++) {
        db_run(db, "INSERT INTO t VALUES(%d)", i);
        assert_moved(source, &position);
    }
    /* Frames of a transaction in progress are no commit. Only the part of the text without time
     * stamps is compared: the file itself does change. */
    db_run(db, "PRAGMA cache_size=5; BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + "
               "1 FROM n WHERE i < 300)"
               "INSERT INTO t SELECT randomblob(1000) FROM n");
    struct source_position spilt = position_of(source);
    const char *a = strstr(position.text, "-w");
    const char *b = strstr(spilt.text, "-w");
    size_t frames = strcspn(a, ":") + 1;
    frames += strcspn(a + frames, ":") + 1;
    assert_memory_equal(a, b, frames);
    assert_string_not_equal(a, b);
    db_run(db, "COMMIT");
    source_position_free(&spilt);
    assert_moved(source, &position);
    /* The WAL starts over from its beginning, with new salts and old frames behind the new ones. */
    struct stat before;
    struct stat after;
    assert_int_equal(stat(wal, &before), 0);
    db_run(db, "PRAGMA wal_checkpoint(RESTART)");
    db_run(db, "INSERT INTO t VALUES('over')");
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_moved(source, &position);
    a = strstr(position.text, "-w");
    assert_non_null(strstr(a, ":1:"));
    for (int i = 0; i < 5; i++) {
        db_run(db, "INSERT INTO t VALUES('more')");
        stamp(wal, 1000000000);
        stamp(path, 1000000000);
        assert_moved(source, &position);
    }
    source_close(source);
    sqlite3_close(db);
    source_position_free(&position);
}

/* Closing the last connection removes the WAL; reading, which makes an empty one, is no change. */
static void
test_reading_is_no_change(void **state)
{
    CLEANUP_FREE char *path = in_folder("reading.db");
    sql_run(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    assert_string_equal(snapshot->position.text, position.text);
    assert_still(source, &position);
    source_snapshot_free(snapshot);
    struct source_content content;
    struct source_position hashed;
    struct err *err = NULL;
    assert_ok(source_hash_master(source, &content, &hashed, &err), err);
    assert_string_equal(hashed.text, position.text);
    assert_still(source, &position);
    source_content_free(&content);
    source_position_free(&hashed);
    source_position_free(&position);
    source_close(source);
}

static void
test_rollback_commits(void **state)
{
    CLEANUP_FREE char *path = in_folder("rollback.db");
    sql_run(path,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES(1, 'aaaa')");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    for (int i = 0; i < 5; i++) {
        sql_run(path, "UPDATE t SET x = 'bb%02d'", i);
        stamp(path, 1000000000);
        assert_moved(source, &position);
    }
    sql_run(path, "VACUUM");
    assert_moved(source, &position);
    sql_run(path, "PRAGMA user_version=9");
    assert_moved(source, &position);
    sql_run(path, "BEGIN; INSERT INTO t VALUES(2, 'x'); ROLLBACK; SELECT * FROM t");
    assert_still(source, &position);
    source_position_free(&position);
    source_close(source);
}

static void
test_exactness(void **state)
{
    CLEANUP_FREE char *path = in_folder("exact.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    assert_false(position.exact);
    int64_t now = clock_wall_ns();
    assert_true(position.time_ns <= now && position.time_ns > now - INT64_C(60000000000));
    source_position_free(&position);
    /* An old mtime does not hide a change of now: ctime tells. */
    stamp(path, 1000000000);
    position = position_of(source);
    assert_false(position.exact);
    assert_int_equal(position.time_ns, INT64_C(1000000000) * 1000000000);
    source_position_free(&position);
    clock_sleep_ms(2100);
    position = position_of(source);
    assert_true(position.exact);
    source_position_free(&position);
    stamp(path, time(NULL) + 3600);
    clock_sleep_ms(2100);
    position = position_of(source);
    assert_false(position.exact);
    source_position_free(&position);
    source_close(source);
}

static void
test_replaced_file(void **state)
{
    CLEANUP_FREE char *path = in_folder("replaced.db");
    CLEANUP_FREE char *other = in_folder("replacement.db");
    sql_run(path, "CREATE TABLE t(x); INSERT INTO t VALUES('old')");
    sql_run(other, "CREATE TABLE t(x); INSERT INTO t VALUES('new')");
    struct source *source = source_of(path);
    struct err *err = NULL;
    assert_ok(source_lock(source, &err), err);
    struct source_position position = position_of(source);
    assert_int_equal(rename(other, path), 0);
    assert_moved(source, &position);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    struct buf bytes;
    snapshot_bytes(snapshot, 0, &bytes);
    assert_non_null(memmem(bytes.data, bytes.length, "new", 3));
    buf_free(&bytes);
    source_snapshot_free(snapshot);
    /* The lock has moved to the new file too. */
    struct source *rival = source_of(path);
    assert_err(source_lock(rival, &err), &err, ERR_BUSY, "another publisher", "wait");
    source_close(rival);
    source_position_free(&position);
    source_close(source);
}

static void
test_lock(void **state)
{
    CLEANUP_FREE char *path = in_folder("lock.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source *first = source_of(path);
    struct source *second = source_of(path);
    struct err *err = NULL;
    assert_ok(source_lock(first, &err), err);
    assert_err(source_lock(second, &err), &err, ERR_BUSY,
               "another publisher is at work on the master", "wait");
    /* Publishers exclude each other, not writers. */
    sql_run(path, "INSERT INTO t VALUES(1)");
    source_close(first);
    assert_ok(source_lock(second, &err), err);
    source_close(second);
}

/* Nothing that is done here may drop the locks that SQLite holds in this process. */
static void
test_locks_of_sqlite_stay(void **state)
{
    CLEANUP_FREE char *path = in_folder("posix.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    sqlite3 *db = db_open(path);
    db_run(db, "BEGIN EXCLUSIVE");
    source_position_free(&position);
    position = position_of(source);
    source_position_free(&position);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *rival = NULL;
        sqlite3_open(path, &rival);
        _exit(sqlite3_exec(rival, "SELECT * FROM t", NULL, NULL, NULL) == SQLITE_BUSY ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    sqlite3_close(db);
    source_close(source);
}

static void
test_several_files(void **state)
{
    CLEANUP_FREE char *a = in_folder("a.db");
    CLEANUP_FREE char *b = in_folder("b.db");
    sql_run(a, "CREATE TABLE t(x)");
    sql_run(b, "PRAGMA page_size=1024; CREATE TABLE t(x)");
    struct source_database databases[] = {{"main", "sqlite:a.db"}, {"geo", "sqlite:b.db"}};
    struct source *source = NULL;
    struct err *err = NULL;
    assert_ok(source_open(databases, 2, folder, &source, &err), err);
    struct source_probe probe;
    assert_ok(source_probe(source, &probe, &err), err);
    assert_string_equal(probe.engine, "sqlite");
    assert_string_equal(probe.version, sqlite3_libversion());
    assert_int_equal(probe.page_size, 4096);
    assert_int_equal(probe.data_bytes, 2 * 4096 + 2 * 1024);
    assert_non_null(strchr(probe.position.text, ','));
    sql_run(b, "INSERT INTO t VALUES(1)");
    assert_moved(source, &probe.position);
    source_probe_free(&probe);
    source_close(source);

    databases[1].url = "sqlite:./a.db";
    assert_ok(source_open(databases, 2, folder, &source, &err), err);
    assert_err(source_probe(source, &probe, &err), &err, ERR_USAGE, "are one file", NULL);
    source_close(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_checkpoints),
        cmocka_unit_test(test_wal_commits),
        cmocka_unit_test(test_reading_is_no_change),
        cmocka_unit_test(test_rollback_commits),
        cmocka_unit_test(test_exactness),
        cmocka_unit_test(test_replaced_file),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_locks_of_sqlite_stay),
        cmocka_unit_test(test_several_files),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
