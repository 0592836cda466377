/* SPDX-License-Identifier: Apache-2.0 */
/* What the layer files share. */
#ifndef EFFIGY_OCI_LAYER_INTERNAL_H
#define EFFIGY_OCI_LAYER_INTERNAL_H

#include "oci/layer-compress.h"
#include "oci/layer.h"

#include <locale.h>

/* libarchive converts names of entries by the thread's locale; what a layer says must not depend on
 * it. Between _enter and _leave the thread's character set is UTF-8. */
struct layer_locale {
    locale_t utf8, before;
};
struct layer_locale layer_locale_enter(void);
void layer_locale_leave(struct layer_locale *locale);

/* ERR_UNSUPPORTED, naming it, if it is no layer's media type. */
bool layer_compression_of_media_type(const char *media_type, enum oci_compression *ret_compression,
                                     struct err **err);

/* The walk over a layer's bytes wherever they come from (oci_layer_walk reads them from a store).
 * The input is read to its end, and *ret_diff_id is set, if the result is true. */
bool layer_walk_stream(layer_read_fn *read, void *context, enum oci_compression compression,
                       const struct oci_unpack_limits *limits, oci_layer_walk_fn *visit,
                       void *visit_context, struct oci_digest *ret_diff_id, struct err **err);
/* The next piece of the content of the entry in hand, without copying: 0 at its end, -1 on failure.
 */
ssize_t layer_walk_block(struct oci_layer_walk *walk, const void **ret_bytes, struct err **err);

#endif
