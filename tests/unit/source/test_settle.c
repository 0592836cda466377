/* SPDX-License-Identifier: Apache-2.0 */
/* Settling: contents stay, what was deleted goes, and the same content gives the same bytes. */
#include "support.h"

#include "source/sqlite/sqlite-page.h"

#include <stdio.h>
#include <string.h>

#define MARKER "DELETED-SECRET-7Q"

static const char MARKER_UTF16[] = "D\0E\0L\0E\0T\0E\0D\0-\0S\0E\0C\0R\0E\0T\0-\0007\0Q";

struct shape {
    unsigned page_size;
    int auto_vacuum;
    const char *encoding;
    int reserved;
    bool wal;
};

static void
shape_create(sqlite3 *db, const struct shape *shape)
{
    int reserved = shape->reserved;
    if (reserved)
        assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved),
                         SQLITE_OK);
    db_run(
        db,
        "PRAGMA page_size=%u; PRAGMA auto_vacuum=%d; PRAGMA encoding='%s'; PRAGMA synchronous=OFF;"
        "PRAGMA user_version=77; PRAGMA application_id=4711; PRAGMA journal_mode=%s; PRAGMA "
        "secure_delete=OFF",
        shape->page_size, shape->auto_vacuum, shape->encoding, shape->wal ? "WAL" : "DELETE");
    assert_int_equal(db_number(db, "PRAGMA secure_delete"), 0);
    db_run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL);"
               "CREATE INDEX ta ON t(a); CREATE INDEX tb ON t(b, c); CREATE INDEX tc ON t(c);"
               "CREATE TABLE n(x);" /* tiny cells: shorter than the 4 bytes they take */
               "CREATE INDEX nx ON n(x);"
               "CREATE TABLE w(k TEXT PRIMARY KEY, v BLOB, n INTEGER) WITHOUT ROWID;"
               "CREATE TABLE s(q TEXT NOT NULL, g INT AS (length(q)) STORED) STRICT;"
               "CREATE TABLE e(x);"
               "CREATE VIRTUAL TABLE f USING fts5(title, body);"
               "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);"
               "CREATE VIEW v AS SELECT a FROM t; CREATE TRIGGER g AFTER DELETE ON e BEGIN SELECT "
               "1; END;");
}

static unsigned
random_size(uint64_t *seed)
{
    unsigned kind = random_next(seed) % 20;
    if (kind == 0)
        return random_next(seed) % 100000;
    return kind < 5 ? random_next(seed) % 5000 : random_next(seed) % 150;
}

/* A blob full of the marker, so that every remainder longer than two of them would be found. */
static char *
marker_blob(unsigned size)
{
    struct buf text = {0};
    buf_puts(&text, "x'");
    for (unsigned i = 0; i < size; i++)
        buf_printf(&text, "%02x", MARKER[i % (sizeof MARKER - 1)]);
    buf_puts(&text, "'");
    return buf_steal(&text);
}

static void
shape_fill(sqlite3 *db, uint64_t *seed, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        db_run(db, "BEGIN");
        for (int i = 0; i < 40; i++) {
            unsigned size = random_size(seed);
            bool doomed = random_next(seed) % 3 == 0;
            CLEANUP_FREE char *value =
                doomed ? marker_blob(size) : mem_printf("randomblob(%u)", size);
            const char *text = doomed ? MARKER "-text" : "kept";
            switch (random_next(seed) % 4) {
            case 0:
                db_run(db, "INSERT INTO w VALUES('%s-%llu', %s, %d)", text,
                       (unsigned long long)random_next(seed), value, doomed);
                break;
            case 1:
                db_run(db, "INSERT INTO n VALUES(%d), (%d), (NULL), ('')", i % 2, i);
                break;
            default:
                db_run(db, "INSERT INTO t(a, b, c) VALUES('%s %u', %s, %f)", text, size, value,
                       doomed ? -1.0 : (double)size / 3);
            }
        }
        db_run(db,
               "INSERT INTO f VALUES('title %u', 'some words in round %u'); INSERT INTO r "
               "VALUES(%u, %u, %u)",
               round, round, round + 1, round, round + 2);
        db_run(db, "COMMIT");
        if (random_next(seed) % 3 == 0)
            db_run(db,
                   "UPDATE t SET b = randomblob(%u), a = 'updated', c = 5 WHERE c < 0 AND id %% 2",
                   random_size(seed));
        if (random_next(seed) % 4 == 0)
            db_run(db, "DELETE FROM t WHERE c < 0; DELETE FROM n WHERE rowid %% 3 = 0");
        if (random_next(seed) % 4 == 0)
            db_run(db, "DELETE FROM w WHERE n; DELETE FROM f WHERE rowid %% 5 = 2");
    }
    /* Enough free pages for several trunks where pages are small. */
    CLEANUP_FREE char *blob = marker_blob(2000);
    db_run(db,
           "CREATE TABLE gone(x); INSERT INTO gone VALUES(%s);"
           "INSERT INTO gone SELECT g.x FROM gone g, (SELECT * FROM sqlite_master LIMIT 10) a,"
           "(SELECT * FROM sqlite_master LIMIT 10) b; DROP TABLE gone",
           blob);
    db_run(db, "DELETE FROM t WHERE c < 0; DELETE FROM w WHERE n");
}

