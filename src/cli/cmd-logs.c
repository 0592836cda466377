/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "control/service.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGS_STEP 65536u           /* bytes read at a time */
#define LOGS_JSON_LIMIT (1u << 20) /* bytes of each log in the JSON object */
#define LOGS_POLL_MS 200
#define LOGS_LIST_EVERY 10 /* polls between two looks for new replicas */

/* One replica's log that is being printed. */
struct logs_file {
    char *id, *path;
    int fd; /* -1: not there yet */
    uint64_t offset;
    struct buf line; /* the beginning of a line whose end is not there yet */
    bool gone;       /* the replica has ended */
};
struct logs {
    struct cli *cli;
    struct runtime *runtime;
    struct logs_file *files;
    size_t count, room;
    bool prefixed; /* several replicas */
};

static void
logs_free(struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        free(logs->files[i].id);
        free(logs->files[i].path);
        buf_free(&logs->files[i].line);
        if (logs->files[i].fd >= 0)
            close(logs->files[i].fd);
    }
    free(logs->files);
    if (logs->runtime)
        runtime_close(logs->runtime);
}

/* Where the last `lines` lines of the file begin. */
static bool
logs_tail_offset(const struct logs_file *file, uint64_t lines, uint64_t *ret_offset,
                 struct err **err)
{
    CLEANUP_BUF struct buf bytes = {0};
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot stat %s", file->path);
    uint64_t end = (uint64_t)st.st_size, at = end;
    while (at > 0) {
        size_t step = at < LOGS_STEP ? (size_t)at : LOGS_STEP;
        char *chunk = buf_reserve(&bytes, step);
        if (!file_pread_all(file->fd, chunk, step, at - step, file->path, err))
            return false;
        for (size_t i = step; i-- > 0;) {
            uint64_t position = at - step + i;
            if (chunk[i] != '\n' || position + 1 == end)
                continue;
            if (lines-- <= 1) {
                *ret_offset = position + 1;
                return true;
            }
        }
        at -= step;
    }
    *ret_offset = 0;
    return true;
}

/* Prints what has come since the last call, in whole lines; with `rest` also an unfinished one. */
static bool
logs_print(struct logs *logs, struct logs_file *file, bool rest, struct err **err)
{
    CLEANUP_BUF struct buf out = {0};
    for (;;) {
        char *chunk = buf_reserve(&file->line, LOGS_STEP);
        ssize_t n = file->fd < 0 ? 0 : pread(file->fd, chunk, LOGS_STEP, (off_t)file->offset);
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, errno, "cannot read %s", file->path);
        if (n <= 0 && (n == 0 || stop_requested()))
            break;
        if (n < 0)
            continue;
        file->offset += (uint64_t)n;
        file->line.length += (size_t)n;
        const char *text = file->line.data, *end = text + file->line.length, *stop;
        while ((stop = memchr(text, '\n', (size_t)(end - text)))) {
            if (logs->prefixed)
                buf_printf(&out, "%s | ", file->id);
            buf_append(&out, text, (size_t)(stop + 1 - text));
            text = stop + 1;
        }
        size_t left = (size_t)(end - text);
        memmove(file->line.data, text, left);
        file->line.length = left;
        if (!out_write(&out, err))
            return false;
        out.length = 0;
    }
    if (rest && file->line.length) {
        if (logs->prefixed)
            buf_printf(&out, "%s | ", file->id);
        buf_append(&out, file->line.data, file->line.length);
        buf_putc(&out, '\n');
        file->line.length = 0;
    }
    return out_write(&out, err);
}

/* A log that was replaced or cut short is read from its beginning again. */
static bool
logs_reopen(struct logs_file *file, struct err **err)
{
    struct stat path, open_file;
    if (stat(file->path, &path) < 0)
        return true;
    if (file->fd >= 0 && fstat(file->fd, &open_file) == 0 && path.st_ino == open_file.st_ino &&
        path.st_dev == open_file.st_dev) {
        if ((uint64_t)path.st_size < file->offset)
            file->offset = 0;
        return true;
    }
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? true : err_set(err, ERR_IO, errno, "cannot open %s", file->path);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->offset = 0;
    return true;
}

