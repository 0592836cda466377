/* SPDX-License-Identifier: Apache-2.0 */
/* The driver `local` with the server that replicas of SQLite masters have, and a database. */
#include "support.h"

#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define QUERY "/query?sql=select%20g%20from%20t"

static void
make_images(struct world *world, unsigned generation)
{
    CLEANUP_FREE char *path = mem_printf("%s/g%u.db", world->dir, generation);
    CLEANUP_FREE char *sql =
        mem_printf("create table t(g); insert into t values('g%u')", generation);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    CLEANUP_FD int data = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(data, &st), 0);
    CLEANUP_FREE char *identity =
        mem_printf("{\"service\":\"shop\",\"generation\":\"g%u\",\"position\":\"p%u\",\"created\":"
                   "\"2026-01-31T12:00:00Z\","
                   "\"engine\":\"sqlite\",\"engine_version\":\"3\",\"format\":\"1\",\"databases\":["
                   "{\"name\":\"main\","
                   "\"file\":\"/data/shop.db\",\"digest\":\"sha256:%064u\"}]}",
                   generation, generation, generation);
    CLEANUP_FD int identity_fd = text_fd(identity);
    const struct oci_layer_entry low[] = {
        {OCI_ENTRY_FILE, "server", 0555, server_size(), server_fd, NULL},
    };
    const struct oci_layer_entry high[] = {
        {OCI_ENTRY_DIR, "data", 0555, 0, -1, NULL},
        {OCI_ENTRY_FILE, "data/shop.db", 0444, (uint64_t)st.st_size, data, NULL},
        {OCI_ENTRY_DIR, "effigy", 0555, 0, -1, NULL},
        {OCI_ENTRY_FILE, "effigy/generation.json", 0444, strlen(identity), identity_fd, NULL},
    };
    make_image(world, generation, low, ARRAY_LENGTH(low), high, ARRAY_LENGTH(high));
}

static void
test_answers(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, NULL, free_port());
    wait_healthy(world, replica.id);
    char body[64];
    assert_true(get_once(replica.published, QUERY, body));
    assert_non_null(strstr(body, "g1"));
    assert_true(get_once(replica.address, QUERY, body));
    stop(world, replica.id);
}

static void
test_no_failed_read(void **state)
{
    replace_under_load(*state, NULL, QUERY);
}

static int
run_all(const char *name)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_failed_read, setup, teardown),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
    return support_main(argc, argv, "runtime/serve", make_images, run_all);
}
