/* SPDX-License-Identifier: Apache-2.0 */
#include "control/rollout.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "control/service.h"

#include <string.h>

/* All that one rollout holds. */
struct rollout {
    const struct config_service *service;
    struct oci_store *store;
    struct runtime *runtime;
    struct generation target;
    struct runtime_replica *old; /* what ran at the beginning */
    size_t old_count;
    bool *old_kept, *old_stopped;
    char **fresh; /* ids of the replicas that were started */
    size_t fresh_count;
    struct runtime_spec spec;
    char *listen;
};

static void
rollout_free(struct rollout *r)
{
    for (size_t i = 0; i < r->fresh_count; i++)
        free(r->fresh[i]);
    free(r->fresh);
    free(r->old_kept);
    free(r->old_stopped);
    runtime_replicas_free(r->old, r->old_count);
    generation_free(&r->target);
    if (r->runtime) {
        runtime_unlock_service(r->runtime);
        runtime_close(r->runtime);
    }
    oci_store_close(r->store);
    free(r->listen);
}

static bool
rollout_open(struct rollout *r, const struct config *config, const struct runtime_options *runtime,
             struct err **err)
{
    if (!service_open_store(config, r->service, OCI_STORE_READ, &r->store, err) ||
        !service_open_runtime(r->service, runtime, &r->runtime, err) ||
        !runtime_lock_service(r->runtime, r->service->name, err) ||
        !runtime_list(r->runtime, r->service->name, &r->old, &r->old_count, err))
        return false;
    r->old_kept = mem_new_array(r->old_count, sizeof *r->old_kept);
    r->old_stopped = mem_new_array(r->old_count, sizeof *r->old_stopped);
    return true;
}

/* Going back must not fail because somebody is just publishing. */
static bool
rollout_lock_store(struct rollout *r, struct err **err)
{
    for (bool told = false;; told = true) {
        ERR_LOCAL(failed);
        if (oci_store_lock(r->store, &failed))
            return true;
        if (failed->kind != ERR_BUSY)
            return err_move(err, &failed);
        if (!told)
            log_note("%s: waiting for the publisher that holds %s", r->service->name,
                     oci_store_location(r->store));
        clock_sleep_ms(100);
        if (!stop_check(err))
            return false;
    }
}

/* Splits "127.0.0.1:8080" or "[::1]:8080". */
static bool
rollout_split_address(const char *address, char **ret_host, unsigned *ret_port)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (!colon || !str_to_u64(colon + 1, 1, 65535, &port))
        return false;
    bool bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    *ret_host = mem_strndup(address + bracketed, (size_t)(colon - address) - 2 * bracketed);
    *ret_port = (unsigned)port;
    return true;
}

/* Where the service is published: as asked for, else as it is now, else as configured. */
static bool
rollout_choose_address(struct rollout *r, const char *listen, unsigned port, struct err **err)
{
    CLEANUP_FREE char *host = NULL;
    unsigned now_port = 0;
    for (size_t i = 0; i < r->old_count && !now_port; i++) {
        if (r->old[i].published && r->old[i].state != RUNTIME_STOPPING)
            rollout_split_address(r->old[i].published, &host, &now_port);
    }
    r->listen = mem_strdup(listen ? listen : host ? host : r->service->listen);
    r->spec.listen_address = r->listen;
    r->spec.listen_port = port ? port : now_port ? now_port : (unsigned)r->service->port;
    if (r->spec.listen_port)
        return true;
    err_set(err, ERR_USAGE, 0, "no port is given for service %s", r->service->name);
    return err_hint(err, "effigy run %s --port 8080, or `port: 8080` in effigy.yaml",
                    r->service->name);
}

