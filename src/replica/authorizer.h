/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a statement may do: read. A pure judgement of the actions that SQLite's compiler reports
 * (sqlite3_set_authorizer()). Everything is refused but
 *   - SELECT, reading columns (not of sqlite_stmt, which shows other clients' statements),
 * recursion;
 *   - functions, less those that reach outside the database or into the connection;
 *   - pragmas that read the schema or a fact of the file, without a value where a value would
 * write.
 */
#ifndef EFFIGY_REPLICA_AUTHORIZER_H
#define EFFIGY_REPLICA_AUTHORIZER_H

#include <stddef.h>

enum authorizer_verdict {
    AUTHORIZER_ALLOW,
    AUTHORIZER_ALLOW_VARYING, /* allowed, but the result may differ from one run to the next */
    AUTHORIZER_ALLOW_LONG,    /* allowed, but one step of it may walk through a whole table */
    AUTHORIZER_DENY,
};

/* The arguments are those of SQLite's callback: action code, third and fourth parameter (or NULL).
 */
enum authorizer_verdict authorizer_judge(int action, const char *first, const char *second);

/* The pragmas that are allowed, with or without a value, and only without; both end with NULL. */
extern const char *const authorizer_pragmas_with_value[], *const authorizer_pragmas[];

/* What was refused, for a message: "INSERT into package", "PRAGMA journal_mode", "the function
 * edit()". */
void authorizer_describe(int action, const char *first, const char *second, char *ret_text,
                         size_t room);

#endif
