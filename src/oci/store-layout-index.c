/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store-layout-internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/manifest-internal.h"

#include <string.h>

#define INDEX_LIMIT (16u << 20) /* bytes; some ten thousand tags */
#define REF_NAME "org.opencontainers.image.ref.name"
#define TAGS_SHOWN 12

/* index.json. It is handled as JSON, not as a struct oci_index, so that what other tools wrote into
 * it stays as it is. */

static json_t *
index_load(const struct oci_layout *layout, const char *what, json_t **ret_manifests,
           struct err **err)
{
    CLEANUP_BUF struct buf bytes = {0};
    bool missing;
    if (!oci_layout_read_file(layout, OCI_LAYOUT_INDEX, INDEX_LIMIT, &bytes, &missing, err)) {
        if (missing)
            err_set(err, ERR_CORRUPT, 0, "%s is missing", what);
        return NULL;
    }
    json_auto_t *json = oci_json_load(bytes.data, bytes.length, INDEX_LIMIT, what, err);
    json_t *version, *manifests;
    if (!json ||
        !oci_json_get(json, "schemaVersion", JSON_INTEGER, OCI_JSON_REQUIRED, what, &version,
                      err) ||
        !oci_json_get(json, "manifests", JSON_ARRAY, OCI_JSON_REQUIRED, what, &manifests, err))
        return NULL;
    if (json_integer_value(version) != 2) {
        err_set(err, ERR_UNSUPPORTED, 0, "%s has the schema version %lld; only 2 is known", what,
                (long long)json_integer_value(version));
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(manifests); i++)
        if (!json_is_object(json_array_get(manifests, i))) {
            err_set(err, ERR_CORRUPT, 0,
                    "\"manifests\" in %s holds something that is not an object", what);
            return NULL;
        }
    *ret_manifests = manifests;
    return steal_ptr(&json);
}

/* The tag of an entry of index.json; NULL if it has none, or one that no reference can name. */
static const char *
index_entry_tag(const json_t *entry)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(entry, "annotations"), REF_NAME));
    return name && oci_tag_valid(name) ? name : NULL;
}

bool
oci_layout_list_tags(struct oci_store *store, struct oci_tag **ret_tags, size_t *ret_count,
                     struct err **err)
{
    const struct oci_layout *layout = (const struct oci_layout *)store;
    CLEANUP_FREE char *what = file_join(layout->path, OCI_LAYOUT_INDEX);
    json_t *manifests;
    json_auto_t *json = index_load(layout, what, &manifests, err);
    if (!json)
        return false;
    size_t entries = json_array_size(manifests), count = 0;
    struct oci_tag *tags = mem_new_array(entries ? entries : 1, sizeof *tags);
    for (size_t i = 0; i < entries; i++) {
        const json_t *entry = json_array_get(manifests, i);
        const char *name = index_entry_tag(entry);
        if (!name)
            continue;
        tags[count].name = mem_strdup(name);
        CLEANUP_FREE char *where = mem_printf("the tag %s in %s", name, what);
        if (!oci_descriptor_from_json(entry, where, &tags[count++].descriptor, err)) {
            oci_tags_free(tags, count);
            return false;
        }
    }
    *ret_tags = tags;
    *ret_count = count;
    return true;
}

static bool
index_refuse_tag(const struct oci_layout *layout, const char *tag, const json_t *manifests,
                 struct err **err)
{
    CLEANUP_BUF struct buf list = {0};
    size_t shown = 0;
    /* From the end: where tags are sorted, the newest generations are there. */
    for (size_t i = json_array_size(manifests); i-- > 0 && shown < TAGS_SHOWN;) {
        const char *name = index_entry_tag(json_array_get(manifests, i));
        if (name)
            buf_printf(&list, "%s%s", shown++ ? ", " : "", name);
    }
    err_set(err, ERR_NOT_FOUND, 0, "there is no tag %s in %s", tag, layout->base.location);
    if (!shown)
        return err_hint(err, "it has no tags yet: \"effigy publish\" makes the first");
    return err_hint(err, "it has %s%s", buf_text(&list), shown == TAGS_SHOWN ? ", ..." : "");
}

