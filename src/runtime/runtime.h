/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where replicas run. A runtime starts, lists and stops replicas of one image; what to replace when
 * is decided above (src/control/rollout). Drivers: `local` (runc on this machine); later docker,
 * podman.
 *
 * A runtime keeps no state that cannot be found again from the images and from the running replicas
 * themselves: a replica carries its labels (io.effigy.role=replica, io.effigy.service,
 * io.effigy.generation) wherever its engine can show them.
 *
 * THE FRONT. The replicas of a service share one published address. A replica joins it by itself
 * when it is ready to serve, and leaves it when it is stopped, before it ends; a client that keeps
 * reading through the published address sees no failed read while replicas come and go. With
 * `local` the published listening socket is one kernel object that every replica of the service
 * holds: whoever accepts a connection serves it, there is no proxy to pass through, and what waits
 * in the accept queue while a replica is replaced is accepted by another one. (Engines that cannot
 * take a listening socket will need a proxy here.)
 */
#ifndef EFFIGY_RUNTIME_RUNTIME_H
#define EFFIGY_RUNTIME_RUNTIME_H

#include "base/err.h"
#include "oci/store.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct runtime;

struct runtime_options {
    const char
        *root; /* unpacked images: default /var/lib/effigy, not root: $XDG_DATA_HOME/effigy */
    const char
        *run_root; /* running replicas: default /run/effigy, not root: $XDG_RUNTIME_DIR/effigy */
};
/* name: "local". ERR_NOT_FOUND with a hint if the runtime's program (runc) is missing, ERR_USAGE if
 * there is no such runtime. */
bool runtime_open(const char *name, const struct runtime_options *options,
                  struct runtime **ret_runtime, struct err **err);
void runtime_close(struct runtime *runtime);

/* Everything a replica needs that takes time (local: the layers are unpacked, once for all replicas
 * and generations). Shows progress. The image is identified by its manifest digest. */
bool runtime_prepare(struct runtime *runtime, struct oci_store *store,
                     const struct oci_descriptor *manifest, struct err **err);

/* Removes what was prepared of the service's images that no replica runs, that are not among `keep`
 * and that were not prepared in the last ten minutes. */
bool runtime_prune(struct runtime *runtime, const char *service, const struct oci_digest *keep,
                   size_t count, unsigned *ret_removed, struct err **err);

struct runtime_spec {
    const char *service;
    unsigned generation; /* 2 for g2 */
    struct oci_store *store;
    const struct oci_descriptor *manifest; /* prepared */
    const struct source_replica *replica;  /* how to run it */
    const char *listen_address; /* published address, "127.0.0.1" or "0.0.0.0", "::" ... */
    unsigned listen_port;       /* published port */
    uint64_t memory_bytes;      /* 0: no limit */
    double cpus;                /* 0: no limit */
    unsigned wanted;            /* how many replicas the service is to have when the rollout that
                                   starts this one is through; kept for who has to complete it */
};

enum runtime_state {
    RUNTIME_STARTING, /* running, not ready yet */
    RUNTIME_HEALTHY,
    RUNTIME_UNHEALTHY, /* running, but does not answer */
    RUNTIME_BACKOFF,   /* it ended by itself and will be started again */
    RUNTIME_STOPPING,  /* drains */
    RUNTIME_FAILED,    /* gave up */
};
const char *runtime_state_name(enum runtime_state state);

struct runtime_replica {
    char *id; /* "catalogue-g2-7f3a" */
    char *service;
    unsigned generation;
    char *manifest_digest;
    char *address;   /* "127.0.0.1:40123": this replica alone, past the front */
    char *published; /* "127.0.0.1:8080" */
    enum runtime_state state;
    bool healthy;
    unsigned restarts;
    int exit_code;      /* of the last end; -1 if it never ended */
    pid_t pid;          /* on the host; 0 if it is not running */
    int64_t started_ns; /* wall clock */
    unsigned wanted;    /* as in the spec that it was started by */
    char *log_path;
    char *reason; /* why it is not healthy: the last lines of its log, or NULL */
};
void runtime_replica_free(struct runtime_replica *replica); /* the fields */

/* Starts one replica and returns at once. ERR_BUSY if the published port is used by someone else.
 */
bool runtime_start(struct runtime *runtime, const struct runtime_spec *spec,
                   struct runtime_replica *ret_replica, struct err **err);
/* Waits until the replica is healthy. ERR_UNHEALTHY with the reason (the end of its log) if it has
 * ended, or is not healthy after timeout_ms; the replica is then still there. */
bool runtime_wait_healthy(struct runtime *runtime, const char *id, unsigned timeout_ms,
                          struct err **err);
/* Takes the replica off the front, lets it finish what it is answering for at most grace_ms, ends
 * it and removes all that belongs to it. */
bool runtime_stop(struct runtime *runtime, const char *id, unsigned grace_ms, struct err **err);
/* The replicas of a service (NULL: of all), in the order of their start, with their health as of
 * now. */
bool runtime_list(struct runtime *runtime, const char *service,
                  struct runtime_replica **ret_replicas, size_t *ret_count, struct err **err);
void runtime_replicas_free(struct runtime_replica *replicas, size_t count);
/* Keeps two rollouts of one service apart: ERR_BUSY at once if another process has it. Released by
 * runtime_unlock or the end of the process. */
bool runtime_lock_service(struct runtime *runtime, const char *service, struct err **err);
void runtime_unlock_service(struct runtime *runtime);

/* The entry of the hidden verb that runs a replica's monitor (local); returns its exit code. */
int runtime_local_monitor_main(int argc, char **argv);

#endif
