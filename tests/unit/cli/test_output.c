/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void
test_table(void **state)
{
    struct out_table table = {0};
    CLEANUP_BUF struct buf out = {0};
    out_table_headings(&table, (const char *[]){"NAME", "STATE", "NOTE", NULL});
    out_table_add_text(&table, "a-long-name");
    out_table_add_text(&table, NULL);
    out_table_add_text(&table, "x");
    out_table_add_text(&table, "b");
    out_table_add(&table, mem_printf("%d", 7));
    out_table_add_text(&table, "");
    out_table_write(&table, 2, &out);
    assert_string_equal(buf_text(&out), "  NAME          STATE   NOTE\n"
                                        "  a-long-name   -       x\n"
                                        "  b             7\n");
    assert_null(table.cells);
}

static void
test_json(void **state)
{
    json_t *object = json_object();
    out_json_text(object, "text", "a\"b");
    out_json_text(object, "null", NULL);
    out_json_text(object, "broken", "a\xff\xc3(b\xc3\xa9\xe2\x82");
    out_json_number(object, "number", (uint64_t)1 << 53);
    out_json_real(object, "real", 0.1234567891);
    out_json_real(object, "nothing", 0);
    out_json_real(object, "unknown", -1);
    out_json_bool(object, "bool", true);
    CLEANUP_BUF struct buf out = {0};
    out_json_write(object, &out);
    assert_string_equal(json_string_value(json_object_get(object, "broken")),
                        "a\xef\xbf\xbd\xef\xbf\xbd(b\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
    assert_non_null(strstr(out.data, "\"text\": \"a\\\"b\""));
    assert_non_null(strstr(out.data, "\"null\": null"));
    assert_non_null(strstr(out.data, "9007199254740992"));
    assert_non_null(strstr(out.data, "\"real\": 0.123457"));
    assert_non_null(strstr(out.data, "\"nothing\": 0,"));
    assert_non_null(strstr(out.data, "\"unknown\": null"));
    json_decref(object);
}

static void
test_error(void **state)
{
    ERR_LOCAL(err);
    err_set(&err, ERR_NOT_FOUND, 0, "there is no service 'x'");
    CLEANUP_BUF struct buf plain = {0}, text = {0}, out = {0};
    out_error_text(err, &plain);
    assert_string_equal(buf_text(&plain), "effigy: there is no service 'x'\n");
    err_hint(&err, "did you mean 'y'?");
    out_error_text(err, &text);
    assert_string_equal(buf_text(&text),
                        "effigy: there is no service 'x'\n  hint: did you mean 'y'?\n");
    json_t *json = out_error_json(err);
    char *dump = json_dumps(json, JSON_COMPACT);
    assert_string_equal(dump, "{\"kind\":\"not-found\",\"message\":\"there is no service 'x'\","
                              "\"hint\":\"did you mean 'y'?\",\"exit\":4}");
    free(dump);
    json_decref(json);
}

static void
test_terminals_are_safe(void **state)
{
    CLEANUP_BUF struct buf text = {0};
    buf_puts(&text, "a\x1b[31m\tb\r\n\x7f"
                    "\xc2\x9b"
                    "1m\xc3\xa9\xc2\xa0");
    out_make_safe(&text);
    assert_string_equal(buf_text(&text), "a?[31m\tb?\n???1m\xc3\xa9\xc2\xa0");
    struct buf empty = {0};
    out_make_safe(&empty);
}

/* Writes text with stdout being fd. */
static bool
written_to(int fd, struct err **err)
{
    struct buf text = {0};
    buf_puts(&text, "x\n");
    int was = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    bool ok = out_write(&text, err);
    dup2(was, STDOUT_FILENO);
    close(was);
    buf_free(&text);
    return ok;
}

static void
test_failed_writes_are_noticed(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_FD int full = open("/dev/full", O_WRONLY);
    assert_false(written_to(full, &err));
    assert_int_equal(err->kind, ERR_IO);
    assert_int_equal(err->errnum, ENOSPC);
    signal(SIGPIPE, SIG_IGN);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    close(pipes[0]);
    assert_false(written_to(pipes[1], &err));
    close(pipes[1]);
    assert_int_equal(err->kind, ERR_IO);
    assert_int_equal(err->errnum, EPIPE);
}

static void
test_short_forms(void **state)
{
    CLEANUP_FREE char *digest = out_digest_short("sha256:0123456789abcdef0123");
    CLEANUP_FREE char *whole = out_shorten("0123456789", 10), *cut = out_shorten("0123456789a", 10);
    CLEANUP_FREE char *never = out_time(0), *epoch = out_time(1000000000);
    assert_string_equal(digest, "sha256:0123456789ab");
    assert_string_equal(whole, "0123456789");
    assert_string_equal(cut, "0123456...");
    assert_string_equal(never, "-");
    assert_string_equal(epoch, "1970-01-01T00:00:01Z");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_terminals_are_safe),
        cmocka_unit_test(test_failed_writes_are_noticed),
        cmocka_unit_test(test_short_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
