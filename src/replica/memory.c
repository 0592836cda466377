/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/memory.h"

#include "base/clock.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>

struct memory_account {
    int64_t used, ceiling;
    double deadline;
    unsigned calls;
    bool scoped;
    enum memory_cause cause;
};

static _Thread_local struct memory_account memory_account;

#define MEMORY_CALLS_PER_LOOK 64 /* at the clock */

static bool
memory_allowed(struct memory_account *account, int64_t more)
{
    if (!account->scoped)
        return true;
    if (account->used + more > account->ceiling) {
        account->cause = MEMORY_LIMIT;
        return false;
    }
    if (++account->calls % MEMORY_CALLS_PER_LOOK == 0 && clock_seconds() > account->deadline)
        account->cause = MEMORY_DEADLINE;
    return account->cause != MEMORY_DEADLINE;
}

static void *
memory_malloc(int size)
{
    struct memory_account *account = &memory_account;
    if (!memory_allowed(account, size))
        return NULL;
    void *fresh = malloc((size_t)size);
    if (!fresh) {
        account->cause = MEMORY_EXHAUSTED;
        return NULL;
    }
    account->used += (int64_t)malloc_usable_size(fresh);
    return fresh;
}

static void
memory_free(void *old)
{
    memory_account.used -= (int64_t)malloc_usable_size(old);
    free(old);
}

static void *
memory_realloc(void *old, int size)
{
    struct memory_account *account = &memory_account;
    int64_t before = (int64_t)malloc_usable_size(old);
    if (size > before && !memory_allowed(account, size - before))
        return NULL;
    void *fresh = realloc(old, (size_t)size);
    if (!fresh) {
        account->cause = MEMORY_EXHAUSTED;
        return NULL;
    }
    account->used += (int64_t)malloc_usable_size(fresh) - before;
    return fresh;
}

static int
memory_size(void *block)
{
    return (int)malloc_usable_size(block);
}

static int
memory_roundup(int size)
{
    return (size + 7) & ~7;
}

static int
memory_init(void *unused)
{
    return SQLITE_OK;
}

static void
memory_shutdown(void *unused)
{
}

void
memory_install(void)
{
    static sqlite3_mem_methods methods = {
        memory_malloc,  memory_free, memory_realloc,  memory_size,
        memory_roundup, memory_init, memory_shutdown, NULL,
    };
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    /* SQLite's own statistics would take one lock for every allocation of every thread. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void
memory_scope_begin(size_t limit, double deadline)
{
    memory_account.ceiling = memory_account.used + (int64_t)limit;
    memory_account.deadline = deadline;
    memory_account.cause = MEMORY_FINE;
    memory_account.scoped = true;
}

void
memory_scope_end(void)
{
    memory_account.scoped = false;
}

enum memory_cause
memory_cause(void)
{
    return memory_account.cause;
}

int64_t
memory_used(void)
{
    return memory_account.used;
}
