/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/local.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "runtime/local/image.h"
#include "runtime/local/orphan.h"
#include "runtime/local/peer.h"
#include "runtime/local/record.h"
#include "runtime/local/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LOCAL_ROOT "/var/lib/effigy"
#define LOCAL_RUN_ROOT "/run/effigy"
#define LOCAL_IMAGE_AGE 600 /* seconds that an image stays that no replica runs */
#define LOCAL_POLL_MS 10
#define LOCAL_REACH_MS 3000       /* for a monitor to be reached, or to be known dead */
#define LOCAL_STOP_EXTRA_MS 30000 /* for runc, beyond the grace period */

char *
local_replicas(const struct local *local)
{
    return file_join(local->run_root, "replicas");
}

char *
local_folder(const struct local *local, const char *id)
{
    return mem_printf("%s/replicas/%s", local->run_root, id);
}

/* --- opening
 * ---------------------------------------------------------------------------------------------- */

static char *
local_default_root(void)
{
    if (geteuid() == 0)
        return mem_strdup(LOCAL_ROOT);
    const char *data = getenv("XDG_DATA_HOME");
    if (data && data[0] == '/')
        return file_join(data, "effigy");
    return mem_printf("%s/.local/share/effigy", str_or(getenv("HOME"), "/nonexistent"));
}

static char *
local_default_run_root(void)
{
    if (geteuid() == 0)
        return mem_strdup(LOCAL_RUN_ROOT);
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    if (runtime_dir && runtime_dir[0] == '/')
        return file_join(runtime_dir, "effigy");
    return mem_printf("/tmp/effigy-%u", (unsigned)geteuid());
}

/* Whoever may write there may command the replicas, and the names under /tmp are anyone's to take.
 */
static bool
local_make_run_root(const char *path, struct err **err)
{
    CLEANUP_FREE char *parent = file_dirname(path);
    struct stat st;
    if (!file_make_dirs(parent, 0755, err))
        return false;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, errno, "cannot make the folder %s", path);
    if (lstat(path, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot stat %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
        err_set(err, ERR_PERMISSION, 0, "%s is not a folder that belongs to this user alone", path);
        return err_hint(err, "remove it, or set XDG_RUNTIME_DIR");
    }
    static const char *const inner[] = {"replicas", "runc", "services"};
    for (size_t i = 0; i < ARRAY_LENGTH(inner); i++) {
        CLEANUP_FREE char *folder = file_join(path, inner[i]);
        if (!file_make_dirs(folder, 0700, err))
            return false;
    }
    return true;
}

/* The monitor and runc work in other folders, so paths are made absolute. */
static char *
local_absolute(const char *path, struct err **err)
{
    char *whole = realpath(path, NULL);
    if (!whole)
        err_set(err, ERR_IO, errno, "cannot find %s", path);
    return whole;
}

static void
local_close(struct runtime *runtime)
{
    struct local *local = (struct local *)runtime;
    if (local->service_lock >= 0)
        close(local->service_lock);
    free(local->root);
    free(local->run_root);
    free(local->runc);
    free(local);
}

static bool
local_open(const struct runtime_options *options, struct runtime **ret_runtime, struct err **err)
{
    struct local *local = mem_new(sizeof *local);
    *local = (struct local){
        .base.ops = &runtime_local_ops, .is_rootless = geteuid() != 0, .service_lock = -1};
    CLEANUP_FREE char *root = options->root ? mem_strdup(options->root) : local_default_root();
    CLEANUP_FREE char *run_root =
        options->run_root ? mem_strdup(options->run_root) : local_default_run_root();
    local->runc = spawn_find("runc");
    if (!local->runc) {
        err_set(err, ERR_NOT_FOUND, 0, "cannot run replicas: the program runc is missing");
        err_hint(err, "install it: apt-get install runc");
    } else if (file_make_dirs(root, 0755, err) && local_make_run_root(run_root, err)) {
        local->root = local_absolute(root, err);
        local->run_root = local->root ? local_absolute(run_root, err) : NULL;
    }
    if (!local->run_root) {
        local_close(&local->base);
        return false;
    }
    *ret_runtime = &local->base;
    return true;
}

static bool
local_prepare(struct runtime *runtime, struct oci_store *store,
              const struct oci_descriptor *manifest, struct err **err)
{
    return image_prepare(((struct local *)runtime)->root, store, manifest, err);
}

/* --- looking
 * ---------------------------------------------------------------------------------------------- */

