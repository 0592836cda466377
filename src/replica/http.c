/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "replica/catalog.h"
#include "replica/etag.h"
#include "replica/exchange.h"
#include "replica/reply.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <string.h>

static const char http_index[] =
    "This is an Effigy replica: a read-only copy of a database.\n"
    "\n"
    "  /query?sql=SELECT...   run a query: GET, or POST of a form, of JSON "
    "{\"sql\":\"...\",\"params\":[...]}, or of SQL\n"
    "                         (JSON, NDJSON or CSV by Accept, or by format=json|ndjson|csv)\n"
    "  /tables                tables and views with their columns\n"
    "  /schema                the schema as SQL\n"
    "  /-/generation          what this replica is\n"
    "  /-/healthz /-/readyz   is the process alive; can it answer queries\n"
    "  /-/metrics             counters for Prometheus\n";

/* One request while it is being answered in the loop's thread. */
struct http_call {
    struct loop *loop;
    struct evhttp_request *request;
    enum metrics_path path;
    double started;
};

static void
http_refuse(const struct http_call *call, const struct problem *problem)
{
    reply_problem(call->loop, call->request, call->path, call->started, problem);
}

static const char *
http_header(const struct http_call *call, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

static void
http_send_text(const struct http_call *call, int status, const char *content_type, const char *text)
{
    struct reply reply = {.status = status,
                          .path = call->path,
                          .started = call->started,
                          .content_type = content_type,
                          .text = text};
    reply_send(call->loop, call->request, &reply);
}

static void
http_ready(const struct http_call *call)
{
    static const char *const texts[] = {"starting\n", "ready\n", "draining\n"};
    enum server_state state = atomic_load(&call->loop->server->state);
    struct reply reply = {.status = state == SERVER_READY ? 200 : 503,
                          .path = call->path,
                          .started = call->started,
                          .content_type = "text/plain",
                          .text = texts[state],
                          .retry_after = state == SERVER_READY ? 0 : 1};
    reply_send(call->loop, call->request, &reply);
}

static void
http_metrics(const struct http_call *call)
{
    struct server *server = call->loop->server;
    enum server_state state = atomic_load(&server->state);
    const struct metrics **sets = mem_new_array(server->loop_count, sizeof *sets);
    for (size_t i = 0; i < server->loop_count; i++)
        sets[i] = &server->loops[i]->metrics;
    struct metrics_gauges gauges = {
        .queue_limit = server->limits.queue,
        .connections = server_connections(server),
        .loops = server->loop_count,
        .buffered = answer_buffered(),
        .ready = state == SERVER_READY,
        .start_time = (double)server->start_wall_ns / 1e9,
    };
    if (state != SERVER_STARTING)
        gauges.pool = pool_state(server->pool);
    CLEANUP_BUF struct buf text = {0};
    metrics_render(&text, sets, server->loop_count, &gauges, &server->identity);
    free(sets);
    http_send_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text.data);
}

/* Answers a 304 if the client has what it would get. Only GET and HEAD are conditional (RFC 9110
 * section 13.1.2). */
static bool
http_not_modified(const struct http_call *call, const char *etag)
{
    if (evhttp_request_get_command(call->request) == EVHTTP_REQ_POST ||
        !etag_matches(http_header(call, "If-None-Match"), etag))
        return false;
    struct reply reply = {.status = 304,
                          .path = call->path,
                          .started = call->started,
                          .etag = etag,
                          .vary = "Accept"};
    reply_send(call->loop, call->request, &reply);
    return true;
}

static bool
http_check_state(const struct http_call *call)
{
    if (atomic_load_explicit(&call->loop->server->state, memory_order_acquire) != SERVER_STARTING)
        return true;
    struct problem problem;
    problem_set(&problem, 503, "starting", "try again in a moment", "the replica is starting");
    http_refuse(call, &problem);
    return false;
}

static void
http_run(const struct http_call *call, struct exchange *exchange)
{
    if (exchange->kind == EXCHANGE_QUERY && exchange_try_quick(exchange)) {
        exchange_reply(exchange);
        return;
    }
    struct client *client = clients_find(&call->loop->clients, call->request);
    client_working(client);
    exchange->client_fd = client->fd;
    if (pool_submit(call->loop->server->pool, &exchange->job))
        return;
    metrics_count(&call->loop->metrics.rejected);
    struct problem problem;
    problem_set(&problem, 503, "queue-full", "try again in a moment, or start more replicas",
                "all workers are busy and the queue is full");
    http_refuse(call, &problem);
    exchange_free(exchange);
}

static void
http_catalog(const struct http_call *call)
{
    static const char *const tables[] = {"application/json", NULL};
    static const char *const schema[] = {"text/plain", "application/sql", "application/json", NULL};
    bool is_schema = call->path == PATH_SCHEMA;
    int type = format_negotiate(http_header(call, "Accept"), is_schema ? schema : tables);
    struct problem problem;
    if (type < 0) {
        problem_set(&problem, 406, "not-acceptable",
                    is_schema ? "ask for text/plain, application/sql or application/json"
                              : "ask for application/json",
                    "no form of the answer is acceptable");
        http_refuse(call, &problem);
        return;
    }
    const char *content_type = is_schema ? schema[type] : tables[type];
    char etag[ETAG_ROOM];
    CLEANUP_FREE char *name = mem_printf("%d %s", call->path, content_type);
    etag_of_name(name, etag);
    if (http_not_modified(call, etag) || !http_check_state(call))
        return;
    struct exchange *exchange = exchange_new(call->loop, call->request, call->path, call->started);
    exchange->kind = !is_schema  ? EXCHANGE_TABLES
                     : type == 2 ? EXCHANGE_SCHEMA_JSON
                                 : EXCHANGE_SCHEMA;
    exchange->content_type = type == 0 && is_schema ? "text/plain; charset=utf-8" : content_type;
    memcpy(exchange->etag, etag, sizeof etag);
    http_run(call, exchange);
}

