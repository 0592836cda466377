/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/merge.h"

#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#define WHITEOUT ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define MERGE_DEPTH_LIMIT 256

/* Everything is done relative to descriptors of folders that were opened without following links,
 * so that no link in a layer leads out of the rootfs. */

static bool merge_remove(int folder, const char *name, struct err **err);

static bool
merge_empty(int folder, struct err **err)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir)
        return err_set(err, ERR_IO, errno, "cannot read a folder of the image");
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
            !merge_remove(folder, entry->d_name, err))
            return false;
    }
    return true;
}

static bool
merge_remove(int folder, const char *name, struct err **err)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return err_set(err, ERR_IO, errno, "cannot remove %s from the image", name);
    CLEANUP_FD int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return err_set(err, ERR_IO, errno, "cannot remove %s from the image", name);
    if (!merge_empty(inner, err))
        return false;
    return unlinkat(folder, name, AT_REMOVEDIR) == 0 ||
           err_set(err, ERR_IO, errno, "cannot remove %s from the image", name);
}

static bool merge_folder(int from, int into, unsigned depth, struct err **err);

static bool
merge_entry(int from, int into, const char *name, unsigned depth, struct err **err)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, ERR_IO, errno, "cannot stat %s of a layer", name);
    if (!S_ISDIR(st.st_mode)) {
        if (!merge_remove(into, name, err))
            return false;
        return linkat(from, name, into, name, 0) == 0 ||
               err_set(err, ERR_IO, errno, "cannot link %s into the image", name);
    }
    CLEANUP_FD int inner_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP_FD int inner_into = openat(into, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner_into < 0 && inner_from >= 0) {
        if (!merge_remove(into, name, err))
            return false;
        if (mkdirat(into, name, 0700) == 0)
            inner_into = openat(into, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (inner_from < 0 || inner_into < 0 || fchmod(inner_into, st.st_mode & 0777) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s of the image", name);
    return merge_folder(inner_from, inner_into, depth + 1, err);
}

/* First what the layer removes from those below, whatever the order of names; then what it adds. */
static bool
merge_folder(int from, int into, unsigned depth, struct err **err)
{
    if (depth > MERGE_DEPTH_LIMIT)
        return err_set(err, ERR_CORRUPT, 0, "the folders of a layer are nested more than %d deep",
                       MERGE_DEPTH_LIMIT);
    if (faccessat(from, WHITEOUT_OPAQUE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !merge_empty(into, err))
        return false;
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir)
        return err_set(err, ERR_IO, errno, "cannot read a folder of a layer");
    for (int is_adding = 0; is_adding < 2; is_adding++, rewinddir(dir)) {
        for (struct dirent *entry; (entry = readdir(dir));) {
            const char *name = entry->d_name;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                continue;
            bool is_whiteout = str_starts(name, WHITEOUT);
            if (!stop_check(err))
                return false;
            if (is_adding && !is_whiteout && !merge_entry(from, into, name, depth, err))
                return false;
            const char *victim = name + strlen(WHITEOUT);
            if (!is_adding && is_whiteout && !str_starts(victim, WHITEOUT) && strcmp(victim, "") &&
                strcmp(victim, ".") && strcmp(victim, "..") && !merge_remove(into, victim, err))
                return false;
        }
    }
    return fsync(into) == 0 || err_set(err, ERR_IO, errno, "cannot sync a folder of the image");
}

bool
merge_layer(const char *layer, const char *rootfs, struct err **err)
{
    CLEANUP_FD int from = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int into = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0 || into < 0)
        return err_set(err, ERR_IO, errno, "cannot open %s", from < 0 ? layer : rootfs);
    return merge_folder(from, into, 0, err);
}

static int
merge_open_mode(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)walk;
    if (flag == FTW_SL)
        return 0;
    bool is_runnable = S_ISDIR(st->st_mode) || (st->st_mode & 0111);
    mode_t mode = (st->st_mode & 0755) | (is_runnable ? 0555 : 0444);
    return mode == (st->st_mode & 07777) ? 0 : chmod(path, mode);
}

bool
merge_open_modes(const char *folder, struct err **err)
{
    return nftw(folder, merge_open_mode, 32, FTW_PHYS) == 0 ||
           err_set(err, ERR_IO, errno, "cannot make the files in %s readable", folder);
}
