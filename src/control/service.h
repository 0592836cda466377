/* SPDX-License-Identifier: Apache-2.0 */
/* A service as configured, with what it names opened: its image store, its master, its runtime. */
#ifndef EFFIGY_CONTROL_SERVICE_H
#define EFFIGY_CONTROL_SERVICE_H

#include "base/err.h"
#include "config/config.h"
#include "oci/store.h"
#include "runtime/runtime.h"
#include "source/source.h"

/* Each opens one thing and says in errors what it was. Close with the module's own function. */
bool service_open_store(const struct config *config, const struct config_service *service,
                        enum oci_store_mode mode, struct oci_store **ret_store, struct err **err);
bool service_open_source(const struct config *config, const struct config_service *service,
                         struct source **ret_source, struct err **err);
bool service_open_runtime(const struct config_service *service,
                          const struct runtime_options *options, struct runtime **ret_runtime,
                          struct err **err);

#endif
