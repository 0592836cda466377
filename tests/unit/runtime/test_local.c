/* SPDX-License-Identifier: Apache-2.0 */
/* The driver `local` with real containers: images of fixture-server.c. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/local/image.h"
#include "runtime/local/listener.h"
#include "runtime/local/local.h"
#include "runtime/local/monitor.h"

#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#define HEALTHY_MS 15000

/* --- tests
 * ------------------------------------------------------------------------------------------------
 */

static void
test_life(void **state)
{
    struct world *world = *state;
    unsigned port = free_port();
    double begin = clock_seconds();
    CLEANUP(runtime_replica_free) struct runtime_replica replica = start(world, 1, "ok", port);
    double started = clock_seconds();
    wait_healthy(world, replica.id);
    print_message("start returned after %.0f ms, healthy after %.0f ms\n", (started - begin) * 1e3,
                  (clock_seconds() - begin) * 1e3);
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    assert_true(str_starts(now.id, "shop-g1-"));
    assert_int_equal(now.state, RUNTIME_HEALTHY);
    assert_true(now.healthy);
    assert_int_equal(now.restarts, 0);
    assert_int_equal(now.exit_code, -1);
    assert_int_equal(now.generation, 1);
    assert_true(now.pid > 0 && now.started_ns > 0);
    assert_null(now.reason);
    assert_string_equal(now.manifest_digest, world->images[1].digest.text);
    CLEANUP_FREE char *published = mem_printf("127.0.0.1:%u", port);
    assert_string_equal(now.published, published);
    assert_string_equal(now.address, replica.address);
    char body[64];
    assert_true(get_once(now.published, "/", body));
    assert_string_equal(body, "g1");
    assert_true(get_once(now.address, "/", body));
    CLEANUP_BUF struct buf log = {0};
    assert_true(file_read(now.log_path, 1 << 20, &log, NULL));
    assert_non_null(strstr(buf_text(&log), "Z serving g1\n"));
    stop(world, now.id);
    assert_true(has_ended(now.pid));
    assert_int_equal(dial(now.published), -1);
    ERR_LOCAL(err);
    assert_false(runtime_stop(world->runtime, now.id, 0, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
}

static unsigned long long
status_number(const char *status, const char *key, int base)
{
    const char *line = strstr(status, key);
    assert_non_null(line);
    return strtoull(line + strlen(key), NULL, base);
}

static void
test_confined(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "ok", free_port());
    wait_healthy(world, replica.id); /* the server ends if it can create a file in / or /dev */
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    CLEANUP_FREE char *path = mem_printf("/proc/%d/status", now.pid);
    CLEANUP_BUF struct buf status = {0};
    assert_true(file_read(path, 65536, &status, NULL));
    static const char *const sets[] = {"CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapBnd:\t",
                                       "CapAmb:\t"};
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        assert_int_equal(status_number(buf_text(&status), sets[i], 16), 0);
    assert_int_equal(status_number(buf_text(&status), "NoNewPrivs:\t", 10), 1);
    assert_int_equal(status_number(buf_text(&status), "Seccomp:\t", 10), 2);
    assert_int_not_equal(status_number(buf_text(&status), "Uid:\t", 10), 0);
    assert_int_not_equal(status_number(buf_text(&status), "Gid:\t", 10), 0);
    static const char *const spaces[] = {"net", "pid", "mnt", "ipc", "uts", "cgroup"};
    for (size_t i = 0; i < ARRAY_LENGTH(spaces); i++) {
        CLEANUP_FREE char *theirs = mem_printf("/proc/%d/ns/%s", now.pid, spaces[i]);
        CLEANUP_FREE char *ours = mem_printf("/proc/self/ns/%s", spaces[i]);
        struct stat a, b;
        if (stat(theirs, &a) == 0 && stat(ours, &b) == 0)
            assert_int_not_equal(a.st_ino, b.st_ino);
        else
            assert_int_not_equal(geteuid(),
                                 0); /* an ordinary user may not look into another user namespace */
    }
    CLEANUP_FREE char *dev = mem_printf("%s/root/images/%s/rootfs/dev", world->dir,
                                        oci_digest_hex(&world->images[1].digest));
    assert_int_equal(count_entries(dev, "."), 0); /* runc made no devices in the image */
}

static void
test_crash(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "ok", free_port());
    wait_healthy(world, replica.id);
    for (unsigned crash = 1; crash <= 2; crash++) {
        CLEANUP(runtime_replica_free) struct runtime_replica before = look(world, replica.id);
        assert_int_equal(kill(before.pid, SIGKILL), 0);
        /* Nobody is refused meanwhile: who connects waits until it is back. */
        char body[64];
        assert_true(get_once(replica.published, "/", body));
        wait_state(world, replica.id, RUNTIME_HEALTHY, crash);
        CLEANUP(runtime_replica_free) struct runtime_replica after = look(world, replica.id);
        assert_int_equal(after.restarts, crash);
        assert_int_equal(after.exit_code, 137);
        assert_int_not_equal(after.pid, before.pid);
        assert_string_equal(after.address, before.address);
    }
}