static bool
rollout_choose_spec(struct rollout *r, struct err **err)
{
    const struct config_service *service = r->service;
    double cpus = 0;
    if (service->cpus && *service->cpus) {
        char *end;
        cpus = strtod(service->cpus, &end);
        if (*end || !(cpus > 0))
            return err_set(err, ERR_CONFIG, 0, "service %s: cpus is '%s', not a number above 0",
                           service->name, service->cpus);
    }
    r->spec.service = service->name;
    r->spec.generation = r->target.number;
    r->spec.store = r->store;
    r->spec.manifest = &r->target.image;
    r->spec.replica = source_replica_of(r->target.engine);
    r->spec.memory_bytes = service->memory;
    r->spec.cpus = cpus;
    if (!r->spec.replica) {
        err_set(err, ERR_UNSUPPORTED, 0,
                "g%u holds data of the engine '%s', which this effigy does not know",
                r->target.number, r->target.engine);
        return err_hint(err, "a newer effigy may know it");
    }
    return true;
}

static bool
rollout_is_current(const struct rollout *r, const struct runtime_replica *replica)
{
    CLEANUP_FREE char *host = NULL;
    unsigned port = 0;
    return replica->healthy && replica->published &&
           strcmp(str_or(replica->manifest_digest, ""), r->target.image.digest.text) == 0 &&
           rollout_split_address(replica->published, &host, &port) && port == r->spec.listen_port &&
           strcmp(host, r->spec.listen_address) == 0;
}

static bool
rollout_start_one(struct rollout *r, const struct runtime_spec *spec, struct err **err)
{
    struct runtime_replica replica = {0};
    if (!runtime_start(r->runtime, spec, &replica, err))
        return false;
    r->fresh = mem_grow(r->fresh, r->fresh_count + 1, sizeof *r->fresh);
    r->fresh[r->fresh_count++] = mem_strdup(replica.id);
    log_debug("%s: started, waiting until it is healthy", replica.id);
    bool ok =
        runtime_wait_healthy(r->runtime, replica.id, (unsigned)r->service->health_timeout_ms, err);
    runtime_replica_free(&replica);
    return ok;
}

static bool
rollout_stop_old(struct rollout *r, size_t i, struct err **err)
{
    if (r->old_kept[i] || r->old_stopped[i])
        return true;
    r->old_stopped[i] = true;
    return runtime_stop(r->runtime, r->old[i].id, (unsigned)r->service->grace_ms, err);
}

/* A replica of the target did not become healthy: what was replaced already comes back, then the
 * new ones go. */
static void
rollout_undo(struct rollout *r)
{
    size_t fresh_count = r->fresh_count;
    for (size_t i = 0; i < r->old_count; i++) {
        const struct runtime_replica *old = &r->old[i];
        if (!r->old_stopped[i] || !old->healthy)
            continue;
        ERR_LOCAL(failed);
        struct oci_descriptor manifest = {0};
        CLEANUP_BUF struct buf bytes = {0};
        struct runtime_spec spec = r->spec;
        CLEANUP_FREE char *host = NULL;
        unsigned port = 0;
        if (old->published && rollout_split_address(old->published, &host, &port)) {
            spec.listen_address = host;
            spec.listen_port = port;
        }
        spec.generation = old->generation;
        spec.manifest = &manifest;
        bool ok =
            oci_store_get_manifest(r->store, old->manifest_digest, &manifest, &bytes, &failed) &&
            runtime_prepare(r->runtime, r->store, &manifest, &failed) &&
            rollout_start_one(r, &spec, &failed);
        if (!ok)
            log_warn("a replica of g%u could not be brought back: %s", old->generation,
                     failed->message);
        oci_descriptor_free(&manifest);
    }
    for (size_t i = 0; i < fresh_count; i++) {
        ERR_LOCAL(failed);
        if (!runtime_stop(r->runtime, r->fresh[i], (unsigned)r->service->grace_ms, &failed))
            log_warn("%s", failed->message);
    }
}

