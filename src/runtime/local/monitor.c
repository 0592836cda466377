/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/monitor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/local/health.h"
#include "runtime/local/listener.h"
#include "runtime/local/log.h"
#include "runtime/local/peer.h"
#include "runtime/local/record.h"
#include "runtime/local/spawn.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HEALTH_TIMEOUT_MS 1000
#define HEALTH_FIRST_MS 100 /* between questions until the first good answer */
#define HEALTH_LATER_MS 2000
#define HEALTH_STRIKES 3 /* failures in a row that make it unhealthy */
#define KILL_EXTRA_MS                                                           \
    1000 /* the server ends by itself after its grace period, which is the same \
          */
#define BACKOFF_FIRST_MS 200
#define BACKOFF_LAST_MS 30000
#define BACKOFF_FORGET_MS 60000
#define ENDS_LIMIT 10
#define ENDS_LIMIT_NEVER_HEALTHY 5
#define RUNC_TIMEOUT_MS 60000
#define SIGTERM_GRACE_MS 10000
#define TERM_RETRY_MS 50
#define PEERS_LIMIT 32
#define PEER_IDLE_MS 5000
#define NEVER INT64_MAX

enum monitor_job {
    JOB_NONE,
    JOB_RUN,    /* runc run */
    JOB_DELETE, /* runc delete */
};

struct monitor_peer {
    int fd;
    char request[PEER_REQUEST_LIMIT];
    size_t length;
    bool waits; /* for the end; is never answered */
    int64_t deadline;
};

struct monitor {
    struct local_record record;
    char *folder;
    int published, private, log_read, log_write, signals, socket;
    struct replica_log log;

    enum runtime_state state;
    bool is_stopping, is_gone;
    enum monitor_job job;
    pid_t runc;  /* the process of the job */
    pid_t pid;   /* the container's */
    pid_t early; /* a child that ended while runc run had not: perhaps the container */
    int early_status;
    unsigned restarts, ends; /* ends in a row */
    int exit_code;
    char *reason;

    struct health health;
    unsigned strikes;
    bool was_healthy; /* in this run */
    bool ever_healthy;
    unsigned grace_ms;

    /* Moments of CLOCK_MONOTONIC in milliseconds. */
    int64_t job_deadline, launch_at, ask_at, answer_by, forget_at, term_at, kill_at;

    struct monitor_peer peers[PEERS_LIMIT];
    size_t peer_count;
};

static int64_t
monitor_now(void)
{
    return (int64_t)(clock_seconds() * 1000);
}

static void
monitor_become(struct monitor *monitor, enum runtime_state state)
{
    if (monitor->is_stopping)
        state = RUNTIME_STOPPING;
    if (state != monitor->state)
        replica_log_note(&monitor->log, "%s", runtime_state_name(state));
    monitor->state = state;
}

static void
monitor_blame(struct monitor *monitor, const char *why)
{
    replica_log_flush(&monitor->log);
    const char *tail = buf_text(&monitor->log.tail);
    int length = (int)strlen(tail);
    while (length && tail[length - 1] == '\n')
        length--;
    free(monitor->reason);
    monitor->reason =
        length ? mem_printf("%s; its log ends with:\n%.*s", why, length, tail) : mem_strdup(why);
}

/* --- runc
 * -------------------------------------------------------------------------------------------------
 */

static void monitor_ended(struct monitor *monitor, const char *why);
static void monitor_deleted(struct monitor *monitor);