/* Adds the replicas that are not known yet, and marks those that have gone. `only` NULL: all. */
static bool
logs_list(struct logs *logs, const char *only, struct err **err)
{
    struct runtime_replica *replicas = NULL;
    size_t count = 0;
    if (!runtime_list(logs->runtime, logs->cli->service->name, &replicas, &count, err))
        return false;
    for (size_t i = 0; i < logs->count; i++)
        logs->files[i].gone = true;
    for (size_t i = 0; i < count; i++) {
        if (!replicas[i].log_path || (only && strcmp(replicas[i].id, only) != 0))
            continue;
        struct logs_file *known = NULL;
        for (size_t k = 0; k < logs->count && !known; k++)
            known = strcmp(logs->files[k].id, replicas[i].id) == 0 ? &logs->files[k] : NULL;
        if (known) {
            known->gone = false;
            continue;
        }
        MEM_RESERVE(logs->files, logs->count, logs->room);
        logs->files[logs->count++] = (struct logs_file){
            .id = mem_strdup(replicas[i].id), .path = mem_strdup(replicas[i].log_path), .fd = -1};
    }
    logs->prefixed = logs->count > 1;
    bool found = logs->count > 0 || !only;
    if (!found) {
        const char **ids = mem_new_array(count + 1, sizeof *ids);
        for (size_t i = 0; i < count; i++)
            ids[i] = replicas[i].id;
        const char *nearest = str_nearest(only, ids);
        err_set(err, ERR_NOT_FOUND, 0, "%s has no replica '%s'", logs->cli->service->name, only);
        if (nearest)
            err_hint(err, "did you mean '%s'?", nearest);
        else
            err_hint(err, "`effigy status %s` lists them", logs->cli->service->name);
        free(ids);
    }
    runtime_replicas_free(replicas, count);
    return found;
}

static bool
logs_begin(struct logs *logs, struct err **err)
{
    uint64_t tail = command_line_number(logs->cli->line, "tail", UINT64_MAX);
    for (size_t i = 0; i < logs->count; i++) {
        struct logs_file *file = &logs->files[i];
        if (!logs_reopen(file, err))
            return false;
        if (file->fd >= 0 && tail != UINT64_MAX &&
            !logs_tail_offset(file, tail, &file->offset, err))
            return false;
    }
    return true;
}

static bool
logs_follow(struct logs *logs, const char *only, struct err **err)
{
    for (unsigned round = 1; !stop_requested(); round++) {
        for (size_t i = 0; i < logs->count; i++) {
            if (!logs_reopen(&logs->files[i], err) ||
                !logs_print(logs, &logs->files[i], logs->files[i].gone, err))
                return false;
        }
        bool all_gone = only != NULL;
        for (size_t i = 0; i < logs->count; i++)
            all_gone = all_gone && logs->files[i].gone;
        if (all_gone)
            return true;
        clock_sleep_ms(LOGS_POLL_MS);
        if (round % LOGS_LIST_EVERY == 0 && !logs_list(logs, NULL, err))
            return false;
    }
    return true;
}

static bool
logs_json(struct logs *logs, struct err **err)
{
    json_t *list = json_array();
    logs->cli->json = json_object();
    out_json_text(logs->cli->json, "service", logs->cli->service->name);
    json_object_set_new(logs->cli->json, "logs", list);
    for (size_t i = 0; i < logs->count; i++) {
        struct logs_file *file = &logs->files[i];
        CLEANUP_BUF struct buf text = {0};
        struct stat st;
        if (file->fd >= 0 && fstat(file->fd, &st) == 0) {
            uint64_t size = (uint64_t)st.st_size;
            if (size > file->offset + LOGS_JSON_LIMIT)
                file->offset = size - LOGS_JSON_LIMIT;
            size_t length = size > file->offset ? (size_t)(size - file->offset) : 0;
            char *bytes = buf_reserve(&text, length);
            if (!file_pread_all(file->fd, bytes, length, file->offset, file->path, err))
                return false;
            text.length = length;
            buf_puts(&text, "");
        }
        json_t *one = json_object();
        out_json_text(one, "id", file->id);
        out_json_text(one, "path", file->path);
        out_json_text(one, "text", buf_text(&text));
        json_array_append_new(list, one);
    }
    return true;
}

static bool
logs_run(struct logs *logs, struct err **err)
{
    struct cli *cli = logs->cli;
    const char *only = command_line_argument(cli->line, 1);
    if (!service_open_runtime(cli->service, &cli->runtime, &logs->runtime, err) ||
        !logs_list(logs, only, err) || !logs_begin(logs, err))
        return false;
    if (cli->json_wanted)
        return logs_json(logs, err);
    if (!logs->count)
        log_note("%s has no replicas", cli->service->name);
    if (command_line_flag(cli->line, "follow"))
        return logs_follow(logs, only, err);
    for (size_t i = 0; i < logs->count; i++) {
        if (!logs_print(logs, &logs->files[i], true, err))
            return false;
    }
    return true;
}

bool
cmd_logs(struct cli *cli, struct err **err)
{
    if (cli->json_wanted && command_line_flag(cli->line, "follow")) {
        err_set(err, ERR_USAGE, 0,
                "logs: --follow does not end, and --json prints one object at the end");
        return err_hint(err, "leave one of the two out");
    }
    if (!cli_open_service(cli, err))
        return false;
    struct logs logs = {.cli = cli};
    bool ok = logs_run(&logs, err);
    logs_free(&logs);
    return ok;
}
