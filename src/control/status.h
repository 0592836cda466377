/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a service: its master, its newest generation, its replicas.
 *
 * Staleness: a replica is behind when the master's position is not that of the replica's
 * generation. Then staleness_seconds is the time since the position of its generation, an upper
 * bound of the age of the oldest commit that it lacks; otherwise it is 0, however long the master
 * has been idle.
 */
#ifndef EFFIGY_CONTROL_STATUS_H
#define EFFIGY_CONTROL_STATUS_H

#include "base/err.h"
#include "config/config.h"
#include "control/generation.h"
#include "runtime/runtime.h"
#include "source/source.h"

struct status_replica {
    struct runtime_replica replica;
    bool behind;              /* meaningful only if the master could be probed */
    double staleness_seconds; /* -1 where it cannot be known */
};
struct status {
    const char *service; /* the configuration's */
    char *master_url;
    bool master_ok;
    char *master_error; /* why the master could not be probed; NULL if it could */
    struct source_probe probe;
    bool has_newest;
    struct generation newest, latest; /* latest: what is served; equal to newest unless pinned */
    bool newest_behind;               /* the master has moved since the newest generation */
    double newest_staleness_seconds;
    struct status_replica *replicas;
    size_t replica_count;
    char *runtime_error; /* why the replicas could not be listed; NULL if they could */
};
/* Succeeds also when the master is away or there are no generations yet: the result says so. */
bool status_read(const struct config *config, const struct config_service *service,
                 const struct runtime_options *runtime, struct status *ret_status,
                 struct err **err);
void status_free(struct status *status); /* the fields */

#endif
