/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The position of an SQLite master, read off its files without any lock.
 *
 * In rollback-journal mode each commit writes page 1 with a new change counter. In WAL mode it only
 * appends frames to the -wal, and a checkpoint then moves pages (and may truncate the -wal) without
 * touching the counter. So the position takes in all that can change: file identity, size, counter,
 * time stamps of database and WAL, and the WAL's salts (new whenever it starts over) and last
 * commit frame.
 */
#include "source/sqlite/sqlite-internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NS_PER_S INT64_C(1000000000)

/* Two commits within one tick of the file system's clock leave the same time stamp. The kernel's
 * clock ticks at least every 10 ms; FAT has ticks of 2 s, and the clock of a file server is not
 * ours. */
#define GRANULARITY_LOCAL_NS (SQLITE_REST_MS * INT64_C(1000000))
#define GRANULARITY_OTHER_NS (2 * NS_PER_S)

#define WAL_HEADER_BYTES 32
#define WAL_FRAME_HEADER_BYTES 24
#define WAL_BACK_FRAMES \
    4096 /* how far to look back for a commit before a transaction in progress */

static int64_t
time_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static int64_t
max_ns(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool
master_open_fail(const struct sqlite_master *master, int errnum, struct err **err)
{
    err_set(err, ERR_MASTER, errnum, "cannot open the master %s", master->path);
    if (errnum == ENOENT || errnum == ENOTDIR)
        return err_hint(err, "is the path right? Effigy never creates a master");
    if (errnum == EACCES || errnum == EPERM)
        return err_hint(err, "run as a user who may read the file and enter its folder");
    return false;
}

bool
sqlite_master_refresh(struct sqlite_source *source, struct sqlite_master *master, struct err **err)
{
    struct stat st;
    if (stat(master->path, &st) < 0)
        return master_open_fail(master, errno, err);
    if (master->fd >= 0 && master->device == st.st_dev && master->inode == st.st_ino)
        return true;
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_MASTER, 0, "the master %s is %s, not a database file", master->path,
                S_ISDIR(st.st_mode) ? "a folder" : "a special file");
        return err_hint(err, "name the database file itself, as in \"sqlite:catalogue.db\"");
    }
    CLEANUP_FREE char *real = realpath(master->path, NULL);
    if (!real)
        return master_open_fail(master, errno, err);
    CLEANUP_FD int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return master_open_fail(master, errno, err);
    if (source->locked && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        /* Not closed: some connection of this process may have locks on the same file. */
        int errnum = errno;
        MEM_RESERVE(source->retired, source->retired_count, source->retired_room);
        source->retired[source->retired_count++] = steal_fd(&fd);
        return err_set(err, ERR_BUSY, errnum,
                       "cannot lock the master %s, which was replaced by another file",
                       master->path);
    }
    if (master->fd >= 0) {
        MEM_RESERVE(source->retired, source->retired_count, source->retired_room);
        source->retired[source->retired_count++] = master->fd;
    }
    free(master->real);
    master->real = steal_ptr(&real);
    master->fd = steal_fd(&fd);
    master->device = st.st_dev;
    master->inode = st.st_ino;
    return true;
}

/* What the -wal tells. All is zero where there is none, or it is empty, which is the same. */
struct wal_view {
    uint64_t size;
    int64_t modified;
    int64_t changed;
    uint32_t salt1;
    uint32_t salt2;
    uint64_t frames; /* up to the last commit */
    uint32_t pages;  /* in the database after it, 0: not known */
};

static bool
wal_frame_read(int fd, uint64_t stride, uint64_t frame, uint8_t *bytes)
{
    uint64_t offset = WAL_HEADER_BYTES + (frame - 1) * stride;
    return pread(fd, bytes, WAL_FRAME_HEADER_BYTES, (off_t)offset) == WAL_FRAME_HEADER_BYTES;
}

/* A WAL is written from its beginning each time that it starts over, with new salts: the frames
 * that bear the salts of the header are the first ones, so their end is found by bisection. Behind
 * the last commit may be frames of a transaction that is not committed. */
