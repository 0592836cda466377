/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

#define CPUS_MAX 1024.0

struct value_unit {
    const char *name;
    uint64_t factor;
};
static const struct value_unit units_bytes[] = {
    {"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"", 1},
};
static const struct value_unit units_duration[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static char *
value_with_unit(uint64_t value, const struct value_unit *unit)
{
    if (value == 0)
        return mem_strdup("0");
    while (value % unit->factor)
        unit++;
    return mem_printf("%llu%s", (unsigned long long)(value / unit->factor), unit->name);
}

static char *
value_number(enum config_type type, uint64_t value)
{
    if (type == CONFIG_BYTES)
        return value_with_unit(value, units_bytes);
    if (type == CONFIG_DURATION)
        return value_with_unit(value, units_duration);
    return mem_printf("%llu", (unsigned long long)value);
}

static bool
value_parse_number(enum config_type type, const char *text, uint64_t *ret_value)
{
    if (type == CONFIG_BYTES)
        return str_to_bytes(text, ret_value);
    if (type == CONFIG_DURATION)
        return str_to_milliseconds(text, ret_value);
    return str_to_u64(text, 0, UINT64_MAX, ret_value);
}

static bool
value_is_one_of(const char *text, const char *const *list)
{
    for (; list && *list; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

static bool
value_is_address(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Digits with at most one point inside; strtod would also take "inf", "0x1p3" and, in some locales,
 * "1,5". */
static bool
value_is_cpus(const char *text)
{
    size_t whole = strspn(text, "0123456789");
    size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    size_t length = whole + (text[whole] == '.' ? part + 1 : 0);
    if (!whole || (text[whole] == '.' && !part) || text[length] || length > 12)
        return false;
    double value = 0, scale = 1;
    for (const char *p = text; *p; p++) {
        if (*p != '.')
            value = value * 10 + (*p - '0');
        if (p > text + whole)
            scale *= 10;
    }
    return value / scale >= 0.01 && value / scale <= CPUS_MAX;
}

static bool
value_parse_bool(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"true", "yes", "on", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "no", "off", "False", "FALSE", NULL};
    *ret_value = value_is_one_of(text, yes);
    return *ret_value || value_is_one_of(text, no);
}

char *
config_value_describe(const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_STRING:
        return mem_strdup("a text that is not empty");
    case CONFIG_NAME:
        return mem_strdup("a name of lower-case letters, digits, '-' and '_'");
    case CONFIG_ADDRESS:
        return mem_strdup("an IPv4 or IPv6 address");
    case CONFIG_CPUS:
        return mem_strdup("a decimal number of CPUs from 0.01 to 1024");
    case CONFIG_BOOL:
        return mem_strdup("true or false");
    case CONFIG_LIST:
        return mem_strdup("a list");
    case CONFIG_MAPPING:
        return mem_strdup("a group of keys");
    case CONFIG_CHOICE: {
        CLEANUP_BUF struct buf text = {0};
        for (const char *const *choice = key->choices; *choice; choice++)
            buf_printf(&text, "%s%s",
                       choice == key->choices ? ""
                       : choice[1]            ? ", "
                                              : " or ",
                       *choice);
        return buf_steal(&text);
    }
    case CONFIG_UNSIGNED:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
        break;
    }
    static const char *const nouns[] = {
        [CONFIG_UNSIGNED] = "a number", [CONFIG_BYTES] = "a size", [CONFIG_DURATION] = "a time"};
    CLEANUP_FREE char *min = value_number(key->type, key->min),
                      *max = value_number(key->type, key->max);
    CLEANUP_FREE char *zero = key->zero ? mem_printf(", or 0 (%s)", key->zero) : mem_strdup("");
    return mem_printf("%s from %s to %s%s", nouns[key->type], min, max, zero);
}

static bool
value_refuse(const struct config_key *key, const char *shown, struct err **err)
{
    CLEANUP_FREE char *wanted = config_value_describe(key);
    err_set(err, ERR_CONFIG, 0, "%s is not %s", shown, wanted);
    const char *example = key->example ? key->example : key->initial;
    return example ? err_hint(err, "for example: %s: %s", key->name, example) : false;
}

static bool
value_parse(const struct config_key *key, void *member, const char *text)
{
    bool ok = false;
    switch (key->type) {
    case CONFIG_STRING:
        ok = *text;
        break;
    case CONFIG_NAME:
        ok = str_is_name(text);
        break;
    case CONFIG_ADDRESS:
        ok = value_is_address(text);
        break;
    case CONFIG_CPUS:
        ok = value_is_cpus(text);
        break;
    case CONFIG_CHOICE:
        ok = value_is_one_of(text, key->choices);
        break;
    case CONFIG_BOOL:
        return value_parse_bool(text, member);
    case CONFIG_UNSIGNED:
    case CONFIG_BYTES:
    case CONFIG_DURATION: {
        uint64_t value;
        if (!value_parse_number(key->type, text, &value) || value > key->max ||
            (value < key->min && !(key->zero && value == 0)))
            return false;
        *(uint64_t *)member = value;
        return true;
    }
    case CONFIG_LIST:
    case CONFIG_MAPPING:
        return false;
    }
    if (!ok)
        return false;
    free(*(char **)member);
    *(char **)member = mem_strdup(text);
    return true;
}

bool
config_value_set(const struct config_key *key, void *record, const char *text, const char *shown,
                 struct err **err)
{
    if (!value_parse(key, (char *)record + key->offset, text))
        return value_refuse(key, shown, err);
    if (!value_is_one_of(text, key->reserved))
        return true;
    err_set(err, ERR_CONFIG, 0, "%s is a name that the database keeps for itself", shown);
    return err_hint(err, "choose another name, for example '%s'", key->example);
}

void
config_value_set_initial(const struct config_key *key, void *record)
{
    void *member = (char *)record + key->offset;
    if (key->initial)
        value_parse(key, member, key->initial);
    else if (key->type == CONFIG_CPUS)
        *(char **)member = mem_strdup("");
}

char *
config_value_format(const struct config_key *key, const void *record)
{
    const void *member = (const char *)record + key->offset;
    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_NAME:
    case CONFIG_ADDRESS:
    case CONFIG_CPUS:
    case CONFIG_CHOICE:
        return mem_strdup(str_or(*(char *const *)member, ""));
    case CONFIG_BOOL:
        return mem_strdup(*(const bool *)member ? "true" : "false");
    case CONFIG_UNSIGNED:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
        if (!key->initial && *(const uint64_t *)member == 0)
            return mem_strdup("");
        return value_number(key->type, *(const uint64_t *)member);
    case CONFIG_LIST:
    case CONFIG_MAPPING:
        break;
    }
    return mem_strdup("");
}

char *
config_quote(const char *text)
{
    CLEANUP_BUF struct buf out = {0};
    size_t length = 0;
    buf_putc(&out, '\'');
    for (; text[length] && length < 40; length++) {
        unsigned char c = (unsigned char)text[length];
        if (c < 0x20 || c >= 0x7f)
            buf_printf(&out, "\\x%02x", c);
        else
            buf_putc(&out, (char)c);
    }
    buf_puts(&out, text[length] ? "...'" : "'");
    return buf_steal(&out);
}

bool
config_text_is_plain(const char *text, size_t length)
{
    /* As UTF-8: the C1 controls, and what YAML takes for line breaks, byte order marks or nothing
     * at all. */
    static const char *const others[] = {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf",
                                         "\xef\xbf\xbe", "\xef\xbf\xbf"};
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < length; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f)
            return false;
        if (p[i] == 0xc2 && i + 1 < length && p[i + 1] < 0xa0)
            return false;
        for (size_t k = 0; p[i] >= 0xe2 && i + 3 <= length && k < ARRAY_LENGTH(others); k++) {
            if (memcmp(p + i, others[k], 3) == 0)
                return false;
        }
    }
    return true;
}
