/* SPDX-License-Identifier: Apache-2.0 */
#include "layer-test.h"

#include "base/proc.h"
#include "base/stop.h"
#include "oci/layer-tar.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define MIB (1u << 20)
#define GOLDEN_PLAIN "sha256:eed10e876b0bbd690ee77a127dcb7d15eab7f01b99948e7a2f47586971d30d45"
#define GOLDEN_PAX "sha256:ba0cc9dfc3d4f871ff981a8053c468abe3a00302a7c77e22f7ef359fb2b559cd"

static const enum oci_compression all_compressions[] = {OCI_COMPRESSION_GZIP, OCI_COMPRESSION_NONE,
                                                        OCI_COMPRESSION_ZSTD};

static struct oci_layer
write_layer(struct oci_store *store, enum oci_compression compression,
            const struct oci_layer_entry *entries, size_t count)
{
    ERR_LOCAL(err);
    struct oci_layer layer = {0};
    assert_no_err(oci_layer_write(store, compression, entries, count, NULL, &layer, &err), err);
    return layer;
}

/* The bytes of a layer's tar stream must never change silently: an unchanged master would then get
 * a new generation. If this is meant to happen, BAKE_FORMAT changes too. */
static void
test_golden(void **state)
{
    struct layer_test *test = *state;
    CLEANUP_FD int fd = test_memory_file("effigy\n", 7);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = "data/catalogue.db", .mode = 0444, .size = 7, .fd = fd},
        {.type = OCI_ENTRY_SYMLINK, .path = "data/main.db", .mode = 0777, .target = "catalogue.db"},
        {.type = OCI_ENTRY_FILE, .path = "data/k\xc3\xb6nig.db", .mode = 0444, .size = 7, .fd = fd},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all_compressions); i++) {
        struct oci_layer layer = write_layer(test->store, all_compressions[i], entries, 3);
        assert_string_equal(layer.diff_id.text, GOLDEN_PLAIN);
        assert_int_equal(layer.tar_size, 3 * 512 + 512 + 1024);
        assert_true(layer.is_new);
        assert_string_equal(layer.descriptor.media_type,
                            oci_compression_media_type(all_compressions[i]));
        if (all_compressions[i] == OCI_COMPRESSION_NONE) {
            assert_string_equal(layer.descriptor.digest.text, layer.diff_id.text);
            assert_int_equal(layer.descriptor.size, layer.tar_size);
        }
        oci_layer_free(&layer);
    }
    struct oci_layer pax = write_layer(test->store, OCI_COMPRESSION_GZIP, entries, 4);
    assert_string_equal(pax.diff_id.text, GOLDEN_PAX);
    oci_layer_free(&pax);
}

/* What ustar cannot say is said in a pax header, and only then. */
static void
test_tar_pax(void **state)
{
    (void)state;
    ERR_LOCAL(err);
    char path[301];
    memset(path, 'p', 300);
    path[300] = '\0';
    const struct {
        struct oci_layer_entry entry;
        bool is_pax;
    } cases[] = {
        {{.type = OCI_ENTRY_FILE, .path = "a", .mode = 0644, .size = 5, .fd = -1}, false},
        {{.type = OCI_ENTRY_FILE, .path = "a", .mode = 0644, .size = (8ull << 30) - 1, .fd = -1},
         false},
        {{.type = OCI_ENTRY_FILE, .path = "a", .mode = 0644, .size = 9ull << 30, .fd = -1}, true},
        {{.type = OCI_ENTRY_DIR, .path = path, .mode = 0755}, true},
        {{.type = OCI_ENTRY_SYMLINK, .path = "l", .mode = 0777, .target = path}, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct layer_tar tar;
        assert_no_err(layer_tar_init(&tar, &cases[i].entry, 1, &err), err);
        char type;
        assert_no_err(layer_tar_read(&tar, &type, 1, 156, &err), err);
        assert_int_equal(type == 'x', cases[i].is_pax);
        uint64_t padded = (tar.entries[0].size + 511) / 512 * 512;
        assert_int_equal(tar.size, tar.entries[0].content + padded + 1024);
        layer_tar_free(&tar);
    }
}

static void
test_tar_refuses(void **state)
{
    (void)state;
    static const char *const paths[] = {"/etc/passwd", "../x", "a/../../x", "", ".", "a/.."};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct layer_tar tar;
        ERR_LOCAL(err);
        assert_false(layer_tar_init(
            &tar, &(struct oci_layer_entry){.type = OCI_ENTRY_DIR, .path = paths[i]}, 1, &err));
        assert_non_null(err);
    }
}

