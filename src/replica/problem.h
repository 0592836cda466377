/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a request cannot be answered as asked: an HTTP status, a short stable code for programs, a
 * message and a hint for people. Held by value and bounded, so that refusing needs no memory.
 */
#ifndef EFFIGY_REPLICA_PROBLEM_H
#define EFFIGY_REPLICA_PROBLEM_H

#include <stdbool.h>

struct problem {
    int status;       /* 0: no problem */
    const char *code; /* "sql-error"; static */
    const char *hint; /* static, or NULL */
    char message[512];
};

/* Always returns false, so that one can write `return problem_set(problem, ...)`. */
bool problem_set(struct problem *problem, int status, const char *code, const char *hint,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
