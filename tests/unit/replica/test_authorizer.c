/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/authorizer.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_reading_is_allowed(void **state)
{
    assert_int_equal(authorizer_judge(SQLITE_SELECT, NULL, NULL), AUTHORIZER_ALLOW);
    assert_int_equal(authorizer_judge(SQLITE_READ, "package", "name"), AUTHORIZER_ALLOW);
    assert_int_equal(authorizer_judge(SQLITE_RECURSIVE, NULL, NULL), AUTHORIZER_ALLOW);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "length"), AUTHORIZER_ALLOW);
    assert_int_equal(authorizer_judge(SQLITE_PRAGMA, "table_info", "package"), AUTHORIZER_ALLOW);
    assert_int_equal(authorizer_judge(SQLITE_PRAGMA, "user_version", NULL), AUTHORIZER_ALLOW);
}

static void
test_every_other_action_is_denied(void **state)
{
    for (int action = 0; action < 64; action++) {
        if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE ||
            action == SQLITE_FUNCTION || action == SQLITE_PRAGMA)
            continue;
        assert_int_equal(authorizer_judge(action, "a", "b"), AUTHORIZER_DENY);
        assert_int_equal(authorizer_judge(action, NULL, NULL), AUTHORIZER_DENY);
    }
}

static void
test_pragmas_that_write_are_denied(void **state)
{
    static const char *const names[] = {
        "writable_schema", "journal_mode",    "cache_size",    "temp_store",      "mmap_size",
        "query_only",      "wal_checkpoint",  "optimize",      "integrity_check", "locking_mode",
        "trusted_schema",  "hard_heap_limit", "shrink_memory", "threads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(authorizer_judge(SQLITE_PRAGMA, names[i], NULL), AUTHORIZER_DENY);
        assert_int_equal(authorizer_judge(SQLITE_PRAGMA, names[i], "1"), AUTHORIZER_DENY);
    }
    assert_int_equal(authorizer_judge(SQLITE_PRAGMA, "user_version", "7"), AUTHORIZER_DENY);
    assert_int_equal(authorizer_judge(SQLITE_PRAGMA, "Application_ID", "7"), AUTHORIZER_DENY);
}

static void
test_functions(void **state)
{
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "load_extension"), AUTHORIZER_DENY);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "FTS3_Tokenizer"), AUTHORIZER_DENY);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "writefile"), AUTHORIZER_DENY);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, NULL), AUTHORIZER_DENY);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "random"), AUTHORIZER_ALLOW_VARYING);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "current_timestamp"),
                     AUTHORIZER_ALLOW_VARYING);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "DateTime"), AUTHORIZER_ALLOW_VARYING);
    assert_int_equal(authorizer_judge(SQLITE_FUNCTION, NULL, "COUNT"), AUTHORIZER_ALLOW_LONG);
    assert_int_equal(authorizer_judge(SQLITE_READ, "dbstat", "name"), AUTHORIZER_ALLOW_LONG);
}

static void
test_other_clients_statements_are_hidden(void **state)
{
    assert_int_equal(authorizer_judge(SQLITE_READ, "sqlite_stmt", "sql"), AUTHORIZER_DENY);
}

static void
test_descriptions(void **state)
{
    char text[100];
    authorizer_describe(SQLITE_INSERT, "package", NULL, text, sizeof text);
    assert_string_equal(text, "INSERT into package");
    authorizer_describe(SQLITE_ATTACH, "/etc/passwd", NULL, text, sizeof text);
    assert_string_equal(text, "ATTACH of another database");
    authorizer_describe(SQLITE_FUNCTION, NULL, "edit", text, sizeof text);
    assert_string_equal(text, "the function edit()");
    authorizer_describe(9999, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "changing the database");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_is_allowed),
        cmocka_unit_test(test_every_other_action_is_denied),
        cmocka_unit_test(test_pragmas_that_write_are_denied),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_other_clients_statements_are_hidden),
        cmocka_unit_test(test_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