static void
test_exits_at_once(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "exit", free_port());
    ERR_LOCAL(err);
    double begin = clock_seconds();
    assert_false(runtime_wait_healthy(world->runtime, replica.id, HEALTHY_MS, &err));
    assert_true(clock_seconds() - begin < HEALTHY_MS / 2000.0); /* known before the time is over */
    assert_int_equal(err->kind, ERR_UNHEALTHY);
    assert_non_null(strstr(err->message, "exit code 3"));
    assert_non_null(strstr(err->message, "they are on holiday"));
    wait_state(world, replica.id, RUNTIME_BACKOFF, 2);
    wait_state(world, replica.id, RUNTIME_FAILED, 4);
    assert_int_equal(dial(replica.published), -1); /* refused, rather than left to wait */
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    assert_false(now.healthy);
    assert_int_equal(now.exit_code, 3);
    assert_int_equal(now.pid, 0);
    assert_non_null(strstr(now.reason, "they are on holiday"));
}

static void
test_unready(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "unready", free_port());
    ERR_LOCAL(err);
    assert_false(runtime_wait_healthy(world->runtime, replica.id, 500, &err));
    assert_int_equal(err->kind, ERR_UNHEALTHY);
    assert_non_null(strstr(err->message, "status 503"));
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    assert_int_equal(now.state, RUNTIME_STARTING);
}

static void
test_falls_ill(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "sick", free_port());
    wait_healthy(world, replica.id);
    char body[64];
    assert_true(get_once(replica.address, "/sicken", body));
    wait_state(world, replica.id, RUNTIME_UNHEALTHY, 0);
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    assert_non_null(strstr(now.reason, "status 503"));
}

static void
test_stubborn(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "stubborn", free_port());
    wait_healthy(world, replica.id);
    double begin = clock_seconds();
    assert_true(runtime_stop(world->runtime, replica.id, 300, NULL));
    assert_in_range((clock_seconds() - begin) * 1000, 290, 3000);
}

/* Stopped at any moment of its start, a replica ends at once and leaves nothing. */
static void
test_stop_early(void **state)
{
    struct world *world = *state;
    unsigned port = free_port();
    for (unsigned wait_ms = 0; wait_ms < 100; wait_ms += 12) {
        CLEANUP(runtime_replica_free) struct runtime_replica replica = start(world, 1, "ok", port);
        clock_sleep_ms(wait_ms);
        double begin = clock_seconds();
        stop(world, replica.id);
        assert_true(clock_seconds() - begin <
                    2.5); /* well within the grace period of five seconds */
        assert_int_equal(count_entries(world->dir, "run/replicas"), 0);
        assert_int_equal(count_entries(world->dir, "run/runc"), 0);
    }
    CLEANUP(runtime_replica_free) struct runtime_replica ended = start(world, 1, "exit", port);
    wait_state(world, ended.id, RUNTIME_BACKOFF, 1);
    stop(world, ended.id);
}

/* The monitor's process: the one whose command line names the replica's folder. */
static pid_t
find_monitor(struct world *world, const char *id)
{
    CLEANUP_FREE char *folder = local_folder((struct local *)world->runtime, id);
    CLEANUP_DIR DIR *processes = opendir("/proc");
    for (struct dirent *process; (process = readdir(processes));) {
        CLEANUP_FREE char *path = mem_printf("/proc/%s/cmdline", process->d_name);
        CLEANUP_BUF struct buf line = {0};
        if (isdigit((unsigned char)process->d_name[0]) && file_read(path, 65536, &line, NULL) &&
            line.length > strlen("effigy") + 1 &&
            strcmp(line.data + strlen("effigy") + 1, MONITOR_VERB) == 0 &&
            strstr(line.data + strlen("effigy " MONITOR_VERB) + 1, folder))
            return atoi(process->d_name);
    }
    fail_msg("%s has no monitor", id);
    return -1;
}

