/* SPDX-License-Identifier: Apache-2.0 */
/* What all threads of the server share. */
#ifndef EFFIGY_REPLICA_SERVER_H
#define EFFIGY_REPLICA_SERVER_H

#include "replica/identity.h"
#include "replica/limits.h"
#include "replica/listen.h"
#include "replica/pool.h"

#include <stdatomic.h>
#include <stddef.h>

enum server_state { SERVER_STARTING, SERVER_READY, SERVER_DRAINING };

struct loop;

struct server {
    struct identity identity;
    struct limits limits;
    struct listen_set listen;
    struct pool *pool; /* not before SERVER_READY */
    struct loop **loops;
    size_t loop_count;
    _Atomic enum server_state state;
    atomic_size_t listening; /* while draining: loops that still accept */
    int64_t start_wall_ns;
};

/* Connections of all loops. */
size_t server_connections(const struct server *server);

#endif
