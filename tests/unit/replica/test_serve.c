/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server_process.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"
/* One step of SQLite's virtual machine that takes hours: instr() compares at each of eight million
 * places. */
#define ENDLESS_STEP "SELECT instr(zeroblob(8000000), zeroblob(4000000) || x'01')"

static void
assert_status(struct response response, int status, const char *in_body)
{
    if (response.status != status)
        fail_msg("%d instead of %d: %s", response.status, status,
                 response.body ? response.body : "");
    if (in_body && !strstr(response.body, in_body))
        fail_msg("\"%s\" is not in: %s", in_body, response.body);
    response_free(&response);
}

static void
assert_header(const struct response *response, const char *name, const char *expected)
{
    const char *value = response_header(response, name);
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s is \"%s\" instead of \"%s\"", name, value ? value : "(absent)", expected);
}

static int
ask(const struct server_process *server, const char *sql)
{
    CLEANUP_FREE char *escaped = url_escape(sql);
    int fd = client_connect(server);
    client_printf(fd, "GET /query?sql=%s HTTP/1.1\r\nHost: x\r\n\r\n", escaped);
    return fd;
}

static void
test_forms_of_questions_and_answers(void **state)
{
    struct server_process *server = *state;
    assert_status(
        server_query(server, "select id, price, picture from item where id=:id", "&id=7"), 200,
        "{\"generation\":\"g2\",\"columns\":[\"id\",\"price\",\"picture\"],\"rows\":[[7,1.75,{\"$"
        "base64\":\"AP8=\"}]],"
        "\"truncated\":false,\"row_count\":1}");
    assert_status(
        server_query(server, "select name from item where id=?", "&params=[3]&format=csv"), 200,
        "name\r\nitem 3\r\n");
    assert_status(server_query(server, "select name from item where id=@x",
                               "&params={\"x\":3}&format=ndjson"),
                  200, "{\"name\":\"item 3\"}\n");
    static const struct {
        const char *type, *body;
    } posts[] = {
        {"application/json", "{\"sql\":\"select name from item where id=?\",\"params\":[5]}"},
        {"application/x-www-form-urlencoded", "sql=select+name+from+item+where+id%3D:a&a=5"},
        {"application/sql", "select name from item where id=5 -- that one"},
        {"text/plain; charset=utf-8", "select name from item where id=5;"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(posts); i++) {
        CLEANUP_FREE char *headers =
            mem_printf("Content-Type: %s\r\nAccept: text/csv\r\n", posts[i].type);
        struct response response =
            server_request(server, "POST", "/query", headers, posts[i].body, strlen(posts[i].body));
        assert_header(&response, "Content-Type", "text/csv; charset=utf-8");
        assert_status(response, 200, "name\r\nitem 5\r\n");
    }
}

static void
test_other_paths(void **state)
{
    struct server_process *server = *state;
    assert_status(server_get(server, "/"), 200, "/query?sql=");
    assert_status(server_get(server, "/tables"), 200,
                  "{\"name\":\"item\",\"type\":\"table\",\"rows_estimate\":20000,");
    assert_status(server_get(server, "/schema"), 200, "CREATE INDEX item_name ON item(name);");
    assert_status(server_request(server, "GET", "/schema", "Accept: application/json\r\n", NULL, 0),
                  200, "{\"type\":\"index\",\"name\":\"item_name\",\"table\":\"item\",");
    assert_status(server_get(server, "/-/healthz"), 200, "ok");
    assert_status(server_get(server, "/-/readyz"), 200, "ready");
    assert_status(server_get(server, "/-/generation"), 200, "\"position\":\"17\"");
    assert_status(server_get(server, "/-/metrics"), 200,
                  "effigy_generation_info{service=\"shop\",generation=\"g2\"");
    assert_status(server_get(server, "http://elsewhere/tables?x"), 200, "item");
    assert_status(server_get(server, "/nope"), 404, "not-found");
    assert_status(server_get(server, "/query/../tables"), 404, "not-found");
}

static void
test_methods(void **state)
{
    struct server_process *server = *state;
    struct response head = server_request(server, "HEAD", "/query?sql=select+1", "", NULL, 0);
    assert_header(&head, "Content-Length", "81");
    assert_status(head, 200, "");
    static const char *const others[] = {"PUT", "DELETE", "PATCH", "TRACE", "BREW"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct response response = server_request(server, others[i], "/query", "", NULL, 0);
        assert_header(&response, "Allow", "GET, HEAD, POST, OPTIONS");
        assert_status(response, 405, "method-not-allowed");
    }
    struct response post = server_request(server, "POST", "/tables", "", "x", 1);
    assert_header(&post, "Allow", "GET, HEAD, OPTIONS");
    assert_status(post, 405, NULL);
    assert_status(server_request(server, "OPTIONS", "/query", "", NULL, 0), 204, NULL);
}

static void
test_caching(void **state)
{
    struct server_process *server = *state;
    struct response response = server_query(server, "select name from item where id=1", NULL);
    assert_header(&response, "Effigy-Generation", "g2");
    assert_header(&response, "Cache-Control", "public, no-cache");
    assert_header(&response, "Vary", "Accept");
    CLEANUP_FREE char *etag = mem_strdup(response_header(&response, "ETag"));
    assert_int_equal(strlen(etag), 34);
    response_free(&response);
    CLEANUP_FREE char *target = mem_printf("/query?sql=select+name+from+item+where+id%%3D1");
    CLEANUP_FREE char *headers = mem_printf("If-None-Match: \"other\", W/%s\r\n", etag);
    response = server_request(server, "GET", target, headers, NULL, 0);
    assert_header(&response, "ETag", etag);
    assert_header(&response, "Effigy-Generation", "g2");
    assert_status(response, 304, "");
    /* Another form, other parameters: another tag. */
    static const char *const more[] = {"&format=csv", "&params=[]&x=1"};
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
        response = server_query(server, "select name from item where id=1", more[i]);
        assert_string_not_equal(response_header(&response, "ETag"), etag);
        assert_status(response, 200, NULL);
    }
    response = server_query(server, "select name, random() from item where id=1", NULL);
    assert_header(&response, "Cache-Control", "no-store");
    assert_null(response_header(&response, "ETag"));
    response_free(&response);
    response = server_get(server, "/tables");
    assert_non_null(response_header(&response, "ETag"));
    response_free(&response);
}

