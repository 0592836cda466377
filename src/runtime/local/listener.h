/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets and their names, as "127.0.0.1:8080" and "[::1]:8080". */
#ifndef EFFIGY_RUNTIME_LOCAL_LISTENER_H
#define EFFIGY_RUNTIME_LOCAL_LISTENER_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The name of address (a numeric IPv4 or IPv6 address, or "localhost") and port; ERR_USAGE if it is
 * none. To be freed. */
char *listener_name(const char *address, unsigned port, struct err **err);
/* The other way round; pure. */
bool listener_parse(const char *name, struct sockaddr_storage *ret_address, socklen_t *ret_length);

/* A socket that listens there; port 0 takes a free one. Returns the descriptor (close-on-exec), or
 * -1: ERR_BUSY if the port is used, with the program that uses it in the hint where the system
 * tells.
 *
 * Several processes accept from it, so accept(2) must never wait: the connection may be another's
 * by then. O_NONBLOCK alone does not ensure that, as it belongs to the socket and not to the
 * descriptor, and runc, being written in Go, clears it on every descriptor that it passes on, under
 * the hands of the replicas that run. So the socket also has the shortest SO_RCVTIMEO. (Accepted
 * sockets inherit that; servers that wait for data use poll(2) or the like.) */
int listener_bind(const char *name, struct err **err);
/* Where a listening socket listens; NULL if it is not one. To be freed. */
char *listener_name_of(int fd);

/* The descriptor `number` of another process, if it is a socket that listens at `name`; -1
 * otherwise, and where the kernel or its permissions do not allow to look. */
int listener_take(pid_t pid, int number, const char *name);

#endif
