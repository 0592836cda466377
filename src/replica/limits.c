/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/limits.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum limits_kind {
    LIMIT_COUNT,
    LIMIT_BYTES,
    LIMIT_MILLISECONDS,
    LIMIT_SECONDS,
    LIMIT_SWITCH,
    LIMIT_TEXT
};

struct limits_key {
    const char *name;
    enum limits_kind kind;
    size_t offset;
    uint64_t otherwise, min, max;
    const char *shown; /* the default, as --help and docs/http.md have it */
    const char *help;
};

#define AT(field) offsetof(struct limits, field)

static const struct limits_key limits_keys[] = {
    {"EFFIGY_MAX_ROWS", LIMIT_COUNT, AT(max_rows), 10000, 1, UINT32_MAX, "10000",
     "rows of one answer"},
    {"EFFIGY_MAX_BYTES", LIMIT_BYTES, AT(max_bytes), 16 << 20, 1 << 10, 1 << 30, "16MiB",
     "bytes of one answer"},
    {"EFFIGY_MAX_TIME_MS", LIMIT_MILLISECONDS, AT(max_time_ms), 5000, 1, 86400000, "5000",
     "running time of one query"},
    {"EFFIGY_MAX_HEAP", LIMIT_BYTES, AT(max_heap), 64 << 20, 1 << 20, 1ULL << 40, "64MiB",
     "memory that one query may hold"},
    {"EFFIGY_QUEUE", LIMIT_COUNT, AT(queue), 128, 1, 1 << 20, "128",
     "queries that may wait for a worker"},
    {"EFFIGY_WORKERS", LIMIT_COUNT, AT(workers), 0, 0, 512, "0",
     "threads for queries (0: one per CPU allowed)"},
    {"EFFIGY_LOOPS", LIMIT_COUNT, AT(loops), 0, 0, 64, "0",
     "threads for connections (0: one per CPU allowed)"},
    {"EFFIGY_CACHE_SECONDS", LIMIT_SECONDS, AT(cache_seconds), 0, 0, 31536000, "0",
     "how long caches may keep an answer unasked"},
    {"EFFIGY_CORS", LIMIT_SWITCH, AT(cors), 0, 0, 1, "off", "let web pages of any origin read"},
    {"EFFIGY_MAX_CONNECTIONS", LIMIT_COUNT, AT(max_connections), 2048, 1, 1 << 20, "2048",
     "connections at once; more wait unaccepted"},
    {"EFFIGY_GRACE_MS", LIMIT_MILLISECONDS, AT(grace_ms), 8000, 0, 3600000, "8000",
     "time between SIGTERM and the end"},
    {"EFFIGY_LOCKING", LIMIT_SWITCH, AT(locking), 0, 0, 1, "off",
     "SQLite's file locks, no mmap (to compare)"},
    {"EFFIGY_ACCESS_LOG", LIMIT_SWITCH, AT(access_log), 0, 0, 1, "off",
     "one JSON line per request on stderr"},
    {"EFFIGY_PORT", LIMIT_COUNT, AT(port), 8080, 0, 65535, "8080",
     "port (0: any free one, said on stderr)"},
    {"EFFIGY_LISTEN", LIMIT_TEXT, AT(listen), 0, 0, 0, "all", "address to listen on"},
    {"EFFIGY_IDENTITY", LIMIT_TEXT, AT(identity), 0, 0, 0, "/effigy/generation.json",
     "what is served"},
};

static const char *
limits_kind_text(enum limits_kind kind)
{
    switch (kind) {
    case LIMIT_BYTES:
        return "a number of bytes such as 65536, 512KiB or 16MiB";
    case LIMIT_MILLISECONDS:
        return "a number of milliseconds, or a time such as 500ms or 5s";
    case LIMIT_SECONDS:
        return "a number of seconds, or a time such as 60s or 1h";
    case LIMIT_SWITCH:
        return "on or off";
    default:
        return "a number";
    }
}

static bool
limits_parse(enum limits_kind kind, const char *text, uint64_t *ret_value)
{
    bool plain = *text && isdigit((unsigned char)text[strlen(text) - 1]);
    switch (kind) {
    case LIMIT_COUNT:
        return str_to_u64(text, 0, UINT64_MAX, ret_value);
    case LIMIT_BYTES:
        return str_to_bytes(text, ret_value);
    case LIMIT_MILLISECONDS:
        return plain ? str_to_u64(text, 0, UINT64_MAX, ret_value)
                     : str_to_milliseconds(text, ret_value);
    case LIMIT_SECONDS:
        if (!str_to_milliseconds(text, ret_value))
            return false;
        *ret_value /= 1000;
        return true;
    case LIMIT_SWITCH:
        *ret_value = strcmp(text, "1") == 0 || strcmp(text, "on") == 0;
        return *ret_value || strcmp(text, "0") == 0 || strcmp(text, "off") == 0;
    case LIMIT_TEXT:
        break;
    }
    return false;
}

bool
limits_read(struct limits *ret_limits, struct err **err)
{
    struct limits limits = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(limits_keys); i++) {
        const struct limits_key *key = &limits_keys[i];
        const char *text = getenv(key->name);
        if (text && !*text)
            text = NULL;
        void *field = (char *)&limits + key->offset;
        if (key->kind == LIMIT_TEXT) {
            *(const char **)field = text;
            continue;
        }
        uint64_t *value = field;
        *value = key->otherwise;
        if (!text)
            continue;
        if (!limits_parse(key->kind, text, value)) {
            err_set(err, ERR_USAGE, 0, "%s is \"%.100s\"", key->name, text);
            return err_hint(err, "it must be %s", limits_kind_text(key->kind));
        }
        if (*value < key->min || *value > key->max) {
            err_set(err, ERR_USAGE, 0, "%s is \"%.100s\"", key->name, text);
            return err_hint(err, "it must be between %llu and %llu", (unsigned long long)key->min,
                            (unsigned long long)key->max);
        }
    }
    if (!limits.identity)
        limits.identity = "/effigy/generation.json";
    *ret_limits = limits;
    return true;
}

void
limits_describe(struct buf *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(limits_keys); i++) {
        const struct limits_key *key = &limits_keys[i];
        buf_printf(text, "  %-23s %s (%s)\n", key->name, key->help, key->shown);
    }
}