static void
assert_absent(const struct buf *bytes, const void *what, size_t length, const char *name)
{
    const char *at = memmem(bytes->data, bytes->length, what, length);
    if (at)
        fail_msg("%s is at byte %zu", name, (size_t)(at - bytes->data));
}

static void
shape_check(const struct shape *shape, uint64_t seed, unsigned rounds)
{
    CLEANUP_FREE char *path = in_folder("master.db");
    CLEANUP_FREE char *out = in_folder("settled.db");
    sqlite3 *db = db_open(path);
    shape_create(db, shape);
    shape_fill(db, &seed, rounds);
    if (shape->wal)
        db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    struct buf raw = {0};
    assert_ok(file_read(path, 1u << 30, &raw, NULL), NULL);
    bool wide = strcmp(shape->encoding, "UTF-8") != 0;
    /* A test that finds nothing because there was nothing would be worthless. */
    assert_true(raw.length > 100000);
    assert_non_null(memmem(raw.data, raw.length, MARKER, sizeof MARKER - 1));
    assert_true(!wide || memmem(raw.data, raw.length, MARKER_UTF16, sizeof MARKER_UTF16 - 1));
    buf_free(&raw);
    struct source *source = source_of(path);
    struct mirror mirror = {0};
    struct source_snapshot *snapshot = snapshot_take(source, &mirror);
    assert_int_equal(mirror.begins, 1);

    struct buf bytes;
    struct err *err = NULL;
    snapshot_bytes(snapshot, 0, &bytes);
    assert_absent(&bytes, MARKER, sizeof MARKER - 1, "the marker");
    assert_absent(&bytes, MARKER_UTF16, sizeof MARKER_UTF16 - 1, "the marker in UTF-16");
    assert_ok(file_write_atomic(out, bytes.data, bytes.length, 0644, &err), err);

    sqlite3 *settled = db_open(out);
    sqlite3_stmt *check = NULL;
    sqlite3_prepare_v2(settled, "PRAGMA integrity_check", -1, &check, NULL);
    assert_int_equal(sqlite3_step(check), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(check, 0), "ok");
    sqlite3_finalize(check);
    db_run(settled, "INSERT INTO f(f, rank) VALUES('integrity-check', 1)");
    assert_int_equal(db_number(settled, "SELECT rtreecheck('r') = 'ok'"), 1);
    assert_int_equal(db_number(settled, "PRAGMA user_version"), 77);
    assert_int_equal(db_number(settled, "PRAGMA application_id"), 4711);
    assert_int_equal(db_number(settled, "PRAGMA auto_vacuum"), shape->auto_vacuum);
    assert_int_equal(db_number(settled, "PRAGMA page_size"), shape->page_size);
    assert_int_equal(db_number(settled, "PRAGMA freelist_count"),
                     db_number(db, "PRAGMA freelist_count"));
    sqlite3_close(settled);
    assert_ok(file_write_atomic(out, bytes.data, bytes.length, 0644, &err), err);

    struct source_content of_master = {0};
    struct source_content of_file = {0};
    struct source_position position = {0};
    const char *name = "main";
    const char *files[] = {out};
    assert_ok(source_hash_master(source, &of_master, &position, &err), err);
    assert_ok(source_hash_files("sqlite", &name, files, 1, &of_file, &err), err);
    content_assert_equal(&of_master, &of_file);
    assert_int_equal(of_file.count, 8); /* "", e, f, n, r, s, t, w */
    assert_ok(source_check_files("sqlite", &name, files, 1, &err), err);
    source_content_free(&of_master);
    source_content_free(&of_file);
    source_position_free(&position);

    /* A settled file settles to itself. */
    struct source *again = source_of(out);
    struct source_snapshot *second = snapshot_take(again, NULL);
    struct buf second_bytes;
    snapshot_bytes(second, 0, &second_bytes);
    assert_int_equal(second_bytes.length, bytes.length);
    assert_memory_equal(second_bytes.data, bytes.data, bytes.length);
    source_snapshot_free(second);
    source_close(again);
    buf_free(&second_bytes);

    buf_free(&bytes);
    source_snapshot_free(snapshot);
    mirror_free(&mirror);
    source_close(source);
    sqlite3_close(db);
    unlink(path);
    unlink(out);
}

