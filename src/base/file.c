/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

bool
file_read(const char *path, size_t limit, struct buf *ret_bytes, struct err **err)
{
    return file_read_at(AT_FDCWD, path, limit, ret_bytes, err);
}

bool
file_read_at(int dirfd, const char *path, size_t limit, struct buf *ret_bytes, struct err **err)
{
    CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, ERR_IO, errno, "cannot open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot stat %s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, EISDIR, "cannot read %s", path);
    /* Opened without waiting, so that nobody hangs on a pipe without a writer; read with waiting.
     */
    if (!S_ISREG(st.st_mode) && fcntl(fd, F_SETFL, 0) < 0)
        return err_set(err, ERR_IO, errno, "cannot read %s", path);
    CLEANUP_BUF struct buf bytes = {0};
    for (;;) {
        char *end = buf_reserve(&bytes, 65536);
        ssize_t n = read(fd, end, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, errno, "cannot read %s", path);
        if (n == 0)
            break;
        bytes.length += (size_t)n;
        if (bytes.length > limit)
            return err_set(err, ERR_CORRUPT, 0,
                           "%s is larger than the %zu bytes that such a file may have", path,
                           limit);
    }
    buf_append(&bytes, "", 0);
    *ret_bytes = bytes;
    bytes = (struct buf){0};
    return true;
}

bool
file_write_all(int fd, const void *bytes, size_t length, const char *what, struct err **err)
{
    const char *p = bytes;
    while (length) {
        ssize_t n = write(fd, p, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, errno, "cannot write %s", what);
        p += n;
        length -= (size_t)n;
    }
    return true;
}

bool
file_pwrite_all(int fd, const void *bytes, size_t length, uint64_t offset, const char *what,
                struct err **err)
{
    const char *p = bytes;
    while (length) {
        ssize_t n = pwrite(fd, p, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, errno, "cannot write %s", what);
        p += n;
        offset += (uint64_t)n;
        length -= (size_t)n;
    }
    return true;
}

bool
file_pread_all(int fd, void *bytes, size_t length, uint64_t offset, const char *what,
               struct err **err)
{
    char *p = bytes;
    while (length) {
        ssize_t n = pread(fd, p, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, errno, "cannot read %s", what);
        if (n == 0)
            return err_set(err, ERR_CORRUPT, 0, "%s ends at byte %llu, before it should", what,
                           (unsigned long long)offset);
        p += n;
        offset += (uint64_t)n;
        length -= (size_t)n;
    }
    return true;
}

bool
file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode, struct err **err)
{
    CLEANUP_FREE char *temporary = mem_printf("%s.XXXXXX", path);
    CLEANUP_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, errno, "cannot write %s", path);
    bool ok = file_write_all(fd, bytes, length, path, err);
    if (ok && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
        ok = err_set(err, ERR_IO, errno, "cannot write %s", path);
    if (!ok) {
        unlink(temporary);
        return false;
    }
    CLEANUP_FREE char *dir = file_dirname(path);
    return file_sync_dir(dir, err);
}

bool
file_make_dirs(const char *path, mode_t mode, struct err **err)
{
    CLEANUP_FREE char *copy = mem_strdup(path);
    for (char *slash = copy + 1; *copy; slash++) {
        slash = strchrnul(slash, '/');
        char was = *slash;
        *slash = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            int errnum = errno;
            struct stat st;
            if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode))
                return err_set(err, ERR_IO, errnum, "cannot make the folder %s", copy);
        }
        if (!was)
            break;
        *slash = was;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, ENOTDIR, "cannot make the folder %s", path);
    return true;
}

static int
file_remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)walk;
    return flag == FTW_DP || flag == FTW_DNR ? rmdir(path) : unlink(path);
}

bool
file_remove_tree(const char *path, struct err **err)
{
    if (nftw(path, file_remove_one, 32, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return err_set(err, ERR_IO, errno, "cannot remove %s", path);
    return true;
}

bool
file_sync_dir(const char *path, struct err **err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_set(err, ERR_IO, errno, "cannot sync the folder %s", path);
    return true;
}

bool
file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int
file_lock(const char *path, struct err **err)
{
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        err_set(err, ERR_IO, errno, "cannot open the lock %s", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            err_set(err, ERR_BUSY, 0, "the lock %s is held by another process", path);
        else
            err_set(err, ERR_IO, errno, "cannot lock %s", path);
        return -1;
    }
    return steal_fd(&fd);
}

char *
file_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0] || strcmp(dir, ".") == 0)
        return mem_strdup(name);
    return mem_printf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *
file_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

const char *
file_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