/* Any cut of the stream is the same stream. */
static void
test_tar_read_anywhere(void **state)
{
    (void)state;
    ERR_LOCAL(err);
    uint8_t content[3000];
    test_fill(content, sizeof content, 3);
    CLEANUP_FD int fd = test_memory_file(content, sizeof content);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "d", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = "d/empty", .mode = 0444, .size = 0, .fd = fd},
        {.type = OCI_ENTRY_FILE, .path = "d/a", .mode = 0444, .size = 3000, .fd = fd},
        {.type = OCI_ENTRY_FILE, .path = "d/b", .mode = 0444, .size = 512, .fd = fd},
    };
    struct layer_tar tar;
    assert_no_err(layer_tar_init(&tar, entries, 4, &err), err);
    CLEANUP_FREE uint8_t *whole = mem_new(tar.size), *part = mem_new(tar.size);
    assert_no_err(layer_tar_read(&tar, whole, tar.size, 0, &err), err);
    assert_memory_equal(whole + 3 * 512, content, 3000);
    uint64_t seed = 1;
    for (int i = 0; i < 5000; i++) {
        uint64_t offset = test_random(&seed) % tar.size;
        size_t length = test_random(&seed) % (tar.size - offset) + 1;
        assert_no_err(layer_tar_read(&tar, part, length, offset, &err), err);
        assert_memory_equal(part, whole + offset, length);
    }
    layer_tar_free(&tar);
}

/* Neither the number of threads nor the order in which the content arrives shows in the blob. */
static void
test_deterministic(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = 5 * MIB + 12345, small = 700;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    test_fill(bytes, size, 7);
    CLEANUP_FD int fd = test_memory_file(bytes, size), small_fd = test_memory_file(bytes, small);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = "data/a", .mode = 0444, .size = small, .fd = small_fd},
        {.type = OCI_ENTRY_FILE, .path = "data/b", .mode = 0444, .size = size, .fd = fd},
        {.type = OCI_ENTRY_FILE, .path = "data/c", .mode = 0444, .size = small, .fd = small_fd},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all_compressions); i++) {
        struct oci_layer wanted = write_layer(test->store, all_compressions[i], entries, 4);
        assert_true(wanted.is_new);
        static const unsigned thread_counts[] = {1, 2, 7};
        for (size_t t = 0; t < ARRAY_LENGTH(thread_counts); t++) {
            for (int pattern = 0; pattern < 3; pattern++) {
                struct oci_layer_build *build;
                assert_no_err(oci_layer_build_begin(test->store, all_compressions[i],
                                                    thread_counts[t], entries, 4, &build, &err),
                              err);
                if (pattern == 1) { /* the last first, in steps that fit no block */
                    oci_layer_build_ready(build, 3, small);
                    for (size_t upto = 0; upto < size; upto += 99991)
                        oci_layer_build_ready(build, 2, upto);
                    oci_layer_build_ready(build, 1, small);
                } else if (pattern == 2) {
                    oci_layer_build_ready(build, 1, small);
                    oci_layer_build_ready(build, 2, size / 2);
                    oci_layer_build_ready(build, 2, 10); /* never goes back */
                    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 3000000},
                                    NULL);
                }
                oci_layer_build_seal(build);
                struct oci_layer layer;
                assert_no_err(oci_layer_build_finish(build, NULL, &layer, &err), err);
                assert_string_equal(layer.descriptor.digest.text, wanted.descriptor.digest.text);
                assert_string_equal(layer.diff_id.text, wanted.diff_id.text);
                assert_int_equal(layer.descriptor.size, wanted.descriptor.size);
                assert_false(layer.is_new);
                oci_layer_free(&layer);
            }
        }
        oci_layer_free(&wanted);
    }
    assert_int_equal(test_blobs(test), 3);
    assert_int_equal(test_leftovers(test), 0);
}

struct storm {
    struct oci_layer_build *build;
    int fd;
    size_t size;
    uint64_t seed;
};

/* A snapshot as a source makes it: the content arrives, and parts that are there change again. */
static void *
storm_run(void *argument)
{
    struct storm *storm = argument;
    uint8_t bytes[8192];
    size_t ready = 0;
    while (ready < storm->size) {
        size_t n = test_random(&storm->seed) % (300u << 10) + 1;
        ready = n > storm->size - ready ? storm->size : ready + n;
        oci_layer_build_ready(storm->build, 0, ready);
        for (unsigned i = test_random(&storm->seed) % 3; i > 0; i--) {
            size_t offset = test_random(&storm->seed) % ready,
                   length = test_random(&storm->seed) % sizeof bytes + 1;
            if (length > ready - offset)
                length = ready - offset;
            test_fill(bytes, length, storm->seed);
            if (!file_pwrite_all(storm->fd, bytes, length, offset, "storm", NULL))
                abort();
            oci_layer_build_touch(storm->build, 0, offset, length);
        }
        if (test_random(&storm->seed) % 2)
            clock_nanosleep(
                CLOCK_MONOTONIC, 0,
                &(struct timespec){.tv_nsec = (long)(test_random(&storm->seed) % 2000000)}, NULL);
    }
    oci_layer_build_seal(storm->build);
    return NULL;
}

