/* SPDX-License-Identifier: Apache-2.0 */
/* Counters in Prometheus' text format. Each event loop has its own set, which it alone writes and
 * anyone may read; the sum is taken when asked for. */
#ifndef EFFIGY_REPLICA_METRICS_H
#define EFFIGY_REPLICA_METRICS_H

#include "base/buf.h"
#include "replica/identity.h"
#include "replica/pool.h"

#include <stddef.h>
#include <stdint.h>

enum metrics_path {
    PATH_QUERY,
    PATH_TABLES,
    PATH_SCHEMA,
    PATH_HEALTHZ,
    PATH_READYZ,
    PATH_METRICS,
    PATH_GENERATION,
    PATH_INDEX,
    PATH_OTHER,
    PATH_COUNT,
};
extern const char *const metrics_path_names[PATH_COUNT];

#define METRICS_CODES 24
#define METRICS_BUCKETS 12

struct metrics {
    uint64_t requests[PATH_COUNT][METRICS_CODES];
    uint64_t seconds[METRICS_BUCKETS + 1]; /* the last: over all bounds */
    double seconds_sum;
    uint64_t cancelled, rejected, inlined, forsaken, connections_accepted;
};

void metrics_count(uint64_t *counter);
void metrics_count_request(struct metrics *metrics, enum metrics_path path, int status);
void metrics_count_query(struct metrics *metrics, double seconds);

/* What is not counted but looked up. */
struct metrics_gauges {
    struct pool_state pool;
    size_t queue_limit, connections, loops;
    uint64_t buffered;
    int ready;
    double start_time;
};

void metrics_render(struct buf *text, const struct metrics *const *sets, size_t count,
                    const struct metrics_gauges *gauges, const struct identity *identity);

#endif
