/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer.h"

#include "base/mem.h"
#include "base/str.h"
#include "oci/layer-internal.h"

#include <string.h>

static const struct {
    const char *name, *media_type;
} layer_compressions[] = {
    [OCI_COMPRESSION_GZIP] = {"gzip", OCI_MEDIA_LAYER_GZIP},
    [OCI_COMPRESSION_NONE] = {"none", OCI_MEDIA_LAYER_TAR},
    [OCI_COMPRESSION_ZSTD] = {"zstd", OCI_MEDIA_LAYER_ZSTD},
};

bool
oci_compression_parse(const char *text, enum oci_compression *ret_compression)
{
    for (size_t i = 0; i < ARRAY_LENGTH(layer_compressions); i++) {
        if (strcmp(text, layer_compressions[i].name) == 0) {
            *ret_compression = (enum oci_compression)i;
            return true;
        }
    }
    return false;
}

const char *
oci_compression_media_type(enum oci_compression compression)
{
    return layer_compressions[compression].media_type;
}

bool
layer_compression_of_media_type(const char *media_type, enum oci_compression *ret_compression,
                                struct err **err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(layer_compressions); i++) {
        if (media_type && strcmp(media_type, layer_compressions[i].media_type) == 0) {
            *ret_compression = (enum oci_compression)i;
            return true;
        }
    }
    return err_set(err, ERR_UNSUPPORTED, 0, "layers of media type %s cannot be read",
                   str_or(media_type, "(none)"));
}

void
oci_layer_free(struct oci_layer *layer)
{
    oci_descriptor_free(&layer->descriptor);
    *layer = (struct oci_layer){0};
}

struct layer_locale
layer_locale_enter(void)
{
    struct layer_locale locale = {.utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};
    if (locale.utf8)
        locale.before = uselocale(locale.utf8);
    return locale;
}

void
layer_locale_leave(struct layer_locale *locale)
{
    if (!locale->utf8)
        return;
    uselocale(locale->before);
    freelocale(locale->utf8);
}
