/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* Read by all threads; lock-free, so that a handler may write it. */
static atomic_bool stop_flag;

static void
stop_handler(int number)
{
    if (stop_flag)
        _exit(128 + number);
    stop_flag = true;
}

void
stop_install(void)
{
    struct sigaction action = {.sa_handler = stop_handler};
    sigemptyset(&action.sa_mask);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old;
        /* nohup and shells' background jobs ignore signals on purpose. */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

bool
stop_requested(void)
{
    return stop_flag;
}

bool
stop_check(struct err **err)
{
    if (!stop_flag)
        return true;
    return err_set(err, ERR_INTERRUPTED, 0,
                   "interrupted; nothing was changed that is not complete");
}
