/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char folder[64];

int
folder_setup(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/effigy-source-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int
folder_teardown(void **state)
{
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

char *
in_folder(const char *name)
{
    return file_join(folder, name);
}

sqlite3 *
db_open(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    return db;
}

static void
db_vrun(sqlite3 *db, const char *format, va_list args)
{
    char *sql = mem_vprintf(format, args);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    free(sql);
}

void
db_run(sqlite3 *db, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    db_vrun(db, format, args);
    va_end(args);
}

int64_t
db_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

void
sql_run(const char *path, const char *format, ...)
{
    sqlite3 *db = db_open(path);
    va_list args;
    va_start(args, format);
    db_vrun(db, format, args);
    va_end(args);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void
assert_ok_fn(bool ok, const struct err *err)
{
    if (!ok && !err)
        fail_msg("failed without an error");
    if (!ok)
        fail_msg("%s (hint: %s)", err ? err->message : "no error",
                 err && err->hint ? err->hint : "none");
}

void
assert_err(bool ok, struct err **err, enum err_kind kind, const char *message, const char *hint)
{
    assert_false(ok);
    assert_non_null(*err);
    if ((*err)->kind != kind || !strstr((*err)->message, message) ||
        (hint && (!(*err)->hint || !strstr((*err)->hint, hint))))
        fail_msg("kind %s, message \"%s\", hint \"%s\"", err_kind_name((*err)->kind),
                 (*err)->message, (*err)->hint ? (*err)->hint : "none");
    err_free(*err);
    *err = NULL;
}

struct source *
source_of(const char *path)
{
    CLEANUP_FREE char *url = mem_printf("sqlite:%s", path);
    struct source_database database = {.name = "main", .url = url};
    struct source *source = NULL;
    struct err *err = NULL;
    assert_ok(source_open(&database, 1, NULL, &source, &err), err);
    return source;
}

struct source_position
position_of(struct source *source)
{
    struct source_probe probe;
    struct err *err = NULL;
    assert_ok(source_probe(source, &probe, &err), err);
    struct source_position position = probe.position;
    probe.position.text = NULL;
    source_probe_free(&probe);
    return position;
}

static void
mirror_read(struct mirror *mirror, size_t file, uint64_t offset, uint64_t length)
{
    struct buf *bytes = &mirror->bytes[file];
    assert_true(offset + length <= bytes->length);
    struct err *err = NULL;
    assert_ok(
        file_pread_all(mirror->fds[file], bytes->data + offset, length, offset, "mirror", &err),
        err);
}

/* The fd is known at begin: the sink is given the file. */
static void
mirror_begin(void *context, size_t file, const struct source_file *info)
{
    struct mirror *mirror = context;
    assert_false(mirror->sealed);
    mirror->begins++;
    mirror->fds[file] = info->fd;
    struct buf *bytes = &mirror->bytes[file];
    bytes->length = 0;
    buf_reserve(bytes, info->size);
    memset(bytes->data, 0xee, info->size);
    bytes->length = info->size;
    mirror->upto[file] = 0;
}

static void
mirror_ready(void *context, size_t file, uint64_t upto)
{
    struct mirror *mirror = context;
    assert_false(mirror->sealed);
    uint64_t from = mirror->upto[file];
    assert_true(upto > from);
    assert_true(upto <= mirror->bytes[file].length);
    mirror_read(mirror, file, from, upto - from);
    mirror->upto[file] = upto;
    if (mirror->at_ready)
        mirror->at_ready(mirror->context);
}

static void
mirror_touched(void *context, size_t file, uint64_t offset, uint64_t length)
{
    struct mirror *mirror = context;
    assert_false(mirror->sealed);
    assert_true(offset + length <= mirror->upto[file]);
    mirror->touches++;
    mirror_read(mirror, file, offset, length);
}

static void
mirror_sealed(void *context)
{
    struct mirror *mirror = context;
    mirror->sealed = true;
}

struct source_sink
mirror_sink(struct mirror *mirror)
{
    return (struct source_sink){mirror_begin, mirror_ready, mirror_touched, mirror_sealed, mirror};
}

void
mirror_free(struct mirror *mirror)
{
    for (size_t i = 0; i < ARRAY_LENGTH(mirror->bytes); i++)
        buf_free(&mirror->bytes[i]);
    *mirror = (struct mirror){0};
}

void
snapshot_bytes(const struct source_snapshot *snapshot, size_t file, struct buf *ret_bytes)
{
    const struct source_file *info = &snapshot->files[file];
    struct stat st;
    struct err *err = NULL;
    assert_int_equal(fstat(info->fd, &st), 0);
    assert_int_equal(st.st_size, info->size);
    *ret_bytes = (struct buf){0};
    buf_reserve(ret_bytes, info->size);
    assert_ok(file_pread_all(info->fd, ret_bytes->data, info->size, 0, "snapshot", &err), err);
    ret_bytes->length = info->size;
}

struct source_snapshot *
snapshot_take(struct source *source, struct mirror *mirror)
{
    struct mirror own = {0};
    bool is_own = !mirror;
    if (is_own)
        mirror = &own;
    struct source_sink sink = mirror_sink(mirror);
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    assert_ok(source_snapshot(source, folder, &sink, &snapshot, &err), err);
    assert_false(mirror->sealed);
    assert_ok(source_settle(source, snapshot, &sink, &err), err);
    assert_true(mirror->sealed);
    for (size_t i = 0; i < snapshot->count; i++) {
        struct buf bytes;
        snapshot_bytes(snapshot, i, &bytes);
        assert_int_equal(bytes.length, mirror->bytes[i].length);
        assert_memory_equal(bytes.data, mirror->bytes[i].data, bytes.length);
        buf_free(&bytes);
    }
    if (is_own)
        mirror_free(mirror);
    return snapshot;
}

void
content_assert_equal(const struct source_content *a, const struct source_content *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->tables[i].database, b->tables[i].database);
        assert_string_equal(a->tables[i].table, b->tables[i].table);
        assert_int_equal(a->tables[i].rows, b->tables[i].rows);
        assert_memory_equal(a->tables[i].hash, b->tables[i].hash, 32);
    }
}

uint64_t
random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}
