/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user is told while a command runs, on stderr. Library code calls these for notes and
 * warnings (never for errors, which are returned); how much is shown is the command line's choice.
 */
#ifndef EFFIGY_BASE_LOG_H
#define EFFIGY_BASE_LOG_H

enum log_level {
    LOG_QUIET = 0, /* nothing but errors (-q) */
    LOG_WARN,
    LOG_NOTE,  /* the default */
    LOG_DEBUG, /* -v */
};

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "warning: ..." */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
