/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite/sqlite-vfs.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "source/sqlite/sqlite-page.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

/* What both kinds share: a file system that has one file. */
struct vfs_base {
    sqlite3_vfs vfs;
    char name[32];
    const sqlite3_io_methods *methods;
    sqlite3 *db;
    int fd;
    char *what;
};

struct vfs_file {
    sqlite3_file head;
    struct vfs_base *base;
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct vfs_base *base = vfs->pAppData;
    file->pMethods = NULL;
    if (!name || !(flags & SQLITE_OPEN_MAIN_DB))
        return SQLITE_CANTOPEN; /* no journals, and temp_store keeps the rest in memory */
    ((struct vfs_file *)file)->base = base;
    file->pMethods = base->methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return SQLITE_OK;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_found)
{
    *ret_found = 0;
    return SQLITE_OK;
}

static int
vfs_full_name(sqlite3_vfs *vfs, const char *name, int room, char *ret_name)
{
    sqlite3_snprintf(room, ret_name, "%s", name);
    return SQLITE_OK;
}

static int
vfs_randomness(sqlite3_vfs *vfs, int length, char *bytes)
{
    sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
    return usual->xRandomness(usual, length, bytes);
}

static int
vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
    return usual->xSleep(usual, microseconds);
}

static int
vfs_time(sqlite3_vfs *vfs, double *ret_julian)
{
    sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
    return usual->xCurrentTime(usual, ret_julian);
}

static int
file_close(sqlite3_file *file)
{
    return SQLITE_OK;
}

static int
file_sync(sqlite3_file *file, int flags)
{
    return SQLITE_OK;
}

static int
file_lock_nothing(sqlite3_file *file, int level)
{
    return SQLITE_OK;
}

static int
file_lock_ask(sqlite3_file *file, int *ret_reserved)
{
    *ret_reserved = 0;
    return SQLITE_OK;
}

static int
file_control(sqlite3_file *file, int operation, void *argument)
{
    return SQLITE_NOTFOUND;
}

static int
file_sector_size(sqlite3_file *file)
{
    return 4096;
}

static int
file_is_immutable(sqlite3_file *file)
{
    return SQLITE_IOCAP_IMMUTABLE;
}

static int
file_is_plain(sqlite3_file *file)
{
    return SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static bool
base_open(struct vfs_base *base, const sqlite3_io_methods *methods, int fd, const char *what,
          int flags, struct err **err)
{
    static atomic_uint serial;
    base->methods = methods;
    base->fd = fd;
    base->what = mem_strdup(what);
    snprintf(base->name, sizeof base->name, "effigy-%u", atomic_fetch_add(&serial, 1));
    base->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = 64,
        .zName = base->name,
        .pAppData = base,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
    };
    sqlite3_vfs_register(&base->vfs, 0);
    int rc = sqlite3_open_v2("/database", &base->db, flags | SQLITE_OPEN_NOMUTEX, base->name);
    if (rc == SQLITE_OK)
        return true;
    return stop_check(err) &&
           err_set(err, ERR_FAILED, 0, "cannot open %s: %s", what, sqlite3_errstr(rc));
}

static void
base_close(struct vfs_base *base)
{
    if (base->db)
        sqlite3_close(base->db);
    sqlite3_vfs_unregister(&base->vfs);
    free(base->what);
}

/* The reader. Tables are walked in the order of their keys, which mostly, but not always, is that
 * of the file; so a miss right behind (or a little beyond) an earlier one reads a long run, any
 * other miss only what is asked for. */

#define READER_RUN (128u << 10)
#define READER_RUNS 4
#define READER_NEAR (64u << 10)

struct reader_run {
    uint64_t start;
    uint64_t end; /* == start: empty */
    uint64_t used;
    uint8_t *bytes;
};

struct sqlite_reader {
    struct vfs_base base;
    uint64_t size;
    uint64_t clock;
    uint64_t last; /* where the last read that no run answered ended */
    struct reader_run runs[READER_RUNS];
};

static struct sqlite_reader *
reader_of(sqlite3_file *file)
{
    return (struct sqlite_reader *)((struct vfs_file *)file)->base;
}

