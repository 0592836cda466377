/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/progress.h"
#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level log_level = LOG_NOTE;

void
log_set_level(enum log_level level)
{
    log_level = level;
}

enum log_level
log_get_level(void)
{
    return log_level;
}

/* One write, so that lines of several threads or processes do not mix. */
static void
log_line(enum log_level level, const char *prefix, const char *format, va_list args)
{
    if (level > log_level)
        return;
    CLEANUP_BUF struct buf line = {0};
    buf_puts(&line, prefix);
    buf_vprintf(&line, format, args);
    buf_putc(&line, '\n');
    secret_hide(&line);
    progress_clear();
    fwrite(line.data, 1, line.length, stderr);
    fflush(stderr);
}

#define LOG_FUNCTION(name, level, prefix)      \
    void name(const char *format, ...)         \
    {                                          \
        va_list args;                          \
        va_start(args, format);                \
        log_line(level, prefix, format, args); \
        va_end(args);                          \
    }

LOG_FUNCTION(log_note, LOG_NOTE, "")
LOG_FUNCTION(log_warn, LOG_WARN, "warning: ")
LOG_FUNCTION(log_debug, LOG_DEBUG, "debug: ")
