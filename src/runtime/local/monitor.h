/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one small process per replica, without threads. It starts the container with runc,
 * is its subreaper, owns its log, asks after its health, starts it again when it ends (after 200
 * ms, then twice as long each time up to 30 s; from the beginning once it was healthy for a minute;
 * no more after ten ends in a row, or five if it never was healthy), and answers on its socket
 * (peer.h). SIGTERM makes it stop the replica as a "stop" with ten seconds does.
 *
 * It is started as `effigy monitor FOLDER` with the descriptors below; it leaves its caller at once
 * (fork, setsid).
 */
#ifndef EFFIGY_RUNTIME_LOCAL_MONITOR_H
#define EFFIGY_RUNTIME_LOCAL_MONITOR_H

#include "base/err.h"

#include <stdbool.h>

enum monitor_fd {
    MONITOR_FD_PUBLISHED =
        3, /* listening sockets; the container gets both under the same numbers */
    MONITOR_FD_PRIVATE,
    MONITOR_FD_READY,  /* a pipe: "ok", or why it could not begin */
    MONITOR_FD_FOLDER, /* the replica's folder, with a flock(2) on it (record.h) */
    MONITOR_FDS,
};
#define MONITOR_VERB "monitor"

/* Starts one for the folder; returns when it answers on its socket. The descriptors stay the
 * caller's. */
bool monitor_start(const char *folder, int published, int private, int folder_fd, struct err **err);

#endif
