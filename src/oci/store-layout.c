/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store-layout-internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "oci/manifest-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_CONTENT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define LAYOUT_FILE_LIMIT 4096
#define BLOBS_DIR "blobs/sha256"
#define OWN_DIR ".effigy"
#define NOTE_LIMIT 4096 /* bytes */
#define LOCK_FILE OWN_DIR "/lock"
#define WORK_DIR OWN_DIR "/work"
#define INCOMING_DIR OWN_DIR "/incoming"
#define PATH_ROOM 128 /* of a path inside the layout: the longest is BLOBS_DIR and 64 digits */
#define WRITE_BEHIND (8u << 20) /* bytes */

struct layout_reader {
    struct oci_blob_reader base;
    int fd;
};

/* A file on its way into the layout. */
struct incoming {
    int fd;
    char path[PATH_ROOM];
};

struct layout_writer {
    struct oci_blob_writer base;
    struct incoming file;
    uint64_t written; /* bytes handed to the kernel */
    uint64_t started; /* bytes of these whose way to the disk was started */
};

/* Adds what can be done about the errors that have to do with the place rather than with its
 * content. */
static bool
layout_fail(const struct oci_layout *layout, struct err **err)
{
    if (!err || !*err || (*err)->hint)
        return false;
    switch ((*err)->errnum) {
    case ENOSPC:
    case EDQUOT:
        return err_hint(
            err, "make room on the file system of %s, or choose another folder; then try again",
            layout->path);
    case EROFS:
        return err_hint(
            err, "%s is on a read-only file system: mount it writable or choose another folder",
            layout->path);
    case EACCES:
    case EPERM:
        return err_hint(
            err,
            "give this user read, write and search permission for %s and what is in it, "
            "or choose another folder",
            layout->path);
    default:
        return false;
    }
}

static bool
layout_fail_errno(const struct oci_layout *layout, struct err **err, int errnum, const char *doing,
                  const char *path)
{
    err_set(err, ERR_IO, errnum, "cannot %s %s/%s", doing, layout->path, path);
    return layout_fail(layout, err);
}

static bool
layout_make_dir(const struct oci_layout *layout, const char *path, struct err **err)
{
    if (mkdirat(layout->fd, path, 0755) == 0 || errno == EEXIST)
        return true;
    return layout_fail_errno(layout, err, errno, "make the folder", path);
}

