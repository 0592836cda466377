/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) by libcrypto. */
#ifndef EFFIGY_BASE_SHA256_H
#define EFFIGY_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_ROOM 65

struct sha256;
struct sha256 *sha256_new(void);
void sha256_update(struct sha256 *sha, const void *bytes, size_t length);
/* Ends the computation; only sha256_reset() and sha256_free() may follow. */
void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_BYTES]);
void sha256_reset(struct sha256 *sha);
void sha256_free(struct sha256 *sha);

void sha256_of(const void *bytes, size_t length, uint8_t ret_digest[SHA256_BYTES]);
void sha256_hex_of(const void *bytes, size_t length, char ret_hex[SHA256_HEX_ROOM]);

static inline void
sha256_cleanup(struct sha256 **sha)
{
    sha256_free(*sha);
}
#define CLEANUP_SHA256 __attribute__((cleanup(sha256_cleanup)))

#endif