static void
test_read_only(void **state)
{
    struct server_process *server = *state;
    static const char *const writes[] = {
        "insert into item values(0,'x',0,0)", "attach 'x.db' as x",
        "pragma writable_schema=1",           "select load_extension('x')",
        "select fts3_tokenizer('simple')",    "vacuum into '/tmp/x'"};
    for (size_t i = 0; i < ARRAY_LENGTH(writes); i++)
        assert_status(server_query(server, writes[i], NULL), 403, "writes to the master");
}

static void
test_bad_requests(void **state)
{
    struct server_process *server = *state;
    assert_status(server_get(server, "/query"), 400, "no-sql");
    assert_status(server_get(server, "/query?sql=select+%ff"), 400, "UTF-8");
    assert_status(server_get(server, "/query?sql=select+1%00"), 400, "NUL");
    assert_status(server_get(server, "/query?sql=select+1;select+2"), 400, "several-statements");
    assert_status(server_query(server, "select nope", NULL), 400, "no such column: nope");
    assert_status(server_query(server, "select ?", NULL), 400, "bad-parameters");
    assert_status(server_query(server, "select 1", "&format=xml"), 406, "json, ndjson and csv");
    assert_status(server_request(server, "GET", "/tables", "Accept: text/html\r\n", NULL, 0), 406,
                  NULL);
    assert_status(server_request(server, "POST", "/query", "", "select 1", 8), 415, NULL);
    size_t size = 10 << 20;
    CLEANUP_FREE char *big = mem_new(size + 1);
    memset(big, ' ', size);
    memcpy(big, "select 1", 8);
    assert_status(
        server_request(server, "POST", "/query", "Content-Type: application/sql\r\n", big, size),
        413, NULL);
    assert_status(
        server_request(server, "POST", "/query", "Content-Type: application/sql\r\n", big, 1 << 20),
        200, NULL);
    memset(big, 'a', size);
    memcpy(big, "/query?sql=select+'", 19);
    big[66000] = '\0';
    assert_status(server_get(server, big), 414, "POST");
    memcpy(big, "X: ", 3);
    memcpy(big + 65990, "\r\n", 3);
    assert_status(server_request(server, "GET", "/", big, NULL, 0), 431, NULL);
    static const char *const junk[] = {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                       "GET / HTTP/1.1\r\nbad\r\n\r\n",
                                       "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(junk); i++) {
        int fd = client_connect(server);
        client_write(fd, junk[i], strlen(junk[i]));
        shutdown(fd, SHUT_WR);
        struct response response = client_read(fd, false);
        assert_true(response.status == 0 || response.status >= 400);
        response_free(&response);
        close(fd);
    }
    assert_status(server_get(server, "/-/healthz"), 200, NULL);
}

