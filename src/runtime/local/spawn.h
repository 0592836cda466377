/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a program with exactly the descriptors that it is meant to have. */
#ifndef EFFIGY_RUNTIME_LOCAL_SPAWN_H
#define EFFIGY_RUNTIME_LOCAL_SPAWN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_LIMIT 8

/* Starts the program at `path` with descriptor fds[i] as its descriptor i; all of ours that are not
 * close-on-exec are inherited besides. No signal is blocked or ignored in it. */
bool spawn_program(const char *path, const char *const *argv, const char *const *environment,
                   const int *fds, size_t count, pid_t *ret_pid, struct err **err);

/* The absolute path of a program in PATH, or in one of the sbin folders, which an ordinary user's
 * PATH lacks. To be freed; NULL if there is none. */
char *spawn_find(const char *program);

#endif
