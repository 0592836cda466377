/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level functions keep libcrypto's providers, several megabytes of them, out of a static
 * binary. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "replica/etag.h"

#include "base/str.h"

#include <openssl/sha.h>
#include <sqlite3.h>
#include <string.h>

static SHA256_CTX etag_prefix;

static void
etag_add(SHA256_CTX *sha, const void *bytes, size_t length)
{
    uint64_t size = length;
    SHA256_Update(sha, &size, sizeof size);
    SHA256_Update(sha, bytes, length);
}

static void
etag_add_text(SHA256_CTX *sha, const char *text)
{
    etag_add(sha, text, strlen(text));
}

void
etag_setup(const struct identity *identity, const struct limits *limits)
{
    SHA256_Init(&etag_prefix);
    etag_add_text(&etag_prefix, EFFIGY_VERSION);
    etag_add_text(&etag_prefix, sqlite3_libversion());
    /* JSON answers carry the generation's name, which may change while the content does not. */
    etag_add_text(&etag_prefix, identity->generation);
    for (size_t i = 0; i < identity->count; i++) {
        etag_add_text(&etag_prefix, identity->databases[i].name);
        etag_add_text(&etag_prefix, identity->databases[i].digest);
    }
    uint64_t numbers[] = {limits->max_rows, limits->max_bytes};
    etag_add(&etag_prefix, numbers, sizeof numbers);
}

static void
etag_finish(SHA256_CTX *sha, char ret_tag[ETAG_ROOM])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_Final(digest, sha);
    ret_tag[0] = '"';
    str_hex(digest, 16, ret_tag + 1);
    memcpy(ret_tag + 33, "\"", 2);
}

void
etag_of_request(const struct request *request, char ret_tag[ETAG_ROOM])
{
    SHA256_CTX sha = etag_prefix;
    unsigned char format = (unsigned char)request->format;
    etag_add(&sha, &format, 1);
    etag_add(&sha, request->sql, request->sql_length);
    for (size_t i = 0; i < request->count; i++) {
        const struct param *param = &request->params[i];
        unsigned char kind = (unsigned char)param->kind;
        etag_add(&sha, param->name, param->name ? strlen(param->name) + 1 : 0);
        etag_add(&sha, &kind, 1);
        if (param->kind == PARAM_INTEGER)
            etag_add(&sha, &param->integer, sizeof param->integer);
        else if (param->kind == PARAM_REAL)
            etag_add(&sha, &param->real, sizeof param->real);
        else
            etag_add(&sha, param->data, param->length);
    }
    etag_finish(&sha, ret_tag);
}

void
etag_of_name(const char *name, char ret_tag[ETAG_ROOM])
{
    SHA256_CTX sha = etag_prefix;
    etag_add_text(&sha, name);
    etag_finish(&sha, ret_tag);
}

bool
etag_matches(const char *if_none_match, const char *tag)
{
    size_t length = strlen(tag);
    for (const char *p = if_none_match; p && *p;) {
        p += strspn(p, " \t,");
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        if (strncmp(p, tag, length) == 0)
            return true;
        p += strcspn(p, ",");
    }
    return false;
}
