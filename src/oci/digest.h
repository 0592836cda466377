/* SPDX-License-Identifier: Apache-2.0 */
/* Digests (OCI image spec 1.1, descriptor.md, "Digests"). Only sha256 is accepted: "sha256:" and 64
 * lower-case hexadecimal digits. */
#ifndef EFFIGY_OCI_DIGEST_H
#define EFFIGY_OCI_DIGEST_H

#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

#define OCI_DIGEST_ROOM 72 /* "sha256:" + 64 + NUL */

struct oci_digest {
    char text[OCI_DIGEST_ROOM]; /* "" where there is none */
};

/* ERR_CORRUPT if text is not a digest as above. */
bool oci_digest_parse(const char *text, struct oci_digest *ret_digest, struct err **err);
struct oci_digest oci_digest_of(const void *bytes, size_t length);
struct oci_digest oci_digest_of_raw(const uint8_t raw[SHA256_BYTES]);
bool oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b);
const char *oci_digest_hex(const struct oci_digest *digest); /* the part behind "sha256:" */

#endif
