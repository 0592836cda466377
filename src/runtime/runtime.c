/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime.h"

#include "base/mem.h"
#include "base/str.h"
#include "runtime/runtime-internal.h"

#include <string.h>

static const struct runtime_ops *const runtime_drivers[] = {&runtime_local_ops};

static const char *const runtime_state_names[] = {
    [RUNTIME_STARTING] = "starting",   [RUNTIME_HEALTHY] = "healthy",
    [RUNTIME_UNHEALTHY] = "unhealthy", [RUNTIME_BACKOFF] = "backoff",
    [RUNTIME_STOPPING] = "stopping",   [RUNTIME_FAILED] = "failed",
};

const char *
runtime_state_name(enum runtime_state state)
{
    return runtime_state_names[state];
}

bool
runtime_open(const char *name, const struct runtime_options *options, struct runtime **ret_runtime,
             struct err **err)
{
    static const struct runtime_options defaults;
    for (size_t i = 0; i < ARRAY_LENGTH(runtime_drivers); i++) {
        if (strcmp(runtime_drivers[i]->name, name) == 0)
            return runtime_drivers[i]->open(options ? options : &defaults, ret_runtime, err);
    }
    err_set(err, ERR_USAGE, 0, "there is no runtime \"%s\"", name);
    return err_hint(err, "use \"local\", which runs replicas on this machine with runc");
}

void
runtime_close(struct runtime *runtime)
{
    if (runtime)
        runtime->ops->close(runtime);
}

bool
runtime_prepare(struct runtime *runtime, struct oci_store *store,
                const struct oci_descriptor *manifest, struct err **err)
{
    return runtime->ops->prepare(runtime, store, manifest, err);
}

bool
runtime_prune(struct runtime *runtime, const char *service, const struct oci_digest *keep,
              size_t count, unsigned *ret_removed, struct err **err)
{
    return runtime->ops->prune(runtime, service, keep, count, ret_removed, err);
}

bool
runtime_start(struct runtime *runtime, const struct runtime_spec *spec,
              struct runtime_replica *ret_replica, struct err **err)
{
    if (!str_is_name(spec->service))
        return err_set(err, ERR_USAGE, 0, "\"%s\" is not a name for a service", spec->service);
    return runtime->ops->start(runtime, spec, ret_replica, err);
}

bool
runtime_wait_healthy(struct runtime *runtime, const char *id, unsigned timeout_ms, struct err **err)
{
    return runtime->ops->wait_healthy(runtime, id, timeout_ms, err);
}

bool
runtime_stop(struct runtime *runtime, const char *id, unsigned grace_ms, struct err **err)
{
    return runtime->ops->stop(runtime, id, grace_ms, err);
}

static int
runtime_replica_compare(const void *left, const void *right)
{
    const struct runtime_replica *a = left, *b = right;
    if (a->started_ns != b->started_ns)
        return a->started_ns < b->started_ns ? -1 : 1;
    return strcmp(a->id, b->id);
}

bool
runtime_list(struct runtime *runtime, const char *service, struct runtime_replica **ret_replicas,
             size_t *ret_count, struct err **err)
{
    if (!runtime->ops->list(runtime, service, ret_replicas, ret_count, err))
        return false;
    if (*ret_count)
        qsort(*ret_replicas, *ret_count, sizeof **ret_replicas, runtime_replica_compare);
    return true;
}

void
runtime_replica_free(struct runtime_replica *replica)
{
    free(replica->id);
    free(replica->service);
    free(replica->manifest_digest);
    free(replica->address);
    free(replica->published);
    free(replica->log_path);
    free(replica->reason);
    *replica = (struct runtime_replica){0};
}

void
runtime_replicas_free(struct runtime_replica *replicas, size_t count)
{
    for (size_t i = 0; i < count; i++)
        runtime_replica_free(&replicas[i]);
    free(replicas);
}

bool
runtime_lock_service(struct runtime *runtime, const char *service, struct err **err)
{
    if (!str_is_name(service))
        return err_set(err, ERR_USAGE, 0, "\"%s\" is not a name for a service", service);
    return runtime->ops->lock_service(runtime, service, err);
}

void
runtime_unlock_service(struct runtime *runtime)
{
    runtime->ops->unlock_service(runtime);
}
