/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inprocess DATABASE default|immutable|mmap point|scan SECONDS
 *
 * Reads per second of SQLite in this process, one thread, prepared statements: as SQLite opens a
 * file by default, with immutable=1 (no locks, no looking for changes), and with memory-mapped
 * pages as well.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void
must(int right, sqlite3 *db, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "inprocess: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

int
main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: inprocess DATABASE default|immutable|mmap point|scan SECONDS\n", stderr);
        return 2;
    }
    char uri[4096];
    snprintf(uri, sizeof uri, "file:%s%s", argv[1],
             strcmp(argv[2], "default") ? "?immutable=1" : "");
    sqlite3 *db;
    must(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                         NULL) == SQLITE_OK,
         db, uri);
    if (strcmp(argv[2], "mmap") == 0)
        sqlite3_exec(db, "PRAGMA mmap_size = 4294967296", NULL, NULL, NULL);

    sqlite3_stmt *count, *read;
    must(sqlite3_prepare_v2(db, "SELECT max(id) FROM package", -1, &count, NULL) == SQLITE_OK, db,
         "prepare");
    must(sqlite3_step(count) == SQLITE_ROW, db, "count");
    unsigned rows = sqlite3_column_int(count, 0);
    sqlite3_finalize(count);

    int point = strcmp(argv[3], "point") == 0;
    const char *sql = point ? "SELECT name, version, description FROM package WHERE id = ?"
                            : "SELECT count(*), sum(length(description)) FROM package";
    must(sqlite3_prepare_v2(db, sql, -1, &read, NULL) == SQLITE_OK, db, sql);
    unsigned long reads = 0, seed = 1;
    double start = now(), end = start + atof(argv[4]);
    while (now() < end) {
        for (int i = 0; i < (point ? 100 : 1); i++) {
            seed = seed * 6364136223846793005UL + 1442695040888963407UL;
            if (point)
                sqlite3_bind_int(read, 1, (int)((seed >> 33) % rows) + 1);
            must(sqlite3_step(read) == SQLITE_ROW, db, "step");
            sqlite3_reset(read);
            reads++;
        }
    }
    printf("%.1f\n", reads / (now() - start));
    sqlite3_finalize(read);
    sqlite3_close(db);
    return 0;
}
