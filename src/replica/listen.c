/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/listen.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define LISTEN_FIRST_FD 3

union listen_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void
listen_describe(int fd, char *ret_text, size_t room)
{
    union listen_address address = {0};
    socklen_t length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";
    getsockname(fd, &address.any, &length);
    if (address.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(ret_text, room, "[%s]:%u", host, ntohs(address.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        snprintf(ret_text, room, "%s:%u", host, ntohs(address.v4.sin_port));
    }
}

static bool
listen_take(int fd, struct err **err)
{
    int listening = 0, family = 0, flags = fcntl(fd, F_GETFL);
    socklen_t length = sizeof listening;
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0)
        return err_set(err, ERR_USAGE, errno, "cannot use descriptor %d of LISTEN_FDS", fd);
    length = sizeof family;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
    if (!listening || (family != AF_INET && family != AF_INET6))
        return err_set(err, ERR_USAGE, 0,
                       "descriptor %d of LISTEN_FDS is not a listening TCP socket", fd);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_set(err, ERR_IO, errno, "cannot make descriptor %d non-blocking", fd);
    return true;
}

static bool
listen_inherit(uint64_t count, struct listen_set *set, struct err **err)
{
    const char *names = str_or(getenv("LISTEN_FDNAMES"), "");
    for (uint64_t i = 0; i < count; i++) {
        int fd = LISTEN_FIRST_FD + (int)i;
        if (!listen_take(fd, err))
            return false;
        size_t length = strcspn(names, ":");
        bool published = length == 9 && memcmp(names, "published", 9) == 0;
        names += length + (names[length] == ':');
        set->sockets[set->count++] = (struct listen_socket){fd, published};
    }
    return true;
}

static int
listen_bind(const union listen_address *address, struct err **err)
{
    int family = address->any.sa_family, on = 1, off = 0;
    CLEANUP_FD int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set(err, ERR_IO, errno, "cannot make a socket");
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    socklen_t length = family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
    if (bind(fd, &address->any, length) < 0 || listen(fd, SOMAXCONN) < 0) {
        unsigned port = ntohs(family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
        err_set(err, ERR_IO, errno, "cannot listen on port %u", port);
        if (errno == EADDRINUSE)
            err_hint(err, "another process has it; choose another with EFFIGY_PORT");
        return -1;
    }
    return steal_fd(&fd);
}

static int
listen_bind_named(const char *name, uint16_t port, struct err **err)
{
    char host[INET6_ADDRSTRLEN];
    size_t length = strlen(name);
    bool bracketed = name[0] == '[' && name[length - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? length - 2 : length), name + bracketed);
    union listen_address address = {0};
    if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
    } else if (!bracketed && inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
    } else {
        err_set(err, ERR_USAGE, 0, "EFFIGY_LISTEN is \"%.100s\"", name);
        err_hint(err, "it must be an IPv4 or IPv6 address such as 127.0.0.1 or ::1");
        return -1;
    }
    return listen_bind(&address, err);
}

static int
listen_bind_all(uint16_t port, struct err **err)
{
    union listen_address v6 = {
        .v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any}};
    union listen_address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    ERR_LOCAL(why);
    int fd = listen_bind(&v6, &why);
    if (fd < 0 && (why->errnum == EAFNOSUPPORT || why->errnum == EADDRNOTAVAIL))
        return listen_bind(&v4, err);
    if (fd < 0)
        err_move(err, &why);
    return fd;
}

bool
listen_open(const struct limits *limits, struct listen_set *ret_set, struct err **err)
{
    struct listen_set set = {0};
    uint64_t count = 0, pid = 0;
    const char *fds = getenv("LISTEN_FDS"), *owner = getenv("LISTEN_PID");
    if (fds && owner && str_to_u64(owner, 1, INT32_MAX, &pid) && (pid_t)pid == getpid()) {
        if (!str_to_u64(fds, 0, LISTEN_SOCKETS, &count))
            return err_set(err, ERR_USAGE, 0, "LISTEN_FDS is \"%.100s\", not a number up to %d",
                           fds, LISTEN_SOCKETS);
    }
    if (count) {
        if (!listen_inherit(count, &set, err))
            return false;
    } else {
        uint16_t port = (uint16_t)limits->port;
        int fd = limits->listen ? listen_bind_named(limits->listen, port, err)
                                : listen_bind_all(port, err);
        if (fd < 0)
            return false;
        set.sockets[set.count++] = (struct listen_socket){fd, false};
    }
    listen_describe(set.sockets[0].fd, set.address, sizeof set.address);
    *ret_set = set;
    return true;
}
