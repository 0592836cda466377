/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/peer.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PEER_SOCKET "monitor.sock"

int
peer_listen(struct err **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = PEER_SOCKET};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) {
        err_set(err, ERR_IO, errno, "cannot listen at %s", PEER_SOCKET);
        return -1;
    }
    return steal_fd(&fd);
}

bool
peer_is_trusted(int fd)
{
    struct ucred who;
    socklen_t length = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

bool
peer_send_listener(int connection, int listener)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (char[]){listener >= 0 ? 'y' : 'n'}, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (listener >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof listener);
        memcpy(CMSG_DATA(header), &listener, sizeof listener);
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == 1;
}

char *
peer_state_format(const struct peer_state *state)
{
    json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:s?}", "state",
                             runtime_state_name(state->state), "restarts",
                             (json_int_t)state->restarts, "exit_code", (json_int_t)state->exit_code,
                             "pid", (json_int_t)state->pid, "reason", state->reason);
    if (!json) /* the replica printed what is not UTF-8 */
        json = json_pack("{s:s, s:I, s:I, s:I, s:s}", "state", runtime_state_name(state->state),
                         "restarts", (json_int_t)state->restarts, "exit_code",
                         (json_int_t)state->exit_code, "pid", (json_int_t)state->pid, "reason",
                         "see its log");
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

bool
peer_state_parse(const char *text, size_t length, struct peer_state *ret_state)
{
    const char *state;
    json_int_t restarts, exit_code, pid;
    json_t *reason;
    json_t *json = json_loadb(text, length, JSON_DISABLE_EOF_CHECK, NULL);
    bool ok = json &&
              json_unpack(json, "{s:s, s:I, s:I, s:I, s:o}", "state", &state, "restarts", &restarts,
                          "exit_code", &exit_code, "pid", &pid, "reason", &reason) == 0;
    int found = -1;
    for (int i = RUNTIME_STARTING; ok && i <= RUNTIME_FAILED; i++) {
        if (strcmp(runtime_state_name((enum runtime_state)i), state) == 0)
            found = i;
    }
    if (found >= 0)
        *ret_state =
            (struct peer_state){(enum runtime_state)found, (unsigned)restarts, (int)exit_code,
                                (pid_t)pid, mem_strdup(json_string_value(reason))};
    json_decref(json);
    return found >= 0;
}

/* Through the folder's descriptor, since a path in a sockaddr_un has at most 107 bytes. */
static int
peer_connect(const char *folder, struct err **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "cannot open %s", folder);
        return -1;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" PEER_SOCKET, dir);
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = PEER_TIMEOUT_MS / 1000,
                              .tv_usec = PEER_TIMEOUT_MS % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    int failed;
    do
        failed = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
    while (failed == EINTR);
    if (failed) {
        bool is_gone = failed == ENOENT || failed == ECONNREFUSED;
        err_set(err,
                is_gone            ? ERR_NOT_FOUND
                : failed == EAGAIN ? ERR_TIMEOUT
                                   : ERR_IO,
                failed, "cannot reach the monitor in %s", folder);
        return -1;
    }
    if (!peer_is_trusted(fd)) {
        err_set(err, ERR_PERMISSION, 0, "the monitor in %s belongs to another user", folder);
        return -1;
    }
    return steal_fd(&fd);
}

static int
peer_request(const char *folder, const char *request, struct err **err)
{
    CLEANUP_FD int fd = peer_connect(folder, err);
    if (fd < 0)
        return -1;
    size_t length = strlen(request);
    if (send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length)
        return steal_fd(&fd);
    err_set(err,
            errno == EAGAIN  ? ERR_TIMEOUT
            : errno == EPIPE ? ERR_NOT_FOUND
                             : ERR_IO,
            errno, "cannot ask the monitor in %s", folder);
    return -1;
}

static bool
peer_no_answer(const char *folder, ssize_t received, struct err **err)
{
    if (received < 0 && errno == EAGAIN)
        return err_set(err, ERR_TIMEOUT, 0, "the monitor in %s does not answer", folder);
    if (received < 0 && errno != ECONNRESET)
        return err_set(err, ERR_IO, errno, "cannot read the answer of the monitor in %s", folder);
    return err_set(err, ERR_NOT_FOUND, 0, "the monitor in %s ended without an answer", folder);
}

bool
peer_ask_state(const char *folder, struct peer_state *ret_state, struct err **err)
{
    CLEANUP_FD int fd = peer_request(folder, "state\n", err);
    if (fd < 0)
        return false;
    CLEANUP_BUF struct buf reply = {0};
    while (reply.length < PEER_REPLY_LIMIT &&
           !(reply.length && reply.data[reply.length - 1] == '\n')) {
        char bytes[4096];
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return peer_no_answer(folder, n, err);
        buf_append(&reply, bytes, (size_t)n);
    }
    if (!peer_state_parse(buf_text(&reply), reply.length, ret_state))
        return err_set(err, ERR_CORRUPT, 0, "the monitor in %s gave an answer that makes no sense",
                       folder);
    return true;
}

int
peer_ask_listener(const char *folder, struct err **err)
{
    CLEANUP_FD int fd = peer_request(folder, "listener\n", err);
    if (fd < 0)
        return -1;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char answer = 0;
    struct iovec part = {.iov_base = &answer, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        peer_no_answer(folder, n, err);
        return -1;
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int listener = -1;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof listener))
        memcpy(&listener, CMSG_DATA(header), sizeof listener);
    if (listener < 0)
        err_set(err, ERR_NOT_FOUND, 0, "the monitor in %s has closed the published socket", folder);
    return listener;
}

int
peer_ask_stop(const char *folder, unsigned grace_ms, struct err **err)
{
    CLEANUP_FREE char *request = mem_printf("stop %u\n", grace_ms);
    return peer_request(folder, request, err);
}
