/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/listener.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#define LISTENER_BACKLOG 4096

char *
listener_name(const char *address, unsigned port, struct err **err)
{
    if (strcmp(address, "localhost") == 0)
        address = "127.0.0.1";
    unsigned char bytes[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    bool is_v6 = strchr(address, ':');
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address, bytes) != 1 || port > 65535) {
        err_set(err, ERR_USAGE, 0,
                "cannot listen at \"%s\" port %u: that is not an address of this machine", address,
                port);
        err_hint(err,
                 "give a numeric address: 127.0.0.1 for this machine alone, 0.0.0.0 or :: for all");
        return NULL;
    }
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
    return mem_printf(is_v6 ? "[%s]:%u" : "%s:%u", text, port);
}

bool
listener_parse(const char *name, struct sockaddr_storage *ret_address, socklen_t *ret_length)
{
    const char *colon = strrchr(name, ':');
    uint64_t port;
    if (!colon || !str_to_u64(colon + 1, 0, 65535, &port))
        return false;
    bool is_v6 = name[0] == '[';
    if (is_v6 && (colon == name || colon[-1] != ']'))
        return false;
    CLEANUP_FREE char *host = is_v6 ? mem_strndup(name + 1, (size_t)(colon - name) - 2)
                                    : mem_strndup(name, (size_t)(colon - name));
    *ret_address = (struct sockaddr_storage){.ss_family = is_v6 ? AF_INET6 : AF_INET};
    if (is_v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
        in6->sin6_port = htons((uint16_t)port);
        *ret_length = sizeof *in6;
        return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
    in->sin_port = htons((uint16_t)port);
    *ret_length = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

char *
listener_name_of(int fd)
{
    int listens = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens)
        return NULL;
    struct sockaddr_storage address = {0};
    length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return NULL;
    char text[INET6_ADDRSTRLEN];
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        return mem_printf("[%s]:%u", text, ntohs(in6->sin6_port));
    }
    if (address.ss_family != AF_INET)
        return NULL;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return mem_printf("%s:%u", text, ntohs(in->sin_port));
}

/* The inode of the socket that listens at a port, from /proc/net/tcp or tcp6 (proc_net(5)); 0 if
 * none does. */
static unsigned long
listener_inode(const char *table, unsigned port)
{
    CLEANUP_FILE FILE *file = fopen(table, "re");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line,
                   " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == 0x0a)
            return inode;
    }
    return 0;
}

/* "nginx (process 812)", as far as this user may look; to be freed. */
static char *
listener_owner(unsigned port)
{
    unsigned long inode = listener_inode("/proc/net/tcp", port);
    if (!inode)
        inode = listener_inode("/proc/net/tcp6", port);
    CLEANUP_DIR DIR *processes = inode ? opendir("/proc") : NULL;
    CLEANUP_FREE char *wanted = mem_printf("socket:[%lu]", inode);
    for (struct dirent *process; processes && (process = readdir(processes));) {
        if (!isdigit((unsigned char)process->d_name[0]))
            continue;
        CLEANUP_FREE char *folder = mem_printf("/proc/%s/fd", process->d_name);
        CLEANUP_DIR DIR *fds = opendir(folder);
        for (struct dirent *fd; fds && (fd = readdir(fds));) {
            char link[64];
            ssize_t length = readlinkat(dirfd(fds), fd->d_name, link, sizeof link - 1);
            if (length <= 0 || (link[length] = '\0', strcmp(link, wanted) != 0))
                continue;
            CLEANUP_BUF struct buf name = {0};
            CLEANUP_FREE char *comm = mem_printf("/proc/%s/comm", process->d_name);
            if (!file_read(comm, 64, &name, NULL) || !name.length)
                return NULL;
            name.data[strcspn(name.data, "\n")] = '\0';
            return mem_printf("%s (process %s)", name.data, process->d_name);
        }
    }
    return NULL;
}

int
listener_bind(const char *name, struct err **err)
{
    struct sockaddr_storage address;
    socklen_t length;
    if (!listener_parse(name, &address, &length)) {
        err_set(err, ERR_USAGE, 0, "cannot listen at \"%s\": that is not an address and port",
                name);
        return -1;
    }
    CLEANUP_FD int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1, no = 0;
    const struct timeval shortest = {.tv_usec = 1};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &shortest, sizeof shortest) < 0) {
        err_set(err, ERR_IO, errno, "cannot make a socket for %s", name);
        return -1;
    }
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, LISTENER_BACKLOG) == 0)
        return steal_fd(&fd);
    if (errno == EADDRINUSE) {
        unsigned port =
            ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                : ((struct sockaddr_in *)&address)->sin_port);
        CLEANUP_FREE char *owner = listener_owner(port);
        err_set(err, ERR_BUSY, 0, "port %u is used by %s", port, str_or(owner, "another program"));
        err_hint(err, "end that program, or choose another port with --port");
    } else if (errno == EADDRNOTAVAIL) {
        err_set(err, ERR_USAGE, errno, "cannot listen at %s", name);
        err_hint(
            err,
            "the address must be one of this machine: 127.0.0.1, 0.0.0.0, ::, or an interface's");
    } else if (errno == EACCES) {
        err_set(err, ERR_PERMISSION, errno, "cannot listen at %s", name);
        err_hint(err, "ports below 1024 need root; choose another with --port");
    } else {
        err_set(err, ERR_IO, errno, "cannot listen at %s", name);
    }
    return -1;
}

int
listener_take(pid_t pid, int number, const char *name)
{
    CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -1;
    CLEANUP_FD int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    CLEANUP_FREE char *found = fd < 0 ? NULL : listener_name_of(fd);
    return found && strcmp(found, name) == 0 ? steal_fd(&fd) : -1;
}
