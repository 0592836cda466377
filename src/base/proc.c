/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define PROC_OUTPUT_LIMIT (1u << 20)

extern char **environ;

/* Reads what is there; false at end of file. */
static bool
proc_drain(int fd, struct buf *into)
{
    char bytes[65536];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (into && into->length < PROC_OUTPUT_LIMIT)
        buf_append(into, bytes, (size_t)n);
    return n > 0;
}

bool
proc_run(const char *const *argv, struct buf *out, struct buf *errors, int *ret_status,
         struct err **err)
{
    int out_pipe[2], err_pipe[2];
    if (pipe2(out_pipe, O_CLOEXEC) < 0)
        return err_set(err, ERR_IO, errno, "cannot make a pipe for %s", argv[0]);
    if (pipe2(err_pipe, O_CLOEXEC) < 0) {
        close(out_pipe[0]);
        close(out_pipe[1]);
        return err_set(err, ERR_IO, errno, "cannot make a pipe for %s", argv[0]);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_pipe[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err_pipe[1], 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    int failed = posix_spawnp(&pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(out_pipe[1]);
    close(err_pipe[1]);
    if (failed) {
        close(out_pipe[0]);
        close(err_pipe[0]);
        return err_set(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_IO, failed, "cannot run %s",
                       argv[0]);
    }
    struct pollfd fds[2] = {{.fd = out_pipe[0], .events = POLLIN},
                            {.fd = err_pipe[0], .events = POLLIN}};
    bool killed = false;
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        poll(fds, 2, 100);
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && fds[i].revents && !proc_drain(fds[i].fd, i ? errors : out)) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
        if (!killed && stop_requested())
            killed = kill(pid, SIGTERM) == 0;
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return killed ? stop_check(err) : true;
}

bool
proc_exists(const char *program)
{
    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    CLEANUP_FREE char *path = mem_strdup(str_or(getenv("PATH"), "/usr/local/bin:/usr/bin:/bin"));
    char *rest = path;
    for (char *dir; (dir = strsep(&rest, ":"));) {
        CLEANUP_FREE char *whole = file_join(*dir ? dir : ".", program);
        if (access(whole, X_OK) == 0)
            return true;
    }
    return false;
}
