/* SPDX-License-Identifier: Apache-2.0 */
#include "control/generation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define GENERATION_NOTE "position"

bool
generation_tag_parse(const char *tag, unsigned *ret_number)
{
    uint64_t number;
    /* "g007" would be a second name of g7. */
    if (tag[0] != 'g' || tag[1] == '0' || !str_to_u64(tag + 1, 1, 1u << 30, &number))
        return false;
    *ret_number = (unsigned)number;
    return true;
}

/* With the newest generation that there is in the hint. */
static bool
generation_not_found(struct oci_store *store, const char *tag, struct err **err)
{
    struct oci_tag *tags = NULL;
    size_t count = 0;
    unsigned newest = 0;
    if (oci_store_list_tags(store, &tags, &count, NULL)) {
        for (size_t i = 0; i < count; i++) {
            unsigned number;
            if (generation_tag_parse(tags[i].name, &number) && number > newest)
                newest = number;
        }
        oci_tags_free(tags, count);
    }
    err_set(err, ERR_NOT_FOUND, 0, "there is no generation %s in %s", tag,
            oci_store_location(store));
    if (newest)
        return err_hint(err, "the newest is g%u; effigy log lists them all", newest);
    return err_hint(err, "nothing has been published yet: effigy publish");
}

/* Takes what every generation must carry out of its annotations. */
static bool
generation_take(const struct oci_map *map, const char *key, const char *tag, char **ret_value,
                struct err **err)
{
    const char *value = oci_map_get(map, key);
    if (!value)
        return err_set(err, ERR_CORRUPT, 0,
                       "the image %s has no annotation %s, so it is no generation of Effigy", tag,
                       key);
    *ret_value = mem_strdup(value);
    return true;
}

static bool
generation_fill(struct generation *generation, const char *tag, const struct oci_manifest *manifest,
                const struct oci_config *config, struct err **err)
{
    const struct oci_map *map = &manifest->annotations;
    CLEANUP_FREE char *number = NULL, *exact = NULL, *created = NULL, *bytes = NULL;
    if (!generation_take(map, GENERATION_KEY_GENERATION, tag, &number, err) ||
        !generation_take(map, GENERATION_KEY_SERVICE, tag, &generation->service, err) ||
        !generation_take(map, GENERATION_KEY_POSITION, tag, &generation->position, err) ||
        !generation_take(map, GENERATION_KEY_POSITION_EXACT, tag, &exact, err) ||
        !generation_take(map, GENERATION_KEY_ENGINE, tag, &generation->engine, err) ||
        !generation_take(map, GENERATION_KEY_ENGINE_VERSION, tag, &generation->engine_version,
                         err) ||
        !generation_take(map, GENERATION_KEY_FORMAT, tag, &generation->format, err) ||
        !generation_take(map, GENERATION_KEY_DATA_BYTES, tag, &bytes, err) ||
        !generation_take(map, "org.opencontainers.image.created", tag, &created, err))
        return false;
    generation->parent = mem_strdup(oci_map_get(map, GENERATION_KEY_PARENT));
    generation->parent_digest = mem_strdup(oci_map_get(map, GENERATION_KEY_PARENT_DIGEST));
    generation->position_exact = strcmp(exact, "true") == 0;
    if (!generation_tag_parse(number, &generation->number) ||
        !clock_parse_rfc3339(created, &generation->created_ns) ||
        !str_to_u64(bytes, 0, UINT64_MAX, &generation->data_bytes))
        return err_set(err, ERR_CORRUPT, 0, "the annotations of the image %s make no sense", tag);
    unsigned wanted;
    if (generation_tag_parse(tag, &wanted) && wanted != generation->number) {
        err_set(err, ERR_CORRUPT, 0, "the tag %s names the image of generation g%u", tag,
                generation->number);
        return err_hint(err,
                        "the tag of a generation never moves; somebody else has moved this one");
    }
    generation->image_bytes = manifest->config.size;
    for (size_t i = 0; i < manifest->layer_count; i++) {
        const struct oci_descriptor *layer = &manifest->layers[i];
        generation->image_bytes += layer->size;
        const char *file = oci_map_get(&layer->annotations, GENERATION_KEY_FILE);
        const char *name = oci_map_get(&layer->annotations, GENERATION_KEY_NAME);
        if (!file || !name)
            continue;
        generation->files =
            mem_grow(generation->files, generation->file_count + 1, sizeof *generation->files);
        struct generation_file *into = &generation->files[generation->file_count++];
        *into = (struct generation_file){.file = mem_strdup(file), .name = mem_strdup(name)};
        oci_descriptor_copy(&into->layer.descriptor, layer);
        into->layer.diff_id = config->diff_ids[i];
    }
    if (!generation->file_count)
        return err_set(err, ERR_CORRUPT, 0, "the image %s has no data layer", tag);
    return true;
}