static void
kill_monitor(struct world *world, const char *id)
{
    pid_t monitor = find_monitor(world, id);
    CLEANUP_FREE char *path = mem_printf("/proc/%d/status", monitor);
    CLEANUP_BUF struct buf status = {0};
    assert_true(file_read(path, 65536, &status, NULL));
    print_message("monitor: RSS %llu KiB, of which anonymous %llu KiB\n",
                  status_number(buf_text(&status), "VmRSS:", 10),
                  status_number(buf_text(&status), "RssAnon:", 10));
    assert_int_equal(kill(monitor, SIGKILL), 0);
    while (!has_ended(monitor))
        clock_sleep_ms(5);
}

static void
test_monitor_killed(void **state)
{
    struct world *world = *state;
    unsigned port = free_port();
    CLEANUP(runtime_replica_free) struct runtime_replica first = start(world, 1, "ok", port);
    wait_healthy(world, first.id);
    kill_monitor(world, first.id);
    CLEANUP(runtime_replica_free) struct runtime_replica orphan = look(world, first.id);
    assert_int_equal(orphan.state, RUNTIME_UNHEALTHY);
    assert_true(orphan.pid > 0);
    assert_non_null(strstr(orphan.reason, "monitor was killed"));
    char body[64];
    assert_true(get_once(first.published, "/", body)); /* readers notice nothing */
    /* It can be replaced like any other, with the published socket handed on. */
    CLEANUP(runtime_replica_free) struct runtime_replica second = start(world, 2, "ok", port);
    wait_healthy(world, second.id);
    stop(world, first.id);
    assert_true(has_ended(orphan.pid));
    assert_true(get_once(first.published, "/", body));
    assert_string_equal(body, "g2");
    /* And without the container. */
    CLEANUP(runtime_replica_free) struct runtime_replica before = look(world, second.id);
    kill_monitor(world, second.id);
    assert_int_equal(kill(before.pid, SIGKILL), 0);
    while (!has_ended(before.pid))
        clock_sleep_ms(5);
    CLEANUP(runtime_replica_free) struct runtime_replica dead = look(world, second.id);
    assert_int_equal(dead.state, RUNTIME_FAILED);
    assert_int_equal(dead.pid, 0);
    stop(world, second.id);
}

static void
test_monitor_terminated(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 1, "ok", free_port());
    wait_healthy(world, replica.id);
    assert_int_equal(kill(find_monitor(world, replica.id), SIGTERM), 0);
    for (int i = 0; i < 500 && count_entries(world->dir, "run/replicas"); i++)
        clock_sleep_ms(10);
    assert_int_equal(count_entries(world->dir, "run/replicas"), 0);
}

static void
test_no_failed_read(void **state)
{
    replace_under_load(*state, "ok", "/");
}

/* Replicas that are started for another port leave those on the old one alone. */
static void
test_port_changed(void **state)
{
    struct world *world = *state;
    CLEANUP(runtime_replica_free) struct runtime_replica old = start(world, 1, "ok", free_port());
    CLEANUP(runtime_replica_free) struct runtime_replica new = start(world, 2, "ok", free_port());
    wait_healthy(world, old.id);
    wait_healthy(world, new.id);
    char body[64];
    for (int i = 0; i < 10; i++) {
        assert_true(get_once(old.published, "/", body));
        assert_string_equal(body, "g1");
        assert_true(get_once(new.published, "/", body));
        assert_string_equal(body, "g2");
    }
    stop(world, old.id);
    assert_int_equal(dial(old.published), -1);
    assert_true(get_once(new.published, "/", body));
}

static void
test_port_in_use(void **state)
{
    struct world *world = *state;
    CLEANUP_FD int other = listener_bind("127.0.0.1:0", NULL);
    CLEANUP_FREE char *name = listener_name_of(other);
    struct runtime_replica replica;
    ERR_LOCAL(err);
    assert_false(try_start(world, 1, "ok", (unsigned)atoi(strrchr(name, ':') + 1), &replica, &err));
    assert_int_equal(err->kind, ERR_BUSY);
    assert_non_null(strstr(err->hint, "--port"));
    assert_int_equal(count_entries(world->dir, "run/replicas"), 0);
}

