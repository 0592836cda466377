/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes that run to their end. Arguments are passed as they are, never through a shell.
 */
#ifndef EFFIGY_BASE_PROC_H
#define EFFIGY_BASE_PROC_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Runs argv (argv[0] looked up in PATH; ends with NULL), with stdin from /dev/null, and waits. What
 * the child prints is collected (at most 1 MiB of each stream is kept); either buffer may be NULL,
 * and its stream then goes to /dev/null. The result is true if it could be run at all; *ret_status
 * is its exit code, or 128 + the signal that ended it. ERR_NOT_FOUND if there is no such program. A
 * requested stop (base/stop.h) ends the child. */
bool proc_run(const char *const *argv, struct buf *out, struct buf *errors, int *ret_status,
              struct err **err);

/* Is there such a program in PATH? */
bool proc_exists(const char *program);

#endif
