/* SPDX-License-Identifier: Apache-2.0 */
/* References and tags. What can be parsed must come back the same from format and parse, and name
 * no folder or repository that holds control characters. */
#include "base/mem.h"
#include "base/str.h"
#include "oci/ref.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)bytes, length);
    struct oci_ref ref, again;
    ERR_LOCAL(err);
    if (!oci_ref_parse(text, &ref, &err)) {
        if (!err || err->kind != ERR_USAGE || !err->hint)
            abort();
        return 0;
    }
    CLEANUP_FREE char *formatted = oci_ref_format(&ref);
    if (strcmp(formatted, text) != 0 || !ref.location[0] || (ref.tag && !oci_tag_valid(ref.tag)))
        abort();
    free(ref.tag);
    ref.tag = NULL;
    CLEANUP_FREE char *repository = oci_ref_format(&ref);
    if (!oci_ref_parse(repository, &again, NULL) || again.tag || again.transport != ref.transport ||
        !str_starts(again.location, ref.location) || !oci_digest_equal(&again.digest, &ref.digest))
        abort();
    oci_ref_free(&ref);
    oci_ref_free(&again);
    return 0;
}
