/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of masters that are written to meanwhile. */
#include "support.h"

#include "base/clock.h"
#include "base/stop.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A writer in a process of its own: each commit raises two counters that lie far apart in the file,
 * and changes a row in between. A snapshot is of one moment if they are equal. */
struct writer {
    pid_t pid;
    volatile unsigned *commits; /* shared */
};

static void
counted_create(const char *path, const char *journal_mode, unsigned rows)
{
    sql_run(path,
            "PRAGMA journal_mode=%s; PRAGMA synchronous=OFF; CREATE TABLE first(n); INSERT INTO "
            "first VALUES(0);"
            "CREATE TABLE big(id INTEGER PRIMARY KEY, x BLOB); BEGIN;"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
            "INSERT INTO big SELECT i, randomblob(3000) FROM n; COMMIT;"
            "CREATE TABLE last(n); INSERT INTO last VALUES(0)",
            journal_mode, rows);
}

static void
writer_loop(const char *const *paths, size_t count, volatile unsigned *commits)
{
    sqlite3 *db = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop its writer */
    if (sqlite3_open(paths[0], &db) != SQLITE_OK)
        _exit(1);
    sqlite3_busy_timeout(db, 60000);
    sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=200", NULL, NULL, NULL);
    if (count > 1) {
        char *sql = sqlite3_mprintf("ATTACH '%q' AS other", paths[1]);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(2);
    }
    for (unsigned n = 1;; n++) {
        char *sql = sqlite3_mprintf(
            "BEGIN IMMEDIATE; UPDATE first SET n = %u;"
            "UPDATE big SET x = randomblob(3000) WHERE id = %u; UPDATE last SET n = %u;"
            "%s COMMIT",
            n, n % 1000 + 1, n, count > 1 ? "UPDATE other.last SET n = n + 1;" : "");
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(3);
        sqlite3_free(sql);
        *commits = n;
    }
}

static struct writer
writer_start(const char *const *paths, size_t count)
{
    struct writer writer;
    writer.commits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(writer.commits, MAP_FAILED);
    writer.pid = fork();
    if (writer.pid == 0)
        writer_loop(paths, count, writer.commits);
    for (int i = 0; i < 2000 && *writer.commits < 3; i++)
        clock_sleep_ms(5);
    assert_true(*writer.commits >= 3);
    return writer;
}

static void
writer_stop(struct writer *writer)
{
    int status = 0;
    assert_int_equal(waitpid(writer->pid, &status, WNOHANG), 0); /* it must not have failed */
    kill(writer->pid, SIGKILL);
    waitpid(writer->pid, &status, 0);
    munmap((void *)(uintptr_t)writer->commits, 4096);
}

static void
slow_reader(void *context)
{
    clock_sleep_ms(2);
}

static sqlite3 *
snapshot_db(const struct source_snapshot *snapshot, size_t file)
{
    CLEANUP_FREE char *path = in_folder("copy.db");
    struct buf bytes;
    snapshot_bytes(snapshot, file, &bytes);
    struct err *err = NULL;
    assert_ok(file_write_atomic(path, bytes.data, bytes.length, 0600, &err), err);
    buf_free(&bytes);
    return db_open(path);
}

static int64_t
counters_assert_equal(const struct source_snapshot *snapshot)
{
    sqlite3 *db = snapshot_db(snapshot, 0);
    int64_t first = db_number(db, "SELECT n FROM first");
    assert_int_equal(first, db_number(db, "SELECT n FROM last"));
    sqlite3_close(db);
    return first;
}

static void
test_wal_writer_goes_on(void **state)
{
    CLEANUP_FREE char *path = in_folder("live-wal.db");
    counted_create(path, "WAL", 10000);
    struct writer writer = writer_start((const char *[]){path}, 1);
    struct source *source = source_of(path);
    for (int i = 0; i < 3; i++) {
        struct mirror mirror = {.at_ready = slow_reader};
        unsigned before = *writer.commits;
        struct source_snapshot *snapshot = snapshot_take(source, &mirror);
        unsigned after = *writer.commits;
        assert_int_equal(mirror.begins, 1);
        assert_true(after > before + 10);
        int64_t n = counters_assert_equal(snapshot);
        assert_true(n >= before && n <= after);
        assert_false(snapshot->position.exact);
        source_snapshot_free(snapshot);
        mirror_free(&mirror);
    }
    struct source_content content;
    struct source_position position;
    struct err *err = NULL;
    assert_ok(source_hash_master(source, &content, &position, &err), err);
    assert_false(position.exact);
    assert_int_equal(content.count, 4);
    source_content_free(&content);
    source_position_free(&position);
    writer_stop(&writer);
    source_close(source);
}

