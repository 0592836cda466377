/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/loop.h"

#include "base/mem.h"
#include "replica/http.h"

#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>

#define LOOP_SWEEP_MS 250
#define LOOP_REST_MS 2

size_t
server_connections(const struct server *server)
{
    size_t sum = 0;
    for (size_t i = 0; i < server->loop_count; i++)
        sum += atomic_load_explicit(&server->loops[i]->clients.count, memory_order_relaxed);
    return sum;
}

/* Should the others take the next connection, or nobody? */
static bool
loop_is_full(const struct loop *loop)
{
    const struct server *server = loop->server;
    size_t all = server_connections(server);
    size_t own = atomic_load_explicit(&loop->clients.count, memory_order_relaxed);
    return all >= server->limits.max_connections || own > all / server->loop_count + 1;
}

static void
loop_set_accepting(struct loop *loop, bool accepting)
{
    for (size_t i = 0; i < LISTEN_SOCKETS; i++) {
        if (!loop->listeners[i])
            continue;
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(loop->listeners[i]);
        if (accepting)
            evconnlistener_enable(listener);
        else
            evconnlistener_disable(listener);
    }
}

static void
loop_rest(struct loop *loop)
{
    static const struct timeval pause = {.tv_usec = LOOP_REST_MS * 1000};
    if (!loop->resting)
        loop_set_accepting(loop, false);
    loop->resting = true;
    event_add(loop->resume_event, &pause);
}

static void
loop_resume(evutil_socket_t unused, short what, void *arg)
{
    struct loop *loop = arg;
    if (loop_is_full(loop)) {
        loop_rest(loop);
        return;
    }
    loop->resting = false;
    loop_set_accepting(loop, true);
}

static struct bufferevent *
loop_accept(struct event_base *base, void *arg)
{
    struct loop *loop = arg;
    struct bufferevent *events = clients_accept(&loop->clients, base);
    metrics_count(&loop->metrics.connections_accepted);
    if (loop_is_full(loop))
        loop_rest(loop);
    return events;
}

/* Out of descriptors, most likely: trying again at once would spin. */
static void
loop_accept_failed(struct evconnlistener *listener, void *arg)
{
    loop_rest(arg);
}

static void
loop_sweep(evutil_socket_t unused, short what, void *arg)
{
    struct loop *loop = arg;
    clients_sweep(&loop->clients,
                  server_connections(loop->server) >= loop->server->limits.max_connections);
}

static bool
loop_listen(struct loop *loop, bool published, struct err **err)
{
    const struct listen_set *set = &loop->server->listen;
    for (size_t i = 0; i < set->count; i++) {
        if (set->sockets[i].published != published || loop->listeners[i])
            continue;
        int fd = fcntl(set->sockets[i].fd, F_DUPFD_CLOEXEC, 3);
        loop->listeners[i] = fd < 0 ? NULL : evhttp_accept_socket_with_handle(loop->http, fd);
        if (!loop->listeners[i])
            return err_set(err, ERR_IO, errno, "cannot accept from descriptor %d",
                           set->sockets[i].fd);
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(loop->listeners[i]);
        evconnlistener_set_error_cb(listener, loop_accept_failed);
        if (loop->resting)
            evconnlistener_disable(listener);
    }
    return true;
}

static void
loop_stop_listening(struct loop *loop)
{
    for (size_t i = 0; i < LISTEN_SOCKETS; i++) {
        if (loop->listeners[i])
            evhttp_del_accept_socket(loop->http, loop->listeners[i]);
        loop->listeners[i] = NULL;
    }
}

static void
loop_woken(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    uint64_t wakes;
    (void)!read(fd, &wakes, sizeof wakes);
    pthread_mutex_lock(&loop->lock);
    struct loop_message *message = loop->first;
    unsigned commands = loop->commands;
    loop->first = loop->last = NULL;
    loop->commands = 0;
    pthread_mutex_unlock(&loop->lock);
    while (message) {
        struct loop_message *next = message->next;
        message->deliver(message);
        message = next;
    }
    if (commands & LOOP_OPEN_PUBLISHED)
        loop_listen(loop, true, NULL);
    if (commands & LOOP_DRAIN) {
        loop_stop_listening(loop);
        atomic_fetch_sub(&loop->server->listening, 1);
    }
    if (commands & LOOP_END)
        event_base_loopbreak(loop->base);
}

static void
loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    (void)!write(loop->wake, &one, sizeof one);
}

void
loop_post(struct loop *loop, struct loop_message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&loop->lock);
    bool was_empty = !loop->first && !loop->commands;
    if (loop->first)
        loop->last->next = message;
    else
        loop->first = message;
    loop->last = message;
    pthread_mutex_unlock(&loop->lock);
    if (was_empty)
        loop_wake(loop);
}

void
loop_command(struct loop *loop, enum loop_command command)
{
    pthread_mutex_lock(&loop->lock);
    loop->commands |= command;
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}

struct loop *
loop_new(struct server *server, struct err **err)
{
    static const struct timeval sweep = {.tv_usec = LOOP_SWEEP_MS * 1000};
    struct loop *loop = mem_new(sizeof *loop);
    struct event_config *config = event_config_new();
    loop->server = server;
    pthread_mutex_init(&loop->lock, NULL);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Reading is switched off and on again within one round for most requests: the change list
     * makes no system calls of that. Each loop is its thread's alone, so nothing needs a lock. */
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    loop->http = loop->base ? evhttp_new(loop->base) : NULL;
    if (!loop->http || loop->wake < 0) {
        err_set(err, ERR_FAILED, errno, "cannot make an event loop");
        loop_free(loop);
        return NULL;
    }
    clients_setup(&loop->clients, loop->base);
    evhttp_set_bevcb(loop->http, loop_accept, loop);
    http_setup(loop);
    loop->wake_event = event_new(loop->base, loop->wake, EV_READ | EV_PERSIST, loop_woken, loop);
    loop->sweep_event = event_new(loop->base, -1, EV_PERSIST, loop_sweep, loop);
    loop->resume_event = event_new(loop->base, -1, 0, loop_resume, loop);
    event_add(loop->wake_event, NULL);
    event_add(loop->sweep_event, &sweep);
    return loop;
}

static void *
loop_thread(void *arg)
{
    struct loop *loop = arg;
    event_base_dispatch(loop->base);
    return NULL;
}

bool
loop_start(struct loop *loop, struct err **err)
{
    if (!loop_listen(loop, false, err))
        return false;
    int failed = pthread_create(&loop->thread, NULL, loop_thread, loop);
    return !failed || err_set(err, ERR_FAILED, failed, "cannot start a thread");
}

void
loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
}

void
loop_free(struct loop *loop)
{
    if (loop->http)
        evhttp_free(loop->http);
    if (loop->wake_event) {
        event_free(loop->wake_event);
        event_free(loop->sweep_event);
        event_free(loop->resume_event);
        clients_free(&loop->clients);
    }
    if (loop->base)
        event_base_free(loop->base);
    if (loop->wake >= 0)
        close(loop->wake);
    database_close(loop->database);
    free(loop);
}
