/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to a replica's monitor over <folder>/monitor.sock (SOCK_STREAM). One request a
 * connection, a line:
 *
 *   state         answered with a line of JSON:
 * {"state":"healthy","restarts":0,"exit_code":-1,"pid":123, "reason":null} listener      answered
 * with the byte 'y' that carries the published socket (SCM_RIGHTS), or 'n' if the monitor has
 * closed it stop MS       no answer: the connection is closed when the replica is gone, and the
 * monitor with it
 *
 * Both sides check that the other is the same user or root.
 */
#ifndef EFFIGY_RUNTIME_LOCAL_PEER_H
#define EFFIGY_RUNTIME_LOCAL_PEER_H

#include "base/err.h"
#include "runtime/runtime.h"

#include <stdbool.h>
#include <sys/types.h>

#define PEER_REQUEST_LIMIT 64  /* bytes, with the newline */
#define PEER_REPLY_LIMIT 16384 /* bytes */
#define PEER_TIMEOUT_MS 1000

/* The listening socket for a monitor whose folder is the working folder. Returns the descriptor, or
 * -1. */
int peer_listen(struct err **err);
/* Is whoever is at the other end of a Unix socket this user or root? */
bool peer_is_trusted(int fd);
bool peer_send_listener(int connection, int listener); /* -1: there is none */

struct peer_state {
    enum runtime_state state;
    unsigned restarts;
    int exit_code;
    pid_t pid;
    char *reason; /* or NULL */
};
char *peer_state_format(const struct peer_state *state); /* to be freed */
bool peer_state_parse(const char *text, size_t length, struct peer_state *ret_state);

/* ERR_NOT_FOUND if no monitor listens there, ERR_TIMEOUT if it does not answer. */
bool peer_ask_state(const char *folder, struct peer_state *ret_state, struct err **err);
int peer_ask_listener(const char *folder, struct err **err); /* the descriptor, or -1 */
int peer_ask_stop(const char *folder, unsigned grace_ms,
                  struct err **err); /* the connection, or -1 */

#endif
