/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/problem.h"

#include <stdarg.h>
#include <stdio.h>

bool
problem_set(struct problem *problem, int status, const char *code, const char *hint,
            const char *format, ...)
{
    problem->status = status;
    problem->code = code;
    problem->hint = hint;
    va_list args;
    va_start(args, format);
    vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    return false;
}
