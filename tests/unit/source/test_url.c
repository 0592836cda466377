/* SPDX-License-Identifier: Apache-2.0 */
/* What source_open() takes and refuses, and what is known of engines. */
#include "support.h"

#include <string.h>

static void
refuse(const struct source_database *databases, size_t count, const char *message, const char *hint)
{
    struct source *source = NULL;
    struct err *err = NULL;
    assert_err(source_open(databases, count, NULL, &source, &err), &err, ERR_USAGE, message, hint);
    assert_null(source);
}

static void
refuse_url(const char *url, const char *message, const char *hint)
{
    refuse(&(struct source_database){"main", url}, 1, message, hint);
}

static void
test_urls_refused(void **state)
{
    refuse_url("postgres://db/x", "unknown kind of master \"postgres:\"", "sqlite:");
    refuse_url("sqlit:x.db", "unknown kind", "did you mean \"sqlite:\"");
    refuse_url("catalogue.db", "does not say which kind", "sqlite:catalogue.db");
    refuse_url("/a:b/catalogue.db", "does not say which kind", "sqlite:/a:b/catalogue.db");
    refuse_url("", "does not say which kind", "sqlite:PATH");
    refuse_url("sqlite:", "names no file", "sqlite:catalogue.db");
    refuse_url("sqlite::memory:", "names no file", NULL);
    refuse_url("sqlite:data/", "names no file", NULL);
    refuse_url("sqlite:///srv/x.db", "ambiguous", "sqlite:/srv/x.db");
}

static void
test_names_refused(void **state)
{
    refuse(NULL, 0, "no master", NULL);
    refuse(&(struct source_database){"other", "sqlite:x"}, 1,
           "the first database is called \"main\"", NULL);
    struct source_database twice[] = {{"main", "sqlite:x"}, {"main", "sqlite:y"}};
    refuse(twice, 2, "the first database is called \"main\"", NULL);
    struct source_database same[] = {
        {"main", "sqlite:x"}, {"geo", "sqlite:y"}, {"geo", "sqlite:z"}};
    refuse(same, 3, "two databases are called \"geo\"", NULL);
    struct source_database odd[] = {{"main", "sqlite:x"}, {"Geo Data", "sqlite:y"}};
    refuse(odd, 2, "cannot be called", "a-z");
    struct source_database temp[] = {{"main", "sqlite:x"}, {"temp", "sqlite:y"}};
    refuse(temp, 2, "cannot be called", NULL);
}

static void
test_base_dir(void **state)
{
    CLEANUP_FREE char *path = in_folder("base.db");
    sql_run(path, "CREATE TABLE t(x)");
    struct source_database database = {"main", "sqlite:base.db"};
    struct source *source = NULL;
    struct err *err = NULL;
    assert_ok(source_open(&database, 1, folder, &source, &err), err);
    struct source_position position = position_of(source);
    source_position_free(&position);
    source_close(source);
    assert_ok(source_open(&database, 1, "/nowhere", &source, &err), err);
    struct source_probe probe;
    assert_err(source_probe(source, &probe, &err), &err, ERR_MASTER, "/nowhere/base.db",
               "is the path right?");
    source_close(source);
}

static void
test_replica_of(void **state)
{
    const struct source_replica *replica = source_replica_of("sqlite");
    assert_non_null(replica);
    assert_string_equal(replica->entrypoint[0], "/effigy-serve");
    assert_null(replica->entrypoint[1]);
    assert_int_equal(replica->port, 8080);
    assert_string_equal(replica->health_path, "/-/readyz");
    assert_true(replica->takes_listeners);
    assert_true(replica->portable_data);
    assert_null(source_replica_of("oracle"));
    assert_null(source_replica_of(NULL));
    struct source_content content;
    struct err *err = NULL;
    assert_err(source_hash_files("oracle", NULL, NULL, 0, &content, &err), &err, ERR_UNSUPPORTED,
               "oracle", NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_refused),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_base_dir),
        cmocka_unit_test(test_replica_of),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