static bool
layout_sync_dir(const struct oci_layout *layout, const char *path, struct err **err)
{
    CLEANUP_FD int fd = openat(layout->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return layout_fail_errno(layout, err, errno, "sync the folder", path);
    return true;
}

/* Opens a regular file, however hostile the folder: no link is followed, no pipe waited for. -1
 * with *ret_missing set, and without an error, if there is none. */
static int
layout_open_file(const struct oci_layout *layout, const char *path, uint64_t *ret_size,
                 bool *ret_missing, struct err **err)
{
    *ret_missing = false;
    CLEANUP_FD int fd =
        openat(layout->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT) {
        *ret_missing = true;
        return -1;
    }
    if (fd < 0 && errno != ELOOP) {
        layout_fail_errno(layout, err, errno, "open", path);
        return -1;
    }
    if (fd >= 0 && fstat(fd, &st) < 0) {
        layout_fail_errno(layout, err, errno, "stat", path);
        return -1;
    }
    if (fd < 0 || !S_ISREG(st.st_mode)) {
        err_set(err, ERR_CORRUPT, 0, "%s/%s is not a regular file", layout->path, path);
        return -1;
    }
    *ret_size = (uint64_t)st.st_size;
    return steal_fd(&fd);
}

bool
oci_layout_read_file(const struct oci_layout *layout, const char *path, size_t limit,
                     struct buf *ret_bytes, bool *ret_missing, struct err **err)
{
    uint64_t size;
    CLEANUP_FD int fd = layout_open_file(layout, path, &size, ret_missing, err);
    if (fd < 0)
        return false;
    if (size > limit)
        return err_set(err, ERR_CORRUPT, 0,
                       "%s/%s is larger than the %zu bytes that such a file may have", layout->path,
                       path, limit);
    CLEANUP_FREE char *what = file_join(layout->path, path);
    CLEANUP_BUF struct buf bytes = {0};
    if (!file_pread_all(fd, buf_reserve(&bytes, size), size, 0, what, err))
        return false;
    bytes.length = size;
    buf_append(&bytes, "", 0);
    *ret_bytes = bytes;
    bytes = (struct buf){0};
    return true;
}

static void
blob_path(const struct oci_digest *digest, char ret_path[PATH_ROOM])
{
    snprintf(ret_path, PATH_ROOM, "%s/%s", BLOBS_DIR, oci_digest_hex(digest));
}

/* Incoming files */

/* Our own folders must be folders, not links: what is in them gets removed. */
static bool
layout_make_own(const struct oci_layout *layout, const char *path, struct err **err)
{
    const char *const parts[] = {OWN_DIR, path};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        struct stat st;
        if (!layout_make_dir(layout, parts[i], err))
            return false;
        if (fstatat(layout->fd, parts[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            return layout_fail_errno(layout, err, errno, "stat", parts[i]);
        if (!S_ISDIR(st.st_mode))
            return err_set(err, ERR_CORRUPT, 0, "%s/%s is not a folder", layout->path, parts[i]);
    }
    return true;
}

/* Waits; whoever holds one of these locks holds it for a moment. */
static bool
layout_flock(int fd)
{
    int result;
    do
        result = flock(fd, LOCK_EX);
    while (result < 0 && errno == EINTR);
    return result == 0;
}

/* The lock on the file tells layout_sweep() that its writer lives. A sweep between open and flock
 * takes the file away (no link is left): then another name is tried. */
static bool
incoming_open(const struct oci_layout *layout, struct incoming *ret_file, struct err **err)
{
    static atomic_uint serial;
    if (!layout_make_own(layout, INCOMING_DIR, err))
        return false;
    for (unsigned tries = 0; tries < 100000; tries++) {
        struct incoming file;
        snprintf(file.path, sizeof file.path, INCOMING_DIR "/%ld-%u", (long)getpid(),
                 atomic_fetch_add(&serial, 1));
        CLEANUP_FD int fd =
            openat(layout->fd, file.path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return layout_fail_errno(layout, err, errno, "make", file.path);
        struct stat st;
        if (!layout_flock(fd))
            return layout_fail_errno(layout, err, errno, "lock", file.path);
        if (fstat(fd, &st) < 0)
            return layout_fail_errno(layout, err, errno, "stat", file.path);
        if (st.st_nlink == 0)
            continue;
        file.fd = steal_fd(&fd);
        *ret_file = file;
        return true;
    }
    return err_set(err, ERR_FAILED, 0, "cannot find a free name in %s/%s", layout->path,
                   INCOMING_DIR);
}

static void
incoming_drop(const struct oci_layout *layout, struct incoming *file)
{
    unlinkat(layout->fd, file->path, 0);
    close(file->fd);
}

/* Makes the file visible as `folder`/`name`, whole and durable. The incoming file is gone
 * afterwards. */
static bool
incoming_publish(const struct oci_layout *layout, struct incoming *file, const char *folder,
                 const char *target, struct err **err)
{
    bool ok = true;
    if (fsync(file->fd) < 0)
        ok = layout_fail_errno(layout, err, errno, "write", target);
    else if (renameat(layout->fd, file->path, layout->fd, target) < 0)
        ok = layout_fail_errno(layout, err, errno, "make", target);
    if (!ok) {
        incoming_drop(layout, file);
        return false;
    }
    close(file->fd);
    return layout_sync_dir(layout, folder, err);
}

bool
oci_layout_replace_file(const struct oci_layout *layout, const char *name, const char *text,
                        struct err **err)
{
    struct incoming file;
    CLEANUP_FREE char *what = file_join(layout->path, name);
    /* A blob that another process made visible may not be durable yet. */
    if (faccessat(layout->fd, BLOBS_DIR, F_OK, 0) == 0 && !layout_sync_dir(layout, BLOBS_DIR, err))
        return false;
    if (!incoming_open(layout, &file, err))
        return false;
    if (!file_write_all(file.fd, text, strlen(text), what, err)) {
        incoming_drop(layout, &file);
        return layout_fail(layout, err);
    }
    return incoming_publish(layout, &file, ".", name, err);
}

/* Removes what writers that are no more left behind. */
static bool
layout_sweep(const struct oci_layout *layout, struct err **err)
{
    CLEANUP_FD int fd =
        openat(layout->fd, INCOMING_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return layout_fail_errno(layout, err, errno, "open", INCOMING_DIR);
    int at = steal_fd(&fd);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        CLEANUP_FD int file =
            openat(at, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
            continue;
        if (unlinkat(at, entry->d_name, 0) < 0 && errno != ENOENT) {
            CLEANUP_FREE char *path = file_join(INCOMING_DIR, entry->d_name);
            return layout_fail_errno(layout, err, errno, "remove", path);
        }
    }
    return true;
}

/* Opening */

static bool
layout_check_version(const struct oci_layout *layout, const struct buf *bytes, struct err **err)
{
    CLEANUP_FREE char *what = file_join(layout->path, LAYOUT_FILE);
    json_auto_t *json = oci_json_load(bytes->data, bytes->length, LAYOUT_FILE_LIMIT, what, err);
    json_t *version;
    if (!json || !oci_json_get(json, "imageLayoutVersion", JSON_STRING, OCI_JSON_REQUIRED, what,
                               &version, err))
        return false;
    if (strcmp(json_string_value(version), "1.0.0") != 0)
        return err_set(err, ERR_UNSUPPORTED, 0, "%s says version \"%.40s\"; only 1.0.0 is known",
                       what, json_string_value(version));
    return true;
}

/* Refuses a folder that holds something else. A kill while a layout is being made leaves a part of
 * it, with OWN_DIR, which is made first. */
static bool
layout_check_empty(const struct oci_layout *layout, struct err **err)
{
    CLEANUP_FD int fd = openat(layout->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return layout_fail_errno(layout, err, errno, "open", "");
    (void)steal_fd(&fd);
    static const char *const own[] = {OWN_DIR, "blobs", OCI_LAYOUT_INDEX, LAYOUT_FILE};
    for (struct dirent *entry; (entry = readdir(dir));) {
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                     strcmp(entry->d_name, "lost+found") == 0;
        for (size_t i = 0; i < ARRAY_LENGTH(own) && !known; i++)
            known =
                strcmp(entry->d_name, own[i]) == 0 && faccessat(layout->fd, OWN_DIR, F_OK, 0) == 0;
        if (known)
            continue;
        err_set(err, ERR_USAGE, 0,
                "%s is not an image layout, and not empty: it has %.100s but no %s", layout->path,
                entry->d_name, LAYOUT_FILE);
        return err_hint(err, "name a new or empty folder, such as oci:%s/images", layout->path);
    }
    return true;
}

/* LAYOUT_FILE comes last: it makes the folder a layout. Those who make the same layout at the same
 * time wait here for one another. */
static bool
layout_make(const struct oci_layout *layout, struct err **err)
{
    if (!layout_check_empty(layout, err) || !layout_make_own(layout, INCOMING_DIR, err))
        return false;
    CLEANUP_FD int lock =
        openat(layout->fd, OWN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0 || !layout_flock(lock))
        return layout_fail_errno(layout, err, errno, "lock", OWN_DIR);
    if (faccessat(layout->fd, LAYOUT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    bool has_index = faccessat(layout->fd, OCI_LAYOUT_INDEX, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    CLEANUP_FREE char *parent = mem_printf("%s/..", layout->path);
    return layout_make_dir(layout, "blobs", err) && layout_make_dir(layout, BLOBS_DIR, err) &&
           layout_sync_dir(layout, "blobs", err) &&
           (has_index ||
            oci_layout_replace_file(layout, OCI_LAYOUT_INDEX, OCI_LAYOUT_INDEX_EMPTY, err)) &&
           oci_layout_replace_file(layout, LAYOUT_FILE, LAYOUT_CONTENT, err) &&
           file_sync_dir(parent, err);
}

static bool
layout_missing(const struct oci_layout *layout, struct err **err, const char *why)
{
    err_set(err, ERR_NOT_FOUND, 0, "there is no image layout in %s: %s", layout->path, why);
    return err_hint(err, "\"effigy publish\" makes it; or see that the path is right");
}

static bool
layout_load(struct oci_layout *layout, enum oci_store_mode mode, struct err **err)
{
    if (mode == OCI_STORE_CREATE && !file_make_dirs(layout->path, 0755, err))
        return layout_fail(layout, err);
    layout->fd = open(layout->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (layout->fd < 0 && errno == ENOENT)
        return layout_missing(layout, err, "the folder does not exist");
    if (layout->fd < 0)
        return layout_fail_errno(layout, err, errno, "open", "");
    for (int made = 0;; made++) {
        CLEANUP_BUF struct buf bytes = {0};
        bool missing;
        if (oci_layout_read_file(layout, LAYOUT_FILE, LAYOUT_FILE_LIMIT, &bytes, &missing, err))
            return layout_check_version(layout, &bytes, err);
        if (!missing)
            return false;
        if (mode != OCI_STORE_CREATE || made)
            return layout_missing(layout, err, "it has no " LAYOUT_FILE " file");
        if (!layout_make(layout, err))
            return false;
    }
}

static void
layout_close(struct oci_store *store)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    if (store->locked)
        file_remove_tree(layout->work, NULL);
    if (layout->lock_fd >= 0)
        close(layout->lock_fd);
    if (layout->fd >= 0)
        close(layout->fd);
    free(layout->work);
    free(layout->path);
    free(layout);
}

static bool
layout_lock(struct oci_store *store, struct err **err)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    if (!layout_make_own(layout, INCOMING_DIR, err) || !layout_make_own(layout, WORK_DIR, err))
        return false;
    CLEANUP_FREE char *path = file_join(layout->path, LOCK_FILE);
    ERR_LOCAL(why);
    CLEANUP_FD int fd = file_lock(path, &why);
    if (fd < 0 && why->kind == ERR_BUSY) {
        err_set(err, ERR_BUSY, 0, "another process is publishing to %s", store->location);
        return err_hint(err,
                        "another effigy publish is running; wait for it to end, then try again");
    }
    if (fd < 0) {
        layout_fail(layout, &why);
        return err_move(err, &why);
    }
    if (!file_remove_tree(layout->work, err) || !layout_make_own(layout, WORK_DIR, err) ||
        !layout_sweep(layout, err))
        return layout_fail(layout, err);
    layout->lock_fd = steal_fd(&fd);
    return true;
}

static const char *
layout_work_dir(struct oci_store *store, struct err **err)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    return layout_make_own(layout, WORK_DIR, err) ? layout->work : NULL;
}

/* Blobs */

bool
oci_layout_has_blob(struct oci_store *store, const struct oci_digest *digest, uint64_t size,
                    bool *ret_has, struct err **err)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    char path[PATH_ROOM];
    blob_path(digest, path);
    struct stat st;
    bool there = fstatat(layout->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT)
        return layout_fail_errno(layout, err, errno, "look at", path);
    *ret_has = there && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
    return true;
}

static int
layout_open_blob(const struct oci_layout *layout, const struct oci_digest *digest,
                 uint64_t *ret_size, struct err **err)
{
    char path[PATH_ROOM];
    blob_path(digest, path);
    bool missing;
    int fd = layout_open_file(layout, path, ret_size, &missing, err);
    if (missing)
        err_set(err, ERR_CORRUPT, 0, "the blob %s is missing in %s", digest->text, layout->path);
    return fd;
}

static bool
layout_open_reader(struct oci_store *store, const struct oci_descriptor *blob,
                   struct oci_blob_reader **ret_reader, struct err **err)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    uint64_t size;
    CLEANUP_FD int fd = layout_open_blob(layout, &blob->digest, &size, err);
    if (fd < 0)
        return false;
    if (size != blob->size)
        return err_set(err, ERR_CORRUPT, 0,
                       "the blob %s in %s is damaged: it has %llu bytes and should have %llu",
                       blob->digest.text, layout->path, (unsigned long long)size,
                       (unsigned long long)blob->size);
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct layout_reader *reader = mem_new(sizeof *reader);
    reader->fd = steal_fd(&fd);
    *ret_reader = &reader->base;
    return true;
}

static ssize_t
layout_read(struct oci_blob_reader *base, void *bytes, size_t room, struct err **err)
{
    struct layout_reader *reader = (struct layout_reader *)base;
    ssize_t n;
    do
        n = read(reader->fd, bytes, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        err_set(err, ERR_IO, errno, "cannot read the blob %s in %s", base->digest.text,
                base->store->location);
    return n;
}

static void
layout_close_reader(struct oci_blob_reader *base)
{
    struct layout_reader *reader = (struct layout_reader *)base;
    close(reader->fd);
    free(reader);
}

static bool
layout_open_writer(struct oci_store *store, struct oci_blob_writer **ret_writer, struct err **err)
{
    struct incoming file;
    if (!incoming_open((struct oci_layout *)store, &file, err))
        return false;
    struct layout_writer *writer = mem_new(sizeof *writer);
    writer->file = file;
    *ret_writer = &writer->base;
    return true;
}

static bool
layout_write(struct oci_blob_writer *base, const void *bytes, size_t length, struct err **err)
{
    struct layout_writer *writer = (struct layout_writer *)base;
    const struct oci_layout *layout = (struct oci_layout *)base->store;
    if (!file_write_all(writer->file.fd, bytes, length, base->store->location, err))
        return layout_fail(layout, err);
    writer->written += length;
    /* So that the disk is at work while more is being made, and the fsync at the end is short. */
    if (writer->written - writer->started >= WRITE_BEHIND) {
        sync_file_range(writer->file.fd, (off_t)writer->started,
                        (off_t)(writer->written - writer->started), SYNC_FILE_RANGE_WRITE);
        writer->started = writer->written;
    }
    return true;
}

static bool
layout_reread(struct oci_blob_writer *base, void *bytes, size_t length, uint64_t offset,
              struct err **err)
{
    const struct layout_writer *writer = (struct layout_writer *)base;
    return file_pread_all(writer->file.fd, bytes, length, offset, base->store->location, err);
}

static void
layout_abort(struct oci_blob_writer *base)
{
    struct layout_writer *writer = (struct layout_writer *)base;
    incoming_drop((struct oci_layout *)base->store, &writer->file);
    free(writer);
}

static bool
layout_commit(struct oci_blob_writer *base, const struct oci_digest *digest, bool *ret_new,
              struct err **err)
{
    CLEANUP_FREE struct layout_writer *writer = (struct layout_writer *)base;
    struct oci_layout *layout = (struct oci_layout *)base->store;
    char path[PATH_ROOM];
    blob_path(digest, path);
    bool has = false;
    if (!oci_layout_has_blob(base->store, digest, base->size, &has, err) ||
        !layout_make_dir(layout, "blobs", err) || !layout_make_dir(layout, BLOBS_DIR, err)) {
        incoming_drop(layout, &writer->file);
        return false;
    }
    /* Also over one of the same name: these bytes have that digest, those there may be damaged. */
    *ret_new = !has;
    return incoming_publish(layout, &writer->file, BLOBS_DIR, path, err);
}

static bool
layout_get_note(struct oci_store *store, const char *key, struct buf *ret_text)
{
    CLEANUP_FREE char *path = mem_printf(OWN_DIR "/note-%s", key);
    bool missing;
    return oci_layout_read_file((struct oci_layout *)store, path, NOTE_LIMIT, ret_text, &missing,
                                NULL);
}

static bool
layout_put_note(struct oci_store *store, const char *key, const char *text)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    CLEANUP_FREE char *path = mem_printf("%s/" OWN_DIR "/note-%s", layout->path, key);
    return layout_make_own(layout, INCOMING_DIR, NULL) &&
           file_write_atomic(path, text, strlen(text), 0644, NULL);
}

static bool
layout_get_manifest(struct oci_store *store, const char *tag, const struct oci_digest *digest,
                    struct oci_descriptor *ret_descriptor, struct buf *ret_bytes, struct err **err)
{
    struct oci_layout *layout = (struct oci_layout *)store;
    CLEANUP(oci_descriptor_free) struct oci_descriptor descriptor = {0};
    if (digest)
        descriptor.digest = *digest;
    else if (!oci_layout_find_tag(layout, tag, &descriptor, err))
        return false;
    char path[PATH_ROOM];
    blob_path(&descriptor.digest, path);
    CLEANUP_BUF struct buf bytes = {0};
    bool missing;
    if (!oci_layout_read_file(layout, path, OCI_MANIFEST_LIMIT, &bytes, &missing, err)) {
        if (missing && digest)
            err_set(err, ERR_NOT_FOUND, 0, "there is no %s in %s", digest->text, store->location);
        else if (missing)
            err_set(err, ERR_CORRUPT, 0, "the manifest %s of the tag %s is missing in %s",
                    descriptor.digest.text, tag, store->location);
        return false;
    }
    if (digest)
        descriptor.size = bytes.length;
    *ret_descriptor = descriptor;
    descriptor = (struct oci_descriptor){0};
    *ret_bytes = bytes;
    bytes = (struct buf){0};
    return true;
}

static bool
layout_put_manifest(struct oci_store *store, const struct oci_descriptor *descriptor,
                    const char *bytes, bool *ret_new, struct err **err)
{
    struct oci_digest digest;
    return oci_store_put_blob(store, bytes, descriptor->size, &digest, ret_new, err);
}

bool
oci_layout_open(const char *folder, enum oci_store_mode mode, struct oci_store **ret_store,
                struct err **err)
{
    static const struct oci_store_ops ops = {
        .close = layout_close,
        .lock = layout_lock,
        .work_dir = layout_work_dir,
        .get_note = layout_get_note,
        .put_note = layout_put_note,
        .has_blob = oci_layout_has_blob,
        .open_reader = layout_open_reader,
        .read = layout_read,
        .close_reader = layout_close_reader,
        .open_writer = layout_open_writer,
        .write = layout_write,
        .reread = layout_reread,
        .commit = layout_commit,
        .abort = layout_abort,
        .put_manifest = layout_put_manifest,
        .get_manifest = layout_get_manifest,
        .list_tags = oci_layout_list_tags,
        .set_tags = oci_layout_set_tags,
    };
    struct oci_layout *layout = mem_new(sizeof *layout);
    layout->base.ops = &ops;
    layout->path = mem_strdup(folder);
    layout->work = file_join(folder, WORK_DIR);
    layout->fd = layout->lock_fd = -1;
    if (!layout_load(layout, mode, err)) {
        layout_close(&layout->base);
        return false;
    }
    *ret_store = &layout->base;
    return true;
}