/* The image for this machine, or for whatever machine there is: the data are the same. */
static bool
generation_resolve(struct oci_store *store, const char *tag, struct generation *generation,
                   struct oci_manifest *ret_manifest, struct err **err)
{
    CLEANUP_BUF struct buf bytes = {0};
    ERR_LOCAL(failed);
    if (!oci_store_get_manifest(store, tag, &generation->top, &bytes, &failed)) {
        if (failed->kind == ERR_NOT_FOUND)
            return generation_not_found(store, tag, err);
        return err_move(err, &failed);
    }
    if (oci_store_resolve(store, tag, NULL, &generation->image, ret_manifest, &failed))
        return true;
    if (failed->kind != ERR_NOT_FOUND || strcmp(generation->top.media_type, OCI_MEDIA_INDEX) != 0)
        return err_move(err, &failed);
    struct oci_index index;
    if (!oci_index_parse(bytes.data, bytes.length, &index, err))
        return false;
    bool ok = false;
    if (index.count)
        ok = oci_store_resolve(store, index.manifests[0].digest.text, NULL, &generation->image,
                               ret_manifest, err);
    else
        err_set(err, ERR_CORRUPT, 0, "the image index %s is empty", tag);
    oci_index_free(&index);
    return ok;
}

/* "<digest> <position>", of the newest generation. */
static void
generation_read_note(struct oci_store *store, struct generation *generation)
{
    CLEANUP_BUF struct buf note = {0};
    if (!oci_store_get_note(store, GENERATION_NOTE, &note))
        return;
    const char *text = buf_text(&note);
    size_t length = strlen(generation->top.digest.text);
    if (strncmp(text, generation->top.digest.text, length) == 0 && text[length] == ' ')
        generation->seen_position =
            mem_strndup(text + length + 1, strcspn(text + length + 1, "\n"));
}

bool
generation_read(struct oci_store *store, const char *tag, struct generation *ret_generation,
                struct err **err)
{
    struct generation generation = {0};
    struct oci_manifest manifest = {0};
    struct oci_config config = {0};
    bool ok = generation_resolve(store, tag, &generation, &manifest, err) &&
              oci_store_get_config(store, &manifest, &config, err) &&
              generation_fill(&generation, tag, &manifest, &config, err);
    oci_manifest_free(&manifest);
    oci_config_free(&config);
    if (!ok) {
        generation_free(&generation);
        return false;
    }
    generation_read_note(store, &generation);
    *ret_generation = generation;
    return true;
}

bool
generation_is_at(const struct generation *generation, const char *position)
{
    return strcmp(generation->position, position) == 0 ||
           (generation->seen_position && strcmp(generation->seen_position, position) == 0);
}

void
generation_note_position(struct oci_store *store, const struct generation *generation,
                         const char *position)
{
    CLEANUP_FREE char *text = mem_printf("%s %s\n", generation->top.digest.text, position);
    if (!oci_store_put_note(store, GENERATION_NOTE, text))
        log_debug("the position could not be noted; the next publish will look again");
}

void
generation_free(struct generation *generation)
{
    oci_descriptor_free(&generation->top);
    oci_descriptor_free(&generation->image);
    free(generation->service);
    free(generation->parent);
    free(generation->parent_digest);
    free(generation->position);
    free(generation->seen_position);
    free(generation->engine);
    free(generation->engine_version);
    free(generation->format);
    for (size_t i = 0; i < generation->file_count; i++) {
        free(generation->files[i].file);
        free(generation->files[i].name);
        oci_layer_free(&generation->files[i].layer);
    }
    free(generation->files);
    *generation = (struct generation){0};
}

