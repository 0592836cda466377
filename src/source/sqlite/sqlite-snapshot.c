/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying a live master by the Online Backup API.
 *
 * In WAL mode a read transaction that stays open for the whole copy sees one moment and hinders
 * nobody. In rollback-journal mode it would keep every writer from committing. So the copy is made
 * in steps that give the lock back in between; a commit in between makes SQLite start again at page
 * 1, which is taken as a new attempt with longer steps, and the last attempt holds the lock.
 *
 * The destination is our own file (sqlite-vfs.h): pages are settled while they are still in memory,
 * then written in large runs and announced.
 */
#include "source/sqlite/sqlite-internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "source/sqlite/sqlite-vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define HELD_STEP_BYTES (16u << 20)

/* Bytes copied before the lock is given back, by attempt. After these, the lock is held. */
static const uint32_t attempt_steps[] = {4u << 20, 32u << 20, 256u << 20};

enum copy_result {
    COPY_DONE,
    COPY_AGAIN, /* the master has changed meanwhile */
    COPY_FAILED,
};

/* One file on its way. */
struct copy_stream {
    const struct source_sink *sink;
    size_t file;
    struct sqlite_copy *copy;
    struct sqlite_page_scratch *scratch;
    uint64_t frontier;  /* all before it, page 1 apart, has been written */
    uint64_t announced; /* by sink->ready */
    bool out_of_order;
};

static void
stream_pass(void *context, uint64_t offset, uint8_t *bytes, size_t length)
{
    struct copy_stream *stream = context;
    const struct sqlite_geometry *geometry = &stream->copy->geometry;
    for (size_t at = 0; at < length; at += geometry->page_size) {
        uint64_t index = (offset + at) / geometry->page_size;
        if (index >= geometry->page_count)
            return;
        bool spills = false;
        sqlite_page_clean(geometry, (uint32_t)index + 1, bytes + at, stream->scratch, &spills);
        if (index == 0)
            sqlite_header_settle(bytes + at, geometry->page_count);
        uint8_t bit = (uint8_t)(1u << (index & 7));
        if (spills)
            stream->copy->spilling[index >> 3] |= bit;
        else
            stream->copy->spilling[index >> 3] &= (uint8_t)~bit;
    }
}

static void
stream_announce(struct copy_stream *stream, uint64_t upto)
{
    if (upto > stream->announced && stream->sink->ready)
        stream->sink->ready(stream->sink->context, stream->file, upto);
    stream->announced = upto;
}

static void
stream_wrote(void *context, uint64_t offset, size_t length)
{
    struct copy_stream *stream = context;
    uint64_t end = offset + length;
    /* SQLite keeps page 1 for the last, so a hole in its place holds nothing up. */
    if (offset < stream->announced && stream->sink->touched) {
        uint64_t known = end < stream->announced ? end : stream->announced;
        stream->sink->touched(stream->sink->context, stream->file, offset, known - offset);
    }
    if (offset > stream->frontier)
        stream->out_of_order = true;
    else if (end > stream->frontier)
        stream->frontier = end;
    if (!stream->out_of_order)
        stream_announce(stream, stream->frontier);
}

static bool
copy_measure(const struct sqlite_master *master, sqlite3 *db, struct sqlite_geometry *ret_geometry,
             struct err **err)
{
    int64_t page_size = 0;
    int64_t page_count = 0;
    int64_t auto_vacuum = 0;
    int reserved = -1;
    if (!sqlite_number(db, "PRAGMA page_size", master->path, &page_size, err) ||
        !sqlite_number(db, "PRAGMA page_count", master->path, &page_count, err) ||
        !sqlite_number(db, "PRAGMA auto_vacuum", master->path, &auto_vacuum, err))
        return false;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (page_count >= SQLITE_PAGES_LIMIT) {
        err_set(err, ERR_UNSUPPORTED, 0,
                "the master %s has %lld pages; Effigy handles fewer than %u", master->path,
                (long long)page_count, SQLITE_PAGES_LIMIT);
        return err_hint(err,
                        "a larger page size gives fewer pages: PRAGMA page_size=65536; VACUUM");
    }
    if (!page_count) {
        err_set(err, ERR_MASTER, 0, "the master %s is empty", master->path);
        return err_hint(err, "is the path right?");
    }
    *ret_geometry = (struct sqlite_geometry){
        .page_size = (uint32_t)page_size,
        .usable = (uint32_t)page_size - (reserved > 0 ? (uint32_t)reserved : 0),
        .page_count = (uint32_t)page_count,
        .pointer_maps = auto_vacuum != 0,
    };
    return true;
}

/* A file without a name: it goes when the last descriptor does, however the process ends. */
static int
nameless_open(const char *work_dir, struct err **err)
{
    int fd = open(work_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)) {
        if (fd < 0)
            err_set(err, ERR_IO, errno, "cannot make a temporary file in %s", work_dir);
        return fd;
    }
    CLEANUP_FREE char *path = mem_printf("%s/effigy.XXXXXX", work_dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        err_set(err, ERR_IO, errno, "cannot make a temporary file in %s", work_dir);
    else
        unlink(path);
    return fd;
}

