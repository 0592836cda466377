/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "base/mem.h"

#include <string.h>

static struct {
    struct secret {
        char *value, *shown;
    } * items;
    size_t count, room;
} secrets;

void
secret_add(const char *value, const char *shown)
{
    if (strlen(value) < SECRET_LENGTH_MIN)
        return;
    for (size_t i = 0; i < secrets.count; i++) {
        if (strcmp(secrets.items[i].value, value) == 0)
            return;
    }
    MEM_RESERVE(secrets.items, secrets.count, secrets.room);
    secrets.items[secrets.count++] = (struct secret){mem_strdup(value), mem_strdup(shown)};
}

static void
secret_hide_one(struct buf *text, const struct secret *secret)
{
    const char *rest = buf_text(text);
    const char *found = strstr(rest, secret->value);
    if (!found)
        return;
    struct buf out = {0};
    for (; found; found = strstr(rest, secret->value)) {
        buf_append(&out, rest, (size_t)(found - rest));
        buf_puts(&out, secret->shown);
        rest = found + strlen(secret->value);
    }
    buf_puts(&out, rest);
    buf_free(text);
    *text = out;
}

void
secret_hide(struct buf *text)
{
    for (size_t i = 0; i < secrets.count; i++)
        secret_hide_one(text, &secrets.items[i]);
}

void
secret_forget_all(void)
{
    for (size_t i = 0; i < secrets.count; i++) {
        explicit_bzero(secrets.items[i].value, strlen(secrets.items[i].value));
        free(secrets.items[i].value);
        free(secrets.items[i].shown);
    }
    free(secrets.items);
    memset(&secrets, 0, sizeof secrets);
}
