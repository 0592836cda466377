/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "bake/bake.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/service.h"

#include <string.h>

/* All that is read of one generation. */
struct inspection {
    struct oci_store *store;
    struct generation generation;
    struct oci_index index; /* empty if the tag names an image */
    struct oci_manifest manifest;
    struct oci_config config;
};

static void
inspection_free(struct inspection *i)
{
    generation_free(&i->generation);
    oci_index_free(&i->index);
    oci_manifest_free(&i->manifest);
    oci_config_free(&i->config);
    oci_store_close(i->store);
}

static bool
inspection_read(struct cli *cli, struct inspection *i, struct err **err)
{
    CLEANUP_BUF struct buf bytes = {0};
    struct oci_descriptor top = {0}, image = {0};
    bool ok = service_open_store(cli->config, cli->service, OCI_STORE_READ, &i->store, err) &&
              generation_read(i->store, cli_tag(cli), &i->generation, err) &&
              oci_store_get_manifest(i->store, i->generation.top.digest.text, &top, &bytes, err) &&
              (strcmp(str_or(top.media_type, ""), OCI_MEDIA_INDEX) != 0 ||
               oci_index_parse(buf_text(&bytes), bytes.length, &i->index, err)) &&
              oci_store_resolve(i->store, i->generation.image.digest.text, NULL, &image,
                                &i->manifest, err) &&
              oci_store_get_config(i->store, &i->manifest, &i->config, err);
    oci_descriptor_free(&top);
    oci_descriptor_free(&image);
    return ok;
}

static const struct generation_file *
inspection_file(const struct inspection *i, const struct oci_descriptor *layer)
{
    for (size_t k = 0; k < i->generation.file_count; k++) {
        if (oci_digest_equal(&i->generation.files[k].layer.descriptor.digest, &layer->digest))
            return &i->generation.files[k];
    }
    return NULL;
}

/* What the layer holds: the data layers say it themselves, the others stand in the order of
 * bake/bake.h. */
static char *
inspection_content(const struct inspection *i, size_t layer)
{
    const struct generation_file *file = inspection_file(i, &i->manifest.layers[layer]);
    if (file)
        return mem_printf("/%s/%s", BAKE_DATA_DIR, file->file);
    if (layer == 0)
        return mem_strdup("/" BAKE_SERVER_PATH);
    return layer + 1 == i->manifest.layer_count ? mem_strdup("/" BAKE_IDENTITY_PATH) : NULL;
}

static json_t *
inspect_map(const struct oci_map *map)
{
    json_t *object = json_object();
    for (size_t k = 0; k < map->count; k++)
        out_json_text(object, map->pairs[k].key, map->pairs[k].value);
    return object;
}

static json_t *
inspect_layers(const struct inspection *i)
{
    json_t *layers = json_array();
    for (size_t k = 0; k < i->manifest.layer_count; k++) {
        const struct oci_descriptor *layer = &i->manifest.layers[k];
        CLEANUP_FREE char *content = inspection_content(i, k);
        const struct generation_file *file = inspection_file(i, layer);
        json_t *object = json_object();
        out_json_text(object, "digest", layer->digest.text);
        out_json_text(object, "media_type", layer->media_type);
        out_json_number(object, "bytes", layer->size);
        out_json_text(object, "diff_id",
                      k < i->config.diff_id_count ? i->config.diff_ids[k].text : NULL);
        out_json_text(object, "file", content);
        out_json_text(object, "database", file ? file->name : NULL);
        json_array_append_new(layers, object);
    }
    return layers;
}

static json_t *
inspect_platforms(const struct inspection *i)
{
    json_t *platforms = json_array();
    for (size_t k = 0; k < i->index.count; k++) {
        json_t *object = json_object();
        out_json_text(object, "os", i->index.manifests[k].platform.os);
        out_json_text(object, "architecture", i->index.manifests[k].platform.architecture);
        out_json_text(object, "digest", i->index.manifests[k].digest.text);
        json_array_append_new(platforms, object);
    }
    if (!i->index.count) {
        json_t *object = json_object();
        out_json_text(object, "os", i->config.os);
        out_json_text(object, "architecture", i->config.architecture);
        out_json_text(object, "digest", i->generation.image.digest.text);
        json_array_append_new(platforms, object);
    }
    return platforms;
}

