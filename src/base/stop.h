/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being interrupted. stop_install() makes SIGINT, SIGTERM and SIGHUP set a flag that long loops
 * look at (at least every 100 ms of work), so that they can clean up and leave with
 * ERR_INTERRUPTED. A second signal ends the process at once; what is on disk is still consistent,
 * as after kill -9.
 */
#ifndef EFFIGY_BASE_STOP_H
#define EFFIGY_BASE_STOP_H

#include "base/err.h"

#include <stdbool.h>

void stop_install(void);
bool stop_requested(void);
/* False with ERR_INTERRUPTED once a stop was requested. */
bool stop_check(struct err **err);

#endif
