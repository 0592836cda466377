/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals and the end. SIGTERM or SIGINT: the listening sockets are closed at once (others that
 * share them go on), readiness is withdrawn, and the connections that there are get an answer to
 * what they asked and to one request more, with Connection: close. That ends when none is left or
 * the grace period is over; a second signal ends it at once. As process 1 of a container no signal
 * has a default action, so they are blocked in all threads and waited for.
 */
#ifndef EFFIGY_REPLICA_DRAIN_H
#define EFFIGY_REPLICA_DRAIN_H

#include "replica/server.h"

void drain_block_signals(void); /* before any thread is started */

/* Watches over the pool until a signal comes, then drains; returns when nothing more is to be
 * waited for. Ends the process with code 1 if so many workers are stuck that it answers no more
 * queries. */
void drain_run(struct server *server);

#endif
