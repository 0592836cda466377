/* SPDX-License-Identifier: Apache-2.0 */
/* A store in the test's own folder, and small images to put into it. */
#ifndef EFFIGY_TESTS_STORE_FIXTURE_H
#define EFFIGY_TESTS_STORE_FIXTURE_H

#include "unit.h"

#include "oci/store.h"

#include <string.h>

__attribute__((unused)) static struct oci_store *
store_open(const char *folder, enum oci_store_mode mode, struct err **err)
{
    struct oci_ref ref = {.transport = OCI_TRANSPORT_LAYOUT, .location = (char *)folder};
    struct oci_store *store;
    return oci_store_open(&ref, mode, &store, err) ? store : NULL;
}

/* Open and locked, or the test fails. */
__attribute__((unused)) static struct oci_store *
store_open_locked(const char *folder)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open(folder, OCI_STORE_CREATE, &err);
    assert_ok(store, err);
    assert_ok(oci_store_lock(store, &err), err);
    return store;
}

__attribute__((unused)) static struct oci_descriptor
store_put_text(struct oci_store *store, const char *media_type, const char *text)
{
    ERR_LOCAL(err);
    struct oci_descriptor blob = {.media_type = mem_strdup(media_type), .size = strlen(text)};
    assert_ok(oci_store_put_blob(store, text, strlen(text), &blob.digest, NULL, &err), err);
    return blob;
}

/* An image of one layer, whose content is `text`; `diff_ids` says how many its config names. */
__attribute__((unused)) static struct oci_descriptor
store_put_image(struct oci_store *store, const char *text, size_t diff_ids)
{
    ERR_LOCAL(err);
    struct oci_manifest manifest = {.layers = mem_new(sizeof *manifest.layers), .layer_count = 1};
    manifest.layers[0] = store_put_text(store, OCI_MEDIA_LAYER_TAR, text);
    struct oci_digest ids[] = {manifest.layers[0].digest, manifest.layers[0].digest};
    struct oci_config config = {.architecture = (char *)"amd64",
                                .os = (char *)"linux",
                                .user = (char *)text,
                                .diff_ids = ids,
                                .diff_id_count = diff_ids};
    CLEANUP_FREE char *config_text = oci_config_format(&config);
    manifest.config = store_put_text(store, OCI_MEDIA_CONFIG, config_text);
    CLEANUP_FREE char *manifest_text = oci_manifest_format(&manifest);
    struct oci_descriptor descriptor;
    assert_ok(oci_store_put_manifest(store, OCI_MEDIA_MANIFEST, manifest_text,
                                     strlen(manifest_text), &descriptor, NULL, &err),
              err);
    oci_manifest_free(&manifest);
    return descriptor;
}

__attribute__((unused)) static void
store_set_tag(struct oci_store *store, const char *name, const struct oci_descriptor *descriptor)
{
    ERR_LOCAL(err);
    struct oci_tag_change change = {name, descriptor};
    assert_ok(oci_store_set_tags(store, &change, 1, &err), err);
}

#endif