static void
test_rollback_writer_goes_on(void **state)
{
    CLEANUP_FREE char *path = in_folder("live-rollback.db");
    counted_create(path, "DELETE", 12000);
    struct writer writer = writer_start((const char *[]){path}, 1);
    struct source *source = source_of(path);
    struct mirror mirror = {.at_ready = slow_reader};
    unsigned before = *writer.commits;
    struct source_snapshot *snapshot = snapshot_take(source, &mirror);
    assert_true(mirror.begins >= 2);
    assert_true(mirror.begins <= 4);
    assert_true(*writer.commits > before);
    counters_assert_equal(snapshot);
    assert_false(snapshot->position.exact);
    unsigned then = *writer.commits;
    for (int i = 0; i < 400 && *writer.commits <= then + 5; i++)
        clock_sleep_ms(5);
    assert_true(*writer.commits > then + 5); /* no lock is left over */
    writer_stop(&writer);
    source_snapshot_free(snapshot);
    mirror_free(&mirror);
    source_close(source);
}

/* The writer has both files in one transaction. */
static void
several_live(const char *journal_mode)
{
    CLEANUP_FREE char *a = mem_printf("%s/live-a-%s.db", folder, journal_mode);
    CLEANUP_FREE char *b = mem_printf("%s/live-b-%s.db", folder, journal_mode);
    counted_create(a, journal_mode, 3000);
    sql_run(b, "PRAGMA journal_mode=%s; CREATE TABLE last(n); INSERT INTO last VALUES(0)",
            journal_mode);
    struct writer writer = writer_start((const char *[]){a, b}, 2);
    CLEANUP_FREE char *url_a = mem_printf("sqlite:%s", a);
    CLEANUP_FREE char *url_b = mem_printf("sqlite:%s", b);
    struct source_database databases[] = {{"main", url_a}, {"geo", url_b}};
    struct source *source = NULL;
    struct err *err = NULL;
    assert_ok(source_open(databases, 2, NULL, &source, &err), err);
    struct mirror mirror = {.at_ready = slow_reader};
    struct source_snapshot *snapshot = snapshot_take(source, &mirror);
    assert_int_equal(snapshot->count, 2);
    assert_string_equal(snapshot->files[1].name, "geo");
    int64_t n = counters_assert_equal(snapshot);
    sqlite3 *other = snapshot_db(snapshot, 1);
    int64_t m = db_number(other, "SELECT n FROM last");
    sqlite3_close(other);
    if (strcmp(journal_mode, "DELETE") == 0)
        assert_int_equal(n, m); /* a WAL commit is atomic for each file alone */
    else
        assert_true(n - m <= 2 && m - n <= 2);
    writer_stop(&writer);
    source_snapshot_free(snapshot);
    mirror_free(&mirror);
    source_close(source);
}

static void
test_several_files(void **state)
{
    several_live("DELETE");
    several_live("WAL");
}

/* Commits to both files, once, when the first one has just been copied. */
struct late_writer {
    struct mirror *mirror;
    const char *paths[2];
    bool done;
};

