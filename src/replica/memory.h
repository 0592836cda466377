/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's memory, counted per thread. Within a scope a thread may hold `limit` bytes more than at
 * its start and allocates nothing after its deadline; SQLite then fails with SQLITE_NOMEM, and
 * memory_cause() says which of the two it was. The deadline matters while a statement is being
 * compiled or a function runs long, where SQLite calls no progress handler.
 */
#ifndef EFFIGY_REPLICA_MEMORY_H
#define EFFIGY_REPLICA_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum memory_cause { MEMORY_FINE = 0, MEMORY_LIMIT, MEMORY_DEADLINE, MEMORY_EXHAUSTED };

/* Before sqlite3_initialize(). */
void memory_install(void);

/* deadline is in clock_seconds(). Scopes do not nest. */
void memory_scope_begin(size_t limit, double deadline);
void memory_scope_end(void);
enum memory_cause memory_cause(void); /* why an allocation failed in this scope or the last one */
int64_t memory_used(void);            /* bytes that this thread's connections hold */

#endif
