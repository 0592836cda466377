/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000LL

double
clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t
clock_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void
clock_sleep_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&left, NULL);
}

static char *
clock_format(int64_t wall_ns, bool fraction)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    long ns = (long)(wall_ns % NS_PER_S);
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[40];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    return fraction ? mem_printf("%s.%09ldZ", date, ns) : mem_printf("%sZ", date);
}

char *
clock_rfc3339(int64_t wall_ns)
{
    return clock_format(wall_ns, false);
}

char *
clock_rfc3339_ns(int64_t wall_ns)
{
    return clock_format(wall_ns, true);
}

bool
clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns)
{
    struct tm tm = {0};
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!p)
        return false;
    int64_t ns = 0;
    if (*p == '.') {
        int64_t scale = NS_PER_S / 10;
        for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
            ns += (*p - '0') * scale;
    }
    if (strcmp(p, "Z") != 0)
        return false;
    int64_t whole;
    return !__builtin_mul_overflow((int64_t)timegm(&tm), (int64_t)NS_PER_S, &whole) &&
           !__builtin_add_overflow(whole, ns, ret_wall_ns);
}

bool
clock_source_date(int64_t otherwise, int64_t *ret_wall_ns, struct err **err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    if (!text || !*text) {
        *ret_wall_ns = otherwise;
        return true;
    }
    uint64_t seconds;
    if (!str_to_u64(text, 0, 253402300799ULL /* the end of the year 9999 */, &seconds))
        return err_set(err, ERR_USAGE, 0,
                       "SOURCE_DATE_EPOCH is '%s', not a number of seconds since 1970", text);
    /* Beyond 2262 nanoseconds do not fit; no clock of this century gets there. */
    if (seconds > (uint64_t)(INT64_MAX / NS_PER_S))
        return err_set(err, ERR_USAGE, 0, "SOURCE_DATE_EPOCH is %s, later than the year 2262",
                       text);
    *ret_wall_ns = (int64_t)seconds * NS_PER_S;
    return true;
}