static void
test_locks(void **state)
{
    struct world *world = *state;
    assert_true(runtime_lock_service(world->runtime, "shop", NULL));
    struct runtime *mine = world->runtime;
    open_runtime(world);
    ERR_LOCAL(err);
    assert_false(runtime_lock_service(world->runtime, "shop", &err));
    assert_int_equal(err->kind, ERR_BUSY);
    assert_true(runtime_lock_service(world->runtime, "other", NULL));
    runtime_unlock_service(mine);
    assert_true(runtime_lock_service(world->runtime, "shop", NULL));
    runtime_close(mine);
}

static void
test_prune(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *root = file_join(world->dir, "root");
    assert_int_equal(count_entries(root, "images"), 2);
    assert_int_equal(count_entries(root, "layers"), 3); /* the server's is shared */
    unsigned removed;
    assert_true(runtime_prune(world->runtime, "shop", NULL, 0, &removed, NULL));
    assert_int_equal(removed, 0); /* they are too young */
    assert_true(image_prune(root, "other", NULL, 0, 0, &removed, NULL));
    assert_int_equal(removed, 0);
    assert_true(image_prune(root, "shop", &world->images[2].digest, 1, 0, &removed, NULL));
    assert_int_equal(removed, 1);
    assert_int_equal(count_entries(root, "images"), 1);
    assert_int_equal(count_entries(root, "layers"), 2);
    CLEANUP(runtime_replica_free)
    struct runtime_replica replica = start(world, 2, "ok", free_port());
    wait_healthy(world, replica.id);
    struct runtime_replica none;
    ERR_LOCAL(err);
    assert_false(try_start(world, 1, "ok", free_port(), &none, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
}

/* What a kill leaves half-done is removed; a tampered image leaves nothing. */
static void
test_prepare_again(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *root = file_join(world->dir, "root");
    unsigned removed;
    assert_true(image_prune(root, "shop", NULL, 0, 0, &removed, NULL));
    CLEANUP_FREE char *half = file_join(root, "layers/.half/inner");
    assert_true(file_make_dirs(half, 0755, NULL));
    assert_true(runtime_prepare(world->runtime, world->store, &world->images[1], NULL));
    assert_false(file_exists(half));
    CLEANUP_FREE char *victim = mem_printf("%s/root/images/%s/rootfs/data/old", world->dir,
                                           oci_digest_hex(&world->images[1].digest));
    assert_false(file_exists(victim)); /* whited out */
    CLEANUP_FREE char *layers = file_join(root, "layers");
    size_t before = count_entries(root, "layers");
    CLEANUP_BUF struct buf bytes = {0};
    CLEANUP(oci_descriptor_free) struct oci_descriptor found = {0};
    assert_true(
        oci_store_get_manifest(world->store, world->images[2].digest.text, &found, &bytes, NULL));
    CLEANUP(oci_manifest_free) struct oci_manifest manifest = {0};
    assert_true(oci_manifest_parse(buf_text(&bytes), bytes.length, &manifest, NULL));
    CLEANUP_FREE char *blob = mem_printf("%s/images/blobs/sha256/%s", world->dir,
                                         oci_digest_hex(&manifest.layers[1].digest));
    assert_int_equal(chmod(blob, 0644), 0);
    CLEANUP_FD int fd = open(blob, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && file_pwrite_all(fd, "XXXX", 4, 30, blob, NULL));
    ERR_LOCAL(err);
    assert_false(runtime_prepare(world->runtime, world->store, &world->images[2], &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_int_equal(count_entries(root, "layers"), before);
    assert_int_equal(count_entries(root, "images"), 1);
}

static void
test_no_space(void **state)
{
    struct world *world = *state;
    if (geteuid() != 0)
        skip(); /* a small file system needs a mount */
    CLEANUP_FREE char *small = file_join(world->dir, "small");
    assert_int_equal(mkdir(small, 0700), 0);
    assert_int_equal(mount("tmpfs", small, "tmpfs", 0, "size=300k"), 0);
    CLEANUP_FREE char *run = file_join(world->dir, "run");
    const struct runtime_options options = {small, run};
    struct runtime *runtime;
    assert_true(runtime_open("local", &options, &runtime, NULL));
    ERR_LOCAL(err);
    assert_false(runtime_prepare(runtime, world->store, &world->images[1], &err));
    assert_int_equal(err->kind, ERR_NO_SPACE);
    assert_int_equal(count_entries(small, "layers"), 0);
    assert_int_equal(count_entries(small, "images"), 0);
    runtime_close(runtime);
    assert_int_equal(umount(small), 0);
}

static void
test_run_root_of_another(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *bad = file_join(world->dir, "bad");
    assert_int_equal(mkdir(bad, 0700), 0);
    assert_int_equal(chmod(bad, 0777), 0);
    const struct runtime_options options = {world->dir, bad};
    struct runtime *runtime;
    ERR_LOCAL(err);
    assert_false(runtime_open("local", &options, &runtime, &err));
    assert_int_equal(err->kind, ERR_PERMISSION);
    assert_false(runtime_open("locl", &options, &runtime, &err));
    assert_int_equal(err->kind, ERR_USAGE);
}

static void
test_limits(void **state)
{
    struct world *world = *state;
    const char *const argv[] = {"/server", "ok", NULL};
    const struct source_replica how = {argv, 8080, "/-/readyz", true, true};
    struct runtime_spec spec = {.service = "shop",
                                .generation = 1,
                                .store = world->store,
                                .manifest = &world->images[1],
                                .replica = &how,
                                .listen_address = "127.0.0.1",
                                .listen_port = free_port(),
                                .memory_bytes = 64 << 20,
                                .cpus = 0.5};
    CLEANUP(runtime_replica_free) struct runtime_replica replica = {0};
    ERR_LOCAL(err);
    if (!runtime_start(world->runtime, &spec, &replica, &err)) {
        assert_int_not_equal(geteuid(), 0);
        assert_int_equal(err->kind, ERR_UNSUPPORTED);
        return;
    }
    wait_healthy(world, replica.id);
    CLEANUP(runtime_replica_free) struct runtime_replica now = look(world, replica.id);
    CLEANUP_FREE char *path = mem_printf("/proc/%d/cgroup", now.pid);
    CLEANUP_BUF struct buf cgroup = {0};
    assert_true(file_read(path, 65536, &cgroup, NULL));
    assert_non_null(strstr(buf_text(&cgroup), replica.id));
}

/* --- all of them
 * ------------------------------------------------------------------------------------------ */

/* Two layers: the server, and above it the generation's file and a whiteout. */
static void
make_images(struct world *world, unsigned generation)
{
    CLEANUP_FREE char *text = mem_printf("g%u", generation);
    CLEANUP_FD int content = text_fd(text), empty = text_fd(""), old = text_fd("old");
    const struct oci_layer_entry low[] = {
        {OCI_ENTRY_DIR, "data", 0700, 0, -1, NULL},
        {OCI_ENTRY_FILE, "data/old", 0600, 3, old, NULL},
        {OCI_ENTRY_FILE, "server", 0700, server_size(), server_fd, NULL},
    };
    const struct oci_layer_entry high[] = {
        {OCI_ENTRY_DIR, "data", 0700, 0, -1, NULL},
        {OCI_ENTRY_FILE, "data/.wh.old", 0644, 0, empty, NULL},
        {OCI_ENTRY_FILE, "generation", 0600, strlen(text), content, NULL},
    };
    make_image(world, generation, low, ARRAY_LENGTH(low), high, ARRAY_LENGTH(high));
}

static int
run_all(const char *name)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_life),
        WITH_WORLD(test_confined),
        WITH_WORLD(test_crash),
        WITH_WORLD(test_exits_at_once),
        WITH_WORLD(test_unready),
        WITH_WORLD(test_falls_ill),
        WITH_WORLD(test_stubborn),
        WITH_WORLD(test_monitor_killed),
        WITH_WORLD(test_monitor_terminated),
        WITH_WORLD(test_no_failed_read),
        WITH_WORLD(test_port_in_use),
        WITH_WORLD(test_locks),
        WITH_WORLD(test_prune),
        WITH_WORLD(test_prepare_again),
        WITH_WORLD(test_run_root_of_another),
        WITH_WORLD(test_stop_early),
        WITH_WORLD(test_limits),
        WITH_WORLD(test_port_changed),
        WITH_WORLD(test_no_space),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
    return support_main(argc, argv, "runtime/local", make_images, run_all);
}
