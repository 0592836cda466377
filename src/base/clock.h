/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFFIGY_BASE_CLOCK_H
#define EFFIGY_BASE_CLOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

double clock_seconds(void);  /* monotonic, for durations */
int64_t clock_wall_ns(void); /* nanoseconds since 1970 */
void clock_sleep_ms(unsigned ms);

/* RFC 3339 in UTC. The first form has seconds ("2026-01-31T12:00:00Z"), the second nanoseconds.
 * To be freed. */
char *clock_rfc3339(int64_t wall_ns);
char *clock_rfc3339_ns(int64_t wall_ns);
/* Reads both forms; UTC ("Z") only. */
bool clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns);

/* SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch) in nanoseconds if it is set,
 * else `otherwise`. ERR_USAGE if it is not a number. */
bool clock_source_date(int64_t otherwise, int64_t *ret_wall_ns, struct err **err);

#endif
