/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest-internal.h"

#include "base/mem.h"

#include <string.h>

/* Maps */

static size_t
map_find(const struct oci_map *map, const char *key, bool *ret_found)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(map->pairs[middle].key, key);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

void
oci_map_set(struct oci_map *map, const char *key, const char *value)
{
    bool found;
    size_t at = map_find(map, key, &found);
    if (found) {
        char *copy = mem_strdup(value); /* value may be the old one */
        free(map->pairs[at].value);
        map->pairs[at].value = copy;
        if (value)
            return;
        free(map->pairs[at].key);
        map->count--;
        memmove(&map->pairs[at], &map->pairs[at + 1], (map->count - at) * sizeof *map->pairs);
    } else if (value) {
        MEM_RESERVE(map->pairs, map->count, map->room);
        memmove(&map->pairs[at + 1], &map->pairs[at], (map->count - at) * sizeof *map->pairs);
        map->pairs[at] = (struct oci_pair){mem_strdup(key), mem_strdup(value)};
        map->count++;
    }
}

const char *
oci_map_get(const struct oci_map *map, const char *key)
{
    bool found;
    size_t at = map_find(map, key, &found);
    return found ? map->pairs[at].value : NULL;
}

void
oci_map_copy(struct oci_map *dst, const struct oci_map *src)
{
    *dst = (struct oci_map){0};
    for (size_t i = 0; i < src->count; i++)
        oci_map_set(dst, src->pairs[i].key, src->pairs[i].value);
}

void
oci_map_free(struct oci_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        free(map->pairs[i].key);
        free(map->pairs[i].value);
    }
    free(map->pairs);
    *map = (struct oci_map){0};
}

/* JSON */

json_t *
oci_json_load(const char *bytes, size_t length, size_t limit, const char *what, struct err **err)
{
    if (length > limit) {
        err_set(err, ERR_CORRUPT, 0, "%s is larger than the %zu bytes that it may have", what,
                limit);
        return NULL;
    }
    json_error_t why;
    json_t *json = json_loadb(bytes ? bytes : "", length, JSON_REJECT_DUPLICATES, &why);
    if (!json) {
        err_set(err, ERR_CORRUPT, 0, "%s is not valid JSON: %s (line %d, column %d)", what,
                why.text, why.line, why.column);
        return NULL;
    }
    if (!json_is_object(json)) {
        err_set(err, ERR_CORRUPT, 0, "%s is not a JSON object", what);
        json_decref(json);
        return NULL;
    }
    return json;
}

char *
oci_json_dump(const json_t *json)
{
    return json_dumps(json, JSON_COMPACT);
}

static const char *
json_type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    default:
        return "true or false";
    }
}

bool
oci_json_get(const json_t *object, const char *key, json_type type, enum oci_json_need need,
             const char *what, json_t **ret_member, struct err **err)
{
    json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) {
        if (need == OCI_JSON_REQUIRED)
            return err_set(err, ERR_CORRUPT, 0, "%s has no \"%s\"", what, key);
        *ret_member = NULL;
        return true;
    }
    json_type is = json_is_boolean(member) ? JSON_TRUE : json_typeof(member);
    if (is != type)
        return err_set(err, ERR_CORRUPT, 0, "\"%s\" of %s is not %s", key, what,
                       json_type_name(type));
    *ret_member = member;
    return true;
}

bool
oci_json_get_text(const json_t *object, const char *key, enum oci_json_need need, const char *what,
                  char **ret_text, struct err **err)
{
    json_t *member = NULL;
    if (!oci_json_get(object, key, JSON_STRING, need, what, &member, err))
        return false;
    *ret_text = mem_strdup(json_string_value(member));
    return true;
}

static int
pair_compare(const void *a, const void *b)
{
    return strcmp(((const struct oci_pair *)a)->key, ((const struct oci_pair *)b)->key);
}

bool
oci_json_get_map(const json_t *object, const char *key, const char *what, struct oci_map *ret_map,
                 struct err **err)
{
    json_t *members, *value;
    if (!oci_json_get(object, key, JSON_OBJECT, OCI_JSON_OPTIONAL, what, &members, err))
        return false;
    CLEANUP(oci_map_free) struct oci_map map = {0};
    const char *name;
    json_object_foreach(members, name, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_CORRUPT, 0, "\"%.100s\" in \"%s\" of %s is not a string", name,
                           key, what);
        MEM_RESERVE(map.pairs, map.count, map.room);
        map.pairs[map.count++] =
            (struct oci_pair){mem_strdup(name), mem_strdup(json_string_value(value))};
    }
    /* Not oci_map_set() for each: half a million hostile keys in falling order would take minutes.
     */
    if (map.count)
        qsort(map.pairs, map.count, sizeof *map.pairs, pair_compare);
    *ret_map = map;
    map = (struct oci_map){0};
    return true;
}

json_t *
oci_json_text(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    CLEANUP_FREE char *copy = mem_strdup(text);
    for (char *p = copy; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return json_string(copy);
}

void
oci_json_set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, oci_json_text(text));
}

