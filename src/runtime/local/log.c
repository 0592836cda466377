/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void
replica_log_create(struct replica_log *log)
{
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    log->size = log->fd >= 0 && fstat(log->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void
replica_log_open(struct replica_log *log, const char *path, uint64_t limit)
{
    *log = (struct replica_log){.path = path, .limit = limit};
    replica_log_create(log);
}

static void
replica_log_rotate(struct replica_log *log)
{
    CLEANUP_FREE char *old = mem_printf("%s.1", log->path);
    rename(log->path, old);
    if (log->fd >= 0)
        close(log->fd);
    replica_log_create(log);
}

static void
replica_log_write(struct replica_log *log, const char *line, size_t length)
{
    CLEANUP_FREE char *time = clock_rfc3339_ns(clock_wall_ns());
    struct iovec parts[] = {{time, strlen(time)},
                            {(char[]){" "}, 1},
                            {(void *)(uintptr_t)line, length},
                            {(char[]){"\n"}, 1}};
    size_t total = parts[0].iov_len + length + 2;
    if (log->size && log->size + total > log->limit)
        replica_log_rotate(log);
    if (log->fd >= 0 && writev(log->fd, parts, ARRAY_LENGTH(parts)) > 0)
        log->size += total;
}

static void
replica_log_remember(struct replica_log *log, const char *line, size_t length)
{
    buf_append(&log->tail, line, length);
    buf_putc(&log->tail, '\n');
    if (log->tail.length <= REPLICA_LOG_TAIL)
        return;
    size_t drop = log->tail.length - REPLICA_LOG_TAIL;
    const char *end = memchr(log->tail.data + drop - 1, '\n', log->tail.length - drop);
    if (end)
        drop = (size_t)(end - log->tail.data) + 1;
    memmove(log->tail.data, log->tail.data + drop, log->tail.length - drop + 1);
    log->tail.length -= drop;
}

void
replica_log_flush(struct replica_log *log)
{
    if (!log->line_length)
        return;
    replica_log_write(log, log->line, log->line_length);
    replica_log_remember(log, log->line, log->line_length);
    log->line_length = 0;
}

void
replica_log_add(struct replica_log *log, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            replica_log_flush(log);
            continue;
        }
        /* Terminals obey control characters, and who prints the log has not chosen what is in it.
         */
        bool is_control = (unsigned char)bytes[i] < 0x20 && bytes[i] != '\t';
        log->line[log->line_length++] = is_control || bytes[i] == 0x7f ? '?' : bytes[i];
        if (log->line_length == sizeof log->line)
            replica_log_flush(log);
    }
}

void
replica_log_note(struct replica_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    CLEANUP_FREE char *line = mem_printf("[monitor] %s", text);
    replica_log_flush(log);
    replica_log_write(log, line, strlen(line));
}

void
replica_log_begin(struct replica_log *log)
{
    replica_log_flush(log);
    buf_free(&log->tail);
}

void
replica_log_close(struct replica_log *log)
{
    replica_log_flush(log);
    buf_free(&log->tail);
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
