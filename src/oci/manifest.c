/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest-internal.h"

#include "base/mem.h"

#include <string.h>

/* What a manifest and an index have in common: the version, and a media type that must not
 * contradict how the document is used. A document with both "layers" and "manifests" could be read
 * as either by different tools (CVE-2021-41190), so it is refused. */
static json_t *
document_load(const char *bytes, size_t length, const char *media_type, const char *foreign,
              const char *what, struct err **err)
{
    json_auto_t *json = oci_json_load(bytes, length, OCI_MANIFEST_LIMIT, what, err);
    json_t *version, *type;
    if (!json ||
        !oci_json_get(json, "schemaVersion", JSON_INTEGER, OCI_JSON_REQUIRED, what, &version,
                      err) ||
        !oci_json_get(json, "mediaType", JSON_STRING, OCI_JSON_OPTIONAL, what, &type, err))
        return NULL;
    if (json_integer_value(version) != 2) {
        err_set(err, ERR_UNSUPPORTED, 0, "%s has the schema version %lld; only 2 is known", what,
                (long long)json_integer_value(version));
        return NULL;
    }
    if (type && strcmp(oci_media_type_map(json_string_value(type)), media_type) != 0) {
        err_set(err, ERR_CORRUPT, 0, "%s says that it is of the media type \"%.200s\"", what,
                json_string_value(type));
        return NULL;
    }
    if (json_object_get(json, foreign)) {
        err_set(err, ERR_CORRUPT, 0,
                "%s also has \"%s\", so that it could be taken for something else", what, foreign);
        return NULL;
    }
    return steal_ptr(&json);
}

static bool
descriptors_from_json(const json_t *array, const char *what,
                      struct oci_descriptor **ret_descriptors, size_t *ret_count, struct err **err)
{
    size_t count = json_array_size(array);
    *ret_descriptors = mem_new_array(count ? count : 1, sizeof **ret_descriptors);
    for (*ret_count = 0; *ret_count < count; ++*ret_count) {
        CLEANUP_FREE char *name = mem_printf("%s %zu", what, *ret_count);
        if (!oci_descriptor_from_json(json_array_get(array, *ret_count), name,
                                      &(*ret_descriptors)[*ret_count], err))
            return false;
    }
    return true;
}

static json_t *
descriptors_to_json(const struct oci_descriptor *descriptors, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, oci_descriptor_to_json(&descriptors[i]));
    return array;
}

static void
descriptors_free(struct oci_descriptor *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        oci_descriptor_free(&descriptors[i]);
    free(descriptors);
}

static json_t *
document_new(const char *media_type)
{
    json_t *json = json_object();
    json_object_set_new(json, "schemaVersion", json_integer(2));
    oci_json_set_text(json, "mediaType", media_type);
    return json;
}

bool
oci_manifest_parse(const char *bytes, size_t length, struct oci_manifest *ret_manifest,
                   struct err **err)
{
    const char *what = "the manifest";
    json_auto_t *json = document_load(bytes, length, OCI_MEDIA_MANIFEST, "manifests", what, err);
    if (!json)
        return false;
    CLEANUP(oci_manifest_free) struct oci_manifest manifest = {0};
    json_t *config, *layers;
    if (!oci_json_get(json, "config", JSON_OBJECT, OCI_JSON_REQUIRED, what, &config, err) ||
        !oci_json_get(json, "layers", JSON_ARRAY, OCI_JSON_REQUIRED, what, &layers, err) ||
        !oci_json_get_map(json, "annotations", what, &manifest.annotations, err) ||
        !oci_descriptor_from_json(config, "the manifest's config", &manifest.config, err))
        return false;
    if (json_array_size(layers) > OCI_LAYERS_LIMIT)
        return err_set(err, ERR_CORRUPT, 0, "the manifest has %zu layers; at most %d are possible",
                       json_array_size(layers), OCI_LAYERS_LIMIT);
    if (!descriptors_from_json(layers, "the manifest's layer", &manifest.layers,
                               &manifest.layer_count, err))
        return false;
    *ret_manifest = manifest;
    manifest = (struct oci_manifest){0};
    return true;
}

char *
oci_manifest_format(const struct oci_manifest *manifest)
{
    json_auto_t *json = document_new(OCI_MEDIA_MANIFEST);
    json_object_set_new(json, "config", oci_descriptor_to_json(&manifest->config));
    json_object_set_new(json, "layers",
                        descriptors_to_json(manifest->layers, manifest->layer_count));
    oci_json_set_map(json, "annotations", &manifest->annotations);
    return oci_json_dump(json);
}

void
oci_manifest_free(struct oci_manifest *manifest)
{
    oci_descriptor_free(&manifest->config);
    descriptors_free(manifest->layers, manifest->layer_count);
    oci_map_free(&manifest->annotations);
    *manifest = (struct oci_manifest){0};
}

bool
oci_index_parse(const char *bytes, size_t length, struct oci_index *ret_index, struct err **err)
{
    const char *what = "the index";
    json_auto_t *json = document_load(bytes, length, OCI_MEDIA_INDEX, "layers", what, err);
    if (!json)
        return false;
    CLEANUP(oci_index_free) struct oci_index index = {0};
    json_t *manifests;
    if (!oci_json_get(json, "manifests", JSON_ARRAY, OCI_JSON_REQUIRED, what, &manifests, err) ||
        !oci_json_get_map(json, "annotations", what, &index.annotations, err) ||
        !descriptors_from_json(manifests, "the index's manifest", &index.manifests, &index.count,
                               err))
        return false;
    *ret_index = index;
    index = (struct oci_index){0};
    return true;
}

char *
oci_index_format(const struct oci_index *index)
{
    json_auto_t *json = document_new(OCI_MEDIA_INDEX);
    json_object_set_new(json, "manifests", descriptors_to_json(index->manifests, index->count));
    oci_json_set_map(json, "annotations", &index->annotations);
    return oci_json_dump(json);
}

void
oci_index_free(struct oci_index *index)
{
    descriptors_free(index->manifests, index->count);
    oci_map_free(&index->annotations);
    *index = (struct oci_index){0};
}
