/* SPDX-License-Identifier: Apache-2.0 */
/* effigy-serve: the one process of a SQLite replica. docs/http.md is its manual. */
#include "base/clock.h"
#include "base/mem.h"
#include "replica/drain.h"
#include "replica/etag.h"
#include "replica/exchange.h"
#include "replica/loop.h"
#include "replica/server.h"

#include <event2/event.h>
#include <jansson.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#define MAIN_USAGE 2

static void
main_help(void)
{
    CLEANUP_BUF struct buf text = {0};
    buf_puts(&text, "Usage: effigy-serve [--help | --version]\n"
                    "\n"
                    "Serves the SQLite databases of a replica's image over HTTP, for reading.\n"
                    "Settings come from the environment (defaults in parentheses):\n"
                    "\n");
    limits_describe(&text);
    buf_puts(&text, "\nExit codes: 0 stopped by a signal, 1 cannot serve, 2 bad setting.\n");
    fputs(text.data, stdout);
}

static int
main_fail(struct err *err)
{
    fprintf(stderr, "effigy-serve: %s\n", err->message);
    if (err->hint)
        fprintf(stderr, "hint: %s\n", err->hint);
    return err->kind == ERR_USAGE ? MAIN_USAGE : 1;
}

/* Each connection takes a descriptor; so does each thread's database and socket. */
static void
main_raise_descriptors(struct limits *limits)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t room = limit.rlim_cur > 512 ? limit.rlim_cur - 256 : limit.rlim_cur / 2;
    if (limits->max_connections > room)
        limits->max_connections = room;
}

static bool
main_start_loops(struct server *server, struct err **err)
{
    server->loops = mem_new_array(server->limits.loops, sizeof(struct loop *));
    while (server->loop_count < server->limits.loops) {
        struct loop *loop = loop_new(server, err);
        if (!loop)
            return false;
        server->loops[server->loop_count++] = loop;
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        if (!loop_start(server->loops[i], err))
            return false;
    }
    return true;
}

/* Opens the databases, of the workers and of the loops, and then says that the server is ready. */
static bool
main_open(struct server *server, struct err **err)
{
    const struct limits *limits = &server->limits;
    struct pool_options options = {
        .identity = &server->identity,
        .database = {.locking = limits->locking, .value_bytes = limits->max_heap},
        .workers = limits->workers,
        .queue = limits->queue,
        .seconds = (double)limits->max_time_ms / 1000,
        .run = exchange_run,
        .finish = exchange_finish,
        .forsake = exchange_forsake,
        .discard = exchange_discard,
    };
    server->pool = pool_start(&options, err);
    if (!server->pool)
        return false;
    struct database_options quick = {
        .locking = limits->locking, .small = true, .value_bytes = EXCHANGE_QUICK_VALUE};
    for (size_t i = 0; i < server->loop_count; i++) {
        server->loops[i]->database = database_open(&server->identity, &quick, err);
        if (!server->loops[i]->database)
            return false;
    }
    if (!pool_ready(server->pool, err))
        return false;
    atomic_store_explicit(&server->state, SERVER_READY, memory_order_release);
    for (size_t i = 0; i < server->loop_count; i++)
        loop_command(server->loops[i], LOOP_OPEN_PUBLISHED);
    return true;
}

static bool
main_start(struct server *server, struct err **err)
{
    struct limits *limits = &server->limits;
    if (!limits_read(limits, err) || !identity_read(limits->identity, &server->identity, err))
        return false;
    size_t cpus = pool_cpus();
    if (!limits->workers)
        limits->workers = cpus;
    if (!limits->loops)
        limits->loops = cpus;
    main_raise_descriptors(limits);
    answer_set_budget(LIMITS_BUFFERED_BYTES);
    json_object_seed(0);
    database_setup(limits->locking);
    etag_setup(&server->identity, limits);
    return listen_open(limits, &server->listen, err) && main_start_loops(server, err) &&
           main_open(server, err);
}

/* Only where no query is still running can memory be given back in order; otherwise the process
 * just ends. */
static void
main_stop(struct server *server)
{
    if (!pool_stop(server->pool))
        return;
    for (size_t i = 0; i < server->loop_count; i++)
        loop_command(server->loops[i], LOOP_END);
    for (size_t i = 0; i < server->loop_count; i++) {
        loop_join(server->loops[i]);
        loop_free(server->loops[i]);
    }
    free(server->loops);
    identity_free(&server->identity);
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        main_help();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("effigy-serve %s (SQLite %s, libevent %s)\n", EFFIGY_VERSION, sqlite3_libversion(),
               event_get_version());
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "effigy-serve: \"%s\" is not an option; try --help\n", argv[1]);
        return MAIN_USAGE;
    }
    double begin = clock_seconds();
    static struct server server;
    ERR_LOCAL(err);
    server.start_wall_ns = clock_wall_ns();
    drain_block_signals();
    if (!main_start(&server, &err))
        return main_fail(err);
    fprintf(stderr, "effigy-serve: %s %s on %s, ready after %.1f ms, %llu workers\n",
            server.identity.service, server.identity.generation, server.listen.address,
            (clock_seconds() - begin) * 1e3, (unsigned long long)server.limits.workers);
    drain_run(&server);
    fprintf(stderr, "effigy-serve: stopped\n");
    fflush(stderr);
    main_stop(&server);
    return 0;
}