static void
test_bombs(void **state)
{
    struct server_process *server = *state;
    assert_status(server_query(server, ENDLESS, NULL), 504, "time-limit");
    assert_status(server_query(server, "select zeroblob(1000000000)", NULL), 422, NULL);
    assert_status(server_query(server, "select randomblob(1e9)", NULL), 422, NULL);
    /* The aggregate overflows and says so at its end, which the time limit may forestall. */
    struct response response =
        server_query(server, "select group_concat(hex(zeroblob(1000000))) from item", NULL);
    assert_true(response.status == 422 || response.status == 504);
    response_free(&response);
    response = server_query(server, "select hex(zeroblob(10000)) from item", NULL);
    assert_header(&response, "Effigy-Truncated", "bytes");
    assert_true(response.length <= 1 << 20);
    assert_status(response, 200, "\"truncated\":true");
    response = server_query(server, "select id from item", "&format=csv");
    assert_header(&response, "Effigy-Truncated", "rows");
    assert_status(response, 200, "\r\n10000\r\n");
}

static void
test_thousand_clients(void **state)
{
    struct server_process *server = *state;
    enum { CLIENTS = 1000 };
    static int fds[CLIENTS];
    int answered = 0, refused = 0;
    for (int i = 0; i < CLIENTS; i++)
        assert_true((fds[i] = client_connect(server)) >= 0);
    for (int i = 0; i < CLIENTS; i++)
        client_printf(
            fds[i],
            "GET /query?sql=select+name+from+item+where+id%%3D%d HTTP/1.1\r\nHost: x\r\n\r\n",
            i + 1);
    for (int i = 0; i < CLIENTS; i++) {
        struct response response = client_read(fds[i], false);
        CLEANUP_FREE char *name = mem_printf("\"item %d\"", i + 1);
        answered += response.status == 200 && strstr(response.body, name);
        refused += response.status == 503;
        response_free(&response);
        close(fds[i]);
    }
    assert_int_equal(answered, CLIENTS);
    assert_int_equal(refused, 0);
}

static void
test_half_sent_requests(void **state)
{
    struct server_process *server = *state;
    double begin = clock_seconds();
    int silent = client_connect(server), stalled = client_connect(server),
        dripping = client_connect(server);
    client_printf(stalled, "POST /query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nselect");
    client_printf(dripping, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 30 && clock_seconds() - begin < 15; i++) {
        struct pollfd poller = {.fd = dripping, .events = POLLIN};
        client_printf(dripping, "X-%d: y\r\n", i); /* a byte now and then does not prolong it */
        if (poll(&poller, 1, 500) == 1)
            break;
    }
    struct response response = client_read(dripping, false);
    assert_true(response.status == 408 || response.status == 0);
    response_free(&response);
    response = client_read(stalled, false);
    assert_int_equal(response.status, 408);
    response_free(&response);
    assert_true(clock_seconds() - begin > 8 && clock_seconds() - begin < 13);
    client_printf(
        silent,
        "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n"); /* has begun nothing, so it may still */
    assert_status(client_read(silent, false), 200, "ok");
    close(silent);
    close(stalled);
    close(dripping);
}

