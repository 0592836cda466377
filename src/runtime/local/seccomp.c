/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/seccomp.h"

#include <stddef.h>

/* Names that an architecture does not have are passed over by libseccomp. fstatfs, statfs, prctl, capget and the
 * like are what runc itself still calls between loading the filter and exec. */
const char *const seccomp_allowed[] = {
    /* files */
    "access", "chdir", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fchdir",
    "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents", "getdents64",
    "lseek", "lstat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev",
    "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "sendfile", "stat", "statfs", "statx", "umask",
    "write", "writev",
    /* writing what is not read-only: temporary files on a tmpfs, should there be one */
    "fallocate", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "rmdir", "unlink", "unlinkat",
    /* memory */
    "brk", "madvise", "memfd_create", "mincore", "mlock", "mmap", "mprotect", "mremap", "msync", "munlock", "munmap",
    /* sockets that were inherited, and pairs */
    "accept", "accept4", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg",
    "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
    /* waiting */
    "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "futex", "futex_waitv", "gettimeofday", "nanosleep", "pause",
    "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "time", "timer_create", "timer_delete", "timer_gettime",
    "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    /* threads, processes, signals */
    "arch_prctl", "capget", "capset", "clone", "clone3", "execve", "execveat", "exit", "exit_group", "fork",
    "get_robust_list", "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "gettid", "getuid", "kill",
    "membarrier", "prctl", "prlimit64", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_yield", "set_robust_list", "set_tid_address",
    "setpriority", "setrlimit", "sigaltstack", "signalfd", "signalfd4", "sysinfo", "tgkill", "times", "tkill", "uname",
    "vfork", "wait4", "waitid",
    NULL,
};
