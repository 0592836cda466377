/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/spawn.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>

bool
spawn_program(const char *path, const char *const *argv, const char *const *environment,
              const int *fds, size_t count, pid_t *ret_pid, struct err **err)
{
    /* The given descriptors may themselves lie where others must go, so all are first put out of
     * the way. */
    int high[SPAWN_FDS_LIMIT];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t set;
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes, &set);
    sigfillset(&set);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    size_t made = 0;
    int failed = 0;
    while (made < count && !failed) {
        high[made] = fcntl(fds[made], F_DUPFD_CLOEXEC, 32);
        if (high[made] < 0) {
            failed = errno;
        } else {
            posix_spawn_file_actions_adddup2(&actions, high[made], (int)made);
            made++;
        }
    }
    if (!failed)
        failed = posix_spawn(ret_pid, path, &actions, &attributes, (char *const *)argv,
                             (char *const *)environment);
    while (made)
        close(high[--made]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed ? err_set(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_IO, failed, "cannot run %s",
                            path)
                  : true;
}

char *
spawn_find(const char *program)
{
    CLEANUP_FREE char *path = mem_printf("%s:/usr/local/sbin:/usr/sbin:/sbin",
                                         str_or(getenv("PATH"), "/usr/local/bin:/usr/bin:/bin"));
    char *rest = path;
    for (char *dir; (dir = strsep(&rest, ":"));) {
        if (dir[0] != '/')
            continue;
        CLEANUP_FREE char *whole = file_join(dir, program);
        if (access(whole, X_OK) == 0)
            return steal_ptr(&whole);
    }
    return NULL;
}
