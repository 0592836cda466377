/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_defaults(void **state)
{
    struct limits limits;
    assert_true(limits_read(&limits, NULL));
    assert_int_equal(limits.max_rows, 10000);
    assert_int_equal(limits.max_bytes, 16 << 20);
    assert_int_equal(limits.max_time_ms, 5000);
    assert_int_equal(limits.max_heap, 64 << 20);
    assert_int_equal(limits.queue, 128);
    assert_int_equal(limits.grace_ms, 8000);
    assert_int_equal(limits.port, 8080);
    assert_false(limits.locking);
    assert_null(limits.listen);
    assert_string_equal(limits.identity, "/effigy/generation.json");
}

static uint64_t
limits_with(const char *name, const char *value, size_t offset)
{
    struct limits limits;
    ERR_LOCAL(err);
    setenv(name, value, 1);
    bool ok = limits_read(&limits, &err);
    unsetenv(name);
    if (!ok)
        fail_msg("%s=%s: %s", name, value, err->message);
    return *(uint64_t *)((char *)&limits + offset);
}

static void
test_values_with_units(void **state)
{
    assert_int_equal(limits_with("EFFIGY_MAX_BYTES", "1MiB", offsetof(struct limits, max_bytes)),
                     1 << 20);
    assert_int_equal(limits_with("EFFIGY_MAX_TIME_MS", "250", offsetof(struct limits, max_time_ms)),
                     250);
    assert_int_equal(limits_with("EFFIGY_MAX_TIME_MS", "2s", offsetof(struct limits, max_time_ms)),
                     2000);
    assert_int_equal(
        limits_with("EFFIGY_CACHE_SECONDS", "60", offsetof(struct limits, cache_seconds)), 60);
    assert_int_equal(
        limits_with("EFFIGY_CACHE_SECONDS", "1h", offsetof(struct limits, cache_seconds)), 3600);
    assert_int_equal(limits_with("EFFIGY_LOCKING", "on", offsetof(struct limits, locking)), 1);
    assert_int_equal(limits_with("EFFIGY_CORS", "1", offsetof(struct limits, cors)), 1);
    assert_int_equal(limits_with("EFFIGY_QUEUE", "", offsetof(struct limits, queue)), 128);
}

static void
assert_refused(const char *name, const char *value)
{
    struct limits limits;
    ERR_LOCAL(err);
    setenv(name, value, 1);
    bool ok = limits_read(&limits, &err);
    unsetenv(name);
    if (ok)
        fail_msg("%s=%s was taken", name, value);
    assert_int_equal(err->kind, ERR_USAGE);
    assert_non_null(strstr(err->message, name));
    assert_non_null(err->hint);
}

static void
test_refusals(void **state)
{
    assert_refused("EFFIGY_MAX_ROWS", "0");
    assert_refused("EFFIGY_MAX_ROWS", "-1");
    assert_refused("EFFIGY_MAX_ROWS", "many");
    assert_refused("EFFIGY_MAX_ROWS", "99999999999999999999");
    assert_refused("EFFIGY_MAX_BYTES", "12x");
    assert_refused("EFFIGY_MAX_HEAP", "1k");
    assert_refused("EFFIGY_MAX_TIME_MS", "soon");
    assert_refused("EFFIGY_LOCKING", "maybe");
    assert_refused("EFFIGY_PORT", "65536");
    assert_refused("EFFIGY_WORKERS", "1000000");
}

static void
test_help_fits_80_columns(void **state)
{
    struct buf text = {0};
    limits_describe(&text);
    assert_non_null(strstr(text.data, "EFFIGY_MAX_ROWS"));
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 80);
    buf_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_with_units),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_help_fits_80_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