static ssize_t
read_fully(int fd, void *bytes, size_t length, uint64_t offset)
{
    size_t got = 0;
    while (got < length) {
        ssize_t n = pread(fd, (char *)bytes + got, length - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static struct reader_run *
reader_run_next(struct sqlite_reader *reader, uint64_t offset)
{
    struct reader_run *oldest = &reader->runs[0];
    for (size_t i = 0; i < READER_RUNS; i++) {
        struct reader_run *run = &reader->runs[i];
        if (run->end > run->start && offset >= run->end && offset - run->end <= READER_NEAR)
            return run;
        if (run->used < oldest->used)
            oldest = run;
    }
    return offset >= reader->last && offset - reader->last <= READER_NEAR ? oldest : NULL;
}

static int
reader_read(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 at)
{
    struct sqlite_reader *reader = reader_of(file);
    uint64_t offset = (uint64_t)at;
    size_t length = (size_t)amount;
    for (size_t i = 0; i < READER_RUNS; i++) {
        struct reader_run *run = &reader->runs[i];
        if (offset >= run->start && offset + length <= run->end) {
            memcpy(bytes, run->bytes + (offset - run->start), length);
            run->used = ++reader->clock;
            return SQLITE_OK;
        }
    }
    if (stop_requested())
        return SQLITE_IOERR_READ;
    struct reader_run *run = length < READER_RUN ? reader_run_next(reader, offset) : NULL;
    if (run) {
        ssize_t got = read_fully(reader->base.fd, run->bytes, READER_RUN, offset);
        run->start = offset;
        run->end = offset + (got > 0 ? (uint64_t)got : 0);
        run->used = ++reader->clock;
        if (got >= (ssize_t)length) {
            memcpy(bytes, run->bytes, length);
            reader->last = run->end;
            return SQLITE_OK;
        }
    }
    ssize_t got = read_fully(reader->base.fd, bytes, length, offset);
    if (got < 0)
        return SQLITE_IOERR_READ;
    reader->last = offset + length;
    if (got == amount)
        return SQLITE_OK;
    memset((char *)bytes + got, 0, length - (size_t)got);
    return SQLITE_IOERR_SHORT_READ;
}

static int
reader_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 at)
{
    return SQLITE_READONLY;
}

static int
reader_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return SQLITE_READONLY;
}

static int
reader_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    *ret_size = (sqlite3_int64)reader_of(file)->size;
    return SQLITE_OK;
}

static const sqlite3_io_methods reader_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = reader_read,
    .xWrite = reader_write,
    .xTruncate = reader_truncate,
    .xSync = file_sync,
    .xFileSize = reader_size,
    .xLock = file_lock_nothing,
    .xUnlock = file_lock_nothing,
    .xCheckReservedLock = file_lock_ask,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_is_immutable,
};

