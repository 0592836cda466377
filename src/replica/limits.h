/* SPDX-License-Identifier: Apache-2.0 */
/* What the server allows, read from the environment (a container has no other place for it). */
#ifndef EFFIGY_REPLICA_LIMITS_H
#define EFFIGY_REPLICA_LIMITS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Fixed ones. */
#define LIMITS_BODY_BYTES (1u << 20) /* of a request's body, and so of SQL text */
#define LIMITS_URL_BYTES (64u << 10)
#define LIMITS_HEADER_BYTES (64u << 10)
#define LIMITS_REQUEST_SECONDS 10.0 /* from a request's first byte to its last */
#define LIMITS_IDLE_SECONDS 60.0    /* between two requests of one connection */
#define LIMITS_BUFFERED_BYTES                                          \
    (256u << 20) /* answers built and not yet sent, of all connections \
                  */

struct limits {
    uint64_t max_rows;      /* rows of one answer */
    uint64_t max_bytes;     /* bytes of one answer */
    uint64_t max_time_ms;   /* running time of one query */
    uint64_t max_heap;      /* memory that one query may hold */
    uint64_t queue;         /* queries that may wait for a worker */
    uint64_t workers;       /* 0: one per CPU allowed */
    uint64_t loops;         /* 0: one per CPU allowed */
    uint64_t cache_seconds; /* max-age of answers */
    uint64_t max_connections;
    uint64_t grace_ms; /* between SIGTERM and the end */
    uint64_t port;
    uint64_t cors, locking, access_log; /* booleans */
    const char *listen;                 /* an address, or NULL: all */
    const char *identity;               /* path of generation.json */
};

/* Reads EFFIGY_* with getenv(3). ERR_USAGE names the variable, its value and what it may be. The
 * strings point into the environment. */
bool limits_read(struct limits *ret_limits, struct err **err);

/* The table of variables as --help prints it: name, default, meaning. */
void limits_describe(struct buf *text);

#endif
