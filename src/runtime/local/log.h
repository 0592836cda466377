/* SPDX-License-Identifier: Apache-2.0 */
/* The log of one replica: its lines, each behind the time of its arrival, in a file that is set
 * aside as "<path>.1" when it is full. Never fails and never blocks: what cannot be written is
 * dropped. Also remembers the last lines of the current run. */
#ifndef EFFIGY_RUNTIME_LOCAL_LOG_H
#define EFFIGY_RUNTIME_LOCAL_LOG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLICA_LOG_LIMIT (8u << 20) /* bytes of one file; there are at most two */
#define REPLICA_LOG_LINE 4096        /* longer lines are broken */
#define REPLICA_LOG_TAIL 1024        /* bytes remembered */

struct replica_log {
    const char *path;
    int fd;
    uint64_t size, limit; /* bytes */
    char line[REPLICA_LOG_LINE];
    size_t line_length;
    struct buf tail;
};
/* path must live as long as the log. */
void replica_log_open(struct replica_log *log, const char *path, uint64_t limit);
/* Bytes as they come; lines may be in pieces. */
void replica_log_add(struct replica_log *log, const char *bytes, size_t length);
/* A line of the monitor's own. */
void replica_log_note(struct replica_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends an unfinished line. */
void replica_log_flush(struct replica_log *log);
/* Forgets the tail: a new run begins. */
void replica_log_begin(struct replica_log *log);
void replica_log_close(struct replica_log *log);

#endif
