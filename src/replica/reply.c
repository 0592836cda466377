/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/reply.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_COPY_BYTES 4096 /* below that, copying beats keeping the buffer */

static const char *
reply_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

static void
reply_add_number(struct evkeyvalq *headers, const char *name, const char *before, uint64_t value)
{
    char text[64];
    snprintf(text, sizeof text, "%s%llu", before, (unsigned long long)value);
    evhttp_add_header(headers, name, text);
}

/* evhttp would format it anew for each answer. */
static void
reply_add_date(struct loop *loop, struct evkeyvalq *headers)
{
    time_t now = time(NULL);
    if (now != loop->date_second) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        loop->date_second = now;
    }
    evhttp_add_header(headers, "Date", loop->date);
}

static void
reply_add_headers(struct loop *loop, struct evkeyvalq *headers, const struct reply *reply,
                  size_t length)
{
    const struct server *server = loop->server;
    if (reply->content_type) {
        evhttp_add_header(headers, "Content-Type", reply->content_type);
        evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    }
    if (reply->status != 304 && reply->status != 204)
        reply_add_number(headers, "Content-Length", "", length);
    reply_add_date(loop, headers);
    evhttp_add_header(headers, "Effigy-Generation", server->identity.generation);
    if (reply->etag) {
        evhttp_add_header(headers, "ETag", reply->etag);
        if (server->limits.cache_seconds)
            reply_add_number(headers, "Cache-Control",
                             "public, max-age=", server->limits.cache_seconds);
        else
            evhttp_add_header(headers, "Cache-Control", "public, no-cache");
    } else {
        evhttp_add_header(headers, "Cache-Control", "no-store");
    }
    if (reply->vary)
        evhttp_add_header(headers, "Vary", reply->vary);
    if (reply->truncated)
        evhttp_add_header(headers, "Effigy-Truncated", reply->truncated);
    if (reply->allow)
        evhttp_add_header(headers, "Allow", reply->allow);
    if (reply->retry_after)
        reply_add_number(headers, "Retry-After", "", reply->retry_after);
    if (server->limits.cors) {
        evhttp_add_header(headers, "Access-Control-Allow-Origin", "*");
        evhttp_add_header(headers, "Access-Control-Expose-Headers",
                          "Effigy-Generation, Effigy-Truncated, ETag");
        if (reply->status == 204) {
            evhttp_add_header(headers, "Access-Control-Allow-Methods", reply->allow);
            evhttp_add_header(headers, "Access-Control-Allow-Headers",
                              "Content-Type, If-None-Match");
            evhttp_add_header(headers, "Access-Control-Max-Age", "86400");
        }
    }
    if (atomic_load_explicit(&server->state, memory_order_relaxed) == SERVER_DRAINING)
        evhttp_add_header(headers, "Connection", "close");
}

static const char *
reply_method(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_OPTIONS:
        return "OPTIONS";
    default:
        return "other";
    }
}

static void
reply_log(struct evhttp_request *request, const struct reply *reply, size_t length)
{
    char *peer = NULL;
    uint16_t port = 0;
    evhttp_connection_get_peer(evhttp_request_get_connection(request), &peer, &port);
    CLEANUP_FREE char *time = clock_rfc3339(clock_wall_ns());
    fprintf(stderr,
            "{\"time\":\"%s\",\"client\":\"%s\",\"method\":\"%s\",\"path\":\"%s\",\"status\":%d,"
            "\"bytes\":%zu,"
            "\"seconds\":%.6f}\n",
            time, peer ? peer : "", reply_method(request), metrics_path_names[reply->path],
            reply->status, length, clock_seconds() - reply->started);
}

static void
reply_body_sent(const void *data, size_t length, void *room)
{
    answer_release((void *)data, (size_t)(uintptr_t)room);
}

static void
reply_add_body(struct evbuffer *output, struct answer *answer)
{
    if (answer->length < REPLY_COPY_BYTES ||
        evbuffer_add_reference(output, answer->data, answer->length, reply_body_sent,
                               (void *)(uintptr_t)answer->room) != 0) {
        evbuffer_add(output, answer->data, answer->length);
        answer_free(answer);
        return;
    }
    *answer = (struct answer){0};
}

static void
reply_complete(struct evhttp_request *request, void *client)
{
    client_sent(client);
}

/* Writes at once what evhttp would write in the loop's next round, and tells it so: most answers
 * fit into the socket's buffer, which saves changing the interest in the socket and coming round
 * again. */
static void
reply_push(struct bufferevent *events)
{
    struct evbuffer *output = bufferevent_get_output(events);
    evbuffer_unfreeze(output, 1);
    evbuffer_write(output, bufferevent_getfd(events));
    evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) == 0)
        bufferevent_trigger(events, EV_WRITE,
                            BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
reply_send(struct loop *loop, struct evhttp_request *request, struct reply *reply)
{
    size_t length = reply->answer ? reply->answer->length : reply->text ? strlen(reply->text) : 0;
    struct client *client = clients_find(&loop->clients, request);
    reply_add_headers(loop, evhttp_request_get_output_headers(request), reply, length);
    metrics_count_request(&loop->metrics, reply->path, reply->status);
    if (loop->server->limits.access_log)
        reply_log(request, reply, length);
    if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
        if (reply->answer)
            answer_free(reply->answer);
    } else if (reply->answer) {
        reply_add_body(evhttp_request_get_output_buffer(request), reply->answer);
    } else if (length) {
        evbuffer_add(evhttp_request_get_output_buffer(request), reply->text, length);
    }
    struct bufferevent *events = client->events;
    client_sending(client, length);
    evhttp_request_set_on_complete_cb(request, reply_complete, client);
    evhttp_send_reply(request, reply->status, reply_reason(reply->status), NULL);
    reply_push(events);
}

void
reply_problem(struct loop *loop, struct evhttp_request *request, enum metrics_path path,
              double started, const struct problem *problem)
{
    struct answer answer = {.limit = 8192};
    answer_puts(&answer, "{\"error\":{\"code\":\"");
    answer_puts(&answer, problem->code);
    answer_puts(&answer, "\",\"message\":");
    /* A message cut off at its room may end within a character. */
    size_t length = strlen(problem->message);
    while (length && !answer_json_string(&answer, problem->message, length))
        length--;
    if (problem->hint) {
        answer_puts(&answer, ",\"hint\":");
        answer_json_string(&answer, problem->hint, strlen(problem->hint));
    }
    answer_puts(&answer, "}}\n");
    struct reply reply = {
        .status = problem->status,
        .path = path,
        .started = started,
        .content_type = "application/json",
        .retry_after = problem->status == 503 ? 1 : 0,
        .answer = &answer,
    };
    reply_send(loop, request, &reply);
    answer_free(&answer);
}
