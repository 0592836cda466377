/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "sha256:"
#define PREFIX_LENGTH (sizeof PREFIX - 1)

bool
oci_digest_parse(const char *text, struct oci_digest *ret_digest, struct err **err)
{
    size_t hex = PREFIX_LENGTH + 2 * SHA256_BYTES;
    if (!str_starts(text, PREFIX) || strnlen(text, hex + 1) != hex ||
        strspn(text + PREFIX_LENGTH, "0123456789abcdef") != 2 * SHA256_BYTES)
        return err_set(err, ERR_CORRUPT, 0,
                       "\"%.80s\" is not a digest (sha256: and 64 lower-case hexadecimal digits)",
                       text);
    struct oci_digest digest = {""};
    memcpy(digest.text, text, hex);
    *ret_digest = digest;
    return true;
}

struct oci_digest
oci_digest_of_raw(const uint8_t raw[SHA256_BYTES])
{
    struct oci_digest digest = {PREFIX};
    str_hex(raw, SHA256_BYTES, digest.text + PREFIX_LENGTH);
    return digest;
}

struct oci_digest
oci_digest_of(const void *bytes, size_t length)
{
    uint8_t raw[SHA256_BYTES];
    sha256_of(bytes, length, raw);
    return oci_digest_of_raw(raw);
}

bool
oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

const char *
oci_digest_hex(const struct oci_digest *digest)
{
    return digest->text[0] ? digest->text + PREFIX_LENGTH : "";
}
