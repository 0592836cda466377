/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/answer.h"

#include "base/str.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t answer_budget;
static _Atomic uint64_t answer_used;

void
answer_set_budget(uint64_t bytes)
{
    answer_budget = bytes;
}

uint64_t
answer_buffered(void)
{
    return atomic_load_explicit(&answer_used, memory_order_relaxed);
}

#define ANSWER_SMALL 8192 /* always allowed: error messages, metrics */

static bool
answer_take(size_t bytes, size_t room)
{
    uint64_t used = atomic_fetch_add_explicit(&answer_used, bytes, memory_order_relaxed) + bytes;
    if (!answer_budget || used <= answer_budget || room <= ANSWER_SMALL)
        return true;
    atomic_fetch_sub_explicit(&answer_used, bytes, memory_order_relaxed);
    return false;
}

static char *
answer_grow(struct answer *answer, size_t need)
{
    size_t room = answer->room ? answer->room : 2048;
    while (room < need)
        room *= 2;
    if (!answer_take(room - answer->room, room)) {
        answer->cut = ANSWER_NO_BUDGET;
        return NULL;
    }
    char *data = realloc(answer->data, room);
    if (!data) {
        atomic_fetch_sub_explicit(&answer_used, room - answer->room, memory_order_relaxed);
        answer->cut = ANSWER_NO_BUDGET;
        return NULL;
    }
    answer->data = data;
    answer->room = room;
    return data + answer->length;
}

char *
answer_reserve(struct answer *answer, size_t more)
{
    if (answer->cut)
        return NULL;
    if (more > answer->limit - answer->length) {
        answer->cut = ANSWER_FULL;
        return NULL;
    }
    size_t need = answer->length + more;
    return need <= answer->room ? answer->data + answer->length : answer_grow(answer, need);
}

void
answer_append(struct answer *answer, const void *bytes, size_t length)
{
    char *end = length ? answer_reserve(answer, length) : NULL;
    if (!end)
        return;
    memcpy(end, bytes, length);
    answer->length += length;
}

void
answer_puts(struct answer *answer, const char *text)
{
    answer_append(answer, text, strlen(text));
}

void
answer_putc(struct answer *answer, char c)
{
    answer_append(answer, &c, 1);
}

/* Bytes that stand for themselves in a JSON string, as far as one byte can tell. */
static bool
answer_json_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void
answer_json_escape(struct answer *answer, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *s = shorts; *s; s += 2) {
        if ((unsigned char)s[0] == c) {
            answer_append(answer, (char[]){'\\', s[1]}, 2);
            return;
        }
    }
    char text[8];
    snprintf(text, sizeof text, "\\u%04x", c);
    answer_append(answer, text, 6);
}

bool
answer_json_string(struct answer *answer, const char *text, size_t length)
{
    size_t start = answer->length, i = 0;
    answer_putc(answer, '"');
    while (i < length && !answer->cut) {
        size_t run = i;
        bool ascii = true;
        while (i < length &&
               (answer_json_plain((unsigned char)text[i]) || (unsigned char)text[i] >= 0x80)) {
            ascii &= (unsigned char)text[i] < 0x80;
            i++;
        }
        if (!ascii && !str_is_utf8(text + run, i - run)) {
            answer_rewind(answer, start);
            return false;
        }
        answer_append(answer, text + run, i - run);
        if (i < length)
            answer_json_escape(answer, (unsigned char)text[i++]);
    }
    answer_putc(answer, '"');
    return true;
}

void
answer_base64(struct answer *answer, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;
    char *out = answer_reserve(answer, (length + 2) / 3 * 4);
    if (!out)
        return;
    answer->length += (length + 2) / 3 * 4;
    for (; length >= 3; length -= 3, p += 3) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }
    if (length) {
        unsigned v = (unsigned)p[0] << 16 | (length > 1 ? (unsigned)p[1] << 8 : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = length > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = '=';
    }
}

void
answer_integer(struct answer *answer, int64_t value)
{
    char text[24], *p = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    answer_append(answer, p, (size_t)(text + sizeof text - p));
}

void
answer_real(struct answer *answer, double value)
{
    if (isinf(value) || isnan(value)) {
        answer_puts(answer, isnan(value) ? "null" : value > 0 ? "9e999" : "-9e999");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    answer_puts(answer, text);
    if (!strpbrk(text, ".e"))
        answer_puts(answer, ".0");
}

void
answer_rewind(struct answer *answer, size_t length)
{
    answer->length = length;
    answer->cut = ANSWER_WHOLE;
}

void
answer_release(void *data, size_t room)
{
    free(data);
    atomic_fetch_sub_explicit(&answer_used, room, memory_order_relaxed);
}

void
answer_free(struct answer *answer)
{
    answer_release(answer->data, answer->room);
    *answer = (struct answer){0};
}