static void
monitor_runc(struct monitor *monitor, enum monitor_job job, const char *const *argv)
{
    CLEANUP_FREE char *path =
        mem_printf("PATH=%s", str_or(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin"));
    CLEANUP_FREE char *runtime_dir =
        mem_printf("XDG_RUNTIME_DIR=%s", str_or(getenv("XDG_RUNTIME_DIR"), "/run"));
    /* Nothing else: runc acts on LISTEN_FDS and NOTIFY_SOCKET. */
    const char *const environment[] = {path, runtime_dir, NULL};
    CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[] = {null, monitor->log_write, monitor->log_write, monitor->published,
                       monitor->private};
    ERR_LOCAL(why);
    monitor->job = job;
    monitor->job_deadline = monitor_now() + RUNC_TIMEOUT_MS;
    if (spawn_program(monitor->record.runc, argv, environment, fds, job == JOB_RUN ? 5 : 3,
                      &monitor->runc, &why))
        return;
    monitor->job = JOB_NONE;
    monitor->job_deadline = NEVER;
    replica_log_note(&monitor->log, "%s", why->message);
    if (job == JOB_RUN)
        monitor_ended(monitor, why->message);
    else
        monitor_deleted(monitor);
}

static void
monitor_launch(struct monitor *monitor)
{
    monitor->launch_at = NEVER;
    monitor->was_healthy = false;
    monitor->strikes = 0;
    monitor->early = 0;
    replica_log_begin(&monitor->log);
    monitor_become(monitor, RUNTIME_STARTING);
    unlink("pid");
    const char *const argv[] = {"runc",     "--root",        monitor->record.runc_root,
                                "run",      "--detach",      "--preserve-fds",
                                "2",        "--pid-file",    "pid",
                                "--bundle", monitor->folder, monitor->record.id,
                                NULL};
    monitor_runc(monitor, JOB_RUN, argv);
}

static void
monitor_delete(struct monitor *monitor)
{
    const char *const argv[] = {
        "runc", "--root", monitor->record.runc_root, "delete", "--force", monitor->record.id, NULL};
    monitor_runc(monitor, JOB_DELETE, argv);
}

/* --- the life of the container
 * ---------------------------------------------------------------------------- */

static void
monitor_read_log(struct monitor *monitor)
{
    char bytes[16384];
    /* Bounded, so that a replica that prints without end cannot keep the monitor from its other
     * duties. */
    for (int i = 0; i < 16; i++) {
        ssize_t n = read(monitor->log_read, bytes, sizeof bytes);
        if (n <= 0)
            return;
        replica_log_add(&monitor->log, bytes, (size_t)n);
    }
}

static void
monitor_close_listeners(struct monitor *monitor)
{
    if (monitor->published >= 0) {
        close(monitor->published);
        close(monitor->private);
    }
    monitor->published = monitor->private = -1;
}

/* The run is over, or never began. runc's traces of it are removed before anything else. */
static void
monitor_ended(struct monitor *monitor, const char *why)
{
    monitor->pid = 0;
    monitor->ask_at = monitor->answer_by = monitor->forget_at = monitor->term_at =
        monitor->kill_at = NEVER;
    health_end(&monitor->health, NULL);
    monitor_read_log(monitor);
    monitor_blame(monitor, why);
    replica_log_note(&monitor->log, "%s", why);
    monitor->ends++;
    unsigned limit = monitor->ever_healthy ? ENDS_LIMIT : ENDS_LIMIT_NEVER_HEALTHY;
    /* When it gives up, who connects shall be refused rather than wait for an answer that never
     * comes. */
    if (monitor->ends >= limit)
        monitor_close_listeners(monitor);
    monitor_become(monitor, monitor->ends >= limit ? RUNTIME_FAILED : RUNTIME_BACKOFF);
    if (monitor->job == JOB_NONE)
        monitor_delete(monitor);
}

static void
monitor_container_ended(struct monitor *monitor, int status)
{
    char why[64];
    if (WIFSIGNALED(status)) {
        monitor->exit_code = 128 + WTERMSIG(status);
        snprintf(why, sizeof why, "it was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        monitor->exit_code = WEXITSTATUS(status);
        snprintf(why, sizeof why, "it ended with exit code %d", monitor->exit_code);
    }
    monitor_ended(monitor, why);
}

/* Will the process that has only begun notice SIGTERM? As the first of its namespace it does not
 * until it has made arrangements (pid_namespaces(7)); and at the very first it is still runc. False
 * also if it waits for the signal in sigtimedwait(2), which does not show. */
static bool
monitor_container_listens(const struct monitor *monitor)
{
    CLEANUP_FREE char *path = mem_printf("/proc/%d/status", monitor->pid);
    CLEANUP_BUF struct buf status = {0};
    if (!file_read(path, 65536, &status, NULL))
        return true;
    const char *blocked = strstr(buf_text(&status), "\nSigBlk:\t"),
               *caught = strstr(buf_text(&status), "\nSigCgt:\t");
    uint64_t signals = (blocked ? strtoull(blocked + 9, NULL, 16) : 0) |
                       (caught ? strtoull(caught + 9, NULL, 16) : 0);
    return !str_starts(buf_text(&status), "Name:\trunc:") && (signals >> (SIGTERM - 1) & 1);
}

/* One signal, where it is known to be heard: a second one makes servers end at once. */
static void
monitor_terminate(struct monitor *monitor)
{
    bool is_heard = monitor->was_healthy || monitor_container_listens(monitor);
    /* An unreaped child's id is never given to another process. */
    kill(monitor->pid, SIGTERM);
    monitor->term_at = is_heard ? NEVER : monitor_now() + TERM_RETRY_MS;
}

static void
monitor_stop_container(struct monitor *monitor)
{
    monitor->kill_at = monitor_now() + monitor->grace_ms + KILL_EXTRA_MS;
    monitor->ask_at = monitor->answer_by = NEVER;
    health_end(&monitor->health, NULL);
    monitor_terminate(monitor);
}

static void
monitor_ran(struct monitor *monitor, int status)
{
    CLEANUP_BUF struct buf text = {0};
    uint64_t pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && file_read("pid", 32, &text, NULL))
        str_to_u64(buf_text(&text), 1, INT32_MAX, &pid);
    if (!pid) {
        monitor->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        monitor_ended(monitor, "runc could not start it");
    } else if (monitor->early == (pid_t)pid) {
        monitor_container_ended(monitor, monitor->early_status);
    } else {
        siginfo_t info;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
            0) { /* reaped before it was known */
            monitor_ended(monitor, "it ended while runc was starting it");
            return;
        }
        monitor->pid = (pid_t)pid;
        if (monitor->is_stopping)
            monitor_stop_container(monitor);
        else
            monitor->ask_at = monitor_now();
    }
}

static void
monitor_deleted(struct monitor *monitor)
{
    if (monitor->is_stopping) {
        monitor->is_gone = true;
    } else if (monitor->state != RUNTIME_FAILED) {
        unsigned shift = monitor->ends - 1;
        int64_t wait = (int64_t)BACKOFF_FIRST_MS << (shift < 16 ? shift : 16);
        monitor->launch_at = monitor_now() + (wait < BACKOFF_LAST_MS ? wait : BACKOFF_LAST_MS);
    }
}

/* runc makes every descriptor that it passes on block, for all who hold the socket. */
static void
monitor_unblock_listeners(const struct monitor *monitor)
{
    const int fds[] = {monitor->published, monitor->private};
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        if (fds[i] >= 0)
            fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
    }
}

