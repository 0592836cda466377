/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacked images, shared by all replicas and generations:
 *
 *   <root>/layers/<diff_id>/            one layer, unpacked once
 *   <root>/images/<manifest digest>/    rootfs/, and config.json as in the image
 *   <root>/lock                         held by who adds or removes (flock)
 *
 * A rootfs is put together from its layers by hard links, so that it needs no mount and no
 * privilege, and that a file of two generations is one inode with one page cache. Nothing in it is
 * ever written to. What is half-done has a name that begins with '.', and is removed by the next
 * who takes the lock.
 */
#ifndef EFFIGY_RUNTIME_LOCAL_IMAGE_H
#define EFFIGY_RUNTIME_LOCAL_IMAGE_H

#include "base/err.h"
#include "oci/store.h"

#include <stdbool.h>

/* Unpacks the layers that are not there and puts the rootfs together; waits for another process
 * that does so. ERR_CORRUPT if manifest, config and layers do not belong together. */
bool image_prepare(const char *root, struct oci_store *store, const struct oci_descriptor *manifest,
                   struct err **err);
/* The folder of a prepared image's rootfs (to be freed) and its config. ERR_NOT_FOUND if it is not
 * prepared. */
bool image_open(const char *root, const struct oci_digest *manifest, char **ret_rootfs,
                struct oci_config *ret_config, struct err **err);
/* Removes the images of the service (their label io.effigy.service) that are not among `keep`
 * (manifest digests) and were last asked for at least min_age seconds ago, and the layers that then
 * are of no image. */
bool image_prune(const char *root, const char *service, const struct oci_digest *keep, size_t count,
                 unsigned min_age, unsigned *ret_removed, struct err **err);

#endif