/* Replaces, one by one. */
static bool
rollout_replace(struct rollout *r, unsigned wanted, struct rollout_result *result, struct err **err)
{
    for (size_t i = 0; i < r->old_count && result->kept < wanted; i++) {
        r->old_kept[i] = rollout_is_current(r, &r->old[i]);
        result->kept += r->old_kept[i];
    }
    size_t next = 0;
    for (unsigned i = result->kept; i < wanted; i++) {
        if (!rollout_start_one(r, &r->spec, err)) {
            if (err && *err && (*err)->kind == ERR_INTERRUPTED) {
                /* Whatever waits would come back at once now, so nothing can be undone in order.
                 * All that serves goes on serving; the one that does not yet goes. */
                if (r->fresh_count > result->started)
                    runtime_stop(r->runtime, r->fresh[r->fresh_count - 1], 0, NULL);
                return err_hint(err, "replicas of both generations may be serving; the next effigy "
                                     "run completes it");
            }
            bool others = false;
            for (size_t k = 0; k < r->old_count; k++)
                others = others || r->old[k].healthy;
            rollout_undo(r);
            err_wrap(err, "g%u was rolled back", r->target.number);
            if (err && *err && !(*err)->hint)
                err_hint(err, others ? "the replicas that ran before keep serving"
                                     : "nothing is running now");
            return false;
        }
        result->started++;
        while (next < r->old_count && (r->old_kept[next] || r->old_stopped[next]))
            next++;
        if (next < r->old_count) {
            if (!rollout_stop_old(r, next, err))
                return false;
            result->stopped++;
        }
    }
    for (size_t i = 0; i < r->old_count; i++) {
        bool goes = !r->old_kept[i] && !r->old_stopped[i];
        if (!rollout_stop_old(r, i, err))
            return false;
        result->stopped += goes;
    }
    return true;
}

/* As many as run now. A rollout that was killed has left one too many: the youngest knows how many
 * there were to be. */
static unsigned
rollout_count_now(const struct rollout *r)
{
    unsigned count = 0, wanted = 0;
    for (size_t i = 0; i < r->old_count; i++) {
        if (r->old[i].state == RUNTIME_STOPPING)
            continue;
        count++;
        wanted = r->old[i].wanted;
    }
    return wanted && wanted < count ? wanted : count;
}

/* Brings the service to r->target. */
static bool
rollout_roll(struct rollout *r, const struct rollout_options *options, unsigned wanted,
             struct rollout_result *result, struct err **err)
{
    r->spec.wanted = wanted;
    if (!rollout_choose_address(r, options->listen, options->port, err) ||
        !rollout_choose_spec(r, err) ||
        !runtime_prepare(r->runtime, r->store, &r->target.image, err) ||
        !rollout_replace(r, wanted, result, err) ||
        !runtime_list(r->runtime, r->service->name, &result->replicas, &result->replica_count, err))
        return false;
    result->published =
        mem_printf(strchr(r->listen, ':') ? "[%s]:%u" : "%s:%u", r->listen, r->spec.listen_port);
    return true;
}

static bool
rollout_finish(struct rollout *r, bool ok, struct rollout_result *result,
               struct rollout_result *ret_result, struct err **err)
{
    if (ok) {
        ERR_LOCAL(failed);
        unsigned removed = 0;
        if (!runtime_prune(r->runtime, r->service->name, &r->target.image.digest, 1, &removed,
                           &failed))
            log_warn("unpacked images of older generations could not be removed: %s",
                     failed->message);
        log_debug("%s: %u unpacked images removed", r->service->name, removed);
        result->generation = r->target;
        r->target = (struct generation){0};
        *ret_result = *result;
    } else {
        rollout_result_free(result);
        err_wrap(err, "%s", r->service->name);
    }
    rollout_free(r);
    return ok;
}

bool
rollout_run(const struct config *config, const struct config_service *service,
            const struct rollout_options *options, struct rollout_result *ret_result,
            struct err **err)
{
    struct rollout r = {.service = service};
    struct rollout_result result = {0};
    bool ok = rollout_open(&r, config, &options->runtime, err) &&
              generation_read(r.store, options->tag ? options->tag : GENERATION_TAG_LATEST,
                              &r.target, err);
    unsigned running = rollout_count_now(&r);
    unsigned wanted = options->replicas ? options->replicas
                      : running         ? running
                                        : (unsigned)service->replicas;
    ok = ok && rollout_roll(&r, options, wanted, &result, err);
    return rollout_finish(&r, ok, &result, ret_result, err);
}

