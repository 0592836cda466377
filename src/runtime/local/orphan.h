/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas whose monitor was killed: the container may still run, but nobody watches over it. */
#ifndef EFFIGY_RUNTIME_LOCAL_ORPHAN_H
#define EFFIGY_RUNTIME_LOCAL_ORPHAN_H

#include "base/err.h"
#include "runtime/local/record.h"

#include <stdbool.h>
#include <sys/types.h>

/* If the replica in this folder has no monitor: a descriptor that holds the monitor's lock, so that
 * nobody else takes care of it at the same time. Otherwise -1. */
int orphan_lock(const char *folder);
/* The process of the container; 0 if it does not run. */
pid_t orphan_pid(const struct local_record *record);
/* Ends the container, after SIGTERM and up to grace_ms, and removes all that belongs to the
 * replica. The caller holds the lock. */
bool orphan_end(const struct local_record *record, const char *folder, unsigned grace_ms,
                struct err **err);

#endif
