/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a server over HTTP whether it is ready, without waiting: for an event loop. */
#ifndef EFFIGY_RUNTIME_LOCAL_HEALTH_H
#define EFFIGY_RUNTIME_LOCAL_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

enum health_result {
    HEALTH_PENDING, /* poll health_events() on .fd, and call health_step() */
    HEALTH_READY,   /* 200 */
    HEALTH_FAILED,  /* .why says why */
};
struct health {
    int fd; /* -1 while nothing is asked */
    bool is_sent;
    char reply[16]; /* "HTTP/1.1 200 OK" */
    size_t length;
    char why[128];
};
/* Begins GET path at address ("127.0.0.1:40123"). An ended or cancelled question may be followed by
 * another. */
enum health_result health_ask(struct health *health, const char *address);
enum health_result health_step(struct health *health, const char *address, const char *path);
short health_events(const struct health *health); /* for poll(2) */
/* Ends it; `why` NULL: silently. */
enum health_result health_end(struct health *health, const char *why);

#endif
