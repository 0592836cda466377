/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/local.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/stop.h"
#include "base/str.h"
#include "runtime/local/bundle.h"
#include "runtime/local/image.h"
#include "runtime/local/listener.h"
#include "runtime/local/monitor.h"
#include "runtime/local/orphan.h"
#include "runtime/local/peer.h"
#include "runtime/local/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* --- the published socket
 * --------------------------------------------------------------------------------- */

/* One replica's copy of the socket that listens at `name`; -1 if it has none. */
static int
start_sibling_listener(const struct local *local, const char *id, const char *service,
                       const char *name, char **ret_stranger)
{
    CLEANUP_FREE char *folder = local_folder(local, id);
    CLEANUP(record_free) struct local_record record = {0};
    if (!record_read(folder, &record, NULL) || strcmp(record.published, name) != 0)
        return -1;
    if (strcmp(record.service, service) != 0) {
        free(*ret_stranger);
        *ret_stranger = steal_ptr(&record.service);
        return -1;
    }
    ERR_LOCAL(why);
    CLEANUP_FD int fd = peer_ask_listener(folder, &why);
    if (fd < 0) {
        /* Its monitor may be gone, and the container still hold the socket. */
        CLEANUP_FD int lock = orphan_lock(folder);
        pid_t pid = lock >= 0 ? orphan_pid(&record) : 0;
        if (pid)
            fd = listener_take(pid, MONITOR_FD_PUBLISHED, name);
    }
    CLEANUP_FREE char *found = fd >= 0 ? listener_name_of(fd) : NULL;
    return found && strcmp(found, name) == 0 ? steal_fd(&fd) : -1;
}

/* The published socket: from a replica of the service that has it, or else a new one. */
static int
start_published(const struct local *local, const struct runtime_spec *spec, struct err **err)
{
    CLEANUP_FREE char *name = listener_name(spec->listen_address, spec->listen_port, err);
    if (!name)
        return -1;
    CLEANUP_FREE char *stranger = NULL, *replicas = local_replicas(local);
    CLEANUP_DIR DIR *dir = opendir(replicas);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int fd = entry->d_name[0] == '.'
                     ? -1
                     : start_sibling_listener(local, entry->d_name, spec->service, name, &stranger);
        if (fd >= 0)
            return fd;
    }
    int fd = listener_bind(name, err);
    if (fd < 0 && stranger) {
        err_set(err, ERR_BUSY, 0, "port %u is used by the service %s", spec->listen_port, stranger);
        err_hint(err, "stop that service, or choose another port with --port");
    }
    return fd;
}

/* --- limits
 * -----------------------------------------------------------------------------------------------
 */

/* Can this user make a cgroup with the controller beside its own? Only the unified hierarchy
 * (cgroups(7)) can be given to users. */
static bool
start_may_limit(const char *controller)
{
    CLEANUP_BUF struct buf own = {0}, controllers = {0};
    if (!file_read("/proc/self/cgroup", 65536, &own, NULL))
        return false;
    const char *line =
        str_starts(buf_text(&own), "0::/") ? buf_text(&own) : strstr(buf_text(&own), "\n0::/");
    if (!line)
        return false;
    line = strchr(line, '/');
    CLEANUP_FREE char *path = mem_strndup(line, strcspn(line, "\n"));
    CLEANUP_FREE char *parent = file_dirname(path);
    CLEANUP_FREE char *folder = mem_printf("/sys/fs/cgroup%s", parent);
    CLEANUP_FREE char *list = mem_printf("%s/cgroup.controllers", folder);
    if (access(folder, W_OK) < 0 || !file_read(list, 4096, &controllers, NULL))
        return false;
    for (char *rest = controllers.data, *word; rest && (word = strsep(&rest, " \n"));) {
        if (strcmp(word, controller) == 0)
            return true;
    }
    return false;
}

static bool
start_check_limits(const struct local *local, const struct runtime_spec *spec, struct err **err)
{
    if (!local->is_rootless || ((!spec->memory_bytes || start_may_limit("memory")) &&
                                (spec->cpus <= 0 || start_may_limit("cpu"))))
        return true;
    err_set(err, ERR_UNSUPPORTED, 0,
            "cannot limit the %s of %s: this user may not make cgroups here",
            spec->memory_bytes ? "memory" : "CPU", spec->service);
    return err_hint(err, "run it as root or from a systemd user unit, or without the limits");
}

/* --- the replica's folder
 * --------------------------------------------------------------------------------- */

/* Removes what earlier starts and stops left because they were killed. Whoever makes a folder holds
 * the start lock, and what was stopped is nobody's, so all that is hidden is left over. */
static void
start_sweep(const char *replicas)
{
    CLEANUP_DIR DIR *dir = opendir(replicas);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        CLEANUP_FREE char *path = file_join(replicas, entry->d_name);
        if (str_starts(entry->d_name, ".new-") || str_starts(entry->d_name, ".old-"))
            file_remove_tree(path, NULL);
    }
}

static int
start_lock(const struct local *local, struct err **err)
{
    CLEANUP_FREE char *path = file_join(local->run_root, "start.lock");
    for (;;) {
        ERR_LOCAL(why);
        int fd = file_lock(path, &why);
        if (fd >= 0)
            return fd;
        if (why->kind != ERR_BUSY) {
            err_move(err, &why);
            return -1;
        }
        if (!stop_check(err))
            return -1;
        clock_sleep_ms(5);
    }
}