static void
local_take_state(struct runtime_replica *replica, struct peer_state *state)
{
    replica->state = state->state;
    replica->healthy = state->state == RUNTIME_HEALTHY;
    replica->restarts = state->restarts;
    replica->exit_code = state->exit_code;
    replica->pid = state->pid;
    replica->reason = steal_ptr(&state->reason);
}

/* ERR_NOT_FOUND if there is no such replica, or no more. */
static bool
local_look(const char *folder, struct runtime_replica *ret_replica, struct err **err)
{
    CLEANUP(record_free) struct local_record record = {0};
    if (!record_read(folder, &record, err))
        return false;
    struct peer_state state = {.state = RUNTIME_UNHEALTHY, .exit_code = -1};
    ERR_LOCAL(why);
    if (!peer_ask_state(folder, &state, &why)) {
        CLEANUP_FD int lock = orphan_lock(folder);
        if (!file_exists(folder))
            return err_set(err, ERR_NOT_FOUND, 0, "there is no replica %s", record.id);
        if (lock >= 0) {
            state.pid = orphan_pid(&record);
            state.state = state.pid ? RUNTIME_UNHEALTHY : RUNTIME_FAILED;
            state.reason = mem_strdup(
                state.pid ? "its monitor was killed; it still serves, but nobody watches over it"
                          : "its monitor was killed, and it has ended");
        } else if (why->kind == ERR_NOT_FOUND) {
            state.state = RUNTIME_STARTING; /* its monitor is about to listen */
        } else {
            state.reason = mem_strdup(why->message);
        }
    }
    *ret_replica = (struct runtime_replica){
        .id = steal_ptr(&record.id),
        .service = steal_ptr(&record.service),
        .generation = record.generation,
        .manifest_digest = steal_ptr(&record.manifest_digest),
        .address = steal_ptr(&record.address),
        .published = steal_ptr(&record.published),
        .started_ns = record.started_ns,
        .wanted = record.wanted,
        .log_path = file_join(folder, "log"),
    };
    local_take_state(ret_replica, &state);
    return true;
}

static bool
local_list(struct runtime *runtime, const char *service, struct runtime_replica **ret_replicas,
           size_t *ret_count, struct err **err)
{
    CLEANUP_FREE char *replicas_path = local_replicas((struct local *)runtime);
    CLEANUP_DIR DIR *dir = opendir(replicas_path);
    if (!dir)
        return err_set(err, ERR_IO, errno, "cannot read %s", replicas_path);
    struct runtime_replica *replicas = NULL;
    size_t count = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        CLEANUP_FREE char *folder = file_join(replicas_path, entry->d_name);
        struct runtime_replica replica;
        ERR_LOCAL(why);
        if (!local_look(folder, &replica, &why)) {
            if (!file_exists(folder) || why->kind == ERR_NOT_FOUND)
                continue;
            runtime_replicas_free(replicas, count);
            return err_move(err, &why);
        }
        if (service && strcmp(service, replica.service) != 0) {
            runtime_replica_free(&replica);
            continue;
        }
        MEM_RESERVE(replicas, count, room);
        replicas[count++] = replica;
    }
    *ret_replicas = replicas;
    *ret_count = count;
    return true;
}

