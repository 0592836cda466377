/* SPDX-License-Identifier: Apache-2.0 */
/* Sending one answer: status, headers, body. */
#ifndef EFFIGY_REPLICA_REPLY_H
#define EFFIGY_REPLICA_REPLY_H

#include "replica/answer.h"
#include "replica/loop.h"
#include "replica/problem.h"

struct reply {
    int status;
    enum metrics_path path;
    double started;           /* clock_seconds(), when the request was complete */
    const char *content_type; /* NULL: no body */
    const char *etag;         /* makes it cacheable; NULL: no-store */
    const char *allow;        /* of 405 and OPTIONS */
    const char *truncated;    /* "rows", "bytes" */
    const char *vary;
    unsigned retry_after;  /* seconds; 0: not said */
    struct answer *answer; /* the body, taken over and emptied; or: */
    const char *text;
};

void reply_send(struct loop *loop, struct evhttp_request *request, struct reply *reply);
void reply_problem(struct loop *loop, struct evhttp_request *request, enum metrics_path path,
                   double started, const struct problem *problem);

#endif