bool
oci_layout_find_tag(const struct oci_layout *layout, const char *tag,
                    struct oci_descriptor *ret_descriptor, struct err **err)
{
    CLEANUP_FREE char *what = file_join(layout->path, OCI_LAYOUT_INDEX);
    CLEANUP_FREE char *where = mem_printf("the tag %s in %s", tag, what);
    json_t *manifests;
    json_auto_t *json = index_load(layout, what, &manifests, err);
    if (!json)
        return false;
    CLEANUP(oci_descriptor_free) struct oci_descriptor found = {0};
    for (size_t i = 0; i < json_array_size(manifests); i++) {
        const json_t *entry = json_array_get(manifests, i);
        if (strcmp(str_or(index_entry_tag(entry), ""), tag) != 0)
            continue;
        struct oci_descriptor descriptor = {0};
        if (!oci_descriptor_from_json(entry, where, &descriptor, err))
            return false;
        bool again = found.media_type && !oci_digest_equal(&found.digest, &descriptor.digest);
        oci_descriptor_free(&found);
        found = descriptor;
        if (again)
            return err_set(err, ERR_CORRUPT, 0, "%s is there twice, for different images", where);
    }
    if (!found.media_type)
        return index_refuse_tag(layout, tag, manifests, err);
    *ret_descriptor = found;
    found = (struct oci_descriptor){0};
    return true;
}

struct index_entry {
    json_t *json;
    const char *name;
    size_t position;
};

static int
index_entry_compare(const void *a, const void *b)
{
    const struct index_entry *x = a, *y = b;
    int order = strcmp(str_or(x->name, ""), str_or(y->name, ""));
    return order ? order : x->position < y->position ? -1 : x->position > y->position;
}

/* Entries without a tag first, in the order that they had; then by tag: index.json does not depend
 * on the order in which the tags came. */
static json_t *
index_sorted(const json_t *manifests)
{
    size_t count = json_array_size(manifests);
    CLEANUP_FREE struct index_entry *entries = mem_new_array(count ? count : 1, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_array_get(manifests, i);
        entries[i] = (struct index_entry){entry, index_entry_tag(entry), i};
    }
    qsort(entries, count, sizeof *entries, index_entry_compare);
    json_t *sorted = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, entries[i].json);
    return sorted;
}

static void
index_set_tag(json_t *manifests, const struct oci_tag_change *change)
{
    for (size_t i = json_array_size(manifests); i-- > 0;)
        if (strcmp(str_or(index_entry_tag(json_array_get(manifests, i)), ""), change->name) == 0)
            json_array_remove(manifests, i);
    if (!change->descriptor)
        return;
    CLEANUP(oci_descriptor_free) struct oci_descriptor descriptor;
    oci_descriptor_copy(&descriptor, change->descriptor);
    oci_map_set(&descriptor.annotations, REF_NAME, change->name);
    json_array_append_new(manifests, oci_descriptor_to_json(&descriptor));
}

bool
oci_layout_set_tags(struct oci_store *store, const struct oci_tag_change *changes, size_t count,
                    struct err **err)
{
    const struct oci_layout *layout = (const struct oci_layout *)store;
    CLEANUP_FREE char *what = file_join(layout->path, OCI_LAYOUT_INDEX);
    json_t *manifests;
    json_auto_t *json = index_load(layout, what, &manifests, err);
    if (!json)
        return false;
    CLEANUP_FREE char *was = oci_json_dump(json);
    for (size_t i = 0; i < count; i++) {
        const struct oci_descriptor *descriptor = changes[i].descriptor;
        bool has = true;
        if (descriptor &&
            !oci_layout_has_blob(store, &descriptor->digest, descriptor->size, &has, err))
            return false;
        if (!has)
            return err_set(err, ERR_NOT_FOUND, 0, "cannot point the tag %s at %s: it is not in %s",
                           changes[i].name, descriptor->digest.text, store->location);
        index_set_tag(manifests, &changes[i]);
    }
    json_object_set_new(json, "manifests", index_sorted(manifests));
    CLEANUP_FREE char *text = oci_json_dump(json);
    if (strcmp(text, was) == 0)
        return true;
    if (strlen(text) > INDEX_LIMIT)
        return err_set(err, ERR_UNSUPPORTED, 0,
                       "%s would be larger than the %u bytes that it may have", what, INDEX_LIMIT);
    return oci_layout_replace_file(layout, OCI_LAYOUT_INDEX, text, err);
}