void
oci_json_set_map(json_t *object, const char *key, const struct oci_map *map)
{
    if (!map->count)
        return;
    json_t *members = json_object();
    for (size_t i = 0; i < map->count; i++) {
        json_auto_t *name = oci_json_text(map->pairs[i].key);
        oci_json_set_text(members, json_string_value(name), map->pairs[i].value);
    }
    json_object_set_new(object, key, members);
}

/* Descriptors */

const char *
oci_platform_host_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__i386__)
    return "386";
#elif defined(__arm__)
    return "arm";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return "ppc64le";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__loongarch64)
    return "loong64";
#else
#error "unknown architecture: say what Go calls it (GOARCH)"
#endif
}

const char *
oci_media_type_map(const char *media_type)
{
    static const struct {
        const char *docker, *oci;
    } table[] = {
        {"application/vnd.docker.distribution.manifest.v2+json", OCI_MEDIA_MANIFEST},
        {"application/vnd.docker.distribution.manifest.list.v2+json", OCI_MEDIA_INDEX},
        {"application/vnd.docker.container.image.v1+json", OCI_MEDIA_CONFIG},
        {"application/vnd.docker.image.rootfs.diff.tar", OCI_MEDIA_LAYER_TAR},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_MEDIA_LAYER_GZIP},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (strcmp(media_type, table[i].docker) == 0)
            return table[i].oci;
    return media_type;
}

char *
oci_media_type_sniff(const json_t *document)
{
    const char *said = json_string_value(json_object_get(document, "mediaType"));
    if (said)
        return mem_strdup(oci_media_type_map(said));
    if (json_object_get(document, "manifests"))
        return mem_strdup(OCI_MEDIA_INDEX);
    return json_object_get(document, "layers") ? mem_strdup(OCI_MEDIA_MANIFEST) : NULL;
}

void
oci_descriptor_copy(struct oci_descriptor *dst, const struct oci_descriptor *src)
{
    *dst = (struct oci_descriptor){
        .media_type = mem_strdup(src->media_type),
        .digest = src->digest,
        .size = src->size,
        .platform = {mem_strdup(src->platform.os), mem_strdup(src->platform.architecture)},
    };
    oci_map_copy(&dst->annotations, &src->annotations);
}

void
oci_descriptor_free(struct oci_descriptor *descriptor)
{
    free(descriptor->media_type);
    free(descriptor->platform.os);
    free(descriptor->platform.architecture);
    oci_map_free(&descriptor->annotations);
    *descriptor = (struct oci_descriptor){0};
}

bool
oci_descriptor_from_json(const json_t *json, const char *what,
                         struct oci_descriptor *ret_descriptor, struct err **err)
{
    if (!json_is_object(json))
        return err_set(err, ERR_CORRUPT, 0, "%s is not an object", what);
    CLEANUP(oci_descriptor_free) struct oci_descriptor descriptor = {0};
    json_t *type, *digest, *size, *platform;
    if (!oci_json_get(json, "mediaType", JSON_STRING, OCI_JSON_REQUIRED, what, &type, err) ||
        !oci_json_get(json, "digest", JSON_STRING, OCI_JSON_REQUIRED, what, &digest, err) ||
        !oci_json_get(json, "size", JSON_INTEGER, OCI_JSON_REQUIRED, what, &size, err) ||
        !oci_json_get(json, "platform", JSON_OBJECT, OCI_JSON_OPTIONAL, what, &platform, err) ||
        !oci_json_get_map(json, "annotations", what, &descriptor.annotations, err))
        return false;
    if (!oci_digest_parse(json_string_value(digest), &descriptor.digest, err))
        return err_wrap(err, "%s", what);
    if (json_integer_value(size) < 0)
        return err_set(err, ERR_CORRUPT, 0, "\"size\" of %s is negative", what);
    descriptor.media_type = mem_strdup(oci_media_type_map(json_string_value(type)));
    descriptor.size = (uint64_t)json_integer_value(size);
    if (platform && (!oci_json_get_text(platform, "os", OCI_JSON_OPTIONAL, what,
                                        &descriptor.platform.os, err) ||
                     !oci_json_get_text(platform, "architecture", OCI_JSON_OPTIONAL, what,
                                        &descriptor.platform.architecture, err)))
        return false;
    *ret_descriptor = descriptor;
    descriptor = (struct oci_descriptor){0};
    return true;
}

json_t *
oci_descriptor_to_json(const struct oci_descriptor *descriptor)
{
    json_t *json = json_object();
    oci_json_set_text(json, "mediaType", descriptor->media_type);
    oci_json_set_text(json, "digest", descriptor->digest.text);
    json_object_set_new(json, "size", json_integer((json_int_t)descriptor->size));
    oci_json_set_map(json, "annotations", &descriptor->annotations);
    if (descriptor->platform.os || descriptor->platform.architecture) {
        json_t *platform = json_object();
        oci_json_set_text(platform, "architecture", descriptor->platform.architecture);
        oci_json_set_text(platform, "os", descriptor->platform.os);
        json_object_set_new(json, "platform", platform);
    }
    return json;
}
