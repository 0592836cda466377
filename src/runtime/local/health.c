/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/health.h"

#include "runtime/local/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum health_result
health_end(struct health *health, const char *why)
{
    if (health->fd >= 0)
        close(health->fd);
    health->fd = -1;
    snprintf(health->why, sizeof health->why, "%s", why ? why : "");
    return HEALTH_FAILED;
}

enum health_result
health_ask(struct health *health, const char *address)
{
    struct sockaddr_storage where;
    socklen_t length;
    *health = (struct health){.fd = -1};
    if (!listener_parse(address, &where, &length))
        return health_end(health, "it has no address");
    health->fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (health->fd < 0 ||
        (connect(health->fd, (struct sockaddr *)&where, length) < 0 && errno != EINPROGRESS))
        return health_end(health, strerror(errno));
    return HEALTH_PENDING;
}

short
health_events(const struct health *health)
{
    return health->is_sent ? POLLIN : POLLOUT;
}

enum health_result
health_step(struct health *health, const char *address, const char *path)
{
    if (!health->is_sent) {
        char request[512];
        int length = snprintf(request, sizeof request,
                              "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: "
                              "effigy-monitor\r\nConnection: close\r\n\r\n",
                              path, address);
        /* The buffer of a fresh connection takes the whole of so small a request. */
        ssize_t n = send(health->fd, request, (size_t)length, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? HEALTH_PENDING
                                                     : health_end(health, strerror(errno));
        health->is_sent = true;
        return HEALTH_PENDING;
    }
    size_t room = sizeof health->reply - 1 - health->length;
    ssize_t n = recv(health->fd, health->reply + health->length, room, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? HEALTH_PENDING
                                                 : health_end(health, strerror(errno));
    health->length += (size_t)n;
    if (n && health->length < 12)
        return HEALTH_PENDING;
    unsigned status = 0;
    if (sscanf(health->reply, "HTTP/1.%*1[01] %3u", &status) != 1)
        return health_end(health, n ? "the answer is not HTTP"
                                    : "it closed the connection without an answer");
    if (status != 200) {
        char why[64];
        snprintf(why, sizeof why, "it answered with status %u", status);
        return health_end(health, why);
    }
    health_end(health, NULL);
    return HEALTH_READY;
}