static void
monitor_reap(struct monitor *monitor)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == monitor->runc) {
            enum monitor_job job = monitor->job;
            monitor->runc = 0;
            monitor->job = JOB_NONE;
            monitor->job_deadline = NEVER;
            monitor_unblock_listeners(monitor);
            if (job == JOB_RUN)
                monitor_ran(monitor, status);
            else
                monitor_deleted(monitor);
        } else if (pid == monitor->pid) {
            monitor_container_ended(monitor, status);
        } else if (monitor->job == JOB_RUN) {
            monitor->early = pid;
            monitor->early_status = status;
        }
    }
}

static void
monitor_stop(struct monitor *monitor, unsigned grace_ms)
{
    int64_t latest = monitor_now() + grace_ms + KILL_EXTRA_MS;
    if (monitor->is_stopping) { /* asked again: the earlier end wins */
        if (monitor->kill_at != NEVER && latest < monitor->kill_at)
            monitor->kill_at = latest;
        if (grace_ms < monitor->grace_ms)
            monitor->grace_ms = grace_ms;
        return;
    }
    monitor->is_stopping = true;
    monitor->grace_ms = grace_ms;
    monitor->launch_at = NEVER;
    monitor_become(monitor, RUNTIME_STOPPING);
    if (monitor->pid)
        monitor_stop_container(monitor);
    else if (monitor->job == JOB_NONE)
        monitor_delete(monitor);
}

