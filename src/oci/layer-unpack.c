/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing is opened by more than one component of a path at a time, and no component may be a link:
 * so nothing that the layer made before can lead out of the folder. Nothing is ever opened for
 * writing that was there before.
 */
#include "oci/layer.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "oci/layer-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DIR_MODE 0755 /* of folders without an entry of their own */
#define DIRS_DEFAULT 1000000u
#define WRITEBACK_STEP (8u << 20) /* bytes after which the disk is set to work */

struct unpack {
    int root;
    uint64_t dirs_left; /* how many folders without an entry may still be made */
};

/* The folder that `path` stands in (-1 on failure), and the last component of path. Folders on the
 * way that are not there are made if `make` is set. */
static int
unpack_parent(struct unpack *unpack, const char *path, bool make, const char **ret_name,
              struct err **err)
{
    CLEANUP_FD int dir = fcntl(unpack->root, F_DUPFD_CLOEXEC, 0);
    const char *part = path;
    for (const char *slash; dir >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
        CLEANUP_FREE char *name = mem_strndup(part, (size_t)(slash - part));
        bool made = make && unpack->dirs_left && mkdirat(dir, name, 0700) == 0;
        int next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && (errno == ELOOP || errno == ENOTDIR || errno == ENOENT)) {
            err_set(err, ERR_CORRUPT, 0, "%s: %.*s is not a folder of the layer", path,
                    (int)(slash - path), path);
            return -1;
        }
        close(dir);
        dir = next;
        if (made && dir >= 0) {
            unpack->dirs_left--;
            fchmod(dir, DIR_MODE);
        }
    }
    if (dir < 0) {
        err_set(err, ERR_IO, errno, "cannot open the folder of %s", path);
        return -1;
    }
    *ret_name = part;
    return steal_fd(&dir);
}

static bool
unpack_failed(const struct oci_walk_entry *entry, struct err **err)
{
    if (errno == EEXIST)
        return err_set(err, ERR_CORRUPT, 0, "%s is in the layer twice", entry->path);
    return err_set(err, ERR_IO, errno, "cannot unpack %s", entry->path);
}

static bool
unpack_file(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, int dir,
            const char *name, struct err **err)
{
    CLEANUP_FD int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return unpack_failed(entry, err);
    uint64_t position = 0, started = 0;
    while (position < entry->size) {
        const void *bytes;
        ssize_t n = layer_walk_block(walk, &bytes, err);
        if (n < 0 || !file_write_all(fd, bytes, (size_t)n, entry->path, err))
            return false;
        progress_add((uint64_t)n);
        position += (uint64_t)n;
        if (position - started >= WRITEBACK_STEP) {
            sync_file_range(fd, (off_t)started, (off_t)(position - started), SYNC_FILE_RANGE_WRITE);
            started = position;
        }
    }
    return fchmod(fd, (entry->mode & 0777) | S_IRUSR) == 0 || unpack_failed(entry, err);
}

static bool
unpack_link(struct unpack *unpack, const struct oci_walk_entry *entry, int dir, const char *name,
            struct err **err)
{
    const char *target_name;
    CLEANUP_FD int target_dir = unpack_parent(unpack, entry->target, false, &target_name, err);
    if (target_dir < 0)
        return false;
    struct stat st;
    if (fstatat(target_dir, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_CORRUPT, 0, "%s: a hard link to %s, which is no file of the layer",
                       entry->path, entry->target);
    return linkat(target_dir, target_name, dir, name, 0) == 0 || unpack_failed(entry, err);
}

static bool
unpack_dir(const struct oci_walk_entry *entry, int parent, const char *name, struct err **err)
{
    struct stat st;
    if (mkdirat(parent, name, 0700) < 0 &&
        (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
         !S_ISDIR(st.st_mode)))
        return unpack_failed(entry, err);
    CLEANUP_FD int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return (dir >= 0 && fchmod(dir, (entry->mode & 01777) | S_IRWXU) == 0) ||
           unpack_failed(entry, err);
}

static bool
unpack_entry(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, void *context,
             struct err **err)
{
    struct unpack *unpack = context;
    const char *name;
    CLEANUP_FD int dir = unpack_parent(unpack, entry->path, true, &name, err);
    if (dir < 0)
        return false;
    switch (entry->type) {
    case OCI_ENTRY_DIR:
        return unpack_dir(entry, dir, name, err);
    case OCI_ENTRY_SYMLINK:
        return symlinkat(entry->target, dir, name) == 0 || unpack_failed(entry, err);
    case OCI_ENTRY_FILE:
        break;
    }
    return entry->target ? unpack_link(unpack, entry, dir, name, err)
                         : unpack_file(walk, entry, dir, name, err);
}

bool
oci_layer_unpack(struct oci_store *store, const struct oci_descriptor *descriptor,
                 const struct oci_digest *diff_id, const char *folder,
                 const struct oci_unpack_limits *limits, struct err **err)
{
    CLEANUP_FD int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_set(err, ERR_IO, errno, "cannot open the folder %s", folder);
    struct unpack unpack = {
        .root = root, .dirs_left = limits && limits->entries ? limits->entries : DIRS_DEFAULT};
    if (!oci_layer_walk(store, descriptor, diff_id, limits, unpack_entry, &unpack, err))
        return false;
    /* One for all: thousands of small files synced one by one take minutes. */
    return syncfs(root) == 0 || err_set(err, ERR_IO, errno, "cannot sync %s", folder);
}
