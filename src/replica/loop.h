/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event loop: a thread with its own evhttp. All loops accept from the same sockets; one that has
 * more connections than its share leaves the next ones to the others. Whatever is to happen in a
 * loop's thread is put into its inbox.
 */
#ifndef EFFIGY_REPLICA_LOOP_H
#define EFFIGY_REPLICA_LOOP_H

#include "base/err.h"
#include "replica/client.h"
#include "replica/database.h"
#include "replica/metrics.h"
#include "replica/server.h"

#include <pthread.h>
#include <time.h>

#define LOOP_KNOWN_SLOTS 1024

enum loop_command { LOOP_OPEN_PUBLISHED = 1, LOOP_DRAIN = 2, LOOP_END = 4 };

/* Something to be done in the loop's thread; embedded in what it is about. */
struct loop_message {
    struct loop_message *next;
    void (*deliver)(struct loop_message *message);
};

struct loop {
    struct server *server;
    struct event_base *base;
    struct evhttp *http;
    pthread_t thread;
    struct clients clients;
    struct metrics metrics;
    struct evhttp_bound_socket *listeners[LISTEN_SOCKETS];
    struct event *wake_event, *sweep_event, *resume_event;
    int wake;           /* eventfd */
    time_t date_second; /* of .date, the value of the Date header */
    char date[40];
    bool resting; /* does not accept for the moment */

    pthread_mutex_t lock; /* of the inbox */
    struct loop_message *first, *last;
    unsigned commands;

    struct database *database;        /* for quick statements; NULL before the server is ready */
    uint64_t known[LOOP_KNOWN_SLOTS]; /* hashes of SQL; the lowest bit says quick, or not */
};

struct loop *loop_new(struct server *server, struct err **err);
/* Begins to accept (from what is not "published") and starts the thread. */
bool loop_start(struct loop *loop, struct err **err);
void loop_post(struct loop *loop, struct loop_message *message);
void loop_command(struct loop *loop, enum loop_command command);
void loop_join(struct loop *loop); /* after LOOP_END */
void loop_free(struct loop *loop);

#endif
