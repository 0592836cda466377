/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service.h"

#include "base/file.h"
#include "base/mem.h"

bool
service_open_store(const struct config *config, const struct config_service *service,
                   enum oci_store_mode mode, struct oci_store **ret_store, struct err **err)
{
    struct oci_ref ref;
    if (!oci_ref_parse(service->image, &ref, err)) {
        err_rekind(err, ERR_CONFIG);
        return err_wrap(err, "the image of service %s", service->name);
    }
    if (ref.transport == OCI_TRANSPORT_LAYOUT) {
        char *whole = file_join(config->base_dir, ref.location);
        free(ref.location);
        ref.location = whole;
    }
    bool ok = oci_store_open(&ref, mode, ret_store, err);
    if (!ok && err && *err && (*err)->kind == ERR_NOT_FOUND && mode == OCI_STORE_READ)
        err_hint(err, "nothing has been published yet: effigy publish %s", service->name);
    oci_ref_free(&ref);
    return ok;
}

bool
service_open_source(const struct config *config, const struct config_service *service,
                    struct source **ret_source, struct err **err)
{
    size_t count = 1 + service->attach_count;
    CLEANUP_FREE struct source_database *databases = mem_new_array(count, sizeof *databases);
    databases[0] = (struct source_database){.name = "main", .url = service->master};
    for (size_t i = 0; i < service->attach_count; i++)
        databases[i + 1] = (struct source_database){.name = service->attach[i].name,
                                                    .url = service->attach[i].master};
    if (!source_open(databases, count, config->base_dir, ret_source, err))
        return err_wrap(err, "the master of service %s", service->name);
    return true;
}

bool
service_open_runtime(const struct config_service *service, const struct runtime_options *options,
                     struct runtime **ret_runtime, struct err **err)
{
    return runtime_open(service->runtime, options, ret_runtime, err);
}
