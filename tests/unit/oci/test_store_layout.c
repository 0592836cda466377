/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define EMPTY_INDEX "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX "\",\"manifests\":[]}"

/* Small file helpers: a path inside the test's folder. The result is overwritten by the next call
 * but one. */
static const char *
in(const char *folder, const char *name)
{
    static char paths[2][4096];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
    return paths[turn];
}

static void
write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void
assert_text(const char *path, const char *expected)
{
    CLEANUP_BUF struct buf bytes = {0};
    ERR_LOCAL(err);
    assert_ok(file_read(path, 1 << 20, &bytes, &err), err);
    assert_string_equal(buf_text(&bytes), expected);
}

static size_t
count_files(const char *path)
{
    CLEANUP_DIR DIR *dir = opendir(path);
    size_t count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    return count;
}

static mode_t
mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static const char *
blob_path(const char *folder, const struct oci_digest *digest)
{
    CLEANUP_FREE char *name = mem_printf("blobs/sha256/%s", oci_digest_hex(digest));
    return in(folder, name);
}

/* Runs a function in a child process, which ends with its result. */
static pid_t
spawn(int (*function)(const char *folder, int pipe), const char *folder, int pipe)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(function(folder, pipe));
    return pid;
}

static int
exit_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Opening */

static void
a_layout_is_made_in_an_absent_or_empty_folder(void **state)
{
    ERR_LOCAL(err);
    assert_int_equal(mkdir(in(*state, "empty"), 0755), 0);
    const char *const names[] = {"empty", "a/b/c"};
    mode_t mask = umask(022);
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FREE char *folder = file_join(*state, names[i]);
        for (int again = 0; again < 2; again++) {
            struct oci_store *store = store_open(folder, OCI_STORE_CREATE, &err);
            assert_ok(store, err);
            CLEANUP_FREE char *location = mem_printf("oci:%s", folder);
            assert_string_equal(oci_store_location(store), location);
            oci_store_close(store);
        }
        assert_text(in(folder, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        assert_text(in(folder, "index.json"), EMPTY_INDEX);
        assert_int_equal(mode_of(in(folder, "oci-layout")), 0644);
        assert_int_equal(mode_of(in(folder, "blobs/sha256")), 0755);
        if (i == 0)
            assert_true(
                file_remove_tree(in(folder, "blobs"), NULL)); /* as skopeo leaves an empty one */
        struct oci_store *store = store_open_locked(folder);
        struct oci_descriptor blob = store_put_text(store, "text/plain", "x");
        assert_int_equal(mode_of(blob_path(folder, &blob.digest)), 0644);
        oci_descriptor_free(&blob);
        oci_store_close(store);
        assert_int_equal(count_files(in(folder, ".effigy/incoming")), 0);
    }
    umask(mask);
}

static void
a_folder_with_something_else_is_refused(void **state)
{
    ERR_LOCAL(err);
    write_text(in(*state, "thesis.txt"), "mine");
    assert_null(store_open(*state, OCI_STORE_CREATE, &err));
    assert_int_equal(err->kind, ERR_USAGE);
    assert_non_null(strstr(err->message, "thesis.txt"));
    assert_non_null(err->hint);
    assert_false(file_exists(in(*state, ".effigy")));
    assert_int_equal(unlink(in(*state, "thesis.txt")), 0);
    write_text(in(*state, "index.json"), "{}");
    assert_null(store_open(*state, OCI_STORE_CREATE, &err));
    assert_int_equal(err->kind, ERR_USAGE);
    assert_null(store_open(in(*state, "index.json"), OCI_STORE_CREATE, &err));
    assert_null(store_open(in(*state, "index.json"), OCI_STORE_READ, &err));
}

static void
a_layout_that_was_being_made_when_killed_is_finished(void **state)
{
    ERR_LOCAL(err);
    assert_int_equal(mkdir(in(*state, ".effigy"), 0755), 0);
    assert_int_equal(mkdir(in(*state, "blobs"), 0755), 0);
    const char *index = "{\"schemaVersion\":2,\"manifests\":[]}";
    write_text(in(*state, "index.json"), index);
    assert_null(store_open(*state, OCI_STORE_READ, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    struct oci_store *store = store_open_locked(*state);
    oci_store_close(store);
    assert_text(in(*state, "index.json"), index);
}

static void
reading_makes_nothing(void **state)
{
    ERR_LOCAL(err);
    assert_null(store_open(in(*state, "absent"), OCI_STORE_READ, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err->hint, "effigy publish"));
    assert_false(file_exists(in(*state, "absent")));
    assert_null(store_open(*state, OCI_STORE_READ, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_int_equal(count_files(*state), 0);
    assert_false(file_exists(in(*state, ".effigy")));
}

static void
another_layout_version_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
    } table[] = {
        {"", ERR_CORRUPT},
        {"{}", ERR_CORRUPT},
        {"{\"imageLayoutVersion\":1}", ERR_CORRUPT},
        {"{\"imageLayoutVersion\":\"2.0.0\"}", ERR_UNSUPPORTED},
    };
    struct oci_store *store = store_open_locked(*state);
    oci_store_close(store);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        write_text(in(*state, "oci-layout"), table[i].text);
        assert_null(store_open(*state, i % 2 ? OCI_STORE_READ : OCI_STORE_CREATE, &err));
        assert_int_equal(err->kind, table[i].kind);
        assert_non_null(strstr(err->message, "oci-layout"));
    }
}

static int
make_and_put(const char *folder, int pipe)
{
    struct oci_store *store = store_open(folder, OCI_STORE_CREATE, NULL);
    struct oci_digest digest;
    if (!store)
        return 1;
    for (int i = 0; i < 50; i++) {
        CLEANUP_FREE char *text = mem_printf("blob %d", i);
        if (!oci_store_put_blob(store, text, strlen(text), &digest, NULL, NULL))
            return 2;
    }
    oci_store_close(store);
    return 0;
}

static void
many_processes_may_make_and_fill_one_layout(void **state)
{
    CLEANUP_FREE char *folder = file_join(*state, "shared");
    pid_t pids[8];
    for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
        pids[i] = spawn(make_and_put, folder, -1);
    /* A publisher that takes and leaves the lock sweeps up; it must not sweep away what is being
     * written. */
    for (int i = 0; i < 20; i++)
        oci_store_close(store_open_locked(folder));
    for (size_t i = 0; i < ARRAY_LENGTH(pids); i++)
        assert_int_equal(exit_of(pids[i]), 0);
    assert_int_equal(count_files(in(folder, "blobs/sha256")), 50);
    assert_int_equal(count_files(in(folder, ".effigy/incoming")), 0);
    assert_text(in(folder, "index.json"), EMPTY_INDEX);
}

/* The lock, and what a kill leaves */

static int
hold_lock(const char *folder, int pipe)
{
    struct oci_store *store = store_open(folder, OCI_STORE_CREATE, NULL);
    struct oci_blob_writer *writer;
    if (!store || !oci_store_lock(store, NULL) || !oci_store_write_blob(store, &writer, NULL) ||
        !oci_blob_writer_write(writer, "half", 4, NULL))
        return 1;
    const char *work = oci_store_work_dir(store, NULL);
    if (!work || mkdir(in(work, "deep"), 0755) < 0)
        return 2;
    write_text(in(work, "deep/scratch"), "scratch");
    if (write(pipe, "x", 1) != 1)
        return 3;
    pause();
    return 4;
}

static void
a_killed_publisher_leaves_no_lock_and_no_rubbish(void **state)
{
    ERR_LOCAL(err);
    int ends[2];
    char c;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = spawn(hold_lock, *state, ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);

    struct oci_store *store = store_open(*state, OCI_STORE_READ, &err);
    assert_ok(store, err);
    assert_false(oci_store_lock(store, &err));
    assert_int_equal(err->kind, ERR_BUSY);
    assert_non_null(strstr(err->message, oci_store_location(store)));
    assert_non_null(strstr(err->hint, "wait"));
    assert_int_equal(count_files(in(*state, ".effigy/incoming")), 1);
    assert_int_equal(count_files(in(*state, ".effigy/work")), 1);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(exit_of(pid), 128 + SIGKILL);
    assert_int_equal(count_files(in(*state, ".effigy/incoming")), 1);
    assert_ok(oci_store_lock(store, &err), err);
    assert_ok(oci_store_lock(store, &err), err);
    assert_int_equal(count_files(in(*state, ".effigy/incoming")), 0);
    assert_int_equal(count_files(in(*state, ".effigy/work")), 0);
    assert_int_equal(count_files(in(*state, "blobs/sha256")), 0);

    const char *work = oci_store_work_dir(store, &err);
    assert_ok(work, err);
    write_text(in(work, "scratch"), "scratch");
    oci_store_close(store);
    assert_int_equal(count_files(in(*state, ".effigy/work")), 0);
    store = store_open_locked(*state);
    oci_store_close(store);
    close(ends[0]);
    close(ends[1]);
}

static int
publish_forever(const char *folder, int pipe)
{
    struct oci_store *store = store_open(folder, OCI_STORE_CREATE, NULL);
    if (!store || !oci_store_lock(store, NULL))
        return 1;
    for (unsigned n = 1;; n++) {
        CLEANUP_FREE char *text = mem_printf("generation %u", n), *tag = mem_printf("g%u", n);
        struct oci_descriptor image = store_put_image(store, text, 1);
        struct oci_tag_change changes[] = {{tag, &image}, {"latest", &image}};
        if (!oci_store_set_tags(store, changes, 2, NULL) || write(pipe, "x", 1) != 1)
            return 2;
        oci_descriptor_free(&image);
    }
}

/* Kills a publisher at many moments: what it had reported is there, whole, and latest is the
 * newest. */
static void
a_kill_at_any_moment_leaves_the_tags_as_before_or_after(void **state)
{
    for (int round = 0; round < 12; round++) {
        ERR_LOCAL(err);
        CLEANUP_FREE char *name = mem_printf("%d", round), *folder = file_join(*state, name);
        int ends[2];
        char c;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = spawn(publish_forever, folder, ends[1]);
        close(ends[1]);
        size_t reported = 0, count;
        for (; reported < 3; reported++)
            assert_int_equal(read(ends[0], &c, 1), 1);
        usleep(500u * (unsigned)round);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(exit_of(pid), 128 + SIGKILL);
        while (read(ends[0], &c, 1) == 1)
            reported++;
        close(ends[0]);

        struct oci_store *store = store_open_locked(folder);
        struct oci_tag *tags;
        assert_ok(oci_store_list_tags(store, &tags, &count, &err), err);
        assert_true(count == reported + 1 || count == reported + 2);
        for (size_t i = 0; i < count; i++) {
            struct oci_descriptor descriptor;
            struct oci_manifest manifest;
            struct oci_config config;
            assert_ok(oci_store_resolve(store, tags[i].name, NULL, &descriptor, &manifest, &err),
                      err);
            assert_ok(oci_store_get_config(store, &manifest, &config, &err), err);
            CLEANUP_FREE char *newest = mem_printf("generation %zu", count - 1);
            if (strcmp(tags[i].name, "latest") == 0)
                assert_string_equal(config.user, newest);
            oci_config_free(&config);
            oci_manifest_free(&manifest);
            oci_descriptor_free(&descriptor);
        }
        oci_tags_free(tags, count);
        oci_store_close(store);
    }
}

static void
links_in_the_place_of_our_folders_are_not_followed(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *folder = file_join(*state, "images"), *victim = file_join(*state, "victim");
    oci_store_close(store_open_locked(folder));
    assert_int_equal(mkdir(victim, 0755), 0);
    write_text(in(victim, "precious"), "precious");
    const char *const places[] = {".effigy/work", ".effigy/incoming", ".effigy"};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        CLEANUP_FREE char *place = file_join(folder, places[i]);
        assert_true(file_remove_tree(place, NULL));
        assert_int_equal(symlink(victim, place), 0);
        struct oci_store *store = store_open(folder, OCI_STORE_READ, &err);
        assert_ok(store, err);
        assert_false(oci_store_lock(store, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        oci_store_close(store);
        assert_text(in(victim, "precious"), "precious");
        assert_int_equal(count_files(victim), 1);
        assert_int_equal(unlink(place), 0);
    }
}

/* Blobs */

static void
put_bytes(const char *path, const char *bytes, size_t length)
{
    assert_int_equal(chmod(path, 0644), 0);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void
assert_corrupt(struct oci_store *store, const struct oci_descriptor *blob)
{
    ERR_LOCAL(err);
    struct buf bytes;
    assert_false(oci_store_get_blob(store, blob, 1 << 20, &bytes, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->message, oci_digest_hex(&blob->digest)));
}

static void
a_damaged_blob_is_not_read_as_if_it_were_whole(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor blob = store_put_text(store, "text/plain", "0123456789");
    CLEANUP_FREE char *path = mem_strdup(blob_path(*state, &blob.digest));

    put_bytes(path, "0123456780", 10);
    assert_corrupt(store, &blob);
    struct oci_blob_reader *reader;
    char bytes[100];
    assert_ok(oci_store_read_blob(store, &blob, &reader, &err), err);
    assert_int_equal(oci_blob_reader_read(reader, bytes, sizeof bytes, &err), 10);
    assert_int_equal(oci_blob_reader_read(reader, bytes, sizeof bytes, &err), -1);
    assert_int_equal(oci_blob_reader_read(reader, bytes, sizeof bytes, &err), -1);
    oci_blob_reader_close(reader);

    put_bytes(path, "012345678", 9);
    assert_corrupt(store, &blob);
    put_bytes(path, "0123456789a", 11);
    assert_corrupt(store, &blob);
    assert_int_equal(unlink(path), 0);
    assert_corrupt(store, &blob);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_corrupt(store, &blob);
    assert_int_equal(unlink(path), 0);
    write_text(in(*state, "elsewhere"), "0123456789"); /* even if what it leads to is right */
    assert_int_equal(symlink(in(*state, "elsewhere"), path), 0);
    assert_corrupt(store, &blob);

    /* It shrinks while it is read. */
    assert_int_equal(unlink(path), 0);
    write_text(path, "0123456789");
    assert_ok(oci_store_read_blob(store, &blob, &reader, &err), err);
    assert_int_equal(oci_blob_reader_read(reader, bytes, 4, &err), 4);
    assert_int_equal(truncate(path, 6), 0);
    assert_int_equal(oci_blob_reader_read(reader, bytes, sizeof bytes, &err), 2);
    assert_int_equal(oci_blob_reader_read(reader, bytes, sizeof bytes, &err), -1);
    assert_int_equal(err->kind, ERR_CORRUPT);
    oci_blob_reader_close(reader);
    oci_descriptor_free(&blob);
    oci_store_close(store);
}

static void
a_blob_of_a_wrong_size_is_replaced_and_a_right_one_left_alone(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor blob = store_put_text(store, "text/plain", "0123456789");
    CLEANUP_FREE char *path = mem_strdup(blob_path(*state, &blob.digest));
    struct stat before, after;
    bool is_new;
    assert_int_equal(stat(path, &before), 0);
    assert_ok(oci_store_put_blob(store, "0123456789", 10, &blob.digest, &is_new, &err), err);
    assert_false(is_new);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    put_bytes(path, "torn", 4);
    assert_ok(oci_store_put_blob(store, "0123456789", 10, &blob.digest, &is_new, &err), err);
    assert_true(is_new);
    assert_text(path, "0123456789");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("ten bytes!", path), 0); /* a link has a size too */
    assert_ok(oci_store_put_blob(store, "0123456789", 10, &blob.digest, &is_new, &err), err);
    assert_text(path, "0123456789");
    assert_int_equal(lstat(path, &after), 0);
    assert_true(S_ISREG(after.st_mode));
    oci_descriptor_free(&blob);
    oci_store_close(store);
}

static void *
put_in_a_thread(void *store)
{
    for (uintptr_t i = 0; i < 100; i++) {
        CLEANUP_FREE char *text = mem_printf("blob %u", (unsigned)i);
        struct oci_digest digest;
        if (!oci_store_put_blob(store, text, strlen(text), &digest, NULL, NULL))
            return (void *)1;
    }
    return NULL;
}

static void
several_threads_may_put_the_same_blobs(void **state)
{
    struct oci_store *store = store_open_locked(*state);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_in_a_thread, store), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    oci_store_close(store);
    assert_int_equal(count_files(in(*state, "blobs/sha256")), 100);
}

/* index.json */

static void
what_other_tools_wrote_stays(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor image = store_put_image(store, "one", 1);
    write_text(
        in(*state, "index.json"),
        "{ \"schemaVersion\": 2, \"x-new\": [1.5, true, null], \"manifests\": ["
        "{\"mediaType\":\"m\",\"digest\":\"sha512:00\",\"size\":1,\"data\":\"e30=\","
        "\"artifactType\":\"a\"},"
        "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"docker.io/library/"
        "x:latest\",\"k\":\"v\"}},"
        "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"},\"digest\":\"old\"}"
        "], \"annotations\": {\"a\": \"b\"} }");
    struct oci_tag_change changes[] = {{"latest", &image}, {"g1", &image}};
    assert_ok(oci_store_set_tags(store, changes, 2, &err), err);
    CLEANUP_FREE char *expected =
        mem_printf("{\"schemaVersion\":2,\"x-new\":[1.5,true,null],\"manifests\":["
                   "{\"mediaType\":\"m\",\"digest\":\"sha512:00\",\"size\":1,\"data\":\"e30=\","
                   "\"artifactType\":\"a\"},"
                   "{\"annotations\":{\"org.opencontainers.image.ref.name\":\"docker.io/library/"
                   "x:latest\",\"k\":\"v\"}},"
                   "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d,"
                   "\"annotations\":{\"org.opencontainers.image.ref.name\":\"g1\"}},"
                   "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d,"
                   "\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}],"
                   "\"annotations\":{\"a\":\"b\"}}",
                   OCI_MEDIA_MANIFEST, image.digest.text, (int)image.size, OCI_MEDIA_MANIFEST,
                   image.digest.text, (int)image.size);
    assert_text(in(*state, "index.json"), expected);

    struct stat before, after;
    assert_int_equal(stat(in(*state, "index.json"), &before), 0);
    assert_ok(oci_store_set_tags(store, changes, 2, &err), err);
    assert_int_equal(stat(in(*state, "index.json"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);

    struct oci_tag *tags;
    size_t count;
    assert_ok(oci_store_list_tags(store, &tags, &count, &err), err);
    assert_int_equal(count, 2);
    oci_tags_free(tags, count);
    oci_descriptor_free(&image);
    oci_store_close(store);
}

static void
the_index_is_read_again_before_it_is_changed(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *reader = store_open(*state, OCI_STORE_CREATE, &err),
                     *store = store_open_locked(*state);
    struct oci_descriptor image = store_put_image(store, "one", 1), found;
    store_set_tag(store, "g1", &image);
    oci_store_close(store);
    assert_ok(oci_store_lock(reader, &err), err);
    store_set_tag(reader, "g2", &image);
    struct buf bytes = {0};
    assert_ok(oci_store_get_manifest(reader, "g1", &found, &bytes, &err), err);
    buf_free(&bytes);
    oci_descriptor_free(&found);
    oci_descriptor_free(&image);
    oci_store_close(reader);
}

static void
a_hostile_index_is_refused(void **state)
{
    static const char *const table[] = {
        "",
        "[]",
        "{\"schemaVersion\":2}",
        "{\"schemaVersion\":2,\"manifests\":{}}",
        "{\"schemaVersion\":2,\"manifests\":[1]}",
        "{\"manifests\":[]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"annotations\":{\"org.opencontainers.image.ref."
        "name\":\"t\"}}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"m\",\"size\":1,\"digest\":\"sha256:.."
        "/../../etc/passwd\","
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"m\",\"size\":1,\"digest\":"
        "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}},{\"mediaType\":\"m\","
        "\"size\":1,\"digest\":"
        "\"sha256:aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"m\",\"size\":1,\"digest\":"
        "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}]}",
    };
    enum { TWICE = ARRAY_LENGTH(table) - 2, MISSING };
    struct oci_store *store = store_open_locked(*state);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        struct oci_descriptor found;
        struct buf bytes;
        write_text(in(*state, "index.json"), table[i]);
        assert_false(oci_store_get_manifest(store, "t", &found, &bytes, &err));
        if (err->kind != ERR_CORRUPT)
            fail_msg("%s: %s", table[i], err->message);
        assert_non_null(strstr(err->message, *state));
        assert_int_equal(strstr(err->message, "twice") != NULL, i == TWICE);
        assert_int_equal(strstr(err->message, "is missing") != NULL, i == MISSING);
    }
    ERR_LOCAL(err);
    struct oci_tag *tags;
    size_t count;
    assert_int_equal(unlink(in(*state, "index.json")), 0);
    assert_false(oci_store_list_tags(store, &tags, &count, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    write_text(in(*state, "elsewhere"), EMPTY_INDEX);
    assert_int_equal(symlink("elsewhere", in(*state, "index.json")), 0);
    assert_false(oci_store_list_tags(store, &tags, &count, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->message, "index.json"));
    oci_store_close(store);
}

static void
a_tampered_manifest_is_refused(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor image = store_put_image(store, "one", 1), found;
    store_set_tag(store, "g1", &image);
    CLEANUP_BUF struct buf bytes = {0};
    CLEANUP_FREE char *path = mem_strdup(blob_path(*state, &image.digest));
    assert_ok(file_read(path, 1 << 20, &bytes, &err), err);
    strstr(bytes.data, "\"size\":")[7]++;
    put_bytes(path, bytes.data, bytes.length);
    const char *const names[] = {"g1", image.digest.text};
    for (size_t i = 0; i < 2; i++) {
        struct buf read;
        assert_false(oci_store_get_manifest(store, names[i], &found, &read, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        assert_non_null(strstr(err->message, image.digest.text));
    }
    oci_descriptor_free(&image);
    oci_store_close(store);
}

/* Places that will not have it. Mounting needs root. */

static int
mounted_teardown(void **state)
{
    const char *const names[] = {"small", "ro"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        umount2(in(*state, names[i]), MNT_DETACH); /* if the test failed half-way */
    return unit_folder_teardown(state);
}

static bool
mount_tmpfs(const char *path, const char *options)
{
    if (mkdir(path, 0755) == 0 && mount("tmpfs", path, "tmpfs", 0, options) == 0)
        return true;
    print_message("[  SKIPPED ] cannot mount a tmpfs here: %s\n", strerror(errno));
    return false;
}

static void
a_full_disk_is_told_and_harms_nothing(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *folder = file_join(*state, "small");
    if (!mount_tmpfs(folder, "size=1m"))
        skip();
    struct oci_store *store = store_open_locked(folder);
    struct oci_descriptor image = store_put_image(store, "one", 1);
    store_set_tag(store, "g1", &image);
    struct oci_blob_writer *writer;
    assert_ok(oci_store_write_blob(store, &writer, &err), err);
    CLEANUP_FREE char *bytes = mem_new(100000);
    int written = 0;
    while (written < 20 && oci_blob_writer_write(writer, bytes, 100000, &err))
        written++;
    oci_blob_writer_abort(writer);
    assert_true(written < 20);
    assert_int_equal(err->kind, ERR_NO_SPACE);
    assert_non_null(strstr(err->message, folder));
    assert_non_null(strstr(err->hint, "make room"));

    /* With not a page left, the tags cannot be set and are as before. */
    FILE *filler = fopen(in(folder, ".effigy/filler"), "w");
    while (fwrite(bytes, 1, 1000, filler) == 1000 && fflush(filler) == 0)
        ;
    fclose(filler);
    struct oci_tag_change change = {"g2", &image};
    assert_false(oci_store_set_tags(store, &change, 1, &err));
    assert_int_equal(err->kind, ERR_NO_SPACE);
    assert_int_equal(unlink(in(folder, ".effigy/filler")), 0);
    struct oci_tag *tags;
    size_t count;
    assert_ok(oci_store_list_tags(store, &tags, &count, &err), err);
    assert_int_equal(count, 1);
    oci_tags_free(tags, count);
    assert_int_equal(count_files(in(folder, ".effigy/incoming")), 0);
    store_set_tag(store, "g2", &image);
    oci_descriptor_free(&image);
    oci_store_close(store);
    assert_int_equal(umount(folder), 0);
}

static void
a_read_only_file_system_can_be_read_and_says_so_when_written(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *folder = file_join(*state, "ro");
    if (!mount_tmpfs(folder, "size=1m"))
        skip();
    struct oci_store *store = store_open_locked(folder);
    struct oci_descriptor image = store_put_image(store, "one", 1), found;
    store_set_tag(store, "g1", &image);
    oci_store_close(store);
    assert_int_equal(mount("tmpfs", folder, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);

    store = store_open(folder, OCI_STORE_READ, &err);
    assert_ok(store, err);
    struct oci_manifest manifest;
    assert_ok(oci_store_resolve(store, "g1", NULL, &found, &manifest, &err), err);
    struct oci_digest digest;
    assert_ok(oci_store_put_blob(store, "one", 3, &digest, NULL, &err), err); /* is there already */
    assert_false(oci_store_put_blob(store, "two", 3, &digest, NULL, &err));
    assert_int_equal(err->errnum, EROFS);
    assert_non_null(strstr(err->hint, "read-only"));
    assert_false(oci_store_lock(store, &err));
    assert_int_equal(err->errnum, EROFS);
    assert_non_null(strstr(err->message, folder));
    assert_non_null(strstr(err->hint, "read-only"));
    oci_store_close(store);
    CLEANUP_FREE char *below = file_join(folder, "new");
    assert_null(store_open(below, OCI_STORE_CREATE, &err));
    assert_int_equal(err->errnum, EROFS);
    assert_non_null(err->hint);
    oci_manifest_free(&manifest);
    oci_descriptor_free(&found);
    oci_descriptor_free(&image);
    assert_int_equal(umount(folder), 0);
}

static int
open_as_nobody(const char *folder, int pipe)
{
    ERR_LOCAL(err);
    struct oci_store *store;
    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
        return 1;
    if (store_open(folder, OCI_STORE_CREATE, &err) || err->kind != ERR_PERMISSION || !err->hint)
        return 2;
    CLEANUP_FREE char *readable = file_join(folder, "../readable");
    if (!(store = store_open(readable, OCI_STORE_READ, &err)))
        return 3;
    if (oci_store_lock(store, &err) || err->kind != ERR_PERMISSION || !err->hint)
        return 4;
    oci_store_close(store);
    return 0;
}

static void
a_folder_of_someone_else_is_told(void **state)
{
    CLEANUP_FREE char *closed = file_join(*state, "closed"),
                      *readable = file_join(*state, "readable");
    oci_store_close(store_open_locked(readable));
    if (geteuid() != 0)
        assert_int_equal(chmod(in(readable, ".effigy/lock"), 0444), 0);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(mkdir(closed, 0555), 0);
    assert_int_equal(exit_of(spawn(open_as_nobody, closed, -1)), 0);
}

#define IN_FOLDER(test) \
    cmocka_unit_test_setup_teardown(test, unit_folder_setup, unit_folder_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_layout_is_made_in_an_absent_or_empty_folder),
        IN_FOLDER(a_folder_with_something_else_is_refused),
        IN_FOLDER(a_layout_that_was_being_made_when_killed_is_finished),
        IN_FOLDER(reading_makes_nothing),
        IN_FOLDER(another_layout_version_is_refused),
        IN_FOLDER(many_processes_may_make_and_fill_one_layout),
        IN_FOLDER(a_killed_publisher_leaves_no_lock_and_no_rubbish),
        IN_FOLDER(a_kill_at_any_moment_leaves_the_tags_as_before_or_after),
        IN_FOLDER(links_in_the_place_of_our_folders_are_not_followed),
        IN_FOLDER(a_damaged_blob_is_not_read_as_if_it_were_whole),
        IN_FOLDER(a_blob_of_a_wrong_size_is_replaced_and_a_right_one_left_alone),
        IN_FOLDER(several_threads_may_put_the_same_blobs),
        IN_FOLDER(what_other_tools_wrote_stays),
        IN_FOLDER(the_index_is_read_again_before_it_is_changed),
        IN_FOLDER(a_hostile_index_is_refused),
        IN_FOLDER(a_tampered_manifest_is_refused),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_harms_nothing, unit_folder_setup,
                                        mounted_teardown),
        cmocka_unit_test_setup_teardown(
            a_read_only_file_system_can_be_read_and_says_so_when_written, unit_folder_setup,
            mounted_teardown),
        IN_FOLDER(a_folder_of_someone_else_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
