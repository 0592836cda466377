/* SPDX-License-Identifier: Apache-2.0 */
#include "config/expand.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "config/value.h"

#include <string.h>

bool
config_has_reference(const char *text)
{
    return strstr(text, "${") != NULL;
}

static bool
expand_append(struct buf *out, const char *bytes, size_t length, const char *reference,
              struct err **err)
{
    if (!str_is_utf8(bytes, length) || !config_text_is_plain(bytes, length))
        return err_set(err, ERR_CONFIG, 0, "what %s stands for is not one line of UTF-8 text",
                       reference);
    buf_append(out, bytes, length);
    return true;
}

static bool
expand_env(const char *name, const char *reference, struct buf *out, struct err **err)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (!*name || !strchr(first, *name) ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                          "0123456789")])
        return err_set(err, ERR_CONFIG, 0, "%s does not hold the name of an environment variable",
                       reference);
    const char *value = getenv(name);
    if (value)
        return expand_append(out, value, strlen(value), reference, err);
    err_set(err, ERR_CONFIG, 0, "%s: the environment variable %s is not set", reference, name);
    return err_hint(err, "set it: export %s=...", name);
}

static bool
expand_file(const char *name, const char *reference, const char *base_dir, struct buf *out,
            struct err **err)
{
    if (!*name)
        return err_set(err, ERR_CONFIG, 0, "%s does not hold the path of a file", reference);
    CLEANUP_FREE char *path = file_join(base_dir, name);
    CLEANUP_BUF struct buf bytes = {0};
    if (!file_read(path, CONFIG_SECRET_LIMIT, &bytes, err)) {
        err_rekind(err, ERR_CONFIG);
        return err_wrap(err, "%s", reference);
    }
    size_t length = bytes.length;
    if (length && bytes.data[length - 1] == '\n')
        length--;
    if (length && bytes.data[length - 1] == '\r')
        length--;
    return expand_append(out, buf_text(&bytes), length, reference, err);
}

bool
config_expand(const char *text, const char *base_dir, char **ret_text, struct err **err)
{
    CLEANUP_BUF struct buf out = {0};
    const char *dollar;
    while ((dollar = strstr(text, "${"))) {
        bool escaped = dollar > text && dollar[-1] == '$';
        if (escaped) {
            buf_append(&out, text, (size_t)(dollar - 1 - text));
            buf_puts(&out, "${");
            text = dollar + 2;
            continue;
        }
        buf_append(&out, text, (size_t)(dollar - text));
        const char *end = strchr(dollar, '}');
        if (!end) {
            err_set(err, ERR_CONFIG, 0, "a reference begins with ${ and does not end");
            return err_hint(err, "close it with }, or write $${ for the characters ${ themselves");
        }
        CLEANUP_FREE char *reference = mem_strndup(dollar, (size_t)(end + 1 - dollar));
        CLEANUP_FREE char *inner = mem_strndup(dollar + 2, (size_t)(end - dollar - 2));
        bool ok;
        size_t before = out.length;
        if (strstr(inner, "${")) {
            return err_set(err, ERR_CONFIG, 0, "%s: a reference inside a reference is not allowed",
                           reference);
        } else if (str_starts(inner, "env:")) {
            ok = expand_env(inner + 4, reference, &out, err);
        } else if (str_starts(inner, "file:")) {
            ok = expand_file(inner + 5, reference, base_dir, &out, err);
        } else {
            err_set(err, ERR_CONFIG, 0, "%s is no reference that there is", reference);
            return err_hint(
                err,
                "there are ${env:NAME} and ${file:PATH}; $${ gives the characters ${ themselves");
        }
        if (!ok)
            return false;
        secret_add(buf_text(&out) + before, reference);
        text = end + 1;
    }
    buf_puts(&out, text);
    *ret_text = buf_steal(&out);
    return true;
}