static void
test_touch_storm(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = 4 * MIB + 777;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    test_fill(bytes, size, 11);
    for (uint64_t round = 0; round < 60; round++) {
        CLEANUP_FD int fd = test_memory_file(bytes, size);
        const struct oci_layer_entry entry = {
            .type = OCI_ENTRY_FILE, .path = "f", .mode = 0444, .size = size, .fd = fd};
        enum oci_compression compression = all_compressions[round % 3];
        struct storm storm = {.fd = fd, .size = size, .seed = round};
        assert_no_err(oci_layer_build_begin(test->store, compression, (unsigned)(round % 5), &entry,
                                            1, &storm.build, &err),
                      err);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, storm_run, &storm), 0);
        pthread_join(thread, NULL);
        struct oci_layer layer;
        assert_no_err(oci_layer_build_finish(storm.build, NULL, &layer, &err), err);
        struct oci_layer wanted = write_layer(test->store, compression, &entry, 1);
        assert_string_equal(layer.descriptor.digest.text, wanted.descriptor.digest.text);
        assert_string_equal(layer.diff_id.text, wanted.diff_id.text);
        assert_false(wanted.is_new);
        oci_layer_free(&wanted);
        oci_layer_free(&layer);
        assert_int_equal(test_leftovers(test), 0);
    }
}

/* Builds side by side share the memory for blocks; none may wait for another forever. */
static void
test_many_at_once(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = 3 * MIB;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    struct oci_layer_build *builds[12];
    int fds[ARRAY_LENGTH(builds)];
    for (size_t i = 0; i < ARRAY_LENGTH(builds); i++) {
        test_fill(bytes, size, i);
        fds[i] = test_memory_file(bytes, size);
        const struct oci_layer_entry entry = {
            .type = OCI_ENTRY_FILE, .path = "f", .mode = 0444, .size = size, .fd = fds[i]};
        assert_no_err(oci_layer_build_begin(test->store, all_compressions[i % 3], 4, &entry, 1,
                                            &builds[i], &err),
                      err);
        oci_layer_build_ready(builds[i], 0, size - 1);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(builds); i++)
        oci_layer_build_seal(builds[i]);
    for (size_t i = ARRAY_LENGTH(builds); i-- > 0;) {
        struct oci_layer layer;
        assert_no_err(oci_layer_build_finish(builds[i], NULL, &layer, &err), err);
        assert_true(layer.is_new);
        oci_layer_free(&layer);
        close(fds[i]);
    }
}

static void
test_known(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FREE uint8_t *bytes = mem_new(2 * MIB);
    test_fill(bytes, 2 * MIB, 5);
    CLEANUP_FD int fd = test_memory_file(bytes, 2 * MIB);
    const struct oci_layer_entry entry = {
        .type = OCI_ENTRY_FILE, .path = "f", .mode = 0444, .size = 2 * MIB, .fd = fd};
    struct oci_layer known = write_layer(test->store, OCI_COMPRESSION_ZSTD, &entry, 1), layer;
    assert_no_err(
        oci_layer_write(test->store, OCI_COMPRESSION_GZIP, &entry, 1, &known, &layer, &err), err);
    assert_string_equal(layer.descriptor.digest.text, known.descriptor.digest.text);
    assert_string_equal(layer.descriptor.media_type, OCI_MEDIA_LAYER_ZSTD);
    assert_string_equal(layer.diff_id.text, known.diff_id.text);
    assert_int_equal(layer.tar_size, known.tar_size);
    assert_false(layer.is_new);
    assert_int_equal(test_blobs(test), 1);
    oci_layer_free(&layer);

    /* The parent's blob is gone: a new one is made. */
    CLEANUP_FREE char *path = test_blob_path(test, &known.descriptor.digest);
    assert_int_equal(unlink(path), 0);
    assert_no_err(
        oci_layer_write(test->store, OCI_COMPRESSION_GZIP, &entry, 1, &known, &layer, &err), err);
    assert_true(layer.is_new);
    assert_string_equal(layer.descriptor.media_type, OCI_MEDIA_LAYER_GZIP);
    oci_layer_free(&layer);
    oci_layer_free(&known);
}

