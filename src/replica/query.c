/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/query.h"

#include "base/clock.h"
#include "base/mem.h"
#include "replica/memory.h"

#include <poll.h>
#include <string.h>

#define QUERY_STEPS_PER_LOOK 1000
#define QUERY_STEPS_PER_QUICK_LOOK \
    20 /* a step may take long, and all connections of the loop wait for it */
#define QUERY_SECONDS_PER_POLL 0.02
#define QUERY_TAIL_BYTES 64 /* what a format writes behind the last row */

#define HINT_READ_ONLY "replicas are read-only; send writes to the master"
#define HINT_LIMITS \
    "ask for less: fewer rows, a narrower WHERE, an index; or raise the limit of the replicas"

static bool
query_client_gone(int client)
{
    struct pollfd poller = {.fd = client, .events = POLLRDHUP};
    return client >= 0 && poll(&poller, 1, 0) > 0;
}

static int
query_look(void *arg)
{
    struct query_watch *watch = arg;
    double now = clock_seconds();
    if (now > watch->deadline) {
        watch->stop = QUERY_TIMED_OUT;
        return 1;
    }
    if (now > watch->next_look) {
        watch->next_look = now + QUERY_SECONDS_PER_POLL;
        if (query_client_gone(watch->client)) {
            watch->stop = QUERY_ABANDONED;
            return 1;
        }
    }
    return 0;
}

void
query_begin(struct database *database, const struct query_limits *limits, struct query_watch *watch)
{
    *watch = (struct query_watch){.deadline = limits->deadline,
                                  .client = limits->client,
                                  .next_look = clock_seconds() + QUERY_SECONDS_PER_POLL};
    int steps = limits->quick ? QUERY_STEPS_PER_QUICK_LOOK : QUERY_STEPS_PER_LOOK;
    sqlite3_progress_handler(database_handle(database), steps, query_look, watch);
    memory_scope_begin(limits->heap, limits->deadline);
}

void
query_end(struct database *database)
{
    memory_scope_end();
    sqlite3_progress_handler(database_handle(database), 0, NULL, NULL);
}

static void
query_explain_time(const struct query_limits *limits, struct problem *problem)
{
    problem_set(problem, 504, "time-limit", HINT_LIMITS,
                "the query ran longer than the %.3g seconds allowed", limits->time);
}

static void
query_explain_memory(const struct query_limits *limits, struct problem *problem)
{
    switch (memory_cause()) {
    case MEMORY_LIMIT:
        problem_set(problem, 422, "heap-limit", HINT_LIMITS,
                    "the query needs more than the %llu bytes of memory allowed",
                    (unsigned long long)limits->heap);
        break;
    case MEMORY_DEADLINE:
        query_explain_time(limits, problem);
        break;
    default:
        problem_set(problem, 503, "out-of-memory", "try again in a moment",
                    "the server is out of memory");
    }
}

static void
query_explain_sql(struct database *database, int status, struct problem *problem)
{
    sqlite3 *handle = database_handle(database);
#if SQLITE_VERSION_NUMBER >= 3038000
    int offset = sqlite3_error_offset(handle);
#else
    int offset = -1;
#endif
    if (offset >= 0)
        problem_set(problem, status, "sql-error", NULL, "%s (at byte %d of the SQL)",
                    sqlite3_errmsg(handle), offset);
    else
        problem_set(problem, status, "sql-error", NULL, "%s", sqlite3_errmsg(handle));
}

void
query_explain_failure(struct database *database, const struct query_limits *limits,
                      const struct query_watch *watch, int code, struct query_result *result)
{
    struct problem *problem = &result->problem;
    const char *message = sqlite3_errmsg(database_handle(database));
    if (database_refusal(database)) {
        problem_set(problem, 403, "read-only", HINT_READ_ONLY, "%s is not allowed here",
                    database_refusal(database));
        return;
    }
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        result->gone = watch->stop == QUERY_ABANDONED;
        query_explain_time(limits, problem);
        break;
    case SQLITE_NOMEM:
        query_explain_memory(limits, problem);
        break;
    case SQLITE_TOOBIG:
        problem_set(problem, 422, "value-limit", HINT_LIMITS,
                    "a text or blob is longer than allowed");
        break;
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        problem_set(problem, 403, "read-only", HINT_READ_ONLY, "%s", message);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        problem_set(problem, 503, "busy", "try again in a moment", "%s", message);
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_INTERNAL:
    case SQLITE_MISUSE:
        problem_set(problem, 500, "database-error", "check the image with `effigy verify`", "%s",
                    message);
        break;
    default:
        query_explain_sql(database, 400, problem);
    }
}

