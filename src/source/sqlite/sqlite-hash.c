/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of a database: for each table the sum, modulo 2^256, of the SHA-256 of its rows, so
 * that their order does not matter. A row is hashed as its values in the order of SELECT *, each as
 * one byte of type, then: integer and real: 8 bytes big-endian; text and blob: 8 bytes of length,
 * then the bytes. The rowid counts only where it is a column (INTEGER PRIMARY KEY) or the table is
 * virtual; elsewhere VACUUM may change it.
 *
 * Left out are the engine's own tables: sqlite_* (sequences, statistics), and the shadow tables in
 * which virtual tables keep what SELECT on them shows. A full-text index that keeps no copy of its
 * text shows nothing, so there the shadow tables count.
 *
 * The schema, as table "", has one row for each object (type, name, table, sql), and for each of
 * user_version, application_id and encoding.
 */
#include "source/sqlite/sqlite-internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/stop.h"
#include "source/sqlite/sqlite-vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIECE_BYTES 65536

static const char schema_sql[] =
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE "
    "'\\' "
    "UNION ALL SELECT 'pragma', 'user_version', '', user_version FROM pragma_user_version "
    "UNION ALL SELECT 'pragma', 'application_id', '', application_id FROM pragma_application_id "
    "UNION ALL SELECT 'pragma', 'encoding', '', encoding FROM pragma_encoding";