/* The tools that others will read our layers with. */
static void
test_other_tools(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = 2 * MIB + 5;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    test_fill(bytes, size, 9);
    CLEANUP_FD int fd = test_memory_file(bytes, size);
    const struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
        {.type = OCI_ENTRY_FILE, .path = "data/f", .mode = 0444, .size = size, .fd = fd},
    };
    static const char *const checkers[][3] = {
        [OCI_COMPRESSION_GZIP] = {"gzip", "-t"}, [OCI_COMPRESSION_ZSTD] = {"zstd", "-tq"}};
    for (size_t i = 0; i < ARRAY_LENGTH(all_compressions); i++) {
        struct oci_layer layer = write_layer(test->store, all_compressions[i], entries, 2);
        CLEANUP_FREE char *path = test_blob_path(test, &layer.descriptor.digest);
        CLEANUP_FREE char *copy = mem_printf("%s/layer%s", test->folder,
                                             i == 0   ? ".tar.gz"
                                             : i == 1 ? ".tar"
                                                      : ".tar.zst");
        assert_int_equal(symlink(path, copy), 0);
        const char *const *checker = checkers[all_compressions[i]];
        int status;
        if (checker[0] && proc_exists(checker[0])) {
            const char *const argv[] = {checker[0], checker[1], "-f", copy, NULL};
            assert_no_err(proc_run(argv, NULL, NULL, &status, &err), err);
            assert_int_equal(status, 0);
        }
        if (proc_exists("tar") && (i < 2 || proc_exists("zstd"))) {
            CLEANUP_BUF struct buf out = {0}, errors = {0};
            const char *const argv[] = {"tar", "--utc", "-tvf", copy, NULL};
            assert_no_err(proc_run(argv, &out, &errors, &status, &err), err);
            assert_string_equal(buf_text(&errors), "");
            assert_int_equal(status, 0);
            assert_string_equal(buf_text(&out),
                                "drwxr-xr-x 0/0               0 1970-01-01 00:00 data/\n"
                                "-r--r--r-- 0/0         2097157 1970-01-01 00:00 data/f\n");
        }
        oci_layer_free(&layer);
    }
}