static void
http_query(const struct http_call *call)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(call->request);
    bool is_post = evhttp_request_get_command(call->request) == EVHTTP_REQ_POST;
    struct request_input input = {
        .query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(call->request)),
        .content_type = http_header(call, "Content-Type"),
        .accept = http_header(call, "Accept"),
        .body_length = is_post ? evbuffer_get_length(body) : 0,
    };
    if (input.body_length)
        input.body = (const char *)evbuffer_pullup(body, -1);
    struct request request;
    struct problem problem;
    if (!request_parse(&input, &request, &problem)) {
        http_refuse(call, &problem);
        return;
    }
    char etag[ETAG_ROOM];
    etag_of_request(&request, etag);
    if (http_not_modified(call, etag) || !http_check_state(call)) {
        request_free(&request);
        return;
    }
    struct exchange *exchange = exchange_new(call->loop, call->request, call->path, call->started);
    exchange->kind = EXCHANGE_QUERY;
    exchange->request = request;
    exchange->content_type = format_writers[request.format]->content_type;
    memcpy(exchange->etag, etag, sizeof etag);
    http_run(call, exchange);
}

struct http_route {
    const char *path;
    enum metrics_path metrics;
    bool post;
};

static const struct http_route http_routes[] = {
    {"/query", PATH_QUERY, true},
    {"/tables", PATH_TABLES, false},
    {"/schema", PATH_SCHEMA, false},
    {"/-/healthz", PATH_HEALTHZ, false},
    {"/-/readyz", PATH_READYZ, false},
    {"/-/metrics", PATH_METRICS, false},
    {"/-/generation", PATH_GENERATION, false},
    {"/", PATH_INDEX, false},
};

static const struct http_route *
http_find_route(const char *path)
{
    for (size_t i = 0; i < ARRAY_LENGTH(http_routes); i++) {
        if (strcmp(path, http_routes[i].path) == 0)
            return &http_routes[i];
    }
    return NULL;
}

static bool
http_check_size(struct evhttp_request *request, struct problem *problem)
{
    if (strlen(evhttp_request_get_uri(request)) > LIMITS_URL_BYTES)
        return problem_set(problem, 414, "uri-too-long", "send the query in the body of a POST",
                           "the URL is longer than %u bytes", LIMITS_URL_BYTES);
    size_t bytes = 0;
    struct evkeyval *header;
    for (header = evhttp_request_get_input_headers(request)->tqh_first; header;
         header = header->next.tqe_next)
        bytes += strlen(header->key) + strlen(header->value) + 4;
    if (bytes > LIMITS_HEADER_BYTES)
        return problem_set(problem, 431, "headers-too-large", NULL,
                           "the headers are longer than %u bytes", LIMITS_HEADER_BYTES);
    return true;
}

/* Methods other than GET and HEAD, and POST where there is a query. True if the request is
 * answered. */
static bool
http_check_method(const struct http_call *call, const struct http_route *route)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(call->request);
    const char *allow = route->post ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS";
    if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD ||
        (method == EVHTTP_REQ_POST && route->post))
        return false;
    struct reply reply = {
        .status = 204, .path = call->path, .started = call->started, .allow = allow};
    if (method != EVHTTP_REQ_OPTIONS) {
        reply.status = 405;
        reply.content_type = "application/json";
        reply.text =
            route->post
                ? "{\"error\":{\"code\":\"method-not-allowed\",\"message\":\"use GET or POST\"}}\n"
                : "{\"error\":{\"code\":\"method-not-allowed\",\"message\":\"use GET\"}}\n";
    }
    reply_send(call->loop, call->request, &reply);
    return true;
}

static void
http_handle(struct evhttp_request *request, void *arg)
{
    struct http_call call = {
        .loop = arg, .request = request, .path = PATH_OTHER, .started = clock_seconds()};
    struct problem problem;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const struct http_route *route = http_find_route(path && *path ? path : "/");
    if (route)
        call.path = route->metrics;
    if (!http_check_size(request, &problem)) {
        http_refuse(&call, &problem);
        return;
    }
    if (!route) {
        problem_set(&problem, 404, "not-found", "GET / lists what there is",
                    "there is nothing at %.200s", path);
        http_refuse(&call, &problem);
        return;
    }
    if (http_check_method(&call, route))
        return;
    switch (route->metrics) {
    case PATH_QUERY:
        http_query(&call);
        break;
    case PATH_TABLES:
    case PATH_SCHEMA:
        http_catalog(&call);
        break;
    case PATH_HEALTHZ:
        http_send_text(&call, 200, "text/plain", "ok\n");
        break;
    case PATH_READYZ:
        http_ready(&call);
        break;
    case PATH_METRICS:
        http_metrics(&call);
        break;
    case PATH_GENERATION:
        http_send_text(&call, 200, "application/json", call.loop->server->identity.json);
        break;
    default:
        http_send_text(&call, 200, "text/plain; charset=utf-8", http_index);
    }
}

void
http_setup(struct loop *loop)
{
    struct evhttp *http = loop->http;
    evhttp_set_allowed_methods(http,
                               0xffff); /* what we do not know we refuse ourselves, with 405 */
    evhttp_set_max_headers_size(http, LIMITS_URL_BYTES + LIMITS_HEADER_BYTES + 4096);
    evhttp_set_max_body_size(http, LIMITS_BODY_BYTES);
    evhttp_set_flags(http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_gencb(http, http_handle, loop);
}
