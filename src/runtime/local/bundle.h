/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config.json by which runc runs a replica (OCI runtime spec 1.0.2): a process that has nothing
 * but the image, read-only, and the sockets that it inherits. No capability, no new privileges, all
 * namespaces its own; the network namespace is empty, since connections are accepted from sockets
 * that were made outside.
 */
#ifndef EFFIGY_RUNTIME_LOCAL_BUNDLE_H
#define EFFIGY_RUNTIME_LOCAL_BUNDLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BUNDLE_UID 65532 /* of the process, when root starts it; owns nothing */
#define BUNDLE_OPEN_FILES 65536

struct bundle {
    const char *id, *service, *manifest_digest;
    unsigned generation;
    const char *rootfs;       /* absolute */
    const char *working_dir;  /* NULL or "": "/" */
    const char *const *argv;  /* NULL-terminated */
    char *const *environment; /* of the image, NULL-terminated; or NULL */
    bool is_rootless; /* then uid and gid, of the caller, are the only ones in its user namespace */
    uid_t uid;
    gid_t gid;
    bool has_seccomp;      /* runc was built with it */
    uint64_t open_files;   /* at most the hard limit of the caller */
    uint64_t memory_bytes; /* 0: no limit */
    double cpus;           /* 0: no limit */
};
/* JSON; to be freed. NULL with ERR_UNSUPPORTED if something in it is not UTF-8. */
char *bundle_format(const struct bundle *bundle, struct err **err);

#endif
