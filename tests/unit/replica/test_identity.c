/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"service\":\"catalogue\",\"generation\":\"g2\",\"engine\":\"sqlite\",\"databases\":"

static void
assert_refused(const char *text, const char *why)
{
    struct identity identity = {0};
    ERR_LOCAL(err);
    assert_false(identity_parse(text, strlen(text), &identity, &err));
    if (!strstr(err->message, why))
        fail_msg("\"%s\" does not say \"%s\"", err->message, why);
}

static void
test_whole(void **state)
{
    static const char text[] =
        HEAD "[{\"name\":\"shop\",\"file\":\"/data/a.db\",\"digest\":\"sha256:1\"},"
             "{\"name\":\"geo\",\"file\":\"/data/b.db\",\"digest\":\"sha256:2\"}],"
             "\"parent\":null,\"position\":\"17\",\"future\":[1]}";
    struct identity identity = {0};
    assert_true(identity_parse(text, strlen(text), &identity, NULL));
    assert_string_equal(identity.service, "catalogue");
    assert_string_equal(identity.generation, "g2");
    assert_null(identity.parent);
    assert_string_equal(identity.position, "17");
    assert_int_equal(identity.count, 2);
    assert_string_equal(identity_schema(&identity, 0), "main");
    assert_string_equal(identity_schema(&identity, 1), "geo");
    assert_string_equal(identity.databases[1].digest, "sha256:2");
    assert_non_null(strstr(identity.json, "\"future\":[1]"));
    identity_free(&identity);
}

static void
test_refusals(void **state)
{
    assert_refused("", "not JSON");
    assert_refused("[]", "not a JSON object");
    assert_refused("{}", "\"service\" is missing");
    assert_refused("{\"service\":7}", "\"service\" is not a text");
    assert_refused("{\"service\":\"a\",\"generation\":\"g1\\r\\nX: y\",\"engine\":\"sqlite\"}",
                   "control character");
    assert_refused(HEAD "[]}", "1 to 11 databases");
    assert_refused(HEAD "[{\"name\":\"main\",\"digest\":\"d\"}]}", "\"file\" is missing");
    assert_refused(
        HEAD "[{\"name\":\"a\",\"file\":\"f\",\"digest\":\"d\"},{\"name\":\"a\",\"file\":\"f\","
             "\"digest\":\"d\"}]}",
        "two databases are named \"a\"");
    assert_refused(
        HEAD "[{\"name\":\"a\",\"file\":\"f\",\"digest\":\"d\"},{\"name\":\"main\",\"file\":\"f\","
             "\"digest\":\"d\"}]}",
        "not a name");
    assert_refused(HEAD "[{\"name\":\"temp\",\"file\":\"f\",\"digest\":\"d\"}]}", "not a name");
    assert_refused("{\"service\":\"a\",\"generation\":\"g1\",\"engine\":\"postgres\",\"databases\":"
                   "[{\"name\":\"a\",\"file\":\"f\",\"digest\":\"d\"}]}",
                   "the engine is \"postgres\"");
}

static void
test_missing_file(void **state)
{
    struct identity identity = {0};
    ERR_LOCAL(err);
    assert_false(identity_read("/nonexistent/generation.json", &identity, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(err->hint);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
