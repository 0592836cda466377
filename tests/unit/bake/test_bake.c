/* SPDX-License-Identifier: Apache-2.0 */
/* Baking with the real SQLite source, store and layers. */
#include "oci/layer-test.h"

#include "bake/bake.h"
#include "base/stop.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static void
run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* A master with a table, an index, overflow pages, and pages that became free. */
static char *
make_master(struct layer_test *test, const char *name, unsigned rows)
{
    char *path = file_join(test->folder, name);
    CLEANUP_FREE char *fill = mem_printf(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB); CREATE INDEX i ON t(a);"
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < %u)"
        "INSERT INTO t SELECT x, 'row ' || (x * 7919 %% 100003), zeroblob(x %% 50 * 200) FROM n;"
        "DELETE FROM t WHERE id %% 10 = 3;",
        rows);
    run_sql(path, fill);
    return path;
}

static struct source *
open_source(const char *const *paths, size_t count)
{
    ERR_LOCAL(err);
    struct source_database databases[10];
    char *urls[10], *names[10];
    for (size_t i = 0; i < count; i++) {
        urls[i] = mem_printf("sqlite:%s", paths[i]);
        names[i] = i ? mem_printf("db%zu", i) : mem_strdup("main");
        databases[i] = (struct source_database){.name = names[i], .url = urls[i]};
    }
    struct source *source;
    assert_no_err(source_open(databases, count, NULL, &source, &err), err);
    for (size_t i = 0; i < count; i++) {
        free(urls[i]);
        free(names[i]);
    }
    return source;
}

static char *
unpack(struct layer_test *test, const struct oci_layer *layer)
{
    static unsigned serial;
    ERR_LOCAL(err);
    char *out = mem_printf("%s/out%u", test->folder, serial++);
    assert_int_equal(mkdir(out, 0755), 0);
    assert_no_err(
        oci_layer_unpack(test->store, &layer->descriptor, &layer->diff_id, out, NULL, &err), err);
    return out;
}

