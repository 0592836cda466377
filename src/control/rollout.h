/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rolling out: the replicas of a service become those of one generation, replica by replica: a new
 * one is healthy before an old one goes. If a new one does not become healthy, the new ones are
 * stopped again, the old ones stay, and the error says why (ERR_UNHEALTHY).
 */
#ifndef EFFIGY_CONTROL_ROLLOUT_H
#define EFFIGY_CONTROL_ROLLOUT_H

#include "base/err.h"
#include "config/config.h"
#include "control/generation.h"
#include "runtime/runtime.h"

struct rollout_options {
    const char *tag;    /* NULL: latest */
    unsigned replicas;  /* 0: as many as run now, else as configured */
    const char *listen; /* NULL: as configured, or as the replicas that run now */
    unsigned port;      /* 0: as configured, or as the replicas that run now */
    struct runtime_options runtime;
};
struct rollout_result {
    struct generation generation;
    unsigned started, stopped, kept;
    struct runtime_replica *replicas; /* those that run now */
    size_t replica_count;
    char *published; /* "127.0.0.1:8080" */
};
bool rollout_run(const struct config *config, const struct config_service *service,
                 const struct rollout_options *options, struct rollout_result *ret_result,
                 struct err **err);
/* Stops all replicas of the service; *ret_stopped is how many there were. */
bool rollout_stop(const struct config_service *service, const struct runtime_options *runtime,
                  unsigned *ret_stopped, struct err **err);

/* Moves `latest` (and the running replicas, if there are any) to the generation `tag` and pins them
 * there. The replicas move first, so that a generation that does not become healthy changes
 * nothing. */
bool rollout_rollback(const struct config *config, const struct config_service *service,
                      const char *tag, const struct runtime_options *runtime,
                      struct rollout_result *ret_result, struct err **err);
/* Removes the pin: `latest` (and the running replicas) move to the newest generation. */
bool rollout_unpin(const struct config *config, const struct config_service *service,
                   const struct runtime_options *runtime, struct rollout_result *ret_result,
                   struct err **err);
void rollout_result_free(struct rollout_result *result);

#endif
