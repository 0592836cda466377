/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <string.h>

static void
numbers_are_whole_and_in_range(void **state)
{
    uint64_t value = 77;
    assert_true(str_to_u64("8080", 1, 65535, &value));
    assert_int_equal(value, 8080);
    static const char *const bad[] = {"",     "-1",    "+1", " 1",  "1 ",
                                      "0x10", "65536", "0",  "1e3", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(str_to_u64(bad[i], 1, 65535, &value));
    assert_int_equal(value, 8080);
}

static void
sizes_and_durations_have_units(void **state)
{
    uint64_t value;
    assert_true(str_to_bytes("16MiB", &value));
    assert_int_equal(value, 16 << 20);
    assert_true(str_to_bytes("3 g", &value));
    assert_int_equal(value, 3ULL << 30);
    assert_false(str_to_bytes("16Mi", &value));
    assert_false(str_to_bytes("99999999999999999T", &value));
    assert_true(str_to_milliseconds("500ms", &value));
    assert_int_equal(value, 500);
    assert_true(str_to_milliseconds("2m", &value));
    assert_int_equal(value, 120000);
    assert_true(str_to_milliseconds("7", &value));
    assert_int_equal(value, 7000);
    assert_false(str_to_milliseconds("7 weeks", &value));
}

static void
text_for_people(void **state)
{
    const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},         {999, "999 B"},      {1000, "1.0 kB"},
                 {999949, "1.0 MB"}, {1500000, "1.5 MB"}, {260272667, "260 MB"}};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        CLEANUP_FREE char *text = str_of_bytes(sizes[i].bytes);
        assert_string_equal(text, sizes[i].text);
    }
    const struct {
        double seconds;
        const char *text;
    } times[] = {{-1, "0.0 s"},   {3.25, "3.2 s"},  {59.4, "59 s"},
                 {130, "2m 10s"}, {18000, "5h 0m"}, {352800, "4d 2h"}};
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        CLEANUP_FREE char *text = str_of_seconds(times[i].seconds);
        assert_string_equal(text, times[i].text);
    }
}

static void
the_nearest_word_is_found_or_none(void **state)
{
    static const char *const words[] = {"publish", "replicas", "port", "status", NULL};
    assert_string_equal(str_nearest("publsh", words), "publish");
    assert_string_equal(str_nearest("replica", words), "replicas");
    assert_string_equal(str_nearest("prot", words), "port");
    assert_null(str_nearest("helicopter", words));
    assert_null(str_nearest("x", words));
}

static void
utf8_is_strict(void **state)
{
    assert_true(str_is_utf8("sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x91\x91", 15));
    static const char *const bad[] = {
        "\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xc3", "\xe2\x82", "\x80"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(str_is_utf8(bad[i], strlen(bad[i])));
}

static void
names_fit_tags_and_host_names(void **state)
{
    assert_true(str_is_name("catalogue"));
    assert_true(str_is_name("a-1_b"));
    static const char *const bad[] = {
        "",         "-a",
        "a-",       "A",
        "a b",      "a/b",
        "\xc3\xa4", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(str_is_name(bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(sizes_and_durations_have_units),
        cmocka_unit_test(text_for_people),
        cmocka_unit_test(the_nearest_word_is_found_or_none),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(names_fit_tags_and_host_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