static void
wal_frames_find(int fd, struct wal_view *wal, uint64_t stride)
{
    uint8_t frame[WAL_FRAME_HEADER_BYTES];
    uint64_t low = 0;
    uint64_t high = (wal->size - WAL_HEADER_BYTES) / stride;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        bool ours = wal_frame_read(fd, stride, middle, frame) &&
                    sqlite_get_u32(frame + 8) == wal->salt1 &&
                    sqlite_get_u32(frame + 12) == wal->salt2;
        if (ours)
            low = middle;
        else
            high = middle - 1;
    }
    wal->frames = low;
    for (uint64_t at = low; at && low - at < WAL_BACK_FRAMES; at--) {
        if (!wal_frame_read(fd, stride, at, frame))
            return;
        if (sqlite_get_u32(frame + 4)) {
            wal->frames = at;
            wal->pages = sqlite_get_u32(frame + 4);
            return;
        }
    }
}

static bool
wal_view_read(const struct sqlite_master *master, struct wal_view *ret_wal, struct err **err)
{
    CLEANUP_FREE char *path = mem_printf("%s-wal", master->real);
    *ret_wal = (struct wal_view){0};
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (errno == ENOENT)
            return true;
        err_set(err, ERR_MASTER, errno, "cannot open %s-wal", master->path);
        return err_hint(err, "the newest commits are in it: run as a user who may read it");
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set(err, ERR_IO, errno, "cannot stat %s-wal", master->path);
    if (!st.st_size || !S_ISREG(st.st_mode))
        return true;
    struct wal_view wal = {
        .size = (uint64_t)st.st_size,
        .modified = time_ns(&st.st_mtim),
        .changed = time_ns(&st.st_ctim),
    };
    uint8_t header[WAL_HEADER_BYTES];
    if (pread(fd, header, sizeof header, 0) == sizeof header &&
        (sqlite_get_u32(header) & ~1u) == 0x377f0682) {
        wal.salt1 = sqlite_get_u32(header + 16);
        wal.salt2 = sqlite_get_u32(header + 20);
        uint64_t page_size = sqlite_get_u32(header + 8);
        if (page_size >= SQLITE_PAGE_SIZE_MIN && page_size <= SQLITE_PAGE_SIZE_MAX)
            wal_frames_find(fd, &wal, page_size + WAL_FRAME_HEADER_BYTES);
    }
    *ret_wal = wal;
    return true;
}

struct master_view {
    struct sqlite_header header;
    uint64_t bytes;
    bool exact;
    int64_t time;
};

/* How old the newest of these time stamps must be, so that no later change can have the same one.
 */
static int64_t
stamp_granularity(int fd, int64_t modified, int64_t changed)
{
    static const unsigned long local[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,  BTRFS_SUPER_MAGIC,
                                          TMPFS_MAGIC,      F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
                                          0x2fc12fc1 /* ZFS */};
    struct statfs fs;
    /* Old ext4 volumes have whole seconds only. */
    if (modified % NS_PER_S == 0 || changed % NS_PER_S == 0 || fstatfs(fd, &fs) < 0)
        return GRANULARITY_OTHER_NS;
    for (size_t i = 0; i < ARRAY_LENGTH(local); i++) {
        if ((unsigned long)fs.f_type == local[i])
            return GRANULARITY_LOCAL_NS;
    }
    return GRANULARITY_OTHER_NS;
}

