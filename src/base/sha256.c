/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include "base/mem.h"
#include "base/str.h"

#include <openssl/evp.h>

struct sha256 {
    EVP_MD_CTX *context;
};

static void
sha256_need(int ok)
{
    if (ok != 1) {
        fputs("effigy: libcrypto cannot compute SHA-256\n", stderr);
        abort();
    }
}

struct sha256 *
sha256_new(void)
{
    struct sha256 *sha = mem_new(sizeof *sha);
    sha->context = EVP_MD_CTX_new();
    sha256_need(sha->context != NULL);
    sha256_need(EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL));
    return sha;
}

void
sha256_reset(struct sha256 *sha)
{
    /* Naming the digest again would look it up again, which takes longer than hashing a short row.
     */
    sha256_need(EVP_DigestInit_ex(sha->context, NULL, NULL));
}

void
sha256_update(struct sha256 *sha, const void *bytes, size_t length)
{
    sha256_need(EVP_DigestUpdate(sha->context, bytes, length));
}

void
sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_BYTES])
{
    unsigned length = 0;
    sha256_need(EVP_DigestFinal_ex(sha->context, ret_digest, &length));
}

void
sha256_free(struct sha256 *sha)
{
    if (!sha)
        return;
    EVP_MD_CTX_free(sha->context);
    free(sha);
}

void
sha256_of(const void *bytes, size_t length, uint8_t ret_digest[SHA256_BYTES])
{
    unsigned size = 0;
    sha256_need(EVP_Digest(bytes, length, ret_digest, &size, EVP_sha256(), NULL));
}

void
sha256_hex_of(const void *bytes, size_t length, char ret_hex[SHA256_HEX_ROOM])
{
    uint8_t digest[SHA256_BYTES];
    sha256_of(bytes, length, digest);
    str_hex(digest, sizeof digest, ret_hex);
}
