/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver of the runtime provides. The functions mean what those of runtime.h mean; their
 * results are freed by the caller with the functions there. A driver puts `struct runtime` first in
 * its own struct. */
#ifndef EFFIGY_RUNTIME_INTERNAL_H
#define EFFIGY_RUNTIME_INTERNAL_H

#include "runtime/runtime.h"

struct runtime_ops {
    const char *name;
    bool (*open)(const struct runtime_options *options, struct runtime **ret_runtime,
                 struct err **err);
    void (*close)(struct runtime *runtime);
    bool (*prepare)(struct runtime *runtime, struct oci_store *store,
                    const struct oci_descriptor *manifest, struct err **err);
    bool (*prune)(struct runtime *runtime, const char *service, const struct oci_digest *keep,
                  size_t count, unsigned *ret_removed, struct err **err);
    bool (*start)(struct runtime *runtime, const struct runtime_spec *spec,
                  struct runtime_replica *ret_replica, struct err **err);
    bool (*wait_healthy)(struct runtime *runtime, const char *id, unsigned timeout_ms,
                         struct err **err);
    bool (*stop)(struct runtime *runtime, const char *id, unsigned grace_ms, struct err **err);
    /* In any order; runtime_list() sorts. */
    bool (*list)(struct runtime *runtime, const char *service,
                 struct runtime_replica **ret_replicas, size_t *ret_count, struct err **err);
    bool (*lock_service)(struct runtime *runtime, const char *service, struct err **err);
    void (*unlock_service)(struct runtime *runtime);
};

struct runtime {
    const struct runtime_ops *ops;
};

extern const struct runtime_ops runtime_local_ops;

#endif
