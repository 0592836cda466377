/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/metrics.h"

#include "base/mem.h"
#include "base/str.h"

#include <event2/event.h>
#include <sqlite3.h>

const char *const metrics_path_names[PATH_COUNT] = {
    "/query",     "/tables",       "/schema", "/-/healthz", "/-/readyz",
    "/-/metrics", "/-/generation", "/",       "other",
};

/* The statuses that this server sends; anything else counts under the last, 0. 499: the client had
 * left. */
static const int metrics_codes[METRICS_CODES] = {
    200, 204, 304, 400, 403, 404, 405, 406, 408, 413, 414, 415, 422, 431, 499, 500, 503, 504, 0,
};
static const double metrics_bounds[METRICS_BUCKETS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5,
};

void
metrics_count(uint64_t *counter)
{
    /* One writer: a plain addition, stored so that readers see old or new. */
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

void
metrics_count_request(struct metrics *metrics, enum metrics_path path, int status)
{
    int code = 0;
    while (metrics_codes[code] && metrics_codes[code] != status)
        code++;
    metrics_count(&metrics->requests[path][code]);
}

void
metrics_count_query(struct metrics *metrics, double seconds)
{
    int bucket = 0;
    while (bucket < METRICS_BUCKETS && seconds > metrics_bounds[bucket])
        bucket++;
    metrics_count(&metrics->seconds[bucket]);
    double sum = metrics->seconds_sum + seconds;
    __atomic_store(&metrics->seconds_sum, &sum, __ATOMIC_RELAXED);
}

static uint64_t
metrics_sum(const struct metrics *const *sets, size_t count, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum +=
            __atomic_load_n((const uint64_t *)((const char *)sets[i] + offset), __ATOMIC_RELAXED);
    return sum;
}
#define METRICS_SUM(field) metrics_sum(sets, count, offsetof(struct metrics, field))

static void
metrics_render_requests(struct buf *text, const struct metrics *const *sets, size_t count)
{
    buf_puts(text, "# HELP effigy_http_requests_total Requests answered.\n# TYPE "
                   "effigy_http_requests_total counter\n");
    for (size_t path = 0; path < PATH_COUNT; path++) {
        for (size_t code = 0; code < METRICS_CODES; code++) {
            uint64_t n = METRICS_SUM(requests[path][code]);
            if (n)
                buf_printf(text, "effigy_http_requests_total{path=\"%s\",code=\"%d\"} %llu\n",
                           metrics_path_names[path], metrics_codes[code], (unsigned long long)n);
        }
    }
}

static void
metrics_render_seconds(struct buf *text, const struct metrics *const *sets, size_t count)
{
    uint64_t total = 0;
    double sum = 0;
    buf_puts(text, "# HELP effigy_query_seconds Running time of queries.\n# TYPE "
                   "effigy_query_seconds histogram\n");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        total += METRICS_SUM(seconds[i]);
        buf_printf(text, "effigy_query_seconds_bucket{le=\"%g\"} %llu\n", metrics_bounds[i],
                   (unsigned long long)total);
    }
    total += METRICS_SUM(seconds[METRICS_BUCKETS]);
    for (size_t i = 0; i < count; i++) {
        double one;
        __atomic_load(&sets[i]->seconds_sum, &one, __ATOMIC_RELAXED);
        sum += one;
    }
    buf_printf(text,
               "effigy_query_seconds_bucket{le=\"+Inf\"} %llu\neffigy_query_seconds_sum %.9g\n",
               (unsigned long long)total, sum);
    buf_printf(text, "effigy_query_seconds_count %llu\n", (unsigned long long)total);
}

static void
metrics_render_one(struct buf *text, const char *name, const char *type, const char *help,
                   double value)
{
    buf_printf(text, "# HELP effigy_%s %s\n# TYPE effigy_%s %s\neffigy_%s %.15g\n", name, help,
               name, type, name, value);
}

/* A label's value, escaped as the text format wants it. */
static void
metrics_render_label(struct buf *text, const char *name, const char *value)
{
    buf_printf(text, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_putc(text, '\\');
        buf_putc(text, *value);
    }
    buf_putc(text, '"');
}

static void
metrics_render_identity(struct buf *text, const struct identity *identity)
{
    buf_puts(text,
             "# HELP effigy_generation_info What is served.\n# TYPE effigy_generation_info gauge\n"
             "effigy_generation_info{");
    metrics_render_label(text, "service", identity->service);
    buf_putc(text, ',');
    metrics_render_label(text, "generation", identity->generation);
    buf_putc(text, ',');
    metrics_render_label(text, "parent", str_or(identity->parent, ""));
    buf_putc(text, ',');
    metrics_render_label(text, "position", str_or(identity->position, ""));
    buf_puts(text, "} 1\n# HELP effigy_build_info Versions.\n# TYPE effigy_build_info gauge\n");
    buf_printf(text, "effigy_build_info{version=\"%s\",sqlite=\"%s\",libevent=\"%s\"} 1\n",
               EFFIGY_VERSION, sqlite3_libversion(), event_get_version());
}

void
metrics_render(struct buf *text, const struct metrics *const *sets, size_t count,
               const struct metrics_gauges *gauges, const struct identity *identity)
{
    metrics_render_identity(text, identity);
    metrics_render_requests(text, sets, count);
    metrics_render_seconds(text, sets, count);
    const struct {
        const char *name, *type, *help;
        double value;
    } rest[] = {
        {"ready", "gauge", "1 while the replica can answer queries.", gauges->ready},
        {"queue_length", "gauge", "Queries that wait for a worker.", (double)gauges->pool.queued},
        {"queue_limit", "gauge", "Queries that may wait.", (double)gauges->queue_limit},
        {"workers", "gauge", "Worker threads.", (double)gauges->pool.workers},
        {"workers_busy", "gauge", "Workers that run a query.", (double)gauges->pool.busy},
        {"workers_stuck", "gauge", "Threads left behind in a step that cannot be interrupted.",
         (double)gauges->pool.stuck},
        {"queries_inline_total", "counter",
         "Queries answered without a worker, being known as quick.", (double)METRICS_SUM(inlined)},
        {"queries_rejected_total", "counter", "Queries refused because the queue was full.",
         (double)METRICS_SUM(rejected)},
        {"queries_cancelled_total", "counter", "Queries ended because the client had left.",
         (double)METRICS_SUM(cancelled)},
        {"queries_forsaken_total", "counter",
         "Queries left behind in a step that cannot be interrupted.",
         (double)METRICS_SUM(forsaken)},
        {"connections", "gauge", "Open connections.", (double)gauges->connections},
        {"connections_accepted_total", "counter", "Connections accepted.",
         (double)METRICS_SUM(connections_accepted)},
        {"answers_buffered_bytes", "gauge", "Answers built and not yet sent.",
         (double)gauges->buffered},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rest); i++)
        metrics_render_one(text, rest[i].name, rest[i].type, rest[i].help, rest[i].value);
    buf_printf(text,
               "# HELP process_start_time_seconds Start of the process since 1970.\n"
               "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
               gauges->start_time);
}
