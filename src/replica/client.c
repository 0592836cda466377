/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "replica/limits.h"

#include <event2/buffer.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_SEND_SECONDS 30.0
#define CLIENT_SEND_BYTES_PER_SECOND (64.0 * 1024)
#define CLIENT_SMALL_BYTES (16u << 10)
#define CLIENT_CROWDED_IDLE_SECONDS 1.0

static void
client_set(struct client *client, enum client_state state, double seconds)
{
    client->state = state;
    client->deadline = clock_seconds() + seconds;
}

/* evhttp tells nothing when a request begins; its first byte in the buffer does. */
static void
client_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct client *client = arg;
    if (client->state == CLIENT_IDLE && info->n_added > 0)
        client_set(client, CLIENT_RECEIVING, LIMITS_REQUEST_SECONDS);
}

static void
client_closed(struct evhttp_connection *connection, void *arg)
{
    struct client *client = arg;
    struct clients *clients = client->clients;
    evbuffer_remove_cb(bufferevent_get_input(client->events), client_input, client);
    clients->by_fd[client->fd] = NULL;
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    atomic_fetch_sub_explicit(&clients->count, 1, memory_order_relaxed);
    free(client);
}

static void
clients_set_up_fresh(evutil_socket_t unused, short what, void *arg)
{
    struct clients *clients = arg;
    while (clients->fresh) {
        struct client *client = clients->fresh;
        void *connection = NULL;
        int on = 1;
        clients->fresh = client->next;
        bufferevent_getcb(client->events, NULL, NULL, NULL, &connection);
        client->connection = connection;
        client->fd = bufferevent_getfd(client->events);
        evhttp_connection_set_closecb(client->connection, client_closed, client);
        evbuffer_add_cb(bufferevent_get_input(client->events), client_input, client);
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if ((size_t)client->fd >= clients->room) {
            size_t room = (size_t)client->fd + 64;
            clients->by_fd = mem_grow(clients->by_fd, room, sizeof(struct client *));
            memset(clients->by_fd + clients->room, 0,
                   (room - clients->room) * sizeof(struct client *));
            clients->room = room;
        }
        clients->by_fd[client->fd] = client;
        client->previous = NULL;
        client->next = clients->first;
        if (clients->first)
            clients->first->previous = client;
        clients->first = client;
    }
}

void
clients_setup(struct clients *clients, struct event_base *base)
{
    clients->fresh_event = event_new(base, -1, EV_PERSIST, clients_set_up_fresh, clients);
}

void
clients_free(struct clients *clients)
{
    event_free(clients->fresh_event);
    free(clients->by_fd);
}

struct bufferevent *
clients_accept(struct clients *clients, struct event_base *base)
{
    struct bufferevent *events = bufferevent_socket_new(base, -1, 0);
    if (!events)
        return NULL;
    /* While an answer is being sent evhttp goes on reading, to learn of the client's leaving, and
     * would keep whatever it gets. */
    bufferevent_setwatermark(events, EV_READ, 0,
                             LIMITS_BODY_BYTES + 2 * LIMITS_HEADER_BYTES + LIMITS_URL_BYTES);
    struct client *client = mem_new(sizeof *client);
    client->clients = clients;
    client->events = events;
    client->next = clients->fresh;
    clients->fresh = client;
    client_set(client, CLIENT_IDLE, LIMITS_IDLE_SECONDS);
    atomic_fetch_add_explicit(&clients->count, 1, memory_order_relaxed);
    event_active(clients->fresh_event, EV_TIMEOUT, 1);
    return events;
}

struct client *
clients_find(struct clients *clients, struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    return clients->by_fd[bufferevent_getfd(evhttp_connection_get_bufferevent(connection))];
}

void
client_working(struct client *client)
{
    client->state = CLIENT_WORKING;
    client->deadline = INFINITY;
}

void
client_sending(struct client *client, size_t bytes)
{
    client_set(client, CLIENT_SENDING,
               CLIENT_SEND_SECONDS + (double)bytes / CLIENT_SEND_BYTES_PER_SECOND);
}

void
client_sent(struct client *client)
{
    if (evbuffer_get_length(bufferevent_get_input(client->events)))
        client_set(client, CLIENT_RECEIVING, LIMITS_REQUEST_SECONDS);
    else
        client_set(client, CLIENT_IDLE, LIMITS_IDLE_SECONDS);
}

void
clients_sweep(struct clients *clients, bool crowded)
{
    static const char timeout[] =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    double now = clock_seconds();
    bool swamped = clients->received > CLIENTS_RECEIVED_BYTES;
    clients->received = 0;
    for (struct client *client = clients->first, *next; client; client = next) {
        next = client->next;
        size_t held = evbuffer_get_length(bufferevent_get_input(client->events));
        clients->received += held;
        if (swamped && held > CLIENT_SMALL_BYTES && client->state == CLIENT_RECEIVING)
            client->deadline = 0;
        double allowance = crowded && client->state == CLIENT_IDLE
                               ? LIMITS_IDLE_SECONDS - CLIENT_CROWDED_IDLE_SECONDS
                               : 0;
        if (now <= client->deadline - allowance)
            continue;
        if (client->state == CLIENT_RECEIVING)
            (void)!send(client->fd, timeout, sizeof timeout - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        evhttp_connection_free(client->connection);
    }
}
