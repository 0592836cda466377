/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/source share: a folder of their own, SQL in one line, a snapshot in one
 * line. */
#ifndef EFFIGY_TESTS_SOURCE_SUPPORT_H
#define EFFIGY_TESTS_SOURCE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "source/source.h"

extern char folder[]; /* made by folder_setup(), removed by folder_teardown() */
int folder_setup(void **state);
int folder_teardown(void **state);

char *in_folder(const char *name); /* to be freed */

sqlite3 *db_open(const char *path);
void db_run(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t db_number(sqlite3 *db, const char *sql);
/* Opens, runs, closes. */
void sql_run(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct source *source_of(const char *path);
struct source_position position_of(struct source *source);
void assert_ok_fn(bool ok, const struct err *err);
/* A macro, since `err` must be looked at after `call`, which sets it. */
#define assert_ok(call, err)    \
    do {                        \
        bool ok_ = (call);      \
        assert_ok_fn(ok_, err); \
    } while (0)
/* Fails the test unless the kind is right, the message has `message` in it, and, if given, the hint
 * `hint`; frees the error. */
void assert_err(bool ok, struct err **err, enum err_kind kind, const char *message,
                const char *hint);

/* A sink that keeps a copy of the files as a baker would, reading only what it was told about. */
struct mirror {
    struct source_snapshot *snapshot;
    struct buf bytes[4];
    int fds[4];
    uint64_t upto[4]; /* announced so far */
    unsigned begins;
    unsigned touches;
    bool sealed;
    void (*at_ready)(void *context);
    void *context;
};
struct source_sink mirror_sink(struct mirror *mirror);
/* Snapshot and settle; the mirror must then equal the files. */
struct source_snapshot *snapshot_take(struct source *source, struct mirror *mirror);
void mirror_free(struct mirror *mirror);
void snapshot_bytes(const struct source_snapshot *snapshot, size_t file, struct buf *ret_bytes);

void content_assert_equal(const struct source_content *a, const struct source_content *b);
uint64_t random_next(uint64_t *seed);

#endif
