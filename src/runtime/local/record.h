/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is fixed about a replica from its start on: replica.json in the replica's folder.
 *
 * The folder, <run_root>/replicas/<id>/, also holds
 *   config.json    the bundle for runc (OCI runtime spec)
 *   pid            the process of the container
 *   monitor.sock   where the monitor answers (peer.h)
 *   log, log.1     what the replica printed
 * Its monitor holds a flock(2) on the folder for as long as it lives; whoever starts a replica
 * takes it first and hands it on. A folder whose name begins with '.' is about to come or to go.
 */
#ifndef EFFIGY_RUNTIME_LOCAL_RECORD_H
#define EFFIGY_RUNTIME_LOCAL_RECORD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct local_record {
    char *id;
    char *service;
    unsigned generation;
    char *manifest_digest;
    char *address; /* see listener.h */
    char *published;
    char *health_path;
    char *runc;      /* absolute path of the program */
    char *runc_root; /* its --root */
    int64_t started_ns;
    unsigned wanted; /* see runtime.h */
};
bool record_write(const char *folder, const struct local_record *record, struct err **err);
bool record_read(const char *folder, struct local_record *ret_record, struct err **err);
void record_free(struct local_record *record); /* the fields */

#endif
