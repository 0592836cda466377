/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/secret.h"
#include "base/sha256.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
an_error_says_what_why_and_what_to_do(void **state)
{
    ERR_LOCAL(err);
    assert_false(err_set(&err, ERR_IO, ENOSPC, "cannot write %s", "x"));
    assert_int_equal(err->kind, ERR_NO_SPACE);
    assert_string_equal(err->message, "cannot write x: No space left on device");
    err_hint(&err, "make room on %s", "/srv");
    err_wrap(&err, "publishing %s", "catalogue");
    assert_string_equal(err->message,
                        "publishing catalogue: cannot write x: No space left on device");
    assert_string_equal(err->hint, "make room on /srv");
    err_set(&err, ERR_USAGE, 0, "again");
    assert_null(err->hint);
    assert_false(err_set(NULL, ERR_USAGE, 0, "nobody cares"));
    struct err *other = NULL;
    err_move(&other, &err);
    assert_null(err);
    assert_string_equal(other->message, "again");
    err_free(other);
}

static void
a_buffer_grows_and_stays_text(void **state)
{
    CLEANUP_BUF struct buf buf = {0};
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%d,", i);
    assert_int_equal(buf.length, 3890);
    assert_int_equal(buf.data[buf.length], 0);
    CLEANUP_FREE char *text = buf_steal(&buf);
    assert_int_equal(strlen(text), 3890);
    assert_null(buf.data);
}

static void
files_are_replaced_whole(void **state)
{
    CLEANUP_FREE char *path = file_join(*state, "a");
    ERR_LOCAL(err);
    assert_ok(file_write_atomic(path, "one", 3, 0640, &err), err);
    assert_ok(file_write_atomic(path, "two!", 4, 0640, &err), err);
    CLEANUP_BUF struct buf bytes = {0};
    assert_ok(file_read(path, 4, &bytes, &err), err);
    assert_string_equal(buf_text(&bytes), "two!");
    struct buf none = {0};
    assert_false(file_read(path, 3, &none, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_false(file_read(*state, 10, &none, &err));
    CLEANUP_FREE char *missing = file_join(*state, "no/such");
    assert_false(file_read(missing, 10, &none, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
}

static void
folders_are_made_and_removed(void **state)
{
    CLEANUP_FREE char *deep = file_join(*state, "x/y/z");
    CLEANUP_FREE char *top = file_join(*state, "x");
    CLEANUP_FREE char *link = file_join(*state, "x/y/link");
    CLEANUP_FREE char *kept = file_join(*state, "kept");
    ERR_LOCAL(err);
    assert_ok(file_make_dirs(deep, 0755, &err), err);
    assert_ok(file_make_dirs(deep, 0755, &err), err);
    assert_ok(file_make_dirs(kept, 0755, &err), err);
    assert_int_equal(symlink(kept, link), 0);
    assert_ok(file_remove_tree(top, &err), err);
    assert_false(file_exists(top));
    assert_true(file_exists(kept));
    assert_ok(file_remove_tree(top, &err), err);
    CLEANUP_FREE char *file = file_join(*state, "file");
    assert_ok(file_write_atomic(file, "", 0, 0600, &err), err);
    CLEANUP_FREE char *below = file_join(file, "below");
    assert_false(file_make_dirs(below, 0755, &err));
}

static void
a_lock_excludes_until_its_holder_ends(void **state)
{
    CLEANUP_FREE char *path = file_join(*state, "lock");
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = file_lock(path, NULL);
        if (write(ready[1], "", 1) != 1 || fd < 0)
            _exit(1);
        pause();
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    ERR_LOCAL(err);
    assert_int_equal(file_lock(path, &err), -1);
    assert_int_equal(err->kind, ERR_BUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CLEANUP_FD int fd = file_lock(path, &err);
    assert_true(fd >= 0);
    close(ready[0]);
    close(ready[1]);
}

static void
times_are_rfc3339(void **state)
{
    CLEANUP_FREE char *text = clock_rfc3339_ns(1700000000123456789LL);
    assert_string_equal(text, "2023-11-14T22:13:20.123456789Z");
    int64_t ns;
    assert_true(clock_parse_rfc3339(text, &ns));
    assert_int_equal(ns, 1700000000123456789LL);
    assert_true(clock_parse_rfc3339("2023-11-14T22:13:20Z", &ns));
    assert_int_equal(ns, 1700000000000000000LL);
    assert_false(clock_parse_rfc3339("yesterday", &ns));
    assert_false(clock_parse_rfc3339("2023-11-14T22:13:20+01:00", &ns));
    setenv("SOURCE_DATE_EPOCH", "86400", 1);
    assert_true(clock_source_date(5, &ns, NULL));
    assert_int_equal(ns, 86400000000000LL);
    setenv("SOURCE_DATE_EPOCH", "tomorrow", 1);
    assert_false(clock_source_date(5, &ns, NULL));
    unsetenv("SOURCE_DATE_EPOCH");
    assert_true(clock_source_date(5, &ns, NULL));
    assert_int_equal(ns, 5);
}

static void
children_are_run_without_a_shell(void **state)
{
    CLEANUP_BUF struct buf out = {0};
    CLEANUP_BUF struct buf errors = {0};
    int status = -1;
    ERR_LOCAL(err);
    const char *const argv[] = {"sh", "-c", "echo \"$0\"; echo oops >&2; exit 3", "a b;c", NULL};
    assert_ok(proc_run(argv, &out, &errors, &status, &err), err);
    assert_string_equal(buf_text(&out), "a b;c\n");
    assert_string_equal(buf_text(&errors), "oops\n");
    assert_int_equal(status, 3);
    const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
    assert_ok(proc_run(killed, NULL, NULL, &status, &err), err);
    assert_int_equal(status, 137);
    const char *const missing[] = {"effigy-no-such-program", NULL};
    assert_false(proc_run(missing, NULL, NULL, &status, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_true(proc_exists("sh"));
    assert_false(proc_exists("effigy-no-such-program"));
}

static void
what_is_secret_is_hidden(void **state)
{
    secret_add("hunter2hunter2", "${env:PASSWORD}");
    secret_add("abc", "${env:SHORT}");
    CLEANUP_BUF struct buf text = {0};
    buf_puts(&text, "cannot connect as hunter2hunter2, abc: hunter2hunter2");
    secret_hide(&text);
    assert_string_equal(buf_text(&text), "cannot connect as ${env:PASSWORD}, abc: ${env:PASSWORD}");
    secret_forget_all();
    buf_puts(&text, " hunter2hunter2");
    secret_hide(&text);
    assert_non_null(strstr(buf_text(&text), "hunter2"));
}

static void
sha256_is_sha256(void **state)
{
    char hex[SHA256_HEX_ROOM];
    sha256_hex_of("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_why_and_what_to_do),
        cmocka_unit_test(a_buffer_grows_and_stays_text),
        cmocka_unit_test_setup_teardown(files_are_replaced_whole, unit_folder_setup,
                                        unit_folder_teardown),
        cmocka_unit_test_setup_teardown(folders_are_made_and_removed, unit_folder_setup,
                                        unit_folder_teardown),
        cmocka_unit_test_setup_teardown(a_lock_excludes_until_its_holder_ends, unit_folder_setup,
                                        unit_folder_teardown),
        cmocka_unit_test(times_are_rfc3339),
        cmocka_unit_test(children_are_run_without_a_shell),
        cmocka_unit_test(what_is_secret_is_hidden),
        cmocka_unit_test(sha256_is_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
