/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets and their names, as "127.0.0.1:8080" and "[::1]:8080". */
#ifndef EFFIGY_RUNTIME_LOCAL_LISTENER_H
#define EFFIGY_RUNTIME_LOCAL_LISTENER_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The name of address (a numeric IPv4 or IPv6 address, or "localhost") and port; ERR_USAGE if it is none. To be
 * freed. */
char *listener_name(const char *address, unsigned port, struct err **err);
/* The other way round; pure. */
bool listener_parse(const char *name, struct sockaddr_storage *ret_address, socklen_t *ret_length);

/* A socket that listens there; port 0 takes a free one. Returns the descriptor (close-on-exec, and non-blocking, as
 * one of several that accept from it may come too late), or -1: ERR_BUSY
 * if the port is used, with the program that uses it in the hint where the system tells. */
int listener_bind(const char *name, struct err **err);
/* Where a listening socket listens; NULL if it is not one. To be freed. */
char *listener_name_of(int fd);

/* The descriptor `number` of another process, if it is a socket that listens at `name`; -1 otherwise, and where
 * the kernel or its permissions do not allow to look. */
int listener_take(pid_t pid, int number, const char *name);

#endif
