/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: the master's state becomes the next generation, unless nothing has changed.
 *
 * The order, so that a kill at any moment leaves the previous generation in place and the next run
 * finds what was already done: probe, lock (store, then master), snapshot, settle, bake (blobs),
 * config, manifest, then the tags g<N> and `latest` in one change.
 */
#ifndef EFFIGY_CONTROL_PUBLISH_H
#define EFFIGY_CONTROL_PUBLISH_H

#include "base/err.h"
#include "config/config.h"
#include "control/generation.h"

struct publish_options {
    bool force; /* bake even if the probe says that nothing was committed, and publish even if the
                   content is the same */
    const char *server_dir; /* NULL: $EFFIGY_LIBDIR, or where the server was installed:
                               <dir>/<arch>/effigy-serve */
};

struct publish_result {
    bool changed;                 /* a new generation was made */
    struct generation generation; /* the new one, or the newest one when nothing changed */
    bool latest_moved;            /* false when pinned */
    uint64_t bytes_data;          /* settled size */
    uint64_t bytes_written;       /* new blobs */
    double seconds_probe, seconds_snapshot, seconds_settle, seconds_bake, seconds_store,
        seconds_total;
};
bool publish(const struct config *config, const struct config_service *service,
             const struct publish_options *options, struct publish_result *ret_result,
             struct err **err);
void publish_result_free(struct publish_result *result); /* the fields */

#endif
