/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

bool
str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *text, const char *suffix)
{
    size_t a = strlen(text), b = strlen(suffix);
    return a >= b && memcmp(text + a - b, suffix, b) == 0;
}

/* strtoull takes signs and spaces; a number here starts with a digit. */
static bool
str_number(const char *text, uint64_t *ret_value, const char **ret_end)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno)
        return false;
    *ret_value = value;
    *ret_end = end;
    return true;
}

bool
str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    const char *end;
    if (!str_number(text, &value, &end) || *end || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

struct str_unit {
    const char *name;
    uint64_t factor;
};

static bool
str_with_unit(const char *text, const struct str_unit *units, uint64_t *ret_value)
{
    uint64_t value;
    const char *end;
    if (!str_number(text, &value, &end))
        return false;
    while (*end == ' ')
        end++;
    for (const struct str_unit *unit = units; unit->name; unit++) {
        if (strcasecmp(end, unit->name) == 0)
            return !__builtin_mul_overflow(value, unit->factor, ret_value);
    }
    return false;
}

bool
str_to_bytes(const char *text, uint64_t *ret_bytes)
{
    static const struct str_unit units[] = {
        {"", 1},
        {"b", 1},
        {"k", 1ULL << 10},
        {"kb", 1ULL << 10},
        {"kib", 1ULL << 10},
        {"m", 1ULL << 20},
        {"mb", 1ULL << 20},
        {"mib", 1ULL << 20},
        {"g", 1ULL << 30},
        {"gb", 1ULL << 30},
        {"gib", 1ULL << 30},
        {"t", 1ULL << 40},
        {"tb", 1ULL << 40},
        {"tib", 1ULL << 40},
        {NULL, 0},
    };
    return str_with_unit(text, units, ret_bytes);
}

bool
str_to_milliseconds(const char *text, uint64_t *ret_ms)
{
    static const struct str_unit units[] = {
        {"", 1000},     {"ms", 1},      {"s", 1000},     {"m", 60000},
        {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
    };
    return str_with_unit(text, units, ret_ms);
}

char *
str_of_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < ARRAY_LENGTH(units)) {
        value /= 1000;
        unit++;
    }
    return mem_printf(unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

char *
str_of_seconds(double seconds)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 10)
        return mem_printf("%.1f s", seconds);
    uint64_t s = (uint64_t)(seconds + 0.5);
    if (s < 60)
        return mem_printf("%u s", (unsigned)s);
    if (s < 3600)
        return mem_printf("%um %us", (unsigned)(s / 60), (unsigned)(s % 60));
    if (s < 86400)
        return mem_printf("%uh %um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
    return mem_printf("%llud %lluh", (unsigned long long)s / 86400,
                      (unsigned long long)s / 3600 % 24);
}

/* Damerau-Levenshtein (adjacent transpositions), on words of at most 63 bytes. */
static unsigned
str_distance(const char *a, const char *b)
{
    unsigned d[64][64];
    size_t n = strlen(a), m = strlen(b);
    if (n > 63 || m > 63)
        return 64;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *
str_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    unsigned least = (unsigned)(strlen(word) + 2) / 3 + 1;
    for (; *candidates; candidates++) {
        unsigned distance = str_distance(word, *candidates);
        if (distance < least) {
            least = distance;
            nearest = *candidates;
        }
    }
    return nearest;
}

bool
str_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + length;
    while (p < end) {
        unsigned char c = *p++;
        if (c < 0x80)
            continue;
        unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < more)
            return false;
        if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) ||
            (c == 0xf0 && p[0] < 0x90) || (c == 0xf4 && p[0] > 0x8f))
            return false;
        for (; more; more--, p++) {
            if ((*p & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

bool
str_is_name(const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 63)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
        bool inner = i > 0 && i + 1 < length && (text[i] == '-' || text[i] == '_');
        if (!alnum && !inner)
            return false;
    }
    return true;
}

void
str_hex(const uint8_t *bytes, size_t length, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * length] = '\0';
}
