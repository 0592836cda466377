/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the driver `local` that need no container. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/local/bundle.h"
#include "runtime/local/health.h"
#include "runtime/local/listener.h"
#include "runtime/local/log.h"
#include "runtime/local/merge.h"
#include "runtime/local/peer.h"
#include "runtime/local/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *
scratch(void)
{
    char *path = mem_strdup("/tmp/effigy-parts.XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void
put(const char *dir, const char *name, const char *text)
{
    CLEANUP_FREE char *path = file_join(dir, name), *parent = file_dirname(path);
    assert_true(file_make_dirs(parent, 0755, NULL));
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && file_write_all(fd, text, strlen(text), path, NULL));
}

static void
assert_content(const char *dir, const char *name, const char *text)
{
    CLEANUP_FREE char *path = file_join(dir, name);
    CLEANUP_BUF struct buf bytes = {0};
    if (!text) {
        assert_false(file_exists(path));
        return;
    }
    assert_true(file_read(path, 4096, &bytes, NULL));
    assert_string_equal(buf_text(&bytes), text);
}

/* --- merging layers
 * --------------------------------------------------------------------------------------- */

static void
test_merge_whiteouts(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    CLEANUP_FREE char *low = file_join(dir, "low"), *high = file_join(dir, "high"),
                      *root = file_join(dir, "root");
    put(low, "stays", "low");
    put(low, "replaced", "low");
    put(low, "gone", "low");
    put(low, "a/deep/gone", "low");
    put(low, "a/keeps", "low");
    put(low, "opaque/old", "low");
    put(low, "opaque/inner/old", "low");
    put(low, "folder/becomes/file", "low");
    put(low, "file", "low");
    put(high, "replaced", "high");
    put(high, ".wh.gone", "");
    put(high, "a/.wh.deep", "");
    put(high, "opaque/new", "high");
    put(high, "opaque/.wh..wh..opq", "");
    put(high, "folder", "high");
    put(high, "file/becomes/folder", "high");
    put(high, ".wh.never-there", "");
    put(high, ".wh...", "");
    put(high, ".wh.", "");
    /* A name that is both removed and brought by one layer is there, whichever comes first in the
     * folder. */
    put(low, "z", "low");
    put(high, ".wh.z", "");
    put(high, "z", "high");
    assert_int_equal(mkdir(root, 0755), 0);
    assert_true(merge_layer(low, root, NULL));
    assert_true(merge_layer(high, root, NULL));
    assert_content(root, "stays", "low");
    assert_content(root, "replaced", "high");
    assert_content(root, "gone", NULL);
    assert_content(root, "a/deep", NULL);
    assert_content(root, "a/keeps", "low");
    assert_content(root, "opaque/old", NULL);
    assert_content(root, "opaque/inner", NULL);
    assert_content(root, "opaque/new", "high");
    assert_content(root, "opaque/.wh..wh..opq", NULL);
    assert_content(root, ".wh.gone", NULL);
    assert_content(root, "folder", "high");
    assert_content(root, "file/becomes/folder", "high");
    assert_content(root, "z", "high");
    assert_content(low, "replaced", "low"); /* the layer itself is as it was */
    struct stat in_layer, in_root;
    CLEANUP_FREE char *a = file_join(low, "stays"), *b = file_join(root, "stays");
    assert_int_equal(stat(a, &in_layer) | stat(b, &in_root), 0);
    assert_int_equal(in_layer.st_ino, in_root.st_ino);
    file_remove_tree(dir, NULL);
}

/* A link in a lower layer must not carry what an upper one brings, or removes, out of the image. */
static void
test_merge_links(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    CLEANUP_FREE char *low = file_join(dir, "low"), *high = file_join(dir, "high"),
                      *root = file_join(dir, "root");
    CLEANUP_FREE char *outside = file_join(dir, "outside");
    put(outside, "victim", "precious");
    put(low, "x", "low");
    put(high, "way/.wh.victim", "");
    put(high, "way/in", "high");
    put(high, "other/.wh..wh..opq", "");
    CLEANUP_FREE char *way = file_join(low, "way"), *other = file_join(low, "other");
    assert_int_equal(symlink(outside, way) | symlink(outside, other), 0);
    assert_int_equal(mkdir(root, 0755), 0);
    assert_true(merge_layer(low, root, NULL));
    assert_true(merge_layer(high, root, NULL));
    assert_content(outside, "victim", "precious");
    assert_content(outside, "in", NULL);
    assert_content(root, "way/in", "high");
    file_remove_tree(dir, NULL);
}

static void
test_merge_modes(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    put(dir, "inner/file", "");
    CLEANUP_FREE char *file = file_join(dir, "inner/file"), *inner = file_join(dir, "inner");
    CLEANUP_FREE char *program = file_join(dir, "program");
    put(dir, "program", "");
    assert_int_equal(chmod(file, 04600) | chmod(program, 0700) | chmod(inner, 0700), 0);
    assert_true(merge_open_modes(dir, NULL));
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(stat(program, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(inner, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    file_remove_tree(dir, NULL);
}

/* --- the log
 * ---------------------------------------------------------------------------------------------- */

static void
test_log_rotates(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    CLEANUP_FREE char *path = file_join(dir, "log"), *old = file_join(dir, "log.1");
    struct replica_log log;
    replica_log_open(&log, path, 10000);
    for (int i = 0; i < 1000; i++) {
        CLEANUP_FREE char *line = mem_printf("line %d of many\n", i);
        replica_log_add(&log, line, 4);
        replica_log_add(&log, line + 4, strlen(line) - 4);
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 10000);
    assert_int_equal(stat(old, &st), 0);
    assert_in_range(st.st_size, 9900, 10000);
    CLEANUP_BUF struct buf bytes = {0};
    assert_true(file_read(path, 20000, &bytes, NULL));
    const char *last = strstr(buf_text(&bytes), "Z line 999 of many\n");
    assert_non_null(last);
    assert_string_equal(last, "Z line 999 of many\n");
    assert_true(log.tail.length <= REPLICA_LOG_TAIL);
    assert_true(str_starts(buf_text(&log.tail), "line 9"));
    assert_true(str_ends(buf_text(&log.tail), "line 999 of many\n"));
    replica_log_close(&log);
    file_remove_tree(dir, NULL);
}

static void
test_log_bad_lines(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    CLEANUP_FREE char *path = file_join(dir, "log");
    struct replica_log log;
    replica_log_open(&log, path, 1 << 20);
    CLEANUP_FREE char *endless = mem_new(20000);
    memset(endless, 'x', 20000);
    replica_log_add(&log, endless, 20000);
    replica_log_add(&log, "\n\033[31mred\0\n", 11);
    CLEANUP_BUF struct buf bytes = {0};
    assert_true(file_read(path, 40000, &bytes, NULL));
    size_t lines = 0;
    for (size_t i = 0; i < bytes.length; i++)
        lines += bytes.data[i] == '\n';
    assert_int_equal(lines, 6); /* four whole pieces, the rest, and the red one */
    assert_non_null(strstr(buf_text(&bytes), " ?[31mred?\n"));
    replica_log_close(&log);
    file_remove_tree(dir, NULL);
}

/* --- names of listeners
 * ----------------------------------------------------------------------------------- */

static void
test_listener_names(void **state)
{
    (void)state;
    static const struct {
        const char *address, *name;
    } good[] = {{"127.0.0.1", "127.0.0.1:80"},
                {"0.0.0.0", "0.0.0.0:80"},
                {"::", "[::]:80"},
                {"0:0:0:0:0:0:0:1", "[::1]:80"},
                {"localhost", "127.0.0.1:80"}};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        CLEANUP_FREE char *name = listener_name(good[i].address, 80, NULL);
        struct sockaddr_storage address;
        socklen_t length;
        assert_string_equal(name, good[i].name);
        assert_true(listener_parse(name, &address, &length));
    }
    static const char *const bad[] = {"", "127.0.0.1:1", "example.org", "127.0.0.256", "[::1]"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ERR_LOCAL(err);
        assert_null(listener_name(bad[i], 80, &err));
        assert_int_equal(err->kind, ERR_USAGE);
        assert_non_null(err->hint);
    }
    static const char *const bad_names[] = {
        "",        ":",     ":80",  "127.0.0.1", "127.0.0.1:",  "127.0.0.1:65536",
        "[::1:80", "[]:80", "[:80", "]:80",      "127.0.0.1:8x"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad_names); i++) {
        struct sockaddr_storage address;
        socklen_t length;
        assert_false(listener_parse(bad_names[i], &address, &length));
    }
}

static void
test_listener_busy(void **state)
{
    (void)state;
    CLEANUP_FD int fd = listener_bind("127.0.0.1:0", NULL);
    assert_true(fd >= 0);
    CLEANUP_FREE char *name = listener_name_of(fd);
    ERR_LOCAL(err);
    assert_int_equal(listener_bind(name, &err), -1);
    assert_int_equal(err->kind, ERR_BUSY);
    CLEANUP_FREE char *us = mem_printf("(process %d)", getpid());
    assert_non_null(strstr(err->message, us));
    assert_non_null(strstr(err->hint, "--port"));
    CLEANUP_FD int taken = listener_take(getpid(), fd, name);
    assert_true(taken >= 0);
    assert_int_equal(listener_take(getpid(), fd, "127.0.0.1:1"), -1);
    assert_int_equal(listener_take(getpid(), 0, name), -1);
    assert_null(listener_name_of(0));
}

/* Also where O_NONBLOCK was cleared, as runc does. */
static void
test_listener_never_waits(void **state)
{
    (void)state;
    CLEANUP_FD int fd = listener_bind("127.0.0.1:0", NULL);
    assert_true(fd >= 0 && fcntl(fd, F_SETFL, 0) == 0);
    alarm(5);
    assert_int_equal(accept4(fd, NULL, NULL, SOCK_CLOEXEC), -1);
    assert_int_equal(errno, EAGAIN);
    alarm(0);
}

/* --- health
 * -----------------------------------------------------------------------------------------------
 */

static enum health_result
ask_once(const char *reply, struct health *health)
{
    CLEANUP_FD int listener = listener_bind("127.0.0.1:0", NULL);
    CLEANUP_FREE char *address = listener_name_of(listener);
    enum health_result result = health_ask(health, address);
    CLEANUP_FD int server = -1;
    for (int i = 0; i < 100 && result == HEALTH_PENDING; i++) {
        if (server < 0)
            server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct pollfd fd = {.fd = health->fd, .events = health_events(health)};
        if (poll(&fd, 1, 20) > 0)
            result = health_step(health, address, "/-/readyz");
        char request[1024];
        if (server >= 0 && reply && health->is_sent &&
            recv(server, request, sizeof request, MSG_DONTWAIT) > 0) {
            assert_true(send(server, reply, strlen(reply), MSG_NOSIGNAL) >= 0);
            shutdown(server, SHUT_WR);
        }
    }
    return result;
}

static void
test_health(void **state)
{
    (void)state;
    struct health health;
    assert_int_equal(ask_once("HTTP/1.1 200 OK\r\n\r\n", &health), HEALTH_READY);
    assert_int_equal(ask_once("HTTP/1.0 200 OK\r\n\r\n", &health), HEALTH_READY);
    assert_int_equal(ask_once("HTTP/1.1 503 No\r\n\r\n", &health), HEALTH_FAILED);
    assert_string_equal(health.why, "it answered with status 503");
    assert_int_equal(ask_once("", &health), HEALTH_FAILED);
    assert_string_equal(health.why, "it closed the connection without an answer");
    assert_int_equal(ask_once("SSH-2.0-OpenSSH_9.2p1\r\n", &health), HEALTH_FAILED);
    assert_string_equal(health.why, "the answer is not HTTP");
    assert_int_equal(ask_once(NULL, &health), HEALTH_PENDING);
    health_end(&health, NULL);
    assert_int_equal(health.fd, -1);
}

/* --- what is passed around as JSON
 * ------------------------------------------------------------------------ */

static void
test_peer_state(void **state)
{
    (void)state;
    const struct peer_state there = {RUNTIME_BACKOFF, 3, 137, 0, (char[]){"it \"ended\"\nbadly"}};
    CLEANUP_FREE char *text = peer_state_format(&there);
    assert_null(strchr(text, '\n'));
    struct peer_state back;
    assert_true(peer_state_parse(text, strlen(text), &back));
    assert_int_equal(back.state, RUNTIME_BACKOFF);
    assert_int_equal(back.restarts, 3);
    assert_int_equal(back.exit_code, 137);
    assert_string_equal(back.reason, there.reason);
    free(back.reason);
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"state\":\"healthy\"}",
                                      "null",
                                      "{\"state\":\"merry\","
                                      "\"restarts\":0,\"exit_code\":0,\"pid\":1,\"reason\":null}"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(peer_state_parse(bad[i], strlen(bad[i]), &back));
    const struct peer_state odd = {RUNTIME_FAILED, 0, 1, 0, (char[]){"\xff\xfe"}};
    CLEANUP_FREE char *odd_text = peer_state_format(&odd);
    assert_true(peer_state_parse(odd_text, strlen(odd_text), &back));
    free(back.reason);
}

static void
test_record(void **state)
{
    (void)state;
    CLEANUP_FREE char *dir = scratch();
    const struct local_record record = {"a-g1-0000",
                                        "a",
                                        1,
                                        "sha256:x",
                                        "127.0.0.1:1",
                                        "[::]:2",
                                        "/-/readyz",
                                        "/usr/sbin/runc",
                                        "/run/effigy/runc",
                                        1234567890123456789};
    assert_true(record_write(dir, &record, NULL));
    CLEANUP(record_free) struct local_record back = {0};
    assert_true(record_read(dir, &back, NULL));
    assert_string_equal(back.id, record.id);
    assert_string_equal(back.published, record.published);
    assert_int_equal(back.started_ns, record.started_ns);
    put(dir, "replica.json", "{\"id\":7}");
    ERR_LOCAL(err);
    assert_false(record_read(dir, &back, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    file_remove_tree(dir, NULL);
}

static void
test_bundle(void **state)
{
    (void)state;
    static const char *const argv[] = {"/server", "serve", NULL};
    char *environment[] = {(char[]){"A=b"}, (char[]){"LISTEN_FDS=9"}, NULL};
    struct bundle bundle = {.id = "a-g1-0000",
                            .service = "a",
                            .manifest_digest = "sha256:x",
                            .generation = 1,
                            .rootfs = "/r",
                            .argv = argv,
                            .environment = environment,
                            .open_files = 1000,
                            .memory_bytes = 1 << 20,
                            .cpus = 1.5,
                            .has_seccomp = true};
    CLEANUP_FREE char *text = bundle_format(&bundle, NULL);
    json_t *json = json_loads(text, 0, NULL);
    int is_read_only, no_new_privileges;
    json_int_t uid, quota;
    json_t *bounding, *environment_array;
    const char *role;
    assert_int_equal(
        json_unpack(json, "{s:{s:b}, s:{s:b, s:{s:I}, s:{s:o}, s:o}, s:{s:{s:{s:I}}}, s:{s:s}}",
                    "root", "readonly", &is_read_only, "process", "noNewPrivileges",
                    &no_new_privileges, "user", "uid", &uid, "capabilities", "bounding", &bounding,
                    "env", &environment_array, "linux", "resources", "cpu", "quota", &quota,
                    "annotations", "io.effigy.role", &role),
        0);
    assert_true(is_read_only && no_new_privileges && uid != 0);
    assert_int_equal(json_array_size(bounding), 0);
    assert_int_equal(json_array_size(environment_array), 4);
    assert_int_equal(quota, 150000);
    assert_string_equal(role, "replica");
    json_decref(json);
    bundle.rootfs = "/\xff";
    ERR_LOCAL(err);
    assert_null(bundle_format(&bundle, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_whiteouts), cmocka_unit_test(test_merge_links),
        cmocka_unit_test(test_merge_modes),     cmocka_unit_test(test_log_rotates),
        cmocka_unit_test(test_log_bad_lines),   cmocka_unit_test(test_listener_names),
        cmocka_unit_test(test_listener_busy),   cmocka_unit_test(test_listener_never_waits),
        cmocka_unit_test(test_health),          cmocka_unit_test(test_peer_state),
        cmocka_unit_test(test_record),          cmocka_unit_test(test_bundle),
    };
    return cmocka_run_group_tests_name("runtime/parts", tests, NULL, NULL);
}
