/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets to accept connections from. With LISTEN_FDS set (the protocol of sd_listen_fds(3):
 * LISTEN_PID is this process, descriptors from 3 on, names in LISTEN_FDNAMES) they come from the
 * parent and may be shared with other processes, other replicas among them: each takes what it can
 * get. Otherwise one is bound: all addresses, IPv6 and IPv4, of EFFIGY_PORT.
 */
#ifndef EFFIGY_REPLICA_LISTEN_H
#define EFFIGY_REPLICA_LISTEN_H

#include "base/err.h"
#include "replica/limits.h"

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_SOCKETS 16

struct listen_socket {
    int fd;
    bool published; /* named "published": to be accepted from only once this replica can answer */
};

struct listen_set {
    struct listen_socket sockets[LISTEN_SOCKETS];
    size_t count;
    char address[64]; /* of the first, for people: "[::]:8080" */
};

/* All sockets are non-blocking. ERR_BUSY where the port is taken. */
bool listen_open(const struct limits *limits, struct listen_set *ret_set, struct err **err);

#endif