bool
rollout_stop(const struct config_service *service, const struct runtime_options *runtime,
             unsigned *ret_stopped, struct err **err)
{
    struct rollout r = {.service = service};
    bool ok = service_open_runtime(service, runtime, &r.runtime, err) &&
              runtime_lock_service(r.runtime, service->name, err) &&
              runtime_list(r.runtime, service->name, &r.old, &r.old_count, err);
    unsigned stopped = 0;
    for (size_t i = 0; ok && i < r.old_count; i++) {
        ok = runtime_stop(r.runtime, r.old[i].id, (unsigned)service->grace_ms, err);
        stopped += ok;
    }
    rollout_free(&r);
    *ret_stopped = stopped;
    return ok ? true : err_wrap(err, "%s", service->name);
}

/* Moves the running replicas, if there are any, and then the tags. */
static bool
rollout_move(struct rollout *r, const struct runtime_options *runtime, bool pin,
             struct rollout_result *result, struct err **err)
{
    struct rollout_options options = {.runtime = *runtime};
    unsigned running = rollout_count_now(r);
    if (running && !rollout_roll(r, &options, running, result, err))
        return false;
    const struct oci_descriptor *top = &r->target.top;
    struct oci_tag_change changes[] = {
        {.name = GENERATION_TAG_LATEST, .descriptor = top},
        {.name = GENERATION_TAG_PINNED, .descriptor = pin ? top : NULL},
    };
    if (!oci_store_set_tags(r->store, changes, ARRAY_LENGTH(changes), err)) {
        if (r->old_count)
            err_hint(err,
                     "the replicas run g%u already, but `latest` does not name it: repeat the "
                     "command before the next effigy run",
                     r->target.number);
        return false;
    }
    r->target.latest = true;
    r->target.pinned = pin;
    return true;
}

bool
rollout_rollback(const struct config *config, const struct config_service *service, const char *tag,
                 const struct runtime_options *runtime, struct rollout_result *ret_result,
                 struct err **err)
{
    unsigned number;
    if (!generation_tag_parse(tag, &number)) {
        err_set(err, ERR_USAGE, 0, "'%s' is not a generation", tag);
        return err_hint(err, "generations are named g1, g2, ...: effigy log %s", service->name);
    }
    struct rollout r = {.service = service};
    struct rollout_result result = {0};
    bool ok = rollout_open(&r, config, runtime, err) && rollout_lock_store(&r, err) &&
              generation_read(r.store, tag, &r.target, err) &&
              rollout_move(&r, runtime, true, &result, err);
    return rollout_finish(&r, ok, &result, ret_result, err);
}

bool
rollout_unpin(const struct config *config, const struct config_service *service,
              const struct runtime_options *runtime, struct rollout_result *ret_result,
              struct err **err)
{
    struct rollout r = {.service = service};
    struct rollout_result result = {0};
    struct generation *list = NULL;
    size_t count = 0;
    bool ok = rollout_open(&r, config, runtime, err) && rollout_lock_store(&r, err) &&
              generation_list(r.store, &list, &count, err);
    if (ok && !count)
        ok = err_set(err, ERR_NOT_FOUND, 0, "%s has no generations", oci_store_location(r.store));
    if (ok) {
        r.target = list[count - 1];
        ok = rollout_move(&r, runtime, false, &result, err);
        list[count - 1] = (struct generation){0}; /* r has it now */
    }
    generation_list_free(list, count);
    return rollout_finish(&r, ok, &result, ret_result, err);
}

void
rollout_result_free(struct rollout_result *result)
{
    generation_free(&result->generation);
    runtime_replicas_free(result->replicas, result->replica_count);
    free(result->published);
    *result = (struct rollout_result){0};
}
