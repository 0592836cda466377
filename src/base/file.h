/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files. What becomes visible becomes visible whole: written under a temporary name in the same
 * folder, synced, renamed, and the folder synced.
 */
#ifndef EFFIGY_BASE_FILE_H
#define EFFIGY_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads the whole of a file of at most `limit` bytes (ERR_CORRUPT if it is larger). */
bool file_read(const char *path, size_t limit, struct buf *ret_bytes, struct err **err);
bool file_read_at(int dirfd, const char *path, size_t limit, struct buf *ret_bytes,
                  struct err **err);

/* Replaces path by the bytes, atomically and durably (see above). */
bool file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode,
                       struct err **err);

/* Loops over short reads and writes and EINTR. `what` names the file in the message. file_pread_all
 * fails with ERR_CORRUPT if the file ends early. */
bool file_write_all(int fd, const void *bytes, size_t length, const char *what, struct err **err);
bool file_pwrite_all(int fd, const void *bytes, size_t length, uint64_t offset, const char *what,
                     struct err **err);
bool file_pread_all(int fd, void *bytes, size_t length, uint64_t offset, const char *what,
                    struct err **err);

bool file_make_dirs(const char *path, mode_t mode, struct err **err); /* mkdir -p */
bool file_remove_tree(const char *path, struct err **err); /* rm -rf; never follows links */
bool file_sync_dir(const char *path, struct err **err);
bool file_exists(const char *path);

/* An exclusive flock(2) on path, which is created if it is not there; released by closing the
 * descriptor or by the end of the process, however it ends. ERR_BUSY at once if someone has it.
 * Returns the descriptor (close-on-exec), or -1. */
int file_lock(const char *path, struct err **err);

/* dir + "/" + name, or name alone if it is absolute or dir is "" or "."; to be freed. */
char *file_join(const char *dir, const char *name);
char *file_dirname(const char *path);        /* to be freed; "." where there is none */
const char *file_basename(const char *path); /* points into path */

#endif
