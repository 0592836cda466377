/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images. Pure parsing.
 *
 *   oci:DIR[:TAG][@DIGEST]            an image layout in a folder (containers-transports(5))
 *   HOST[:PORT]/NAME[:TAG][@DIGEST]   a repository of a registry (OCI distribution spec 1.1)
 *
 * In the first form the last ':' begins a tag if no '/' follows it. What follows must then be one
 * ([A-Za-z0-9_][A-Za-z0-9._-]{0,127}), so that a slip in a tag is not taken for a folder's name. In
 * the second form HOST has a '.' or a ':' in it or is "localhost"; there is no default registry.
 */
#ifndef EFFIGY_OCI_REF_H
#define EFFIGY_OCI_REF_H

#include "base/err.h"
#include "oci/digest.h"

enum oci_transport {
    OCI_TRANSPORT_LAYOUT,
    OCI_TRANSPORT_REGISTRY,
};

struct oci_ref {
    enum oci_transport transport;
    char *location;           /* layout: the folder; registry: HOST[:PORT]/NAME */
    char *tag;                /* or NULL */
    struct oci_digest digest; /* or empty */
};

/* ERR_USAGE with a hint that shows a right one if text is none of the above. */
bool oci_ref_parse(const char *text, struct oci_ref *ret_ref, struct err **err);
char *oci_ref_format(const struct oci_ref *ref); /* the inverse; to be freed */
void oci_ref_free(struct oci_ref *ref);          /* the fields */
bool oci_tag_valid(const char *tag);

#endif