static json_t *
inspect_json(const struct cli *cli, const struct inspection *i)
{
    const struct generation *g = &i->generation;
    CLEANUP_FREE char *name = cli_generation_name(g->number),
                      *created = clock_rfc3339(g->created_ns);
    json_t *object = json_object();
    out_json_text(object, "service", cli->service->name);
    out_json_text(object, "generation", name);
    out_json_text(object, "digest", g->top.digest.text);
    out_json_text(object, "image_digest", g->image.digest.text);
    out_json_text(object, "parent", g->parent);
    out_json_text(object, "parent_digest", g->parent_digest);
    out_json_text(object, "position", g->position);
    out_json_bool(object, "position_exact", g->position_exact);
    out_json_text(object, "created", created);
    out_json_text(object, "engine", g->engine);
    out_json_text(object, "engine_version", g->engine_version);
    out_json_text(object, "format", g->format);
    out_json_number(object, "bytes_data", g->data_bytes);
    out_json_number(object, "bytes_image", g->image_bytes);
    out_json_bool(object, "latest", g->latest);
    out_json_bool(object, "pinned", g->pinned);
    json_object_set_new(object, "platforms", inspect_platforms(i));
    json_object_set_new(object, "layers", inspect_layers(i));
    json_object_set_new(object, "annotations", inspect_map(&i->manifest.annotations));
    json_object_set_new(object, "labels", inspect_map(&i->config.labels));
    return object;
}

/* What `said` (may be NULL) does not say already. */
static void
inspect_text_map(struct buf *out, const char *heading, const struct oci_map *map,
                 const struct oci_map *said)
{
    struct out_table table = {.columns = 2};
    for (size_t k = 0; k < map->count; k++) {
        const char *known = said ? oci_map_get(said, map->pairs[k].key) : NULL;
        if (known && strcmp(known, map->pairs[k].value) == 0)
            continue;
        out_table_add_text(&table, map->pairs[k].key);
        out_table_add_text(&table, map->pairs[k].value);
    }
    if (table.count)
        buf_printf(out, "\n%s\n", heading);
    out_table_write(&table, 2, out);
}

static void
inspect_text(const struct cli *cli, const struct inspection *i, struct buf *out)
{
    const struct generation *g = &i->generation;
    CLEANUP_FREE char *created = out_time(g->created_ns), *data = str_of_bytes(g->data_bytes);
    CLEANUP_FREE char *image = str_of_bytes(g->image_bytes);
    buf_printf(out, "%s:g%u%s\n", cli->service->name, g->number,
               g->pinned   ? "  (latest, pinned)"
               : g->latest ? "  (latest)"
                           : "");
    out_field(out, "digest", "%s", g->top.digest.text);
    if (!oci_digest_equal(&g->top.digest, &g->image.digest))
        out_field(out, "image", "%s", g->image.digest.text);
    out_field(out, "created", "%s", created);
    out_field(out, "position", "%s%s", str_or(g->position, "-"),
              g->position_exact ? "" : "  (not exact)");
    out_field(out, "parent", "%s", str_or(g->parent, "none"));
    out_field(out, "engine", "%s %s", str_or(g->engine, "-"), str_or(g->engine_version, ""));
    out_field(out, "format", "%s", str_or(g->format, "-"));
    out_field(out, "size", "%s of data, %s as an image", data, image);
    for (size_t k = 0; k < i->index.count; k++)
        out_field(out, k ? "" : "platforms", "%s/%s",
                  str_or(i->index.manifests[k].platform.os, "-"),
                  str_or(i->index.manifests[k].platform.architecture, "-"));
    if (!i->index.count)
        out_field(out, "platform", "%s/%s", str_or(i->config.os, "-"),
                  str_or(i->config.architecture, "-"));

    struct out_table table = {0};
    buf_puts(out, "\nlayers\n");
    out_table_headings(&table, (const char *[]){"FILE", "SIZE", "DIGEST", NULL});
    for (size_t k = 0; k < i->manifest.layer_count; k++) {
        out_table_add(&table, inspection_content(i, k));
        out_table_add(&table, str_of_bytes(i->manifest.layers[k].size));
        out_table_add_text(&table, i->manifest.layers[k].digest.text);
    }
    out_table_write(&table, 2, out);
    inspect_text_map(out, "annotations", &i->manifest.annotations, NULL);
    inspect_text_map(out, "labels that are no annotations", &i->config.labels,
                     &i->manifest.annotations);
}

bool
cmd_inspect(struct cli *cli, struct err **err)
{
    if (!cli_open_target(cli, err))
        return false;
    struct inspection inspection = {0};
    bool ok = inspection_read(cli, &inspection, err);
    if (ok) {
        cli->json = inspect_json(cli, &inspection);
        inspect_text(cli, &inspection, &cli->text);
    }
    inspection_free(&inspection);
    return ok;
}