/* Runs the backup to its end. Between its steps SQLite gives the lock back, unless a transaction of
 * `from` is open. */
static enum copy_result
copy_steps(const struct sqlite_master *master, sqlite3 *from, struct sqlite_writer *writer,
           const struct sqlite_geometry *geometry, uint32_t step_bytes, bool held, struct err **err)
{
    sqlite3 *to = sqlite_writer_db(writer);
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup) {
        sqlite_fail(err, to, sqlite3_errcode(to), "copy", master->path);
        return COPY_FAILED;
    }
    int step = (int)(step_bytes / geometry->page_size);
    uint32_t copied = 0;
    bool again = false;
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && !again && !stop_requested()) {
        rc = sqlite3_backup_step(backup, step);
        uint32_t pages = (uint32_t)sqlite3_backup_pagecount(backup);
        if (rc == SQLITE_OK) {
            copied += (uint32_t)step;
            /* SQLite starts again without a word: fewer pages are done than were copied. */
            again = pages != geometry->page_count ||
                    pages - (uint32_t)sqlite3_backup_remaining(backup) != copied;
        } else if (rc == SQLITE_DONE) {
            again = pages != geometry->page_count;
        }
        /* The first step was made within the transaction in which the file was measured. */
        if (!held && rc == SQLITE_OK && !sqlite3_get_autocommit(from))
            sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
    }
    ERR_LOCAL(stopped);
    if (!stop_check(&stopped))
        rc = SQLITE_INTERRUPT;
    ERR_LOCAL(wrong);
    if (rc == SQLITE_OK || rc == SQLITE_DONE) {
        if (rc == SQLITE_DONE && !again && !sqlite_writer_flush(writer, err))
            rc = SQLITE_IOERR;
    } else if (stopped) {
        err_move(err, &stopped);
    } else if (sqlite_writer_flush(writer, &wrong)) {
        sqlite_fail(err, from, rc, "copy", master->path);
    } else {
        err_move(err, &wrong);
    }
    sqlite3_backup_finish(backup);
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        return COPY_FAILED;
    return again ? COPY_AGAIN : COPY_DONE;
}

struct attempt {
    struct sqlite_source *source;
    const struct source_sink *sink;
    struct sqlite_snapshot *snapshot;
    struct sqlite_page_scratch *scratch;
    sqlite3 **dbs;
    uint32_t step_bytes; /* 0: hold all locks */
};

static enum copy_result
attempt_copy(struct attempt *attempt, size_t index, bool held, struct err **err)
{
    const struct sqlite_master *master = &attempt->source->masters[index];
    struct source_file *file = &attempt->snapshot->own.shown.files[index];
    struct sqlite_copy *copy = &attempt->snapshot->copies[index];
    sqlite3 *db = attempt->dbs[index];
    if (!copy_measure(master, db, &copy->geometry, err))
        return COPY_FAILED;
    free(copy->spilling);
    copy->spilling = mem_new(copy->geometry.page_count / 8 + 1);
    file->size = (uint64_t)copy->geometry.page_count * copy->geometry.page_size;
    if (ftruncate(file->fd, 0) < 0) {
        err_set(err, ERR_IO, errno, "cannot empty a temporary file");
        return COPY_FAILED;
    }
    struct copy_stream stream = {
        .sink = attempt->sink,
        .file = index,
        .copy = copy,
        .scratch = attempt->scratch,
        .frontier = copy->geometry.page_size,
    };
    if (attempt->sink->begin)
        attempt->sink->begin(attempt->sink->context, index, file);
    struct sqlite_writer_hooks hooks = {
        .pass = stream_pass, .wrote = stream_wrote, .context = &stream};
    CLEANUP_FREE char *what = mem_printf("the snapshot of %s", master->path);
    CLEANUP_WRITER struct sqlite_writer *writer =
        sqlite_writer_open(file->fd, copy->geometry.page_size, &hooks, what, err);
    if (!writer)
        return COPY_FAILED;
    enum copy_result result = copy_steps(master, db, writer, &copy->geometry,
                                         held ? HELD_STEP_BYTES : attempt->step_bytes, held, err);
    if (result != COPY_DONE)
        return result;
    if (ftruncate(file->fd, (off_t)file->size) < 0) {
        err_set(err, ERR_IO, errno, "cannot write %s", what);
        return COPY_FAILED;
    }
    stream_announce(&stream, file->size);
    return COPY_DONE;
}

static bool
attempt_is_wal(sqlite3 *db)
{
    CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        return false;
    const char *mode = (const char *)sqlite3_column_text(statement, 0);
    return mode && strcmp(mode, "wal") == 0;
}

/* The position, after a rest where the last commit is so recent that its time stamp could still be
 * given to another: an exact position saves the next publication from looking. */
static bool
position_read_rested(struct sqlite_source *source, struct source_position *ret_position,
                     struct err **err)
{
    if (!sqlite_position_read(source, ret_position, err))
        return false;
    if (ret_position->exact)
        return true;
    source_position_free(ret_position);
    clock_sleep_ms(SQLITE_REST_MS + 1);
    return sqlite_position_read(source, ret_position, err);
}