static void
test_client_that_leaves(void **state)
{
    struct server_process server;
    server_start(&server,
                 (const char *const[]){"EFFIGY_MAX_TIME_MS=30000", "EFFIGY_WORKERS=1", NULL});
    close(ask(&server, ENDLESS));
    double begin = clock_seconds();
    while (server_metric(&server, "effigy_queries_cancelled_total") < 1 &&
           clock_seconds() - begin < 5)
        clock_sleep_ms(20);
    assert_true(clock_seconds() - begin < 2);
    assert_true(server_metric(&server, "effigy_workers_busy") == 0);
    assert_true(
        server_metric(&server, "effigy_http_requests_total{path=\"/query\",code=\"499\"}") == 1);
    assert_int_equal(server_stop(&server), 0);
}

/* Until the server's loop, the only one, answers the statement by itself. */
static void
ask_until_quick(const struct server_process *server, const char *sql, const char *more)
{
    double begin = clock_seconds(), before = server_metric(server, "effigy_queries_inline_total");
    while (server_metric(server, "effigy_queries_inline_total") == before) {
        assert_status(server_query(server, sql, more), 200, NULL);
        assert_true(clock_seconds() - begin < 10);
    }
}

/* Steps that take long each, thousands of them: what comes of a quick statement by its parameters.
 */
static void
test_quick_statement_with_bombs_as_parameters(void **state)
{
    struct server_process server;
    server_start(&server, (const char *const[]){"EFFIGY_MAX_TIME_MS=300", "EFFIGY_WORKERS=1",
                                                "EFFIGY_LOOPS=1", NULL});
    static const char sql[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < :rows) "
        "SELECT max(instr(zeroblob(:size), zeroblob(:size / 2 + i % 2) || x'01')) FROM n";
    static const char *const bombs[] = {"&params={\"rows\":1000000000,\"size\":8}",
                                        "&params={\"rows\":1000000000,\"size\":8000}",
                                        "&params={\"rows\":1000000000,\"size\":120000}"};
    for (size_t i = 0; i < ARRAY_LENGTH(bombs); i++) {
        ask_until_quick(&server, sql, "&params={\"rows\":2,\"size\":8}");
        double begin = clock_seconds();
        assert_status(server_query(&server, sql, bombs[i]), 504, "time-limit");
        assert_status(server_get(&server, "/-/healthz"), 200, NULL);
        assert_true(clock_seconds() - begin < 3);
    }
    assert_int_equal(server_stop(&server), 0);
}

static void
test_bombs_hurt_nobody_else(void **state)
{
    struct server_process server;
    enum { BOMBS = 8, WORKERS = 2, QUEUE = 2 };
    server_start(&server, (const char *const[]){"EFFIGY_MAX_TIME_MS=2000", "EFFIGY_WORKERS=2",
                                                "EFFIGY_QUEUE=2", "EFFIGY_LOOPS=1", NULL});
    ask_until_quick(&server, "select name from item where id=:id", "&id=10");
    int fds[BOMBS], refused = 0;
    for (int i = 0; i < BOMBS; i++)
        fds[i] = ask(&server, ENDLESS);
    double begin = clock_seconds();
    while ((server_metric(&server, "effigy_queries_rejected_total") < BOMBS - WORKERS - QUEUE ||
            server_metric(&server, "effigy_workers_busy") < WORKERS) &&
           clock_seconds() - begin < 1)
        clock_sleep_ms(5);
    assert_true(server_metric(&server, "effigy_workers_busy") == WORKERS);
    assert_true(server_metric(&server, "effigy_queue_length") == QUEUE);
    assert_true(server_metric(&server, "effigy_queries_rejected_total") == BOMBS - WORKERS - QUEUE);
    begin = clock_seconds();
    assert_status(server_get(&server, "/-/healthz"), 200, NULL);
    assert_status(server_get(&server, "/-/readyz"), 200, NULL);
    assert_status(server_query(&server, "select name from item where id=:id", "&id=11"), 200,
                  "item 11");
    assert_true(clock_seconds() - begin < 0.5);
    for (int i = 0; i < BOMBS; i++) {
        struct response response = client_read(fds[i], false);
        assert_true(response.status == 503 || response.status == 504);
        if (response.status == 503)
            assert_header(&response, "Retry-After", "1");
        refused += response.status == 503;
        response_free(&response);
        close(fds[i]);
    }
    assert_true(refused >=
                BOMBS - WORKERS - QUEUE); /* those in the queue may have waited too long */
    assert_int_equal(server_stop(&server), 0);
}

