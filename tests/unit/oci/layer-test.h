/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of layers share: a store in a folder of its own, and files to put into layers. */
#ifndef EFFIGY_TESTS_OCI_LAYER_TEST_H
#define EFFIGY_TESTS_OCI_LAYER_TEST_H

#include "base/file.h"
#include "base/mem.h"
#include "oci/layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct layer_test {
    char *folder, *image;
    struct oci_store *store;
};

#define assert_no_err(result, err)                                              \
    do {                                                                        \
        if (!(result))                                                          \
            fail_msg("%s", (err) ? (err)->message : "failed without an error"); \
    } while (0)

static inline void
layer_test_open(struct layer_test *test, const char *folder)
{
    ERR_LOCAL(err);
    test->folder = mem_strdup(folder);
    test->image = file_join(folder, "image");
    struct oci_ref ref = {.transport = OCI_TRANSPORT_LAYOUT, .location = test->image};
    assert_no_err(oci_store_open(&ref, OCI_STORE_CREATE, &test->store, &err), err);
}

static inline int
layer_test_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    CLEANUP_FREE char *folder = mem_printf("%s/effigy-layer.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    struct layer_test *test = mem_new(sizeof *test);
    layer_test_open(test, folder);
    *state = test;
    return 0;
}

static inline void
layer_test_close(struct layer_test *test)
{
    oci_store_close(test->store);
    free(test->folder);
    free(test->image);
}

static inline int
layer_test_teardown(void **state)
{
    struct layer_test *test = *state;
    file_remove_tree(test->folder, NULL);
    layer_test_close(test);
    free(test);
    return 0;
}

/* Numbers that are the same in every run. */
static inline uint32_t
test_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Bytes that compress about as a database does. */
static inline void
test_fill(uint8_t *bytes, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i++) {
        uint32_t r = i % 64 == 0 ? test_random(&seed) : 0;
        bytes[i] =
            i % 64 == 0 ? (uint8_t)r : (uint8_t)("effigy, page, row "[i % 18] + (i / 4096) % 3);
    }
}

static inline int
test_memory_file(const void *bytes, size_t length)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    ERR_LOCAL(err);
    assert_no_err(file_pwrite_all(fd, bytes, length, 0, "test", &err), err);
    return fd;
}

static inline unsigned
test_count(const char *folder)
{
    unsigned count = 0;
    CLEANUP_DIR DIR *dir = opendir(folder);
    for (struct dirent *item; dir && (item = readdir(dir));)
        count += item->d_name[0] != '.';
    return count;
}

/* Files in the image that are no blob and no part of an empty layout: what was left half-written.
 */
static inline unsigned
test_leftovers(const struct layer_test *test)
{
    CLEANUP_FREE char *incoming = mem_printf("%s/.effigy/incoming", test->image);
    CLEANUP_FREE char *work = mem_printf("%s/.effigy/work", test->image);
    return test_count(incoming) + test_count(work);
}

static inline unsigned
test_blobs(const struct layer_test *test)
{
    CLEANUP_FREE char *blobs = mem_printf("%s/blobs/sha256", test->image);
    return test_count(blobs);
}

static inline char *
test_blob_path(const struct layer_test *test, const struct oci_digest *digest)
{
    return mem_printf("%s/blobs/sha256/%s", test->image, oci_digest_hex(digest));
}

#endif