static int
generation_compare(const void *a, const void *b)
{
    const struct generation *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* By its digest, since looking a tag up reads the whole list of tags again. */
static bool
generation_read_tag(struct oci_store *store, const struct oci_tag *tag, unsigned number,
                    struct generation *ret_generation, struct err **err)
{
    struct generation generation;
    ERR_LOCAL(failed);
    if (!generation_read(store, tag->descriptor.digest.text, &generation, &failed)) {
        if (failed->kind == ERR_NOT_FOUND)
            return err_set(err, ERR_CORRUPT, 0, "%s: the image of the tag %s is missing",
                           oci_store_location(store), tag->name);
        return err_move(err, &failed);
    }
    if (generation.number != number || generation.top.size != tag->descriptor.size) {
        err_set(err, ERR_CORRUPT, 0,
                "%s: the tag %s does not describe the image that it names, of g%u",
                oci_store_location(store), tag->name, generation.number);
        generation_free(&generation);
        return false;
    }
    *ret_generation = generation;
    return true;
}

bool
generation_read_newest(struct oci_store *store, unsigned *ret_highest,
                       struct generation *ret_generation, bool *ret_pinned, struct err **err)
{
    struct oci_tag *tags = NULL;
    size_t count = 0;
    if (!oci_store_list_tags(store, &tags, &count, err))
        return false;
    unsigned highest = 0, newest = 0;
    const struct oci_tag *newest_tag = NULL, *latest = NULL, *pinned = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned number;
        if (strcmp(tags[i].name, GENERATION_TAG_LATEST) == 0)
            latest = &tags[i];
        if (strcmp(tags[i].name, GENERATION_TAG_PINNED) == 0)
            pinned = &tags[i];
        if (generation_tag_parse(tags[i].name, &number) && number > newest) {
            newest = number;
            newest_tag = &tags[i];
        }
    }
    bool ok = true;
    *ret_generation = (struct generation){0};
    *ret_pinned = pinned != NULL;
    highest = newest;
    if (newest_tag) {
        ok = generation_read_tag(store, newest_tag, newest, ret_generation, err);
        ret_generation->latest =
            ok && latest &&
            oci_digest_equal(&latest->descriptor.digest, &newest_tag->descriptor.digest);
        ret_generation->pinned =
            ok && pinned &&
            oci_digest_equal(&pinned->descriptor.digest, &newest_tag->descriptor.digest);
    }
    /* Whoever removed the tag g<N> of what is still served has not made its number free. */
    struct generation served;
    if (ok && latest && generation_read(store, latest->descriptor.digest.text, &served, NULL)) {
        highest = served.number > highest ? served.number : highest;
        generation_free(&served);
    }
    oci_tags_free(tags, count);
    *ret_highest = highest;
    return ok;
}

bool
generation_list(struct oci_store *store, struct generation **ret_generations, size_t *ret_count,
                struct err **err)
{
    struct oci_tag *tags = NULL;
    size_t tag_count = 0;
    if (!oci_store_list_tags(store, &tags, &tag_count, err))
        return false;
    struct generation *list = mem_new_array(tag_count, sizeof *list);
    size_t count = 0;
    bool ok = true;
    const struct oci_digest *latest = NULL, *pinned = NULL;
    for (size_t i = 0; ok && i < tag_count; i++) {
        unsigned number;
        if (strcmp(tags[i].name, GENERATION_TAG_LATEST) == 0)
            latest = &tags[i].descriptor.digest;
        if (strcmp(tags[i].name, GENERATION_TAG_PINNED) == 0)
            pinned = &tags[i].descriptor.digest;
        if (!generation_tag_parse(tags[i].name, &number))
            continue;
        ok = generation_read_tag(store, &tags[i], number, &list[count], err);
        count += ok;
    }
    for (size_t i = 0; i < count; i++) {
        list[i].latest = latest && oci_digest_equal(latest, &list[i].top.digest);
        list[i].pinned = pinned && oci_digest_equal(pinned, &list[i].top.digest);
    }
    oci_tags_free(tags, tag_count);
    if (!ok) {
        generation_list_free(list, count);
        return false;
    }
    qsort(list, count, sizeof *list, generation_compare);
    *ret_generations = list;
    *ret_count = count;
    return true;
}

void
generation_list_free(struct generation *generations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        generation_free(&generations[i]);
    free(generations);
}
