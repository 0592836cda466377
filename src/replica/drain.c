/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/drain.h"

#include "base/clock.h"
#include "replica/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_WATCH_MS 200
#define DRAIN_POLL_MS 10

static void
drain_signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

static void
drain_noticed(int number)
{
    (void)number;
}

void
drain_block_signals(void)
{
    sigset_t set;
    drain_signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* Never run, since the signals are waited for; but the first process of a namespace is sent
     * only what it has a handler for, and who looks at /proc can see that SIGTERM means something
     * to it. */
    struct sigaction action = {.sa_handler = drain_noticed};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

/* The signal that came within that time, or 0. */
static int
drain_wait_signal(unsigned milliseconds)
{
    sigset_t set;
    drain_signal_set(&set);
    struct timespec time = {.tv_nsec = (long)milliseconds * 1000000};
    int number = sigtimedwait(&set, NULL, &time);
    return number > 0 ? number : 0;
}

static void
drain_command(struct server *server, enum loop_command command)
{
    for (size_t i = 0; i < server->loop_count; i++)
        loop_command(server->loops[i], command);
}

/* Threads that nothing can interrupt are ended by the end of their process alone, so it is not an
 * orderly one. */
static void
drain_give_up(void)
{
    fputs("effigy-serve: too many queries are in steps that cannot be interrupted; ending, to be "
          "started again\n",
          stderr);
    _exit(1);
}

void
drain_run(struct server *server)
{
    int number;
    while (!(number = drain_wait_signal(DRAIN_WATCH_MS))) {
        if (!pool_watch(server->pool))
            drain_give_up();
    }
    atomic_store(&server->state, SERVER_DRAINING);
    atomic_store(&server->listening, server->loop_count);
    for (size_t i = 0; i < server->listen.count; i++)
        close(server->listen.sockets[i].fd);
    drain_command(server, LOOP_DRAIN);
    fprintf(stderr, "effigy-serve: SIG%s: draining %zu connections\n", sigabbrev_np(number),
            server_connections(server));
    double end = clock_seconds() + (double)server->limits.grace_ms / 1000;
    /* Until every loop has let go of the listeners, one of them may be accepting a connection just
     * now. */
    while ((atomic_load(&server->listening) || server_connections(server)) &&
           clock_seconds() < end && !drain_wait_signal(DRAIN_POLL_MS))
        pool_watch(server->pool);
}