/* One attempt at all files as of one moment. */
static enum copy_result
attempt_run(struct attempt *attempt, struct source_position *ret_position, struct err **err)
{
    struct sqlite_source *source = attempt->source;
    struct source_position before = {0};
    struct source_position after = {0};
    enum copy_result result = COPY_DONE;
    CLEANUP_FREE bool *held = mem_new_array(source->count, sizeof *held);
    bool all_held = true;
    for (size_t i = 0; i < source->count; i++) {
        held[i] = !attempt->step_bytes || attempt_is_wal(attempt->dbs[i]);
        all_held &= held[i];
    }
    /* The views of held databases are fixed here; what is committed later is not in them. */
    bool same = false;
    if (!position_read_rested(source, &before, err) ||
        !(all_held ? sqlite_masters_begin_at_once(source, attempt->dbs, &before, &same, err)
                   : sqlite_masters_begin(source, attempt->dbs, held, err)))
        result = COPY_FAILED;
    for (size_t i = 0; result == COPY_DONE && i < source->count; i++) {
        if (!held[i] && !sqlite_master_begin(&source->masters[i], attempt->dbs[i], err))
            result = COPY_FAILED;
        else
            result = attempt_copy(attempt, i, held[i], err);
        sqlite_db_end(attempt->dbs[i]);
    }
    if (result == COPY_DONE && !all_held && !sqlite_position_read(source, &after, err))
        result = COPY_FAILED;
    if (result == COPY_DONE) {
        same = all_held ? same : strcmp(before.text, after.text) == 0;
        /* Several files are of one moment only if all were held, or none has changed. */
        if (!same && !all_held && source->count > 1) {
            result = COPY_AGAIN;
        } else {
            before.exact &= same;
            *ret_position = before;
            before.text = NULL;
        }
    }
    for (size_t i = 0; i < source->count; i++)
        sqlite_db_end(attempt->dbs[i]);
    source_position_free(&before);
    source_position_free(&after);
    return result;
}

static void
snapshot_release(struct source_snapshot_own *own)
{
    struct sqlite_snapshot *snapshot = (struct sqlite_snapshot *)own;
    for (size_t i = 0; i < own->shown.count; i++)
        free(snapshot->copies[i].spilling);
    free(snapshot->copies);
}

static struct sqlite_snapshot *
snapshot_new(const struct sqlite_source *source, const char *work_dir, struct err **err)
{
    struct sqlite_snapshot *snapshot = mem_new(sizeof *snapshot);
    struct source_snapshot *shown = &snapshot->own.shown;
    snapshot->own.release = snapshot_release;
    snapshot->copies = mem_new_array(source->count, sizeof *snapshot->copies);
    shown->files = mem_new_array(source->count, sizeof *shown->files);
    shown->engine_version = mem_strdup(sqlite3_libversion());
    shown->work_dir = mem_strdup(work_dir);
    for (size_t i = 0; i < source->count; i++) {
        int fd = nameless_open(work_dir, err);
        if (fd < 0) {
            source_snapshot_free(shown);
            return NULL;
        }
        shown->files[i] = (struct source_file){
            .name = mem_strdup(source->masters[i].name),
            .path = mem_strdup(source->masters[i].place),
            .fd = fd,
        };
        shown->count++;
    }
    return snapshot;
}

struct source_snapshot *
sqlite_source_snapshot(struct source *head, const char *work_dir, const struct source_sink *sink,
                       struct err **err)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    struct source_position position = {0};
    /* Looks at the files first, for messages that say more than SQLite's. */
    if (!sqlite_position_read(source, &position, err))
        return NULL;
    source_position_free(&position);
    struct sqlite_snapshot *snapshot = snapshot_new(source, work_dir, err);
    if (!snapshot)
        return NULL;
    struct attempt attempt = {
        .source = source,
        .sink = sink,
        .snapshot = snapshot,
        .scratch = mem_new(sizeof *attempt.scratch),
        .dbs = mem_new_array(source->count, sizeof *attempt.dbs),
    };
    enum copy_result result = COPY_DONE;
    for (size_t i = 0; i < source->count && result == COPY_DONE; i++) {
        attempt.dbs[i] = sqlite_master_connect(&source->masters[i], err);
        if (!attempt.dbs[i])
            result = COPY_FAILED;
    }
    if (result == COPY_DONE)
        result = COPY_AGAIN;
    for (size_t i = 0; result == COPY_AGAIN; i++) {
        attempt.step_bytes = i < ARRAY_LENGTH(attempt_steps) ? attempt_steps[i] : 0;
        if (i)
            log_debug("the master has changed during the copy: starting again%s",
                      attempt.step_bytes ? "" : ", and keeping writers out");
        result = attempt_run(&attempt, &snapshot->own.shown.position, err);
    }
    for (size_t i = 0; i < source->count; i++)
        sqlite_db_cleanup(&attempt.dbs[i]);
    free(attempt.dbs);
    free(attempt.scratch);
    if (result == COPY_DONE)
        return &snapshot->own.shown;
    source_snapshot_free(&snapshot->own.shown);
    return NULL;
}
