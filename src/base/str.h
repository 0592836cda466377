/* SPDX-License-Identifier: Apache-2.0 */
/* Small things about text that are needed in more than one place. All pure. */
#ifndef EFFIGY_BASE_STR_H
#define EFFIGY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
static inline const char *
str_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* The whole of text as a decimal number in [min, max]; false if it is anything else. */
bool str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
/* "64k", "512MiB", "1g", "100" as bytes (k, m, g, t are powers of 1024). */
bool str_to_bytes(const char *text, uint64_t *ret_bytes);
/* "500ms", "30s", "5m", "2h", "1d", "10" (seconds) as milliseconds. */
bool str_to_milliseconds(const char *text, uint64_t *ret_ms);

/* "1.5 GB" / "12.3 MB" / "512 B": powers of 1000, as skopeo and docker print; to be freed. */
char *str_of_bytes(uint64_t bytes);
/* "3.2 s", "2m 10s", "5h 3m", "4d 2h"; to be freed. */
char *str_of_seconds(double seconds);

/* The candidate nearest to word by edit distance, or NULL if none is near enough to be meant. The
 * candidates end with NULL. */
const char *str_nearest(const char *word, const char *const *candidates);

/* Is it UTF-8 as RFC 3629 has it (no surrogates, no overlong forms)? */
bool str_is_utf8(const char *bytes, size_t length);

/* A name for a service or an attached database: [a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])? */
bool str_is_name(const char *text);

void str_hex(const uint8_t *bytes, size_t length, char *ret_hex /* 2 * length + 1 */);

#endif