static int64_t
count_rows(const char *folder, const char *file, const char *sql)
{
    CLEANUP_FREE char *uri = mem_printf("file:%s/%s?immutable=1", folder, file);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* What was compressed while it still arrived is what stands in the settled files. */
static void
test_data(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE char *a = make_master(test, "catalogue.db", 4000),
                      *b = make_master(test, "prices.db", 50);
    struct source *source = open_source((const char *const[]){a, b}, 2);
    struct bake_data data;
    assert_no_err(bake_data_layers(source, test->store, OCI_COMPRESSION_GZIP, NULL, 0, &data, &err),
                  err);
    assert_int_equal(data.count, 2);
    assert_string_equal(data.files[0], "catalogue.db");
    assert_string_equal(data.files[1], "prices.db");
    assert_string_equal(data.names[0], "main");
    assert_string_equal(data.names[1], "db1");
    assert_non_null(data.position.text);
    assert_non_null(data.engine_version);
    assert_true(data.seconds_bake > 0 && data.seconds_snapshot > 0 && data.seconds_settle > 0);
    uint64_t bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_true(data.layers[i].is_new);
        CLEANUP_FREE char *out = unpack(test, &data.layers[i]);
        CLEANUP_FREE char *file = mem_printf("data/%s", data.files[i]),
                          *full = file_join(out, file);
        struct stat st;
        assert_int_equal(stat(full, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0444);
        bytes += (uint64_t)st.st_size;
        assert_int_equal(count_rows(out, file, "SELECT count(*) FROM t"), i ? 45 : 3600);
        assert_int_equal(
            count_rows(out, file, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);

        /* The same bytes baked at leisure give the same layer. */
        CLEANUP_FD int fd = open(full, O_RDONLY | O_CLOEXEC);
        const struct oci_layer_entry entries[] = {
            {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
            {.type = OCI_ENTRY_FILE,
             .path = file,
             .mode = 0444,
             .size = (uint64_t)st.st_size,
             .fd = fd},
        };
        struct oci_layer again;
        assert_no_err(
            oci_layer_write(test->store, OCI_COMPRESSION_GZIP, entries, 2, NULL, &again, &err),
            err);
        assert_string_equal(again.descriptor.digest.text, data.layers[i].descriptor.digest.text);
        assert_false(again.is_new);
        oci_layer_free(&again);
    }
    assert_int_equal(data.data_bytes, bytes);
    assert_int_equal(test_leftovers(test), 0);
    bake_data_free(&data);
    source_close(source);
}

/* A file that did not change keeps the parent's layer, even if that was compressed in another way.
 */
static void
test_parent(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE char *a = make_master(test, "a.db", 3000), *b = make_master(test, "b.db", 3000);
    struct source *source = open_source((const char *const[]){a, b}, 2);
    struct bake_data first, second;
    assert_no_err(
        bake_data_layers(source, test->store, OCI_COMPRESSION_ZSTD, NULL, 0, &first, &err), err);
    run_sql(b, "UPDATE t SET a = 'changed' WHERE id = 7");
    struct bake_parent parent[] = {{.file = "b.db", .layer = first.layers[1]},
                                   {.file = "a.db", .layer = first.layers[0]}};
    assert_no_err(
        bake_data_layers(source, test->store, OCI_COMPRESSION_GZIP, parent, 2, &second, &err), err);
    assert_false(second.layers[0].is_new);
    assert_string_equal(second.layers[0].descriptor.digest.text,
                        first.layers[0].descriptor.digest.text);
    assert_string_equal(second.layers[0].descriptor.media_type, OCI_MEDIA_LAYER_ZSTD);
    assert_true(second.layers[1].is_new);
    assert_string_not_equal(second.layers[1].diff_id.text, first.layers[1].diff_id.text);
    bake_data_free(&first);
    bake_data_free(&second);
    source_close(source);
}

struct writer {
    const char *path;
    atomic_bool stop;
};

static void *
write_on(void *argument)
{
    struct writer *writer = argument;
    sqlite3 *db;
    if (sqlite3_open(writer->path, &db) != SQLITE_OK)
        abort();
    sqlite3_busy_timeout(db, 10000);
    while (!atomic_load(&writer->stop)) {
        sqlite3_exec(db, "UPDATE t SET b = randomblob(length(b)) WHERE id = abs(random()) % 4000",
                     NULL, NULL, NULL);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    sqlite3_close(db);
    return NULL;
}

/* The snapshot starts again and again while a writer commits; what was speculated is thrown away.
 */
static void
test_restarts(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE char *path = make_master(test, "busy.db", 4000);
    struct writer writer = {.path = path};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    struct source *source = open_source((const char *const[]){path}, 1);
    for (int i = 0; i < 5; i++) {
        struct bake_data data;
        assert_no_err(
            bake_data_layers(source, test->store, OCI_COMPRESSION_GZIP, NULL, 0, &data, &err), err);
        CLEANUP_FREE char *out = unpack(test, &data.layers[0]);
        assert_int_equal(count_rows(out, "data/busy.db", "SELECT count(*) FROM t"), 3600);
        assert_int_equal(count_rows(out, "data/busy.db",
                                    "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                         1);
        assert_int_equal(test_leftovers(test), 0);
        bake_data_free(&data);
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    source_close(source);
}

/* More files than are built at once. */
static void
test_many_files(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    char *paths[10];
    for (size_t i = 0; i < 10; i++) {
        CLEANUP_FREE char *name = mem_printf("m%zu.db", i);
        paths[i] = make_master(test, name, 300 + 10 * (unsigned)i);
    }
    struct source *source = open_source((const char *const *)paths, 10);
    struct bake_data data;
    assert_no_err(bake_data_layers(source, test->store, OCI_COMPRESSION_NONE, NULL, 0, &data, &err),
                  err);
    for (size_t i = 0; i < 10; i++) {
        CLEANUP_FREE char *out = unpack(test, &data.layers[i]),
                          *file = mem_printf("data/m%zu.db", i);
        assert_int_equal(count_rows(out, file, "SELECT count(*) FROM t"), 270 + 9 * (int)i);
        free(paths[i]);
    }
    bake_data_free(&data);
    source_close(source);
}

/* A damaged master is found by the check that runs while all is compressed already. */
static void
test_damaged(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE char *path = make_master(test, "damaged.db", 4000);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CLEANUP_FREE uint8_t *rubbish = mem_new(4096);
    test_fill(rubbish, 4096, 1);
    assert_int_equal(pwrite(fd, rubbish, 4096, 4096 * 100), 4096);
    close(fd);
    unsigned fds = test_count("/proc/self/fd"), tasks = test_count("/proc/self/task");
    struct source *source = open_source((const char *const[]){path}, 1);
    struct bake_data data;
    assert_false(bake_data_layers(source, test->store, OCI_COMPRESSION_GZIP, NULL, 0, &data, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    source_close(source);
    assert_int_equal(test_leftovers(test) + test_blobs(test), 0);
    assert_int_equal(test_count("/proc/self/fd"), fds);
    assert_int_equal(test_count("/proc/self/task"), tasks);
}

static void
test_interrupted(void **state)
{
    struct layer_test *test = *state;
    CLEANUP_FREE char *path = make_master(test, "master.db", 20000);
    for (long delay = 0; delay < 100000000; delay += 7000000) {
        pid_t child = fork();
        if (child == 0) {
            stop_install();
            struct source *source = open_source((const char *const[]){path}, 1);
            struct bake_data data;
            struct err *err = NULL;
            bool ok =
                bake_data_layers(source, test->store, OCI_COMPRESSION_GZIP, NULL, 0, &data, &err);
            _exit(ok ? 0 : err->kind == ERR_INTERRUPTED ? 1 : 2);
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 10000000 + delay}, NULL);
        kill(child, SIGTERM);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        /* Before stop_install() the signal simply ends it. */
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) < 2);
        assert_int_equal(test_leftovers(test), 0);
    }
}

static void
test_server_and_identity(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE char *server = file_join(test->folder, "server"),
                      *missing = file_join(test->folder, "missing");
    assert_true(file_write_atomic(server, "#!binary", 8, 0600, NULL));
    struct oci_layer layer;
    assert_no_err(bake_server_layer(test->store, OCI_COMPRESSION_GZIP, server, &layer, &err), err);
    CLEANUP_FREE char *out = unpack(test, &layer), *file = file_join(out, BAKE_SERVER_PATH);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(st.st_size, 8);
    oci_layer_free(&layer);

    static const char json[] = "{\"generation\":1}";
    assert_no_err(
        bake_identity_layer(test->store, OCI_COMPRESSION_ZSTD, json, strlen(json), &layer, &err),
        err);
    CLEANUP_FREE char *out2 = unpack(test, &layer), *file2 = file_join(out2, BAKE_IDENTITY_PATH);
    CLEANUP_BUF struct buf read = {0};
    assert_no_err(file_read(file2, 100, &read, &err), err);
    assert_string_equal(buf_text(&read), json);
    assert_int_equal(stat(file2, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0444);
    oci_layer_free(&layer);

    assert_false(bake_server_layer(test->store, OCI_COMPRESSION_GZIP, missing, &layer, &err));
    assert_non_null(strstr(err->message, missing));
    assert_non_null(err->hint);
    assert_false(bake_server_layer(test->store, OCI_COMPRESSION_GZIP, test->folder, &layer, &err));
}

#define BAKE_TEST(name) cmocka_unit_test_setup_teardown(name, layer_test_setup, layer_test_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BAKE_TEST(test_data),
        BAKE_TEST(test_parent),
        BAKE_TEST(test_restarts),
        BAKE_TEST(test_many_files),
        BAKE_TEST(test_damaged),
        BAKE_TEST(test_interrupted),
        BAKE_TEST(test_server_and_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