struct sqlite_reader *
sqlite_reader_open(int fd, const char *what, struct err **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        err_set(err, ERR_IO, errno, "cannot stat %s", what);
        return NULL;
    }
    CLEANUP_READER struct sqlite_reader *reader = mem_new(sizeof *reader);
    reader->size = (uint64_t)st.st_size;
    for (size_t i = 0; i < READER_RUNS; i++)
        reader->runs[i].bytes = mem_new(READER_RUN);
    if (!base_open(&reader->base, &reader_methods, fd, what, SQLITE_OPEN_READONLY, err))
        return NULL;
    /* The file may come from anywhere: its schema must not be able to do anything. */
    sqlite3_db_config(reader->base.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(reader->base.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_exec(reader->base.db,
                 "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cache_size=-2000;"
                 "PRAGMA cell_size_check=ON",
                 NULL, NULL, NULL);
    return steal_ptr(&reader);
}

sqlite3 *
sqlite_reader_db(struct sqlite_reader *reader)
{
    return reader->base.db;
}

void
sqlite_reader_close(struct sqlite_reader *reader)
{
    if (!reader)
        return;
    base_close(&reader->base);
    for (size_t i = 0; i < READER_RUNS; i++)
        free(reader->runs[i].bytes);
    free(reader);
}

/* The writer. */

#define WRITER_ROOM (1u << 20)

struct sqlite_writer {
    struct vfs_base base;
    struct sqlite_writer_hooks hooks;
    uint32_t page_size;
    uint8_t *bytes;
    uint64_t start; /* of the bytes gathered; when there are none, where the last ones ended */
    size_t length;
    struct err *err;
};

static struct sqlite_writer *
writer_of(sqlite3_file *file)
{
    return (struct sqlite_writer *)((struct vfs_file *)file)->base;
}

static bool
writer_flush(struct sqlite_writer *writer)
{
    if (writer->err)
        return false;
    if (!writer->length)
        return true;
    if (!stop_check(&writer->err))
        return false;
    size_t length = writer->length;
    writer->hooks.pass(writer->hooks.context, writer->start, writer->bytes, length);
    if (!file_pwrite_all(writer->base.fd, writer->bytes, length, writer->start, writer->base.what,
                         &writer->err))
        return false;
    writer->hooks.wrote(writer->hooks.context, writer->start, length);
    writer->start += length;
    writer->length = 0;
    return true;
}

static int
writer_failed(const struct sqlite_writer *writer)
{
    return writer->err && writer->err->kind == ERR_NO_SPACE ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int
writer_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 at)
{
    struct sqlite_writer *writer = writer_of(file);
    uint64_t offset = (uint64_t)at;
    uint64_t end = writer->start + writer->length;
    size_t length = (size_t)amount;
    if (length != writer->page_size || offset % length) {
        err_set(&writer->err, ERR_FAILED, 0, "SQLite wrote %zu bytes at %llu, which is not a page",
                length, (unsigned long long)offset);
        return SQLITE_IOERR_WRITE;
    }
    /* The page with the lock byte is never written; it must not break the run. */
    if (end == SQLITE_LOCK_BYTE && offset == end + length) {
        memset(writer->bytes + writer->length, 0, length);
        writer->length += length;
        end += length;
    }
    if (writer->length && offset != end && !writer_flush(writer))
        return writer_failed(writer);
    if (!writer->length)
        writer->start = offset;
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
    if ((offset + length) % WRITER_ROOM == 0 && !writer_flush(writer))
        return writer_failed(writer);
    return SQLITE_OK;
}

static int
writer_read(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 at)
{
    struct sqlite_writer *writer = writer_of(file);
    if (!writer_flush(writer))
        return writer_failed(writer);
    ssize_t got = read_fully(writer->base.fd, bytes, (size_t)amount, (uint64_t)at);
    if (got == amount)
        return SQLITE_OK;
    if (got < 0)
        return SQLITE_IOERR_READ;
    memset((char *)bytes + got, 0, (size_t)(amount - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int
writer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct sqlite_writer *writer = writer_of(file);
    if (!writer_flush(writer))
        return writer_failed(writer);
    return ftruncate(writer->base.fd, (off_t)size) < 0 ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int
writer_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct sqlite_writer *writer = writer_of(file);
    struct stat st;
    if (fstat(writer->base.fd, &st) < 0)
        return SQLITE_IOERR_FSTAT;
    sqlite3_int64 end = (sqlite3_int64)(writer->start + writer->length);
    *ret_size = st.st_size > end ? st.st_size : end;
    return SQLITE_OK;
}

static const sqlite3_io_methods writer_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = writer_read,
    .xWrite = writer_write,
    .xTruncate = writer_truncate,
    .xSync = file_sync,
    .xFileSize = writer_size,
    .xLock = file_lock_nothing,
    .xUnlock = file_lock_nothing,
    .xCheckReservedLock = file_lock_ask,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_is_plain,
};

struct sqlite_writer *
sqlite_writer_open(int fd, uint32_t page_size, const struct sqlite_writer_hooks *hooks,
                   const char *what, struct err **err)
{
    CLEANUP_WRITER struct sqlite_writer *writer = mem_new(sizeof *writer);
    writer->hooks = *hooks;
    writer->page_size = page_size;
    writer->bytes = mem_new(WRITER_ROOM + SQLITE_PAGE_SIZE_MAX);
    if (!base_open(&writer->base, &writer_methods, fd, what,
                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err))
        return NULL;
    CLEANUP_FREE char *setup = mem_printf(
        "PRAGMA page_size=%u; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-256",
        page_size);
    int rc = sqlite3_exec(writer->base.db, setup, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        err_set(err, ERR_FAILED, 0, "cannot prepare %s: %s", what, sqlite3_errmsg(writer->base.db));
        return NULL;
    }
    return steal_ptr(&writer);
}

sqlite3 *
sqlite_writer_db(struct sqlite_writer *writer)
{
    return writer->base.db;
}

bool
sqlite_writer_flush(struct sqlite_writer *writer, struct err **err)
{
    if (writer_flush(writer))
        return true;
    return err_move(err, &writer->err);
}

void
sqlite_writer_close(struct sqlite_writer *writer)
{
    if (!writer)
        return;
    /* What SQLite writes while it closes an unfinished copy is of no use to anyone. */
    if (!writer->err)
        err_set(&writer->err, ERR_FAILED, 0, "closed");
    base_close(&writer->base);
    err_free(writer->err);
    free(writer->bytes);
    free(writer);
}
