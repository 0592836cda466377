/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that needs the database, on its way from its loop to a worker and back:
 *
 *     loop: exchange_new, exchange_try_quick --no--> pool_submit
 *     worker: exchange_run, exchange_finish (posts it to its loop)
 *     loop: exchange_reply (answers and frees it)
 *
 * A statement that was quick for a worker is run by the loop itself the next time, on a connection
 * with tight limits: handing it over would take longer than running it. If it does not end within a
 * millisecond after all, as its parameters may make it do, it is run again by a worker, which for a
 * query without effects is as good as the first time, and goes to the workers at once until it is
 * quick for one of them. What nobody knows yet goes to the workers too, however busy they are: a
 * loop that it holds up is held up for all of its connections.
 */
#ifndef EFFIGY_REPLICA_EXCHANGE_H
#define EFFIGY_REPLICA_EXCHANGE_H

#include "replica/etag.h"
#include "replica/loop.h"
#include "replica/pool.h"
#include "replica/query.h"

#define EXCHANGE_QUICK_VALUE (8u << 10) /* bytes of a text or blob on the connection of a loop */

enum exchange_kind { EXCHANGE_QUERY, EXCHANGE_TABLES, EXCHANGE_SCHEMA, EXCHANGE_SCHEMA_JSON };

struct exchange {
    struct job job;
    struct loop_message message;
    struct loop *loop;
    struct evhttp_request *http;
    enum exchange_kind kind;
    enum metrics_path path;
    double started; /* clock_seconds() of the request */
    double seconds; /* that it ran */
    int client_fd;
    uint64_t hash;          /* of the SQL; 0: not a candidate for the loop */
    struct request request; /* of EXCHANGE_QUERY */
    const char *content_type;
    char etag[ETAG_ROOM];
    bool forsaken; /* answers for another exchange that still runs */
    struct answer answer;
    struct query_result result;
};

struct exchange *exchange_new(struct loop *loop, struct evhttp_request *http,
                              enum metrics_path path, double started);
void exchange_free(struct exchange *exchange);

/* In the loop: true if the answer is there. */
bool exchange_try_quick(struct exchange *exchange);
/* In the loop: sends the answer and frees the exchange. */
void exchange_reply(struct exchange *exchange);

/* The pool's functions. */
void exchange_run(struct job *job, struct database *database);
void exchange_finish(struct job *job);
void exchange_forsake(struct job *job);
void exchange_discard(struct job *job);

#endif
