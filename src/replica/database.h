/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's connection to the databases of this generation: opened immutable and mapped into
 * memory (SQLite takes no locks and reads without system calls), read-only by every means that
 * SQLite has, and with a cache of compiled statements. Not to be shared between threads.
 */
#ifndef EFFIGY_REPLICA_DATABASE_H
#define EFFIGY_REPLICA_DATABASE_H

#include "base/err.h"
#include "replica/identity.h"
#include "replica/problem.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATABASE_STATEMENTS 64         /* compiled statements kept */
#define DATABASE_PARAMETERS 1000       /* of one statement: no request has more values */
#define DATABASE_STATEMENT_BYTES 16384 /* of SQL; longer ones are not kept */

struct database;

struct database_options {
    bool locking;         /* SQLite's defaults: file locks, no mmap */
    bool small;           /* for a thread that only runs quick statements: tight limits on values */
    uint64_t value_bytes; /* the longest text or blob */
};

struct statement {
    sqlite3_stmt *handle;
    bool varying;    /* its result may differ from one run to the next */
    bool long_steps; /* one step of it may walk through a whole table (count(*), dbstat) */
    /* the cache's own */
    uint64_t hash, last_use;
    char *sql;
    size_t sql_length;
};

/* Once per process, before any other call: configures SQLite. */
void database_setup(bool locking);

/* The identity must outlive the connection. */
struct database *database_open(const struct identity *identity,
                               const struct database_options *options, struct err **err);
void database_close(struct database *database);
sqlite3 *database_handle(struct database *database);

/* The compiled statement for exactly one statement of SQL that reads; ready to be bound. Errors
 * other than refusals are left to database_sql_problem(): NULL with problem->status 0. */
struct statement *database_prepare(struct database *database, const char *sql, size_t length,
                                   struct problem *problem);
/* Takes the statement back, into the cache if `keep`. */
void database_release(struct database *database, struct statement *statement, bool keep);

/* Virtual tables, fts5's and pragma_table_info among them, declare themselves and compile
 * statements of their own when a connection uses them for the first time, which the authorizer sees
 * as writes. This uses each once without it. To be called where something was refused, which may
 * then be tried again, and outside of memory scopes; false if it was done before. */
bool database_connect_virtual(struct database *database);

/* What the authorizer refused last, or NULL; forgotten by the next database_prepare(), or for who
 * compiles statements without it by database_forget_refusal(). */
const char *database_refusal(const struct database *database);
void database_forget_refusal(struct database *database);

/* A hash of SQL text for tables (FNV-1a; not against an adversary). */
uint64_t database_sql_hash(const char *sql, size_t length);

#endif