/* --- health
 * -----------------------------------------------------------------------------------------------
 */

static void
monitor_judge(struct monitor *monitor, enum health_result result)
{
    if (result == HEALTH_PENDING)
        return;
    int64_t now = monitor_now();
    monitor->answer_by = NEVER;
    if (result == HEALTH_READY) {
        monitor->strikes = 0;
        if (monitor->state != RUNTIME_HEALTHY) {
            monitor->forget_at = monitor->ends ? now + BACKOFF_FORGET_MS : NEVER;
            free(monitor->reason);
            monitor->reason = NULL;
        }
        monitor->was_healthy = monitor->ever_healthy = true;
        monitor_become(monitor, RUNTIME_HEALTHY);
    } else {
        CLEANUP_FREE char *why = mem_printf("http://%s%s: %s", monitor->record.address,
                                            monitor->record.health_path, monitor->health.why);
        monitor->strikes++;
        if (monitor->was_healthy && monitor->strikes >= HEALTH_STRIKES) {
            monitor->forget_at = NEVER;
            monitor_become(monitor, RUNTIME_UNHEALTHY);
        }
        if (monitor->state != RUNTIME_HEALTHY)
            monitor_blame(monitor, why);
    }
    monitor->ask_at = now + (monitor->was_healthy ? HEALTH_LATER_MS : HEALTH_FIRST_MS);
}

static void
monitor_ask(struct monitor *monitor)
{
    monitor->ask_at = NEVER;
    monitor->answer_by = monitor_now() + HEALTH_TIMEOUT_MS;
    monitor_judge(monitor, health_ask(&monitor->health, monitor->record.address));
}

/* --- those who ask
 * ---------------------------------------------------------------------------------------- */

static void
monitor_peer_close(struct monitor *monitor, size_t i)
{
    close(monitor->peers[i].fd);
    monitor->peers[i] = monitor->peers[--monitor->peer_count];
}

