/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver `local`: replicas are runc containers on this machine, each with a monitor of its own
 * (monitor.h).
 *
 *   <root>        unpacked images (image.h)
 *   <run_root>/replicas/<id>/            one folder a replica (record.h)
 *   <run_root>/runc/                     runc's own state (its --root); other containers of this
 * machine are never looked at <run_root>/services/<service>.lock   held by a rollout
 *   <run_root>/start.lock                held while a replica's folder is made
 *
 * Root may use it, and any other user for itself (then in a user namespace, below $XDG_RUNTIME_DIR,
 * or /tmp/effigy-<uid> without one).
 */
#ifndef EFFIGY_RUNTIME_LOCAL_H
#define EFFIGY_RUNTIME_LOCAL_H

#include "runtime/runtime-internal.h"

struct local {
    struct runtime base;
    char *root, *run_root; /* absolute */
    char *runc;            /* absolute path of the program */
    bool is_rootless;
    int service_lock; /* or -1 */
};

char *local_replicas(const struct local *local); /* <run_root>/replicas; to be freed */
char *local_folder(const struct local *local, const char *id); /* of a replica; to be freed */

bool local_start(struct runtime *runtime, const struct runtime_spec *spec,
                 struct runtime_replica *ret_replica, struct err **err);

#endif
