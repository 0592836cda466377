/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of one event loop and their deadlines, which evhttp does not have: a request must be
 * complete LIMITS_REQUEST_SECONDS after its first byte however slowly its bytes drip in, an idle
 * connection ends after LIMITS_IDLE_SECONDS, and an answer must be taken at a minimal rate. All by
 * one sweep a few times a second.
 *
 * evhttp makes no connection known before its first request is complete. So the buffer event is
 * made here (evhttp_set_bevcb()), and the connection behind it is found once evhttp has set it up,
 * as the argument of the event's callbacks.
 */
#ifndef EFFIGY_REPLICA_CLIENT_H
#define EFFIGY_REPLICA_CLIENT_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define CLIENTS_RECEIVED_BYTES (64u << 20)

enum client_state {
    CLIENT_IDLE,      /* between requests */
    CLIENT_RECEIVING, /* a request has begun and is not complete */
    CLIENT_WORKING, /* its answer is being made: someone else holds the request, so it is not to be
                       freed */
    CLIENT_SENDING,
};

struct client {
    struct client *next, *previous;
    struct clients *clients;
    struct evhttp_connection *connection; /* NULL while fresh */
    struct bufferevent *events;
    int fd;
    enum client_state state;
    double deadline; /* clock_seconds() */
};

struct clients {
    struct client *first;
    struct client *fresh; /* accepted in this round of the loop, not yet set up; linked by next */
    struct event *fresh_event;
    size_t received; /* bytes of incomplete requests, as of the last sweep */
    struct client **by_fd;
    size_t room;
    _Atomic size_t count;
};

void clients_setup(struct clients *clients, struct event_base *base);
void clients_free(struct clients *clients);

/* A buffer event for a connection that evhttp has just accepted. */
struct bufferevent *clients_accept(struct clients *clients, struct event_base *base);

/* The client that the request came from. */
struct client *clients_find(struct clients *clients, struct evhttp_request *request);

void client_working(struct client *client);
void client_sending(struct client *client, size_t bytes);
void client_sent(struct client *client); /* ready for the next request */

/* Ends what is past its deadline; with `crowded`, also who has been idle for a second; and where
 * incomplete requests hold more than CLIENTS_RECEIVED_BYTES, those that hold much. */
void clients_sweep(struct clients *clients, bool crowded);

#endif