static int
query_bind_one(sqlite3_stmt *statement, int index, const struct param *param)
{
    switch (param->kind) {
    case PARAM_INTEGER:
        return sqlite3_bind_int64(statement, index, param->integer);
    case PARAM_REAL:
        return sqlite3_bind_double(statement, index, param->real);
    case PARAM_TEXT:
        return sqlite3_bind_text64(statement, index, param->data, param->length, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case PARAM_BLOB:
        return sqlite3_bind_blob64(statement, index, param->data ? param->data : "", param->length,
                                   SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, index);
    }
}

/* The statement's parameter of that name, which may come with or without its :, @ or $; 0 if none.
 */
static int
query_parameter_index(sqlite3_stmt *statement, const char *name)
{
    CLEANUP_FREE char *prefixed = mem_printf(":%s", name);
    int index = sqlite3_bind_parameter_index(statement, name);
    for (const char *prefix = ":@$"; !index && *prefix; prefix++) {
        prefixed[0] = *prefix;
        index = sqlite3_bind_parameter_index(statement, prefixed);
    }
    return index;
}

/* Each parameter of the request goes to one of the statement, and each of the statement gets one.
 */
static bool
query_bind(sqlite3_stmt *statement, const struct request *request, int *ret_code,
           struct problem *problem)
{
    int wanted = sqlite3_bind_parameter_count(statement), position = 0;
    unsigned char bound[DATABASE_PARAMETERS / 8 + 1];
    memset(bound, 0, (size_t)wanted / 8 + 1);
    *ret_code = SQLITE_OK;
    for (size_t i = 0; i < request->count && *ret_code == SQLITE_OK; i++) {
        const struct param *param = &request->params[i];
        int index = param->name ? query_parameter_index(statement, param->name) : ++position;
        if (!param->name && index > wanted)
            return problem_set(problem, 400, "bad-parameters", NULL,
                               "params has more values than the %d parameters", wanted);
        if (!index && !param->optional)
            return problem_set(problem, 400, "bad-parameters", NULL,
                               "the statement has no parameter \"%.80s\"", param->name);
        if (!index || (bound[index / 8] >> index % 8 & 1))
            continue;
        bound[index / 8] |= (unsigned char)(1 << index % 8);
        *ret_code = query_bind_one(statement, index, param);
    }
    for (int i = 1; i <= wanted && *ret_code == SQLITE_OK; i++) {
        if (bound[i / 8] >> i % 8 & 1)
            continue;
        const char *name = sqlite3_bind_parameter_name(statement, i);
        return problem_set(
            problem, 400, "bad-parameters",
            "give values as params=[...] or params={\"name\": ...}, or as arguments of the URL",
            "the parameter %s (number %d) has no value", name ? name : "?", i);
    }
    return *ret_code == SQLITE_OK;
}

/* Steps through the rows; the result is SQLite's code, or SQLITE_DONE also where a limit cut it
 * off. */
static int
query_fetch(sqlite3_stmt *statement, const struct request *request, const char *generation,
            uint64_t max_rows, struct answer *answer, struct query_result *result)
{
    const struct format_writer *writer = format_writers[request->format];
    struct format_state state = {0};
    size_t limit = answer->limit;
    answer->limit -= QUERY_TAIL_BYTES;
    int code = sqlite3_step(statement);
    writer->begin(answer, &state, statement, generation);
    while (code == SQLITE_ROW && !answer->cut) {
        if (result->rows == max_rows) {
            result->truncated = "rows";
            code = SQLITE_DONE;
            break;
        }
        size_t start = answer->length;
        writer->row(answer, &state, statement, result->rows == 0);
        if (answer->cut == ANSWER_FULL && start > 0) {
            answer_rewind(answer, start);
            result->truncated = "bytes";
            code = SQLITE_DONE;
            break;
        }
        result->rows++;
        code = sqlite3_step(statement);
    }
    answer->limit = limit;
    if (!answer->cut)
        writer->end(answer, result->rows, result->truncated != NULL);
    format_state_free(&state);
    return code;
}

void
query_run(struct database *database, const struct request *request, const char *generation,
          const struct query_limits *limits, struct answer *answer, struct query_result *ret_result)
{
    struct query_result *result = ret_result;
    struct query_watch watch;
    *result = (struct query_result){0};
    query_begin(database, limits, &watch);
    int code = SQLITE_OK;
    struct statement *statement =
        database_prepare(database, request->sql, request->sql_length, &result->problem);
    if (!statement && database_refusal(database)) {
        query_end(database);
        bool again = database_connect_virtual(database);
        query_begin(database, limits, &watch);
        if (again)
            statement =
                database_prepare(database, request->sql, request->sql_length, &result->problem);
    }
    if (!statement) {
        if (!result->problem.status)
            query_explain_failure(database, limits, &watch,
                                  sqlite3_errcode(database_handle(database)), result);
        query_end(database);
        return;
    }
    result->varying = statement->varying;
    result->long_steps = statement->long_steps;
    if (limits->quick && statement->long_steps)
        query_explain_time(limits, &result->problem);
    else if (query_bind(statement->handle, request, &code, &result->problem))
        code =
            query_fetch(statement->handle, request, generation, limits->max_rows, answer, result);
    bool kept = code == SQLITE_DONE || result->problem.status;
    if (!kept)
        query_explain_failure(database, limits, &watch, code, result);
    else if (answer->cut == ANSWER_FULL)
        problem_set(&result->problem, 422, "too-many-bytes", HINT_LIMITS,
                    "the names of the columns alone fill the answer");
    if (answer->cut == ANSWER_NO_BUDGET)
        problem_set(&result->problem, 503, "out-of-memory", "try again in a moment",
                    "the answers that wait to be sent fill the server's memory");
    database_release(database, statement, kept);
    query_end(database);
    if (result->problem.status)
        answer_free(answer);
}
