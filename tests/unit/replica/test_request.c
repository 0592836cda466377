/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct request
parse(struct request_input input)
{
    struct request request = {0};
    struct problem problem = {0};
    if (!request_parse(&input, &request, &problem))
        fail_msg("refused: %d %s", problem.status, problem.message);
    return request;
}

static struct request
parse_body(const char *type, const char *body)
{
    return parse(
        (struct request_input){.content_type = type, .body = body, .body_length = strlen(body)});
}

static void
assert_refused(struct request_input input, int status, const char *why)
{
    struct request request = {0};
    struct problem problem = {0};
    if (input.body && !input.body_length)
        input.body_length = strlen(input.body);
    assert_false(request_parse(&input, &request, &problem));
    assert_int_equal(problem.status, status);
    if (!strstr(problem.message, why))
        fail_msg("\"%s\" does not say \"%s\"", problem.message, why);
}

static void
test_url(void **state)
{
    struct request request = parse((struct request_input){
        .query = "sql=select+%3Aid%2c+%27%c3%a9%27&id=7&&x&format=csv", .accept = "image/png"});
    assert_string_equal(request.sql, "select :id, '\xc3\xa9'");
    assert_int_equal(request.format, FORMAT_CSV);
    assert_int_equal(request.count, 2);
    assert_string_equal(request.params[0].name, "id");
    assert_string_equal(request.params[0].data, "7");
    assert_int_equal(request.params[0].kind, PARAM_TEXT);
    assert_true(request.params[0].optional);
    assert_string_equal(request.params[1].name, "x");
    assert_int_equal(request.params[1].length, 0);
    request_free(&request);
}

static void
test_bodies(void **state)
{
    struct request request = parse_body("application/sql; charset=utf-8", "select 1 -- é");
    assert_string_equal(request.sql, "select 1 -- é");
    request_free(&request);
    request = parse_body("text/plain", "select 1");
    request_free(&request);
    request = parse_body("application/x-www-form-urlencoded", "sql=select+1&params=%5B1%2Cnull%5D");
    assert_string_equal(request.sql, "select 1");
    assert_int_equal(request.count, 2);
    request_free(&request);
    request = parse((struct request_input){.query = "params=%5B5%5D&format=ndjson",
                                           .content_type = "Application/SQL",
                                           .body = "select ?",
                                           .body_length = 8});
    assert_int_equal(request.params[0].integer, 5);
    assert_int_equal(request.format, FORMAT_NDJSON);
    request_free(&request);
}

static void
test_json_values(void **state)
{
    struct request request =
        parse_body("application/json", "{\"sql\":\"select "
                                       "?\",\"params\":[null,true,-9223372036854775808,1.5,"
                                       "\"a\\u0000b\",{\"$base64\":\"AP8=\"}]}");
    const struct param *p = request.params;
    assert_int_equal(request.count, 6);
    assert_null(p[0].name);
    assert_int_equal(p[0].kind, PARAM_NULL);
    assert_int_equal(p[1].integer, 1);
    assert_true(p[2].integer == INT64_MIN);
    assert_true(p[3].kind == PARAM_REAL && p[3].real == 1.5);
    assert_true(p[4].kind == PARAM_TEXT && p[4].length == 3 && memcmp(p[4].data, "a\0b", 3) == 0);
    assert_true(p[5].kind == PARAM_BLOB && p[5].length == 2 && memcmp(p[5].data, "\0\xff", 2) == 0);
    request_free(&request);
    request = parse_body("application/json",
                         "{\"params\":{\":id\":1},\"sql\":\"select :id\",\"format\":\"csv\"}");
    assert_string_equal(request.params[0].name, ":id");
    assert_false(request.params[0].optional);
    assert_int_equal(request.format, FORMAT_CSV);
    request_free(&request);
}