static bool
start_has_seccomp(const char *runc, bool *ret_has, struct err **err)
{
    const char *const argv[] = {runc, "--version", NULL};
    CLEANUP_BUF struct buf out = {0};
    int status;
    if (!proc_run(argv, &out, NULL, &status, err))
        return false;
    *ret_has = status == 0 && strstr(buf_text(&out), "libseccomp:");
    return true;
}

static bool
start_write_bundle(const struct local *local, const struct runtime_spec *spec,
                   const struct local_record *record, const char *folder, struct err **err)
{
    CLEANUP_FREE char *rootfs = NULL;
    CLEANUP(oci_config_free) struct oci_config config = {0};
    bool has_seccomp = false;
    if (!image_open(local->root, &spec->manifest->digest, &rootfs, &config, err) ||
        !start_has_seccomp(local->runc, &has_seccomp, err))
        return false;
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    const struct bundle bundle = {
        .id = record->id,
        .service = record->service,
        .manifest_digest = record->manifest_digest,
        .generation = record->generation,
        .rootfs = rootfs,
        .working_dir = config.working_dir,
        .argv = spec->replica->entrypoint,
        .environment = config.env,
        .is_rootless = local->is_rootless,
        .uid = geteuid(),
        .gid = getegid(),
        .has_seccomp = has_seccomp,
        .open_files = files.rlim_max < BUNDLE_OPEN_FILES ? files.rlim_max : BUNDLE_OPEN_FILES,
        .memory_bytes = spec->memory_bytes,
        .cpus = spec->cpus,
    };
    CLEANUP_FREE char *text = bundle_format(&bundle, err);
    CLEANUP_FREE char *path = file_join(folder, "config.json");
    return text && file_write_atomic(path, text, strlen(text), 0600, err);
}

/* Fills a folder that nobody sees yet, and starts its monitor when it has its name. */
static bool
start_in_folder(const struct local *local, const struct runtime_spec *spec,
                const struct local_record *record, const char *hidden, int published, int private,
                struct err **err)
{
    CLEANUP_FREE char *folder = local_folder(local, record->id);
    if (!start_write_bundle(local, spec, record, hidden, err) || !record_write(hidden, record, err))
        return false;
    CLEANUP_FD int lock = orphan_lock(hidden);
    if (lock < 0 || rename(hidden, folder) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", folder);
    if (monitor_start(folder, published, private, lock, err))
        return true;
    if (rename(folder, hidden) < 0)
        log_debug("cannot remove %s", folder);
    return false;
}

/* An id that no replica has. */
static bool
start_choose_id(const struct local *local, struct local_record *record, struct err **err)
{
    for (int tries = 0; tries < 1000; tries++) {
        uint16_t number;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            return err_set(err, ERR_IO, errno, "cannot choose a name for a replica");
        free(record->id);
        record->id = mem_printf("%s-g%u-%04x", record->service, record->generation, number);
        CLEANUP_FREE char *folder = local_folder(local, record->id);
        if (!file_exists(folder))
            return true;
    }
    return err_set(err, ERR_BUSY, 0, "there are too many replicas of %s", record->service);
}

bool
local_start(struct runtime *runtime, const struct runtime_spec *spec,
            struct runtime_replica *ret_replica, struct err **err)
{
    const struct local *local = (const struct local *)runtime;
    if (!spec->replica->takes_listeners)
        return err_set(err, ERR_UNSUPPORTED, 0,
                       "cannot run %s: its server does not take listening sockets", spec->service);
    if (!start_check_limits(local, spec, err))
        return false;
    CLEANUP_FD int lock = start_lock(local, err);
    if (lock < 0)
        return false;
    CLEANUP_FREE char *replicas = local_replicas(local);
    start_sweep(replicas);
    CLEANUP_FD int published = start_published(local, spec, err);
    CLEANUP_FD int private = published < 0 ? -1 : listener_bind("127.0.0.1:0", err);
    if (private < 0)
        return err_wrap(err, "cannot start a replica of %s", spec->service);
    CLEANUP(record_free)
    struct local_record record = {
        .service = mem_strdup(spec->service),
        .generation = spec->generation,
        .manifest_digest = mem_strdup(spec->manifest->digest.text),
        .address = listener_name_of(private),
        .published = listener_name_of(published),
        .health_path = mem_strdup(spec->replica->health_path),
        .runc = mem_strdup(local->runc),
        .runc_root = file_join(local->run_root, "runc"),
        .started_ns = clock_wall_ns(),
        .wanted = spec->wanted,
    };
    if (!start_choose_id(local, &record, err))
        return false;
    CLEANUP_FREE char *hidden = mem_printf("%s/.new-%s", replicas, record.id);
    if (mkdir(hidden, 0700) < 0)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", hidden);
    if (!start_in_folder(local, spec, &record, hidden, published, private, err)) {
        file_remove_tree(hidden, NULL);
        return err_wrap(err, "cannot start a replica of %s", spec->service);
    }
    CLEANUP_FREE char *folder = local_folder(local, record.id);
    *ret_replica = (struct runtime_replica){
        .id = steal_ptr(&record.id),
        .service = steal_ptr(&record.service),
        .generation = record.generation,
        .manifest_digest = steal_ptr(&record.manifest_digest),
        .address = steal_ptr(&record.address),
        .published = steal_ptr(&record.published),
        .state = RUNTIME_STARTING,
        .exit_code = -1,
        .started_ns = record.started_ns,
        .wanted = record.wanted,
        .log_path = file_join(folder, "log"),
    };
    return true;
}