static void
test_source_ends_early(void **state)
{
    struct layer_test *test = *state;
    const size_t size = 4 * MIB;
    for (int late = 0; late < 2; late++) {
        ERR_LOCAL(err);
        CLEANUP_FREE uint8_t *bytes = mem_new(size);
        CLEANUP_FD int fd = test_memory_file(bytes, size);
        const struct oci_layer_entry entry = {
            .type = OCI_ENTRY_FILE, .path = "data/f", .size = size, .fd = fd};
        struct oci_layer_build *build;
        struct oci_layer layer;
        assert_no_err(
            oci_layer_build_begin(test->store, OCI_COMPRESSION_GZIP, 3, &entry, 1, &build, &err),
            err);
        if (late) {
            oci_layer_build_ready(build, 0, size / 2);
            oci_layer_build_touch(build, 0, 0, size);
        }
        assert_int_equal(ftruncate(fd, (off_t)(3 * MIB)), 0);
        oci_layer_build_seal(build);
        assert_false(oci_layer_build_finish(build, NULL, &layer, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        assert_non_null(strstr(err->message, "data/f"));
        assert_int_equal(test_leftovers(test) + test_blobs(test), 0);
    }
}

static void
test_finish_unsealed(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    CLEANUP_FD int fd = test_memory_file("abc", 3);
    const struct oci_layer_entry entry = {.type = OCI_ENTRY_FILE, .path = "f", .size = 3, .fd = fd};
    struct oci_layer_build *build;
    struct oci_layer layer;
    assert_no_err(
        oci_layer_build_begin(test->store, OCI_COMPRESSION_GZIP, 3, &entry, 1, &build, &err), err);
    assert_false(oci_layer_build_finish(build, NULL, &layer, &err));
    assert_non_null(err);
    assert_int_equal(test_leftovers(test) + test_blobs(test), 0);
}

static void
test_cancel(void **state)
{
    struct layer_test *test = *state;
    ERR_LOCAL(err);
    const size_t size = 8 * MIB;
    CLEANUP_FREE uint8_t *bytes = mem_new(size);
    test_fill(bytes, size, 1);
    CLEANUP_FD int fd = test_memory_file(bytes, size);
    const struct oci_layer_entry entry = {
        .type = OCI_ENTRY_FILE, .path = "f", .size = size, .fd = fd};
    uint64_t seed = 42;
    unsigned fds = test_count("/proc/self/fd"), tasks = test_count("/proc/self/task");
    for (int i = 0; i < 100; i++) {
        struct oci_layer_build *build;
        assert_no_err(oci_layer_build_begin(test->store, all_compressions[i % 3], (unsigned)i % 6,
                                            &entry, 1, &build, &err),
                      err);
        unsigned what = test_random(&seed) % 4;
        if (what > 0)
            oci_layer_build_ready(build, 0, test_random(&seed) % size);
        if (what > 1)
            clock_nanosleep(CLOCK_MONOTONIC, 0,
                            &(struct timespec){.tv_nsec = (long)(test_random(&seed) % 9000000)},
                            NULL);
        if (what > 2) {
            oci_layer_build_touch(build, 0, test_random(&seed) % size, 1);
            oci_layer_build_seal(build);
            clock_nanosleep(CLOCK_MONOTONIC, 0,
                            &(struct timespec){.tv_nsec = (long)(test_random(&seed) % 9000000)},
                            NULL);
        }
        oci_layer_build_cancel(build);
        assert_int_equal(test_leftovers(test) + test_blobs(test), 0);
    }
    assert_int_equal(test_count("/proc/self/fd"), fds);
    assert_int_equal(test_count("/proc/self/task"), tasks);
}

static void
test_interrupted(void **state)
{
    struct layer_test *test = *state;
    pid_t child = fork();
    if (child == 0) {
        stop_install();
        raise(SIGTERM);
        CLEANUP_FD int fd = memfd_create("f", MFD_CLOEXEC);
        if (ftruncate(fd, 64 * MIB) < 0)
            _exit(1);
        const struct oci_layer_entry entry = {
            .type = OCI_ENTRY_FILE, .path = "f", .size = 64 * MIB, .fd = fd};
        struct err *err = NULL;
        struct oci_layer layer;
        bool ok = oci_layer_write(test->store, OCI_COMPRESSION_GZIP, &entry, 1, NULL, &layer, &err);
        _exit(!ok && err->kind == ERR_INTERRUPTED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(test_leftovers(test) + test_blobs(test), 0);
}

/* In a child, since the mount is for a mount namespace of its own. */
static int
no_space_run(const char *folder)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=3m") < 0)
        return 77;
    struct layer_test test;
    layer_test_open(&test, folder);
    const size_t size = 8 * MIB;
    uint8_t *bytes = mem_new(size);
    uint64_t seed = 1;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)test_random(&seed);
    int fd = test_memory_file(bytes, size);
    for (int pass = 0; pass < 2; pass++) { /* pass 1: the first blob fits, the second does not */
        size_t length = pass ? 2 * MIB : size;
        const struct oci_layer_entry entry = {
            .type = OCI_ENTRY_FILE, .path = "f", .size = length, .fd = fd};
        struct oci_layer_build *build;
        struct oci_layer layer;
        struct err *err = NULL;
        if (!oci_layer_build_begin(test.store, OCI_COMPRESSION_GZIP, 0, &entry, 1, &build, &err))
            return 2;
        oci_layer_build_ready(build, 0, length);
        if (pass) {
            clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 500000000}, NULL);
            oci_layer_build_touch(build, 0, MIB, 1);
        }
        oci_layer_build_seal(build);
        if (oci_layer_build_finish(build, NULL, &layer, &err))
            return 3;
        if (err->kind != ERR_NO_SPACE || test_leftovers(&test) + test_blobs(&test) != 0)
            return 4;
        err_free(err);
    }
    layer_test_close(&test);
    free(bytes);
    close(fd);
    return 0;
}

static void
test_no_space(void **state)
{
    struct layer_test *test = *state;
    CLEANUP_FREE char *folder = mem_printf("%s/full", test->folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(no_space_run(folder));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define LAYER_TEST(name) \
    cmocka_unit_test_setup_teardown(name, layer_test_setup, layer_test_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LAYER_TEST(test_golden),
        cmocka_unit_test(test_tar_pax),
        cmocka_unit_test(test_tar_refuses),
        cmocka_unit_test(test_tar_read_anywhere),
        LAYER_TEST(test_deterministic),
        LAYER_TEST(test_touch_storm),
        LAYER_TEST(test_many_at_once),
        LAYER_TEST(test_known),
        LAYER_TEST(test_other_tools),
        LAYER_TEST(test_source_ends_early),
        LAYER_TEST(test_finish_unsealed),
        LAYER_TEST(test_cancel),
        LAYER_TEST(test_interrupted),
        LAYER_TEST(test_no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