static void
test_random_databases(void **state)
{
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    uint64_t seed = 88172645463325252u;
    unsigned n = 0;
    for (unsigned page_size = 512; page_size <= 65536; page_size *= 2) {
        for (int auto_vacuum = 0; auto_vacuum <= 2; auto_vacuum++, n++) {
            struct shape shape = {
                .page_size = page_size,
                .auto_vacuum = auto_vacuum,
                .encoding = encodings[n % 3],
                .reserved = n % 5 == 2 ? 8 : 0,
                .wal = n % 4 == 3,
            };
            /* UTF-16be shifts the marker by a byte, which the search of UTF-16le finds all the
             * same. */
            shape_check(&shape, random_next(&seed), 12);
        }
    }
}

static void
settled_bytes(const char *path, struct buf *ret_bytes)
{
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = snapshot_take(source, NULL);
    snapshot_bytes(snapshot, 0, ret_bytes);
    source_snapshot_free(snapshot);
    source_close(source);
}

/* History leaves counters, garbage and a write-ahead log behind, and no trace in the snapshot. */
static void
test_same_content_same_bytes(void **state)
{
    CLEANUP_FREE char *path = in_folder("same.db");
    sqlite3 *db = db_open(path);
    db_run(db, "PRAGMA secure_delete=OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB);"
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
               "INSERT INTO t SELECT i, 'row ' || i, zeroblob(i * 37 %% 9000) FROM n;"
               "CREATE TABLE z(x); INSERT INTO z VALUES(randomblob(20000)); DROP TABLE z");
    struct buf first;
    settled_bytes(path, &first);
    for (int i = 0; i < 4; i++) {
        struct buf next;
        db_run(db,
               "UPDATE t SET a = a WHERE id %% 7 = %d; CREATE TABLE z(x); INSERT INTO z "
               "VALUES(randomblob(20000));"
               "DROP TABLE z; PRAGMA default_cache_size=%d; PRAGMA journal_mode=%s",
               i, 100 + i, i % 2 ? "DELETE" : "WAL");
        settled_bytes(path, &next);
        assert_int_equal(next.length, first.length);
        assert_memory_equal(next.data, first.data, first.length);
        buf_free(&next);
    }
    struct buf changed;
    db_run(db, "UPDATE t SET a = 'other' WHERE id = 250");
    settled_bytes(path, &changed);
    assert_true(changed.length != first.length ||
                memcmp(changed.data, first.data, first.length) != 0);
    buf_free(&changed);
    buf_free(&first);
    sqlite3_close(db);
}

static void
test_header(void **state)
{
    CLEANUP_FREE char *path = in_folder("header.db");
    sql_run(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); PRAGMA user_version=5");
    struct buf bytes;
    settled_bytes(path, &bytes);
    const uint8_t *header = (const uint8_t *)bytes.data;
    assert_int_equal(header[18], 1);
    assert_int_equal(header[19], 1);
    assert_int_equal(sqlite_get_u32(header + 24), SQLITE_SETTLED_COUNTER);
    assert_int_equal(sqlite_get_u32(header + 28), bytes.length / 4096);
    assert_int_equal(sqlite_get_u32(header + 40), SQLITE_SETTLED_COUNTER);
    assert_int_equal(sqlite_get_u32(header + 60), 5);
    assert_int_equal(sqlite_get_u32(header + 92), SQLITE_SETTLED_COUNTER);
    assert_int_equal(sqlite_get_u32(header + 96), SQLITE_SETTLED_VERSION);
    buf_free(&bytes);
}

/* The page with the lock byte lies in the middle of a database of more than 1 GiB; it is never
 * written. */
static void
test_lock_byte_page(void **state)
{
    CLEANUP_FREE char *path = in_folder("large.db");
    sqlite3 *db = db_open(path);
    db_run(db, "PRAGMA page_size=65536; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; CREATE "
               "TABLE t(x);"
               "BEGIN");
    for (int i = 0; i < 22; i++)
        db_run(db, "INSERT INTO t VALUES(zeroblob(50000000))");
    db_run(db, "COMMIT; INSERT INTO t VALUES('the end')");
    sqlite3_close(db);
    struct source *source = source_of(path);
    struct source_snapshot *snapshot = NULL;
    struct err *err = NULL;
    assert_ok(source_snapshot(source, folder, NULL, &snapshot, &err), err);
    assert_true(snapshot->files[0].size > SQLITE_LOCK_BYTE);
    assert_ok(source_settle(source, snapshot, NULL, &err), err);
    source_snapshot_free(snapshot);
    source_close(source);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_databases),
        cmocka_unit_test(test_same_content_same_bytes),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_lock_byte_page),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
