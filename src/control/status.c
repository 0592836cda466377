/* SPDX-License-Identifier: Apache-2.0 */
#include "control/status.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/service.h"

#include <string.h>

/* How far behind the master is what has this position? *ret_seconds is -1 where nothing can be
 * said. */
static bool
status_behind(const struct status *status, const struct generation *generation, double *ret_seconds)
{
    *ret_seconds = -1;
    if (!status->master_ok || !generation)
        return false;
    bool behind = !generation_is_at(generation, status->probe.position.text);
    double since = (double)(clock_wall_ns() - generation->created_ns) / 1e9;
    *ret_seconds = !behind ? 0 : since > 0 ? since : 0;
    return behind;
}

static void
status_read_master(const struct config *config, const struct config_service *service,
                   struct status *status)
{
    ERR_LOCAL(failed);
    struct source *source = NULL;
    status->master_ok = service_open_source(config, service, &source, &failed) &&
                        source_probe(source, &status->probe, &failed);
    if (!status->master_ok)
        status->master_error = mem_strdup(failed->message);
    source_close(source);
}

static bool
status_read_images(const struct config *config, const struct config_service *service,
                   struct generation **ret_list, size_t *ret_count, struct generation *ret_latest,
                   struct err **err)
{
    struct oci_store *store = NULL;
    ERR_LOCAL(failed);
    *ret_list = NULL;
    *ret_count = 0;
    bool ok = service_open_store(config, service, OCI_STORE_READ, &store, &failed) &&
              generation_list(store, ret_list, ret_count, &failed);
    for (size_t i = 0; ok && i < *ret_count; i++) {
        if (!(*ret_list)[i].latest)
            continue;
        ok = generation_read(store, GENERATION_TAG_LATEST, ret_latest, &failed);
        ret_latest->latest = true;
        ret_latest->pinned = (*ret_list)[i].pinned;
    }
    oci_store_close(store);
    if (!ok) {
        generation_list_free(*ret_list, *ret_count);
        *ret_list = NULL;
        *ret_count = 0;
    }
    /* A service that was never published is in order, too. */
    return ok || failed->kind == ERR_NOT_FOUND ? true : err_move(err, &failed);
}

static void
status_read_replicas(const struct config_service *service, const struct runtime_options *options,
                     const struct generation *list, size_t count, struct status *status)
{
    ERR_LOCAL(failed);
    struct runtime *runtime = NULL;
    struct runtime_replica *replicas = NULL;
    size_t replica_count = 0;
    if (!service_open_runtime(service, options, &runtime, &failed) ||
        !runtime_list(runtime, service->name, &replicas, &replica_count, &failed))
        status->runtime_error = mem_strdup(failed->message);
    if (runtime)
        runtime_close(runtime);
    status->replicas = mem_new_array(replica_count, sizeof *status->replicas);
    status->replica_count = replica_count;
    for (size_t i = 0; i < replica_count; i++) {
        const struct generation *generation = NULL;
        for (size_t k = 0; k < count; k++) {
            if (list[k].number == replicas[i].generation)
                generation = &list[k];
        }
        status->replicas[i].replica = replicas[i];
        status->replicas[i].behind =
            status_behind(status, generation, &status->replicas[i].staleness_seconds);
    }
    free(replicas);
}

bool
status_read(const struct config *config, const struct config_service *service,
            const struct runtime_options *runtime, struct status *ret_status, struct err **err)
{
    struct status status = {.service = service->name, .master_url = mem_strdup(service->master)};
    struct generation *list;
    size_t count;
    if (!status_read_images(config, service, &list, &count, &status.latest, err)) {
        free(status.master_url);
        return err_wrap(err, "%s", service->name);
    }
    status_read_master(config, service, &status);
    status_read_replicas(service, runtime, list, count, &status);
    status.newest_staleness_seconds = -1;
    if (count) {
        status.has_newest = true;
        status.newest_behind =
            status_behind(&status, &list[count - 1], &status.newest_staleness_seconds);
        status.newest = list[count - 1];
        list[count - 1] = (struct generation){0};
    }
    generation_list_free(list, count);
    *ret_status = status;
    return true;
}

void
status_free(struct status *status)
{
    free(status->master_url);
    free(status->master_error);
    source_probe_free(&status->probe);
    generation_free(&status->newest);
    generation_free(&status->latest);
    for (size_t i = 0; i < status->replica_count; i++)
        runtime_replica_free(&status->replicas[i].replica);
    free(status->replicas);
    free(status->runtime_error);
    *status = (struct status){0};
}