static void
test_refusals(void **state)
{
    assert_refused((struct request_input){0}, 400, "no SQL");
    assert_refused((struct request_input){.query = "sql="}, 400, "empty");
    assert_refused((struct request_input){.query = "sql=%20--x%0a/*y*/;;"}, 400, "empty");
    assert_refused((struct request_input){.query = "sql=select+1&sql=select+2"}, 400, "twice");
    assert_refused((struct request_input){.query = "sql=select%2"}, 400, "hex digits");
    assert_refused((struct request_input){.query = "sql=select%zz"}, 400, "hex digits");
    assert_refused((struct request_input){.query = "sql=select+%00"}, 400, "NUL");
    assert_refused((struct request_input){.query = "sql=select+%ff"}, 400, "UTF-8");
    assert_refused((struct request_input){.query = "sql=select+1&format=xml"}, 406, "xml");
    assert_refused((struct request_input){.query = "sql=select+1", .accept = "image/png"}, 406,
                   "image/png");
    assert_refused((struct request_input){.query = "sql=select+1&params=1"}, 400, "neither");
    assert_refused((struct request_input){.query = "sql=select+1&params=["}, 400, "not JSON");
    assert_refused((struct request_input){.query = "sql=select+1&params=[[1]]"}, 400, "array");
    assert_refused((struct request_input){.query = "sql=select+1&params=[{\"a\":1}]"}, 400,
                   "$base64");
    assert_refused((struct request_input){.query = "sql=select+1&params=[{\"$base64\":\"A\"}]"},
                   400, "$base64");
    assert_refused((struct request_input){.query = "sql=select+1&params=[99999999999999999999]"},
                   400, "JSON");
    assert_refused((struct request_input){.body = "select 1"}, 415, "no content type");
    assert_refused((struct request_input){.body = "x", .content_type = "image/png"}, 415,
                   "image/png");
    assert_refused((struct request_input){.body = "x", .content_type = "application/jsonx"}, 415,
                   "jsonx");
    assert_refused((struct request_input){.body = "[]", .content_type = "application/json"}, 400,
                   "not an object");
    assert_refused(
        (struct request_input){.body = "{\"sql\":1}", .content_type = "application/json"}, 400,
        "\"sql\"");
    assert_refused((struct request_input){.body = "{\"sql\":\"a\",\"sql\":\"b\"}",
                                          .content_type = "application/json"},
                   400, "duplicate");
    assert_refused(
        (struct request_input){.body = "{\"query\":\"a\"}", .content_type = "application/json"},
        400, "\"query\"");
    assert_refused((struct request_input){.body = "{\"sql\":\"a\\u0000\"}",
                                          .content_type = "application/json"},
                   400, "NUL");
}

static void
test_too_many_parameters(void **state)
{
    char *query = malloc(10 + 3 * (REQUEST_PARAMS + 1));
    strcpy(query, "sql=x");
    for (int i = 0; i <= REQUEST_PARAMS; i++)
        strcat(query + 5 + 2 * (size_t)i, "&a");
    assert_refused((struct request_input){.query = query}, 400, "more than 1000");
    free(query);
}

static void
test_deep_json_is_refused(void **state)
{
    size_t depth = 100000;
    char *body = malloc(depth + 1);
    memset(body, '[', depth);
    body[depth] = '\0';
    assert_refused((struct request_input){.body = body, .content_type = "application/json"}, 400,
                   "JSON");
    free(body);
}

static void
test_base64(void **state)
{
    static const char *const bad[] = {"A",    "AB",   "ABC",  "AB=C",    "=ABC",
                                      "A===", "====", "AB?=", "AB==AB=="};
    char *bytes = NULL;
    size_t length = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (request_base64(bad[i], strlen(bad[i]), &bytes, &length))
            fail_msg("%s was taken", bad[i]);
    }
    assert_true(request_base64("Zm9vYg==", 8, &bytes, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(bytes, "foob", 4);
    free(bytes);
    assert_true(request_base64("", 0, &bytes, &length));
    assert_int_equal(length, 0);
    free(bytes);
}

static void
test_blank_sql(void **state)
{
    static const char *const blank[] = {"",        " ;\n",          "-- x",  "-- x\n;",
                                        "/* ; */", "/* never ends", "/**/--"};
    static const char *const not_blank[] = {"select",  "- ",      "/",
                                            "-- x\ny", "/* */ 1", "--\n/*a*/b"};
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
        assert_true(request_sql_is_blank(blank[i], strlen(blank[i])));
    for (size_t i = 0; i < sizeof not_blank / sizeof *not_blank; i++)
        assert_false(request_sql_is_blank(not_blank[i], strlen(not_blank[i])));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_json_values),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_parameters),
        cmocka_unit_test(test_deep_json_is_refused),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_blank_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
