/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/answer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_answer(const struct answer *answer, const char *expected)
{
    assert_int_equal(answer->length, strlen(expected));
    assert_memory_equal(answer->data, expected, strlen(expected));
}

static void
test_ceiling_cuts_and_rewind_heals(void **state)
{
    struct answer answer = {.limit = 10};
    answer_puts(&answer, "12345678");
    answer_puts(&answer, "abc");
    assert_int_equal(answer.cut, ANSWER_FULL);
    answer_puts(&answer, "x"); /* would fit, but what comes behind a gap is worth nothing */
    assert_answer(&answer, "12345678");
    answer_rewind(&answer, 4);
    answer_puts(&answer, "abcdef");
    assert_int_equal(answer.cut, ANSWER_WHOLE);
    assert_answer(&answer, "1234abcdef");
    answer_free(&answer);
}

static void
test_budget_is_shared_and_given_back(void **state)
{
    uint64_t before = answer_buffered();
    answer_set_budget(1 << 20);
    struct answer a = {.limit = SIZE_MAX / 2}, b = {.limit = SIZE_MAX / 2}, small = {.limit = 4096};
    assert_non_null(answer_reserve(&a, 900000));
    assert_null(answer_reserve(&b, 900000));
    assert_int_equal(b.cut, ANSWER_NO_BUDGET);
    answer_puts(&small, "an error message always fits");
    assert_int_equal(small.cut, ANSWER_WHOLE);
    answer_free(&a);
    answer_free(&small);
    answer_rewind(&b, 0);
    assert_non_null(answer_reserve(&b, 900000));
    answer_free(&b);
    assert_int_equal(answer_buffered(), before);
    answer_set_budget(0);
}

static void
test_json_strings(void **state)
{
    struct answer answer = {.limit = 1000};
    assert_true(answer_json_string(&answer, "a\"\\\n\t\x01\x7f/\xc3\xa9\0z", 12));
    assert_answer(&answer, "\"a\\\"\\\\\\n\\t\\u0001\x7f/\xc3\xa9\\u0000z\"");
    size_t length = answer.length;
    assert_false(answer_json_string(&answer, "ok \xff", 4));
    assert_false(answer_json_string(&answer, "\xed\xa0\x80", 3)); /* a surrogate */
    assert_int_equal(answer.length, length);
    answer_free(&answer);
}

static void
test_base64(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd\xfc", "//79/A=="}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = {.limit = 100};
        answer_base64(&answer, cases[i].bytes, strlen(cases[i].bytes));
        assert_answer(&answer, cases[i].text);
        answer_free(&answer);
    }
}

static void
test_numbers(void **state)
{
    struct answer answer = {.limit = 1000};
    answer_integer(&answer, INT64_MIN);
    answer_putc(&answer, ' ');
    answer_integer(&answer, INT64_MAX);
    answer_putc(&answer, ' ');
    answer_integer(&answer, 0);
    assert_answer(&answer, "-9223372036854775808 9223372036854775807 0");
    answer_rewind(&answer, 0);
    static const double reals[] = {1, 0.1, -2.5, 1e300, 1.0 / 3, 5e-324, 123456789012345680.0};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        answer_rewind(&answer, 0);
        answer_real(&answer, reals[i]);
        answer_putc(&answer, '\0');
        assert_true(strtod(answer.data, NULL) == reals[i]);
        assert_non_null(strpbrk(answer.data, ".e")); /* reads back as a real, not as an integer */
    }
    answer_rewind(&answer, 0);
    answer_real(&answer, -INFINITY);
    assert_answer(&answer, "-9e999");
    answer_free(&answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling_cuts_and_rewind_heals),
        cmocka_unit_test(test_budget_is_shared_and_given_back),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
