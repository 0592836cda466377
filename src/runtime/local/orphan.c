/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/orphan.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

int
orphan_lock(const char *folder)
{
    CLEANUP_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? steal_fd(&fd) : -1;
}

pid_t
orphan_pid(const struct local_record *record)
{
    const char *const argv[] = {record->runc, "--root",   record->runc_root,
                                "state",      record->id, NULL};
    CLEANUP_BUF struct buf out = {0};
    int status;
    if (!proc_run(argv, &out, NULL, &status, NULL) || status != 0)
        return 0;
    const char *state;
    json_int_t pid;
    json_t *json = json_loadb(buf_text(&out), out.length, 0, NULL);
    bool runs = json && json_unpack(json, "{s:s, s:I}", "status", &state, "pid", &pid) == 0 &&
                strcmp(state, "stopped") != 0 && pid > 0;
    json_decref(json);
    return runs ? (pid_t)pid : 0;
}

/* SIGTERM, and time to end. */
static bool
orphan_drain(const struct local_record *record, unsigned grace_ms, struct err **err)
{
    pid_t pid = orphan_pid(record);
    CLEANUP_FD int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    /* Asked again: it is still the container's process that the descriptor stands for. */
    if (pidfd < 0 || orphan_pid(record) != pid ||
        syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0)
        return true;
    for (double end = clock_seconds() + grace_ms / 1000.0; clock_seconds() < end;) {
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        if (poll(&ended, 1, 50) > 0)
            return true;
        if (!stop_check(err))
            return false;
    }
    return true;
}

bool
orphan_end(const struct local_record *record, const char *folder, unsigned grace_ms,
           struct err **err)
{
    if (!orphan_drain(record, grace_ms, err))
        return false;
    const char *const argv[] = {record->runc, "--root", record->runc_root, "delete", "--force",
                                record->id,   NULL};
    CLEANUP_BUF struct buf errors = {0};
    int status;
    if (!proc_run(argv, NULL, &errors, &status, err))
        return err_wrap(err, "cannot remove the container %s", record->id);
    if (status != 0)
        return err_set(err, ERR_RUNTIME, 0, "runc cannot remove the container %s: %s", record->id,
                       buf_text(&errors));
    CLEANUP_FREE char *parent = file_dirname(folder);
    CLEANUP_FREE char *gone = mem_printf("%s/.old-%s", parent, record->id);
    if (rename(folder, gone) < 0)
        return errno == ENOENT || err_set(err, ERR_IO, errno, "cannot remove %s", folder);
    return file_remove_tree(gone, err);
}