static void
monitor_accept(struct monitor *monitor)
{
    int fd = accept4(monitor->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (monitor->peer_count == PEERS_LIMIT || !peer_is_trusted(fd)) {
        close(fd);
        return;
    }
    monitor->peers[monitor->peer_count++] =
        (struct monitor_peer){.fd = fd, .deadline = monitor_now() + PEER_IDLE_MS};
}

/* Returns false if the connection is done with. */
static bool
monitor_answer(struct monitor *monitor, struct monitor_peer *peer)
{
    ssize_t n =
        recv(peer->fd, peer->request + peer->length, sizeof peer->request - peer->length, 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (peer->waits)
        return true;
    peer->length += (size_t)n;
    char *newline = memchr(peer->request, '\n', peer->length);
    if (!newline)
        return peer->length < sizeof peer->request;
    *newline = '\0';
    if (strcmp(peer->request, "state") == 0) {
        struct peer_state state = {monitor->state, monitor->restarts, monitor->exit_code,
                                   monitor->pid,
                                   monitor->state == RUNTIME_HEALTHY ? NULL : monitor->reason};
        CLEANUP_FREE char *text = peer_state_format(&state);
        CLEANUP_FREE char *line = mem_printf("%s\n", text);
        (void)!send(peer->fd, line, strlen(line), MSG_NOSIGNAL);
    } else if (strcmp(peer->request, "listener") == 0) {
        peer_send_listener(peer->fd, monitor->published);
    } else if (str_starts(peer->request, "stop ")) {
        uint64_t grace_ms;
        if (!str_to_u64(peer->request + 5, 0, UINT32_MAX, &grace_ms))
            return false;
        peer->waits = true;
        peer->length = 0;
        peer->deadline = NEVER;
        monitor_stop(monitor, (unsigned)grace_ms);
        return true;
    }
    return false;
}

/* --- the loop
 * --------------------------------------------------------------------------------------------- */

static void
monitor_signals(struct monitor *monitor)
{
    struct signalfd_siginfo info;
    while (read(monitor->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            monitor_stop(monitor, SIGTERM_GRACE_MS);
    }
    monitor_reap(monitor);
}

static void
monitor_timers(struct monitor *monitor)
{
    int64_t now = monitor_now();
    if (now >= monitor->job_deadline) {
        monitor->job_deadline = NEVER;
        replica_log_note(&monitor->log, "runc takes longer than %d s and is ended",
                         RUNC_TIMEOUT_MS / 1000);
        kill(monitor->runc, SIGKILL);
    }
    if (now >= monitor->term_at)
        monitor_terminate(monitor);
    if (now >= monitor->kill_at) {
        monitor->kill_at = monitor->term_at = NEVER;
        replica_log_note(&monitor->log, "it did not end within %u ms and is killed",
                         monitor->grace_ms);
        kill(monitor->pid, SIGKILL);
    }
    if (now >= monitor->forget_at) {
        monitor->forget_at = NEVER;
        monitor->ends = 0;
    }
    if (now >= monitor->answer_by) {
        health_end(&monitor->health, "no answer within a second");
        monitor_judge(monitor, HEALTH_FAILED);
    }
    if (now >= monitor->ask_at)
        monitor_ask(monitor);
    if (now >= monitor->launch_at) {
        monitor->restarts++;
        monitor_launch(monitor);
    }
    for (size_t i = monitor->peer_count; i-- > 0;) {
        if (now >= monitor->peers[i].deadline)
            monitor_peer_close(monitor, i);
    }
}

static int
monitor_patience(const struct monitor *monitor)
{
    int64_t next = NEVER;
    const int64_t moments[] = {monitor->job_deadline, monitor->launch_at, monitor->ask_at,
                               monitor->answer_by,    monitor->forget_at, monitor->term_at,
                               monitor->kill_at};
    for (size_t i = 0; i < ARRAY_LENGTH(moments); i++)
        next = moments[i] < next ? moments[i] : next;
    for (size_t i = 0; i < monitor->peer_count; i++)
        next = monitor->peers[i].deadline < next ? monitor->peers[i].deadline : next;
    if (next == NEVER)
        return -1;
    int64_t wait = next - monitor_now() + 1;
    return wait < 0 ? 0 : wait < 60000 ? (int)wait : 60000;
}

static void
monitor_loop(struct monitor *monitor)
{
    enum { SIGNALS, LOG, SOCKET, HEALTH, PEERS };
    while (!monitor->is_gone) {
        struct pollfd fds[PEERS + PEERS_LIMIT] = {
            [SIGNALS] = {.fd = monitor->signals, .events = POLLIN},
            [LOG] = {.fd = monitor->log_read, .events = POLLIN},
            [SOCKET] = {.fd = monitor->socket, .events = POLLIN},
            [HEALTH] = {.fd = monitor->health.fd, .events = health_events(&monitor->health)},
        };
        size_t peers = monitor->peer_count;
        for (size_t i = 0; i < peers; i++)
            fds[PEERS + i] = (struct pollfd){.fd = monitor->peers[i].fd, .events = POLLIN};
        if (poll(fds, PEERS + peers, monitor_patience(monitor)) < 0 && errno != EINTR)
            return;
        if (fds[LOG].revents)
            monitor_read_log(monitor);
        if (fds[HEALTH].revents)
            monitor_judge(monitor, health_step(&monitor->health, monitor->record.address,
                                               monitor->record.health_path));
        for (size_t i = peers; i-- > 0;) {
            if (fds[PEERS + i].revents && !monitor_answer(monitor, &monitor->peers[i]))
                monitor_peer_close(monitor, i);
        }
        if (fds[SIGNALS].revents)
            monitor_signals(monitor);
        if (fds[SOCKET].revents)
            monitor_accept(monitor);
        monitor_timers(monitor);
    }
}

/* --- beginning and end
 * ------------------------------------------------------------------------------------ */

static bool
monitor_begin(struct monitor *monitor, const char *folder, struct err **err)
{
    *monitor = (struct monitor){.published = MONITOR_FD_PUBLISHED,
                                .private = MONITOR_FD_PRIVATE,
                                .exit_code = -1,
                                .state = RUNTIME_STARTING,
                                .health = {.fd = -1}};
    monitor->job_deadline = monitor->launch_at = monitor->ask_at = monitor->answer_by =
        monitor->forget_at = monitor->term_at = monitor->kill_at = NEVER;
    monitor->folder = mem_strdup(folder);
    if (!record_read(folder, &monitor->record, err))
        return false;
    if (chdir(folder) < 0)
        return err_set(err, ERR_IO, errno, "cannot enter %s", folder);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    monitor->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    int pipes[2];
    if (monitor->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        return err_set(err, ERR_IO, errno, "cannot begin to watch over %s", monitor->record.id);
    monitor->log_read = pipes[0];
    monitor->log_write = pipes[1];
    fcntl(monitor->log_read, F_SETFL, O_NONBLOCK);
    monitor->socket = peer_listen(err);
    if (monitor->socket < 0)
        return false;
    replica_log_open(&monitor->log, "log", REPLICA_LOG_LIMIT);
    return true;
}

/* The port is free before those who wait are told, and the folder out of sight before it is taken
 * apart. */
static void
monitor_end(struct monitor *monitor)
{
    monitor_close_listeners(monitor);
    replica_log_close(&monitor->log);
    CLEANUP_FREE char *parent = file_dirname(monitor->folder);
    CLEANUP_FREE char *gone = mem_printf("%s/.old-%s", parent, monitor->record.id);
    if (rename(monitor->folder, gone) == 0)
        file_remove_tree(gone, NULL);
}

int
runtime_local_monitor_main(int argc, char **argv)
{
    for (int fd = MONITOR_FD_PUBLISHED; fd < MONITOR_FDS; fd++) {
        if (argc < 2 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return ERR_USAGE;
    }
    pid_t child = fork();
    if (child != 0)
        return child > 0 ? 0 : ERR_FAILED;
    close_range(MONITOR_FDS, ~0u, 0);
    setsid();
    umask(077);
    prctl(PR_SET_NAME, "effigy-monitor");
    static struct monitor monitor;
    ERR_LOCAL(err);
    if (!monitor_begin(&monitor, argv[argc - 1], &err)) {
        (void)!write(MONITOR_FD_READY, err->message, strlen(err->message));
        _exit(ERR_RUNTIME);
    }
    (void)!write(MONITOR_FD_READY, "ok", 2);
    close(MONITOR_FD_READY);
    monitor_launch(&monitor);
    monitor_loop(&monitor);
    monitor_end(&monitor);
    _exit(0);
}

bool
monitor_start(const char *folder, int published, int private, int folder_fd, struct err **err)
{
    int ready[2];
    CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(ready, O_CLOEXEC) < 0)
        return err_set(err, ERR_IO, errno, "cannot start a monitor");
    CLEANUP_FD int answer = ready[0];
    const int fds[MONITOR_FDS] = {null, null, null, published, private, ready[1], folder_fd};
    const char *const argv[] = {"effigy", MONITOR_VERB, folder, NULL};
    pid_t pid;
    bool ok = spawn_program("/proc/self/exe", argv, (const char *const *)environ, fds, MONITOR_FDS,
                            &pid, err);
    close(ready[1]);
    if (!ok)
        return err_wrap(err, "cannot start a monitor");
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    char text[1024] = "";
    size_t length = 0;
    for (ssize_t n; (n = read(answer, text + length, sizeof text - 1 - length)) != 0;) {
        if (n < 0 && errno != EINTR)
            break;
        length += n > 0 ? (size_t)n : 0;
    }
    if (strcmp(text, "ok") == 0)
        return true;
    return err_set(err, ERR_RUNTIME, 0, "cannot start a monitor: %s",
                   length ? text : "it ended at once");
}
