/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/exchange.h"

#include "base/clock.h"
#include "base/mem.h"
#include "replica/catalog.h"
#include "replica/reply.h"

#include <event2/http.h>

/* What counts as quick: for a worker, to be tried by the loop; and for the loop, to go on trying.
 */
#define EXCHANGE_QUICK_SECONDS 0.0003
#define EXCHANGE_TRY_SECONDS 0.001
#define EXCHANGE_QUICK_BYTES (64u << 10)
#define EXCHANGE_QUICK_PARAMS                                                                  \
    4096                         /* bytes of parameters, which may make a quick statement slow \
                                  */
#define EXCHANGE_QUICK_VALUES 64 /* parameters, each of which is looked up by its name */
#define EXCHANGE_QUICK_HEAP (512u << 10)

struct exchange *
exchange_new(struct loop *loop, struct evhttp_request *http, enum metrics_path path, double started)
{
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->loop = loop;
    exchange->http = http;
    exchange->path = path;
    exchange->started = exchange->job.queued = started;
    exchange->client_fd = -1;
    return exchange;
}

void
exchange_free(struct exchange *exchange)
{
    request_free(&exchange->request);
    answer_free(&exchange->answer);
    free(exchange);
}

/* Where the loop keeps what it knows of the statement: exchange->hash with the lowest bit set for
 * quick. */
static uint64_t *
exchange_known(const struct exchange *exchange)
{
    return &exchange->loop->known[(exchange->hash >> 32) % LOOP_KNOWN_SLOTS];
}

static bool
exchange_is_worth_trying(struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    if (!exchange->loop->database || request->sql_length > DATABASE_STATEMENT_BYTES ||
        request->bytes > EXCHANGE_QUICK_PARAMS || request->count > EXCHANGE_QUICK_VALUES)
        return false;
    exchange->hash = database_sql_hash(request->sql, request->sql_length) & ~1ULL;
    return *exchange_known(exchange) == (exchange->hash | 1);
}

bool
exchange_try_quick(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    if (!exchange_is_worth_trying(exchange))
        return false;
    double now = clock_seconds();
    struct query_limits limits = {.max_rows = loop->server->limits.max_rows,
                                  .heap = EXCHANGE_QUICK_HEAP,
                                  .deadline = now + EXCHANGE_TRY_SECONDS,
                                  .client = -1,
                                  .quick = true};
    exchange->answer.limit = EXCHANGE_QUICK_BYTES;
    query_run(loop->database, &exchange->request, loop->server->identity.generation, &limits,
              &exchange->answer, &exchange->result);
    exchange->seconds = clock_seconds() - now;
    const struct query_result *result = &exchange->result;
    if (result->problem.status == 0 && !result->truncated) {
        /* It may have ended late and not been stopped: no clock is looked at within a step. */
        *exchange_known(exchange) = exchange->hash | (exchange->seconds <= EXCHANGE_TRY_SECONDS);
        metrics_count(&loop->metrics.inlined);
        return true;
    }
    *exchange_known(exchange) = exchange->hash;
    answer_free(&exchange->answer);
    exchange->result = (struct query_result){0};
    return false;
}

/* From what a worker made of it. */
static void
exchange_learn(const struct exchange *exchange)
{
    if (!exchange->hash || exchange->result.gone)
        return;
    bool quick = !exchange->result.problem.status && !exchange->result.truncated &&
                 !exchange->result.long_steps && exchange->seconds <= EXCHANGE_QUICK_SECONDS &&
                 exchange->answer.length <= EXCHANGE_QUICK_BYTES / 2;
    *exchange_known(exchange) = exchange->hash | quick;
}

void
exchange_run(struct job *job, struct database *database)
{
    struct exchange *exchange = (struct exchange *)job;
    const struct server *server = exchange->loop->server;
    struct query_result *result = &exchange->result;
    struct query_limits limits = {
        .max_rows = server->limits.max_rows,
        .heap = server->limits.max_heap,
        .deadline = job->deadline,
        .time = (double)server->limits.max_time_ms / 1000,
        .client = exchange->client_fd,
    };
    if (job->started - job->queued > limits.time) {
        problem_set(&result->problem, 503, "queue-full",
                    "try again in a moment, or start more replicas",
                    "the query waited %.3g seconds for a worker", job->started - job->queued);
        return;
    }
    exchange->answer.limit = server->limits.max_bytes;
    switch (exchange->kind) {
    case EXCHANGE_QUERY:
        query_run(database, &exchange->request, server->identity.generation, &limits,
                  &exchange->answer, result);
        break;
    case EXCHANGE_TABLES:
        catalog_tables(database, &server->identity, &limits, &exchange->answer, result);
        break;
    default:
        catalog_schema(database, &server->identity, exchange->kind == EXCHANGE_SCHEMA_JSON, &limits,
                       &exchange->answer, result);
    }
    exchange->seconds = clock_seconds() - job->started;
}

static void
exchange_deliver(struct loop_message *message)
{
    struct exchange *exchange =
        (struct exchange *)((char *)message - offsetof(struct exchange, message));
    exchange_learn(exchange);
    exchange_reply(exchange);
}

void
exchange_finish(struct job *job)
{
    struct exchange *exchange = (struct exchange *)job;
    exchange->message.deliver = exchange_deliver;
    loop_post(exchange->loop, &exchange->message);
}

void
exchange_forsake(struct job *job)
{
    struct exchange *stuck = (struct exchange *)job;
    struct exchange *exchange = exchange_new(stuck->loop, stuck->http, stuck->path, stuck->started);
    exchange->kind = stuck->kind;
    exchange->forsaken = true;
    exchange->seconds = clock_seconds() - job->started;
    problem_set(&exchange->result.problem, 504, "time-limit", "ask for less",
                "the query is still in one step after %.3g seconds", exchange->seconds);
    exchange->message.deliver = exchange_deliver;
    loop_post(exchange->loop, &exchange->message);
}

void
exchange_discard(struct job *job)
{
    exchange_free((struct exchange *)job);
}

void
exchange_reply(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct query_result *result = &exchange->result;
    metrics_count_query(&loop->metrics, exchange->seconds);
    if (exchange->forsaken)
        metrics_count(&loop->metrics.forsaken);
    if (result->gone) {
        metrics_count(&loop->metrics.cancelled);
        metrics_count_request(&loop->metrics, exchange->path, 499);
        evhttp_connection_free(evhttp_request_get_connection(exchange->http));
    } else if (result->problem.status) {
        reply_problem(loop, exchange->http, exchange->path, exchange->started, &result->problem);
    } else {
        struct reply reply = {
            .status = 200,
            .path = exchange->path,
            .started = exchange->started,
            .content_type = exchange->content_type,
            .etag = result->varying ? NULL : exchange->etag,
            .truncated = result->truncated,
            .vary = "Accept",
            .answer = &exchange->answer,
        };
        reply_send(loop, exchange->http, &reply);
    }
    exchange_free(exchange);
}
