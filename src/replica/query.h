/* SPDX-License-Identifier: Apache-2.0 */
/* Running one statement into an answer, within limits. */
#ifndef EFFIGY_REPLICA_QUERY_H
#define EFFIGY_REPLICA_QUERY_H

#include "replica/answer.h"
#include "replica/database.h"
#include "replica/problem.h"
#include "replica/request.h"

/* The watch over one run: SQLite looks at it between steps of its virtual machine. */
struct query_watch {
    double deadline; /* clock_seconds() */
    int client;      /* the client's socket: the run ends when the client has gone; -1: none */
    double next_look;
    enum { QUERY_RUNNING = 0, QUERY_TIMED_OUT, QUERY_ABANDONED } stop;
};

struct query_limits {
    uint64_t max_rows;
    uint64_t heap;   /* bytes over what the connection holds at the start */
    double deadline; /* clock_seconds() */
    double time;     /* seconds, for the message */
    int client;      /* see query_watch */
    bool quick; /* for an event loop: the clock is looked at often, and statements with long steps
                   fail */
};

struct query_result {
    struct problem problem; /* .status 0: answered */
    bool gone;              /* the client has left; nobody waits for an answer */
    bool varying;           /* the next run may answer otherwise: not to be cached */
    bool long_steps;        /* see struct statement */
    const char *truncated;  /* "rows", "bytes" or NULL */
    uint64_t rows;
};

/* Runs request->sql and writes its answer, of the request's format and at most answer->limit bytes,
 * into the empty `answer`; on failure it is empty again. */
void query_run(struct database *database, const struct request *request, const char *generation,
               const struct query_limits *limits, struct answer *answer,
               struct query_result *ret_result);

/* For others that run statements of their own under the same limits: between begin and end, and for
 * what failed in between. */
void query_begin(struct database *database, const struct query_limits *limits,
                 struct query_watch *watch);
void query_end(struct database *database);
void query_explain_failure(struct database *database, const struct query_limits *limits,
                           const struct query_watch *watch, int code, struct query_result *result);

#endif