static const char tables_sql[] =
    "SELECT name, type = 'virtual' FROM pragma_table_list t WHERE schema = 'main' "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND (type IN ('table', 'virtual') OR type = "
    "'shadow' AND EXISTS ("
    "  SELECT 1 FROM sqlite_master v WHERE v.type = 'table' AND v.rootpage = 0 "
    "  AND v.sql LIKE 'create virtual table%using%fts%' AND substr(t.name, 1, length(v.name) + 1) "
    "= v.name || '_' "
    "  AND NOT EXISTS (SELECT 1 FROM sqlite_master c WHERE c.name = v.name || '_content')))";

struct hasher {
    struct sha256 *sha;
    struct buf piece;
    struct source_content *content;
    size_t room;
};

static void
put_u64(uint8_t *bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
}

static void
hasher_value(struct hasher *hasher, sqlite3_stmt *statement, int column)
{
    uint8_t head[9] = {0};
    const void *bytes = NULL;
    uint64_t length = 0;
    size_t head_length = sizeof head;
    int type = sqlite3_column_type(statement, column);
    head[0] = (uint8_t)type;
    if (type == SQLITE_INTEGER) {
        put_u64(head + 1, (uint64_t)sqlite3_column_int64(statement, column));
    } else if (type == SQLITE_FLOAT) {
        double real = sqlite3_column_double(statement, column);
        uint64_t bits;
        memcpy(&bits, &real, sizeof bits);
        put_u64(head + 1, bits);
    } else if (type == SQLITE_NULL) {
        head_length = 1;
    } else {
        bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(statement, column)
                                    : sqlite3_column_blob(statement, column);
        length = (uint64_t)sqlite3_column_bytes(statement, column);
        put_u64(head + 1, length);
    }
    buf_append(&hasher->piece, head, head_length);
    if (length > PIECE_BYTES) {
        sha256_update(hasher->sha, hasher->piece.data, hasher->piece.length);
        sha256_update(hasher->sha, bytes, length);
        hasher->piece.length = 0;
    } else if (length) {
        buf_append(&hasher->piece, bytes, length);
    }
}

static void
hash_add(uint8_t sum[SHA256_BYTES], const uint8_t hash[SHA256_BYTES])
{
    unsigned carry = 0;
    for (int i = SHA256_BYTES - 1; i >= 0; i--) {
        carry += (unsigned)sum[i] + hash[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static bool
hasher_rows(struct hasher *hasher, sqlite3 *db, sqlite3_stmt *statement, const char *name,
            const char *table, const char *path, struct err **err)
{
    struct source_table_hash entry = {0};
    int columns = sqlite3_column_count(statement);
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        uint8_t hash[SHA256_BYTES];
        for (int i = 0; i < columns; i++)
            hasher_value(hasher, statement, i);
        sha256_update(hasher->sha, buf_text(&hasher->piece), hasher->piece.length);
        sha256_final(hasher->sha, hash);
        sha256_reset(hasher->sha);
        hasher->piece.length = 0;
        hash_add(entry.hash, hash);
        entry.rows++;
        if (entry.rows % 1024 == 0 && !stop_check(err))
            return false;
    }
    if (rc != SQLITE_DONE)
        return sqlite_fail(err, db, rc, "read", path);
    struct source_content *content = hasher->content;
    entry.database = mem_strdup(name);
    entry.table = mem_strdup(table);
    MEM_RESERVE(content->tables, content->count, hasher->room);
    content->tables[content->count++] = entry;
    return true;
}

static bool
hasher_table(struct hasher *hasher, sqlite3 *db, const char *name, const char *table,
             bool is_virtual, const char *path, struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
    int rc = SQLITE_ERROR;
    if (is_virtual) {
        char *sql = sqlite3_mprintf("SELECT rowid, * FROM main.\"%w\"", table);
        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        sqlite3_free(sql);
    }
    if (rc == SQLITE_ERROR) {
        char *sql = sqlite3_mprintf("SELECT * FROM main.\"%w\"", table);
        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        sqlite3_free(sql);
    }
    if (rc != SQLITE_OK)
        return sqlite_fail(err, db, rc, "read", path);
    return hasher_rows(hasher, db, statement, name, table, path, err);
}

static bool
hasher_database(struct hasher *hasher, sqlite3 *db, const char *name, const char *path,
                struct err **err)
{
    CLEANUP_STATEMENT sqlite3_stmt *schema = NULL;
    CLEANUP_STATEMENT sqlite3_stmt *tables = NULL;
    int rc = sqlite3_prepare_v2(db, schema_sql, -1, &schema, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fail(err, db, rc, "read", path);
    if (!hasher_rows(hasher, db, schema, name, "", path, err))
        return false;
    rc = sqlite3_prepare_v2(db, tables_sql, -1, &tables, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fail(err, db, rc, "read", path);
    while ((rc = sqlite3_step(tables)) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(tables, 0);
        if (!hasher_table(hasher, db, name, table, sqlite3_column_int(tables, 1) != 0, path, err))
            return err_wrap(err, "table \"%s\"", table);
    }
    return rc == SQLITE_DONE || sqlite_fail(err, db, rc, "read", path);
}

static int
table_hash_compare(const void *left, const void *right)
{
    const struct source_table_hash *a = left;
    const struct source_table_hash *b = right;
    int order = strcmp(a->database, b->database);
    return order ? order : strcmp(a->table, b->table);
}

static void
hasher_init(struct hasher *hasher, struct source_content *content)
{
    *hasher = (struct hasher){.sha = sha256_new(), .content = content};
}

static bool
hasher_end(struct hasher *hasher, bool ok, struct source_content *ret_content)
{
    struct source_content *content = hasher->content;
    sha256_free(hasher->sha);
    buf_free(&hasher->piece);
    if (!ok) {
        source_content_free(content);
        return false;
    }
    qsort(content->tables, content->count, sizeof *content->tables, table_hash_compare);
    *ret_content = *content;
    return true;
}

bool
sqlite_hash_files(const char *const *names, const char *const *paths, size_t count,
                  struct source_content *ret_content, struct err **err)
{
    struct source_content content = {0};
    struct hasher hasher;
    hasher_init(&hasher, &content);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        CLEANUP_FD int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            ok = err_set(err, ERR_IO, errno, "cannot open %s", paths[i]);
            break;
        }
        CLEANUP_READER struct sqlite_reader *reader = sqlite_reader_open(fd, paths[i], err);
        ok = reader && hasher_database(&hasher, sqlite_reader_db(reader), names[i], paths[i], err);
    }
    return hasher_end(&hasher, ok, ret_content);
}

bool
sqlite_source_hash_master(struct source *head, struct source_content *ret_content,
                          struct source_position *ret_position, struct err **err)
{
    struct sqlite_source *source = (struct sqlite_source *)head;
    struct source_position before = {0};
    struct source_content content = {0};
    struct hasher hasher;
    hasher_init(&hasher, &content);
    sqlite3 **dbs = mem_new_array(source->count, sizeof *dbs);
    bool ok = sqlite_position_read(source, &before, err);
    source_position_free(&before);
    for (size_t i = 0; ok && i < source->count; i++)
        ok = (dbs[i] = sqlite_master_connect(&source->masters[i], err)) != NULL;
    ok = ok && sqlite_position_read(source, &before, err);
    bool same = false;
    ok = ok && sqlite_masters_begin_at_once(source, dbs, &before, &same, err);
    for (size_t i = 0; ok && i < source->count; i++)
        ok =
            hasher_database(&hasher, dbs[i], source->masters[i].name, source->masters[i].path, err);
    for (size_t i = 0; i < source->count; i++)
        sqlite_db_cleanup(&dbs[i]);
    free(dbs);
    if (ok) {
        before.exact &= same;
        *ret_position = before;
        before.text = NULL;
    }
    source_position_free(&before);
    return hasher_end(&hasher, ok, ret_content);
}