static void
test_step_that_cannot_be_interrupted(void **state)
{
    struct server_process server;
    server_start(&server,
                 (const char *const[]){"EFFIGY_MAX_TIME_MS=200", "EFFIGY_WORKERS=1", NULL});
    double begin = clock_seconds();
    assert_status(server_query(&server, ENDLESS_STEP, NULL), 504, "time-limit");
    assert_true(clock_seconds() - begin < 4);
    assert_true(server_metric(&server, "effigy_workers") == 1);
    assert_true(server_metric(&server, "effigy_workers_stuck") == 1);
    assert_status(server_query(&server, "select sum(price) from item", NULL), 200, NULL);
    assert_int_equal(server_stop(&server), 0);
}

static void
test_ends_when_too_many_are_stuck(void **state)
{
    struct server_process server;
    enum { BOMBS = 17 };
    server_start(&server,
                 (const char *const[]){"EFFIGY_MAX_TIME_MS=100", "EFFIGY_WORKERS=17", NULL});
    int fds[BOMBS];
    for (int i = 0; i < BOMBS; i++)
        fds[i] = ask(&server, ENDLESS_STEP);
    assert_int_equal(server_wait(&server), 1);
    for (int i = 0; i < BOMBS; i++)
        close(fds[i]);
}

static void
test_drain(void **state)
{
    struct server_process server;
    server_start(&server, (const char *const[]){"EFFIGY_GRACE_MS=5000", NULL});
    int idle = client_connect(&server);
    client_printf(idle, "GET /-/readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    struct response response = client_read(idle, false);
    assert_null(response_header(&response, "Connection"));
    assert_status(response, 200, NULL);
    int working =
        ask(&server, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000000)"
                     " SELECT max(i) FROM n");
    while (server_metric(&server, "effigy_workers_busy") < 1)
        clock_sleep_ms(1);
    kill(server.pid, SIGTERM);
    int late = 0;
    for (double begin = clock_seconds(); late >= 0 && clock_seconds() - begin < 2;
         clock_sleep_ms(5)) {
        if ((late = client_connect(&server)) >= 0)
            close(late);
    }
    assert_int_equal(late, -1); /* nobody listens any more */
    client_printf(idle, "GET /-/readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    response = client_read(idle, false);
    assert_header(&response, "Connection", "close");
    assert_status(response, 503, "draining");
    response = client_read(working, false);
    assert_header(&response, "Connection", "close");
    assert_status(response, 200, "3000000");
    double begin = clock_seconds();
    assert_int_equal(server_wait(&server), 0);
    assert_true(clock_seconds() - begin < 1); /* nobody is left, so the grace period ends */
    close(idle);
    close(working);
}

static void
test_drain_ends_with_the_grace_period(void **state)
{
    struct server_process server;
    server_start(&server,
                 (const char *const[]){"EFFIGY_GRACE_MS=300", "EFFIGY_MAX_TIME_MS=60s", NULL});
    int idle = client_connect(&server), busy = ask(&server, ENDLESS);
    clock_sleep_ms(50);
    double begin = clock_seconds();
    assert_int_equal(server_stop(&server), 0);
    assert_true(clock_seconds() - begin > 0.25 && clock_seconds() - begin < 2);
    close(idle);
    close(busy);
    server_start(&server, (const char *const[]){"EFFIGY_GRACE_MS=60s", NULL});
    idle = client_connect(&server);
    client_printf(idle, "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status(client_read(idle, false), 200, NULL);
    begin = clock_seconds();
    kill(server.pid, SIGTERM);
    clock_sleep_ms(100);
    assert_int_equal(server_stop(&server), 0); /* the second signal */
    assert_true(clock_seconds() - begin < 2);
    close(idle);
}

static void
test_keep_alive_and_pipelining(void **state)
{
    struct server_process *server = *state;
    int fd = client_connect(server);
    for (int i = 0; i < 50; i++) {
        client_printf(fd, "GET /query?sql=select+%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
        CLEANUP_FREE char *row = mem_printf("[[%d]]", i);
        assert_status(client_read(fd, false), 200, row);
    }
    client_printf(
        fd,
        "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /query?sql=select+7 HTTP/1.1\r\nHost: x\r\n"
        "Connection: close\r\n\r\n");
    struct buf all = {0};
    char bytes[4096];
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        buf_append(&all, bytes, (size_t)n);
    assert_non_null(strstr(all.data, "ok\n"));
    assert_non_null(strstr(all.data, "[[7]]"));
    buf_free(&all);
    close(fd);
}

static void
test_settings(void **state)
{
    struct server_process server;
    server_start(&server,
                 (const char *const[]){"EFFIGY_CORS=on", "EFFIGY_CACHE_SECONDS=60",
                                       "EFFIGY_LOCKING=on", "EFFIGY_MAX_CONNECTIONS=3", NULL});
    struct response response = server_query(&server, "select 1", NULL);
    assert_header(&response, "Cache-Control", "public, max-age=60");
    assert_header(&response, "Access-Control-Allow-Origin", "*");
    response_free(&response);
    response = server_request(&server, "OPTIONS", "/query", "", NULL, 0);
    assert_header(&response, "Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
    response_free(&response);
    int idle[3];
    for (int i = 0; i < 3; i++)
        idle[i] = client_connect(&server);
    assert_status(server_get(&server, "/-/healthz"), 200,
                  NULL); /* when it is full, who is idle makes room */
    for (int i = 0; i < 3; i++)
        close(idle[i]);
    assert_int_equal(server_stop(&server), 0);
}

static void
test_refuses_to_start(void **state)
{
    struct server_process *server = *state;
    char text[1000];
    CLEANUP_FREE char *identity = mem_printf("EFFIGY_IDENTITY=%s/generation.json", server->dir);
    CLEANUP_FREE char *port = mem_printf("EFFIGY_PORT=%u", server->port);
    assert_int_equal(
        server_run_to_failure((const char *const[]){"EFFIGY_QUEUE=lots", NULL}, text, sizeof text),
        2);
    assert_non_null(strstr(text, "EFFIGY_QUEUE is \"lots\""));
    assert_int_equal(
        server_run_to_failure((const char *const[]){"EFFIGY_IDENTITY=/nonexistent", NULL}, text,
                              sizeof text),
        1);
    assert_non_null(strstr(text, "cannot open /nonexistent"));
    assert_int_equal(server_run_to_failure(
                         (const char *const[]){identity, port, "EFFIGY_LISTEN=127.0.0.1", NULL},
                         text, sizeof text),
                     1);
    assert_non_null(strstr(text, "cannot listen on port"));
    assert_int_equal(
        server_run_to_failure((const char *const[]){identity, "EFFIGY_LISTEN=localhost", NULL},
                              text, sizeof text),
        2);
}

static int
setup(void **state)
{
    static struct server_process server;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server_start(&server,
                 (const char *const[]){"EFFIGY_MAX_TIME_MS=700", "EFFIGY_MAX_BYTES=1MiB",
                                       "EFFIGY_MAX_HEAP=16MiB", "EFFIGY_ACCESS_LOG=off", NULL});
    *state = &server;
    return 0;
}

static int
teardown(void **state)
{
    return server_stop(*state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_questions_and_answers),
        cmocka_unit_test(test_other_paths),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_caching),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_thousand_clients),
        cmocka_unit_test(test_half_sent_requests),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_client_that_leaves),
        cmocka_unit_test(test_quick_statement_with_bombs_as_parameters),
        cmocka_unit_test(test_bombs_hurt_nobody_else),
        cmocka_unit_test(test_step_that_cannot_be_interrupted),
        cmocka_unit_test(test_ends_when_too_many_are_stuck),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_ends_with_the_grace_period),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refuses_to_start),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
