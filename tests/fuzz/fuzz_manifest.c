/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, indexes and image configs; the first byte chooses. What can be parsed must come back
 * the same from a second trip through format and parse. */
#include "base/mem.h"
#include "oci/manifest.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* The text that parsing and formatting gives; NULL if it cannot be parsed. */
static char *
round_trip(int kind, const char *text, size_t length)
{
    char *result = NULL;
    if (kind == 0) {
        struct oci_manifest manifest;
        if (oci_manifest_parse(text, length, &manifest, NULL)) {
            result = oci_manifest_format(&manifest);
            oci_manifest_free(&manifest);
        }
    } else if (kind == 1) {
        struct oci_index index;
        if (oci_index_parse(text, length, &index, NULL)) {
            result = oci_index_format(&index);
            oci_index_free(&index);
        }
    } else {
        struct oci_config config;
        ERR_LOCAL(err);
        if (oci_config_parse(text, length, &config, &err)) {
            result = oci_config_format(&config);
            oci_config_free(&config);
        } else if (!err || !err->message[0])
            abort();
    }
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    int kind = (uint8_t)(bytes[0] - '0') % 3;
    CLEANUP_FREE char *once = round_trip(kind, (const char *)bytes + 1, length - 1);
    if (once) {
        CLEANUP_FREE char *twice = round_trip(kind, once, strlen(once));
        if (!twice || strcmp(once, twice) != 0)
            abort();
    }
    return 0;
}