static bool
local_prune(struct runtime *runtime, const char *service, const struct oci_digest *keep,
            size_t count, unsigned *ret_removed, struct err **err)
{
    struct runtime_replica *replicas;
    size_t running;
    if (!local_list(runtime, NULL, &replicas, &running, err))
        return false;
    CLEANUP_FREE struct oci_digest *all = mem_new_array(count + running + 1, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = keep[i];
    for (size_t i = 0; i < running; i++)
        snprintf(all[count + i].text, sizeof all[count + i].text, "%s",
                 replicas[i].manifest_digest);
    runtime_replicas_free(replicas, running);
    return image_prune(((struct local *)runtime)->root, service, all, count + running,
                       LOCAL_IMAGE_AGE, ret_removed, err);
}

static bool
local_id_valid(const char *id, struct err **err)
{
    if (id[0] && id[0] != '.' && !strchr(id, '/') && strlen(id) < NAME_MAX)
        return true;
    return err_set(err, ERR_USAGE, 0, "\"%s\" is not the name of a replica", id);
}

static bool
local_wait_healthy(struct runtime *runtime, const char *id, unsigned timeout_ms, struct err **err)
{
    if (!local_id_valid(id, err))
        return false;
    CLEANUP_FREE char *folder = local_folder((struct local *)runtime, id);
    for (double end = clock_seconds() + timeout_ms / 1000.0;;) {
        CLEANUP(runtime_replica_free) struct runtime_replica replica = {0};
        if (!stop_check(err))
            return false;
        if (!local_look(folder, &replica, err)) {
            err_rekind(err, ERR_NOT_FOUND);
            return err_wrap(err, "cannot wait for the replica %s", id);
        }
        if (replica.healthy)
            return true;
        bool is_over = replica.state == RUNTIME_BACKOFF || replica.state == RUNTIME_FAILED ||
                       replica.state == RUNTIME_STOPPING;
        if (is_over || clock_seconds() >= end) {
            if (is_over)
                err_set(err, ERR_UNHEALTHY, 0, "the replica %s did not become healthy: %s", id,
                        str_or(replica.reason, runtime_state_name(replica.state)));
            else
                err_set(err, ERR_UNHEALTHY, 0, "the replica %s is not healthy after %.1f s: %s", id,
                        timeout_ms / 1000.0, str_or(replica.reason, "it gives no answer yet"));
            return false;
        }
        clock_sleep_ms(LOCAL_POLL_MS);
    }
}

/* --- stopping
 * --------------------------------------------------------------------------------------------- */

/* Waits until the monitor closes the connection, which it does by ending. */
static bool
local_await_end(int connection, const char *id, unsigned grace_ms, struct err **err)
{
    for (double end = clock_seconds() + (grace_ms + (double)LOCAL_STOP_EXTRA_MS) / 1000;
         clock_seconds() < end;) {
        struct pollfd closed = {.fd = connection, .events = POLLIN};
        char byte;
        if (poll(&closed, 1, 50) > 0 && recv(connection, &byte, 1, MSG_DONTWAIT) <= 0)
            return true;
        if (!stop_check(err))
            return err_wrap(err, "%s is being stopped", id);
    }
    return err_set(err, ERR_TIMEOUT, 0, "the replica %s does not end", id);
}

static bool
local_stop(struct runtime *runtime, const char *id, unsigned grace_ms, struct err **err)
{
    struct local *local = (struct local *)runtime;
    if (!local_id_valid(id, err))
        return false;
    CLEANUP_FREE char *folder = local_folder(local, id);
    CLEANUP(record_free) struct local_record record = {0};
    if (!file_exists(folder))
        return err_set(err, ERR_NOT_FOUND, 0, "there is no replica %s", id);
    if (!record_read(folder, &record, err))
        return false;
    for (double end = clock_seconds() + LOCAL_REACH_MS / 1000.0;; clock_sleep_ms(LOCAL_POLL_MS)) {
        ERR_LOCAL(why);
        CLEANUP_FD int connection = peer_ask_stop(folder, grace_ms, &why);
        if (connection >= 0 && !local_await_end(connection, id, grace_ms, err))
            return false;
        if (!file_exists(folder))
            return true;
        CLEANUP_FD int lock = orphan_lock(folder);
        if (lock >= 0)
            return orphan_end(&record, folder, grace_ms, err);
        /* Its monitor is about to listen, or somebody just looks whether it has one. */
        if (clock_seconds() >= end)
            return err_set(err, ERR_BUSY, 0, "cannot stop the replica %s: %s", id,
                           why ? why->message : "another process is at it");
        if (!stop_check(err))
            return false;
    }
}

/* --- one rollout at a time
 * -------------------------------------------------------------------------------- */

static void
local_unlock_service(struct runtime *runtime)
{
    struct local *local = (struct local *)runtime;
    if (local->service_lock >= 0)
        close(local->service_lock);
    local->service_lock = -1;
}

static bool
local_lock_service(struct runtime *runtime, const char *service, struct err **err)
{
    struct local *local = (struct local *)runtime;
    CLEANUP_FREE char *path = mem_printf("%s/services/%s.lock", local->run_root, service);
    ERR_LOCAL(why);
    int fd = file_lock(path, &why);
    if (fd < 0 && why->kind == ERR_BUSY) {
        err_set(err, ERR_BUSY, 0,
                "the replicas of %s are being replaced or stopped by another process", service);
        return err_hint(err, "try again when that has ended");
    }
    if (fd < 0)
        return err_move(err, &why);
    local_unlock_service(runtime);
    local->service_lock = fd;
    return true;
}

const struct runtime_ops runtime_local_ops = {
    .name = "local",
    .open = local_open,
    .close = local_close,
    .prepare = local_prepare,
    .prune = local_prune,
    .start = local_start,
    .wait_healthy = local_wait_healthy,
    .stop = local_stop,
    .list = local_list,
    .lock_service = local_lock_service,
    .unlock_service = local_unlock_service,
};