static void
late_write(void *context)
{
    struct late_writer *late = context;
    if (late->done || late->mirror->upto[0] < late->mirror->bytes[0].length)
        return;
    late->done = true;
    for (int i = 0; i < 2; i++) {
        pid_t child = fork(); /* closing a file here would drop the locks of this process */
        if (child == 0) {
            sqlite3 *db = NULL;
            sqlite3_open(late->paths[i], &db);
            _exit(sqlite3_exec(db, "UPDATE last SET n = 9", NULL, NULL, NULL) == SQLITE_OK ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
    }
}

static void
test_several_files_are_of_one_moment(void **state)
{
    CLEANUP_FREE char *a = in_folder("moment-a.db");
    CLEANUP_FREE char *b = in_folder("moment-b.db");
    counted_create(a, "DELETE", 3000);
    counted_create(b, "DELETE", 10);
    struct source_database databases[] = {{"main", "sqlite:moment-a.db"},
                                          {"geo", "sqlite:moment-b.db"}};
    struct source *source = NULL;
    struct err *err = NULL;
    assert_ok(source_open(databases, 2, folder, &source, &err), err);
    struct mirror mirror = {.at_ready = late_write};
    struct late_writer late = {.mirror = &mirror, .paths = {a, b}};
    mirror.context = &late;
    struct source_snapshot *snapshot = snapshot_take(source, &mirror);
    assert_true(late.done);
    assert_int_equal(mirror.begins, 4);
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = snapshot_db(snapshot, i);
        assert_int_equal(db_number(db, "SELECT n FROM last"), 9);
        sqlite3_close(db);
    }
    source_snapshot_free(snapshot);
    mirror_free(&mirror);
    source_close(source);
}

static void
test_places(void **state)
{
    CLEANUP_FREE char *sub = in_folder("sub");
    CLEANUP_FREE char *a = in_folder("my data.db");
    CLEANUP_FREE char *b = in_folder("sub/my data.db");
    struct err *err = NULL;
    assert_ok(file_make_dirs(sub, 0755, &err), err);
    sql_run(a, "CREATE TABLE t(x)");
    sql_run(b, "CREATE TABLE t(x)");
    struct source_database databases[] = {{"main", "sqlite:my data.db"},
                                          {"geo", "sqlite:sub/my data.db"}};
    struct source *source = NULL;
    assert_ok(source_open(databases, 2, folder, &source, &err), err);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    assert_string_equal(snapshot->files[0].path, "my_data.db");
    assert_string_equal(snapshot->files[1].path, "geo-my_data.db");
    assert_string_equal(snapshot->engine_version, sqlite3_libversion());
    assert_string_equal(snapshot->work_dir, folder);
    source_snapshot_free(snapshot);
    source_close(source);
}

/* A writer that dies in the middle of a transaction leaves pages in the file and a hot journal. */
static void
crash(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db = NULL;
        sqlite3_open(path, &db);
        sqlite3_exec(
            db,
            "PRAGMA cache_size=5; BEGIN; UPDATE first SET n = 666; UPDATE last SET n = 777;"
            "UPDATE big SET x = zeroblob(3000)",
            NULL, NULL, NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void
test_hot_journal(void **state)
{
    CLEANUP_FREE char *path = in_folder("hot.db");
    CLEANUP_FREE char *journal = mem_printf("%s-journal", path);
    counted_create(path, "DELETE", 500);
    crash(path);
    assert_true(file_exists(journal));
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    assert_int_equal(counters_assert_equal(snapshot), 0);
    assert_false(file_exists(journal));
    source_snapshot_free(snapshot);
    source_close(source);
}

/* As a user who may read the file but not write in its folder. */
static void
as_nobody(const char *path, const char *message, const char *hint)
{
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(9);
        struct source *source = source_of(path);
        struct source_snapshot *snapshot = NULL;
        struct err *err = NULL;
        bool ok = source_snapshot(source, "/tmp", NULL, &snapshot, &err);
        if (ok || err->kind != ERR_MASTER || !strstr(err->message, message) ||
            !strstr(err->hint, hint)) {
            fprintf(stderr, "%s (%s)\n", ok ? "it worked" : err->message,
                    ok || !err->hint ? "" : err->hint);
            _exit(1);
        }
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void
test_read_only_folder(void **state)
{
    if (geteuid() != 0)
        skip();
    CLEANUP_FREE char *path = in_folder("foreign.db");
    assert_int_equal(chmod(folder, 0755), 0);
    counted_create(path, "DELETE", 500);
    crash(path);
    as_nobody(path, "cannot read", "hot journal");
    sql_run(path, "PRAGMA journal_mode=WAL; INSERT INTO first VALUES(1)");
    as_nobody(path, "cannot read", "-shm");
    assert_int_equal(chmod(path, 0600), 0);
    as_nobody(path, "cannot open the master", "run as a user who may read");
}

static void
test_locked_forever(void **state)
{
    CLEANUP_FREE char *path = in_folder("locked.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source *source = source_of(path);
    struct source_position position = position_of(source);
    source_position_free(&position);
    sqlite3 *db = db_open(path);
    db_run(db, "BEGIN EXCLUSIVE");
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    double began = clock_seconds();
    assert_err(source_snapshot(source, folder, NULL, &snapshot, &err), &err, ERR_BUSY, "locked",
               "try again");
    assert_true(clock_seconds() - began < 60);
    sqlite3_close(db);
    source_close(source);
}

static void
stop_in_the_middle(void *context)
{
    raise(SIGTERM);
}

static void
test_stop(void **state)
{
    CLEANUP_FREE char *path = in_folder("stop.db");
    counted_create(path, "DELETE", 5000);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        stop_install();
        struct source *source = source_of(path);
        struct mirror mirror = {.at_ready = stop_in_the_middle};
        struct source_sink sink = mirror_sink(&mirror);
        struct source_snapshot *snapshot = NULL;
        struct err *err = NULL;
        bool ok = source_snapshot(source, folder, &sink, &snapshot, &err);
        _exit(!ok && err->kind == ERR_INTERRUPTED ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* Neither a snapshot nor its failure leaves a file behind. */
static void
test_no_file_is_left(void **state)
{
    CLEANUP_DIR DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "effigy.", 7) == 0)
            fail_msg("%s was left", entry->d_name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_writer_goes_on),
        cmocka_unit_test(test_rollback_writer_goes_on),
        cmocka_unit_test(test_several_files),
        cmocka_unit_test(test_several_files_are_of_one_moment),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_hot_journal),
        cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_locked_forever),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_no_file_is_left),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