/* Appends the master's part of the position to `text`. */
static bool
master_view_read(struct sqlite_source *source, struct sqlite_master *master, struct buf *text,
                 struct master_view *ret_view, struct err **err)
{
    if (!sqlite_master_refresh(source, master, err))
        return false;
    struct stat st;
    uint8_t bytes[SQLITE_HEADER_BYTES];
    if (fstat(master->fd, &st) < 0)
        return err_set(err, ERR_MASTER, errno, "cannot stat the master %s", master->path);
    ssize_t length = pread(master->fd, bytes, sizeof bytes, 0);
    if (length < 0)
        return err_set(err, ERR_MASTER, errno, "cannot read the master %s", master->path);
    struct wal_view wal;
    if (!wal_view_read(master, &wal, err))
        return false;
    if (!length && !wal.size) {
        err_set(err, ERR_MASTER, 0, "the master %s is empty (0 bytes)", master->path);
        return err_hint(err,
                        "an empty file is an SQLite database without tables; is the path right?");
    }
    struct master_view view = {.exact = true};
    const char *problem = NULL;
    if (!sqlite_header_parse(bytes, (size_t)length, &view.header, &problem)) {
        err_set(err, ERR_MASTER, 0, "%s %s", master->path, problem);
        return err_hint(
            err,
            "is the path right? If it was an SQLite database before, restore it from a backup");
    }
    int64_t modified = time_ns(&st.st_mtim);
    int64_t changed = time_ns(&st.st_ctim);
    int64_t newest = max_ns(max_ns(modified, changed), max_ns(wal.modified, wal.changed));
    view.exact = newest + stamp_granularity(master->fd, modified, changed) < clock_wall_ns();
    view.time = max_ns(modified, wal.modified);
    view.bytes = (uint64_t)st.st_size;
    if ((uint64_t)wal.pages * view.header.page_size > view.bytes)
        view.bytes = (uint64_t)wal.pages * view.header.page_size;
    buf_printf(text, "%sc%u-s%llu-m%lld-t%lld-i%llx.%llx", text->length ? "," : "",
               view.header.change_counter, (unsigned long long)st.st_size, (long long)modified,
               (long long)changed, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    if (wal.size)
        buf_printf(text, "-w%08x%08x:%llu:%llu:%lld:%lld", wal.salt1, wal.salt2,
                   (unsigned long long)wal.frames, (unsigned long long)wal.size,
                   (long long)wal.modified, (long long)wal.changed);
    *ret_view = view;
    return true;
}

bool
sqlite_source_probe(struct source *head, struct source_probe *ret_probe, struct err **err)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    CLEANUP_BUF struct buf text = {0};
    struct source_probe probe = {.engine = "sqlite", .position = {.exact = true}};
    for (size_t i = 0; i < source->count; i++) {
        struct master_view view = {0};
        const struct sqlite_master *master = &source->masters[i];
        if (!master_view_read(source, &source->masters[i], &text, &view, err))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (source->masters[j].device == master->device &&
                source->masters[j].inode == master->inode)
                return err_set(err, ERR_USAGE, 0,
                               "the databases \"%s\" and \"%s\" are one file: %s",
                               source->masters[j].name, master->name, master->path);
        }
        if (!i)
            probe.page_size = view.header.page_size;
        probe.data_bytes += view.bytes;
        probe.position.exact &= view.exact;
        probe.position.time_ns = max_ns(probe.position.time_ns, view.time);
    }
    probe.position.text = buf_steal(&text);
    probe.version = mem_strdup(sqlite3_libversion());
    *ret_probe = probe;
    return true;
}

bool
sqlite_position_read(struct sqlite_source *source, struct source_position *ret_position,
                     struct err **err)
{
    struct source_probe probe;
    if (!sqlite_source_probe(&source->head, &probe, err))
        return false;
    *ret_position = probe.position;
    probe.position.text = NULL;
    source_probe_free(&probe);
    return true;
}

bool
sqlite_source_lock(struct source *head, struct err **err)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    struct source_position position = {0};
    if (!sqlite_position_read(source, &position, err))
        return false;
    source_position_free(&position);
    for (size_t i = 0; i < source->count; i++) {
        struct sqlite_master *master = &source->masters[i];
        if (!sqlite_master_refresh(source, master, err))
            return false;
        /* flock(2) and the POSIX locks of SQLite do not know of each other. */
        if (flock(master->fd, LOCK_EX | LOCK_NB) == 0)
            continue;
        if (errno == EWOULDBLOCK) {
            err_set(err, ERR_BUSY, 0, "another publisher is at work on the master %s",
                    master->path);
            return err_hint(err, "wait until it is done; it holds a flock(2) on the file");
        }
        return err_set(err, ERR_MASTER, errno, "cannot lock the master %s", master->path);
    }
    source->locked = true;
    return true;
}
