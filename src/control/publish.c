/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish.h"

#include "bake/bake.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/server.h"
#include "control/service.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* All that one publication holds. */
struct publication {
    const struct config_service *service;
    struct source *source;
    struct oci_store *store;
    struct source_probe probe;
    struct generation newest;        /* of those that there were */
    const struct generation *parent; /* &newest, or NULL if there was none */
    unsigned highest;                /* number that was ever given */
    bool pinned;
    struct server_list servers;
    struct bake_data data;
    unsigned number; /* of the generation to be made */
    char *created;   /* RFC 3339 */
    uint64_t written;
};

static void
publication_free(struct publication *p)
{
    bake_data_free(&p->data);
    server_list_free(&p->servers);
    generation_free(&p->newest);
    source_probe_free(&p->probe);
    oci_store_close(p->store);
    source_close(p->source);
    free(p->created);
}

static bool
publication_open(struct publication *p, const struct config *config, struct err **err)
{
    /* A master that cannot be read is found out before a folder for its images is made. */
    if (!service_open_source(config, p->service, &p->source, err) ||
        !source_probe(p->source, &p->probe, err) ||
        !service_open_store(config, p->service, OCI_STORE_CREATE, &p->store, err) ||
        !oci_store_lock(p->store, err) || !source_lock(p->source, err) ||
        !generation_read_newest(p->store, &p->highest, &p->newest, &p->pinned, err))
        return false;
    if (!p->newest.number)
        return true;
    p->parent = &p->newest;
    if (strcmp(p->newest.service, p->service->name) == 0)
        return true;
    err_set(err, ERR_CONFIG, 0, "%s holds generations of the service %s, not of %s",
            oci_store_location(p->store), p->newest.service, p->service->name);
    return err_hint(err, "give each service an image of its own in effigy.yaml");
}

/* Do the parent's files belong to the same databases, in the same order? */
static bool
publication_same_shape(const struct publication *p)
{
    if (!p->parent || p->parent->file_count != 1 + p->service->attach_count ||
        strcmp(p->parent->format, BAKE_FORMAT) != 0)
        return false;
    for (size_t i = 0; i < p->service->attach_count; i++) {
        if (strcmp(p->parent->files[i + 1].name, p->service->attach[i].name) != 0)
            return false;
    }
    return true;
}

static bool
publication_same_position(const struct publication *p)
{
    if (!publication_same_shape(p) || !p->probe.position.exact)
        return false;
    /* What was noted was exact. */
    bool noted =
        p->parent->seen_position && strcmp(p->probe.position.text, p->parent->seen_position) == 0;
    return noted ||
           (p->parent->position_exact && strcmp(p->probe.position.text, p->parent->position) == 0);
}

static bool
publication_same_content(const struct publication *p)
{
    if (!publication_same_shape(p))
        return false;
    for (size_t i = 0; i < p->data.count; i++) {
        const struct generation_file *file = &p->parent->files[i];
        if (strcmp(file->file, p->data.files[i]) != 0 ||
            strcmp(file->name, p->data.names[i]) != 0 ||
            !oci_digest_equal(&file->layer.diff_id, &p->data.layers[i].diff_id))
            return false;
    }
    return true;
}

static bool
publication_bake(struct publication *p, bool force, struct err **err)
{
    enum oci_compression compression;
    if (!oci_compression_parse(p->service->compression, &compression))
        return err_set(err, ERR_CONFIG, 0, "service %s: there is no compression '%s'",
                       p->service->name, p->service->compression);
    /* By force everything is written anew, since what is there may be damaged. */
    size_t count = p->parent && !force ? p->parent->file_count : 0;
    CLEANUP_FREE struct bake_parent *parent = mem_new_array(count, sizeof *parent);
    for (size_t i = 0; i < count; i++) {
        parent[i].file = p->parent->files[i].file;
        parent[i].layer = p->parent->files[i].layer; /* borrowed */
    }
    return bake_data_layers(p->source, p->store, compression, parent, count, &p->data, err);
}

/* What a replica knows of itself: docs/formats.md. */
static char *
publication_identity(const struct publication *p)
{
    json_t *databases = json_array();
    for (size_t i = 0; i < p->data.count; i++) {
        CLEANUP_FREE char *file = mem_printf("/%s/%s", BAKE_DATA_DIR, p->data.files[i]);
        json_array_append_new(databases,
                              json_pack("{s:s, s:s, s:s}", "name", p->data.names[i], "file", file,
                                        "digest", p->data.layers[i].diff_id.text));
    }
    CLEANUP_FREE char *tag = mem_printf("g%u", p->number);
    CLEANUP_FREE char *parent = p->parent ? mem_printf("g%u", p->parent->number) : NULL;
    json_t *identity =
        json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s, s:o}", "service", p->service->name,
                  "generation", tag, "parent", parent, "position", p->data.position.text, "created",
                  p->created, "engine", p->probe.engine, "engine_version", p->data.engine_version,
                  "format", BAKE_FORMAT, "databases", databases);
    char *text = json_dumps(identity, JSON_INDENT(2));
    json_decref(identity);
    char *copy = mem_printf("%s\n", text);
    free(text);
    return copy;
}

/* The annotations of the manifest, which are the labels of the image too. */
static void
publication_annotate(const struct publication *p, struct oci_map *map)
{
    CLEANUP_FREE char *tag = mem_printf("g%u", p->number);
    CLEANUP_FREE char *bytes = mem_printf("%" PRIu64, p->data.data_bytes);
    oci_map_set(map, "org.opencontainers.image.title", p->service->name);
    oci_map_set(map, "org.opencontainers.image.version", tag);
    oci_map_set(map, "org.opencontainers.image.created", p->created);
    oci_map_set(map, GENERATION_KEY_ROLE, "generation");
    oci_map_set(map, GENERATION_KEY_SERVICE, p->service->name);
    oci_map_set(map, GENERATION_KEY_GENERATION, tag);
    if (p->parent) {
        CLEANUP_FREE char *parent = mem_printf("g%u", p->parent->number);
        oci_map_set(map, GENERATION_KEY_PARENT, parent);
        oci_map_set(map, GENERATION_KEY_PARENT_DIGEST, p->parent->top.digest.text);
    }
    oci_map_set(map, GENERATION_KEY_POSITION, p->data.position.text);
    oci_map_set(map, GENERATION_KEY_POSITION_EXACT, p->data.position.exact ? "true" : "false");
    oci_map_set(map, GENERATION_KEY_ENGINE, p->probe.engine);
    oci_map_set(map, GENERATION_KEY_ENGINE_VERSION, p->data.engine_version);
    oci_map_set(map, GENERATION_KEY_FORMAT, BAKE_FORMAT);
    oci_map_set(map, GENERATION_KEY_DATA_BYTES, bytes);
}

/* A list of strings that ends with NULL, as an image configuration wants them. */
static void
strings_add(char ***list, char *text)
{
    size_t count = 0;
    while (*list && (*list)[count])
        count++;
    *list = mem_grow(*list, count + 2, sizeof **list);
    (*list)[count] = text;
    (*list)[count + 1] = NULL;
}

static void
publication_environment(const struct publication *p, struct oci_config *config)
{
    const struct config_serve *serve = &p->service->serve;
    const struct {
        const char *name;
        uint64_t value;
    } limits[] = {
        {"EFFIGY_MAX_ROWS", serve->max_rows},
        {"EFFIGY_MAX_BYTES", serve->max_bytes},
        {"EFFIGY_MAX_HEAP", serve->max_heap},
        {"EFFIGY_MAX_TIME_MS", serve->max_time_ms},
        {"EFFIGY_QUEUE", serve->queue},
        {"EFFIGY_WORKERS", serve->workers},
        {"EFFIGY_CORS", serve->cors},
        {"EFFIGY_CACHE_SECONDS", serve->cache_seconds},
        {"EFFIGY_GRACE_MS", p->service->grace_ms},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        strings_add(&config->env, mem_printf("%s=%" PRIu64, limits[i].name, limits[i].value));
}

static void
publication_history(const struct publication *p, struct oci_config *config, const char *what)
{
    config->history = mem_grow(config->history, config->history_count + 1, sizeof *config->history);
    config->history[config->history_count++] = (struct oci_history){
        .created = mem_strdup(p->created), .created_by = mem_printf("effigy publish: %s", what)};
}

static void
publication_add_layer(struct oci_manifest *manifest, struct oci_config *config,
                      const struct oci_layer *layer)
{
    manifest->layers =
        mem_grow(manifest->layers, manifest->layer_count + 1, sizeof *manifest->layers);
    struct oci_descriptor *into = &manifest->layers[manifest->layer_count++];
    *into = (struct oci_descriptor){0};
    oci_descriptor_copy(into, &layer->descriptor);
    config->diff_ids =
        mem_grow(config->diff_ids, config->diff_id_count + 1, sizeof *config->diff_ids);
    config->diff_ids[config->diff_id_count++] = layer->diff_id;
}

static bool
publication_put_config(struct publication *p, const struct oci_config *config,
                       struct oci_descriptor *ret_descriptor, struct err **err)
{
    CLEANUP_FREE char *json = oci_config_format(config);
    bool is_new = false;
    *ret_descriptor =
        (struct oci_descriptor){.media_type = mem_strdup(OCI_MEDIA_CONFIG), .size = strlen(json)};
    if (!oci_store_put_blob(p->store, json, strlen(json), &ret_descriptor->digest, &is_new, err))
        return false;
    p->written += is_new ? ret_descriptor->size : 0;
    return true;
}

/* Puts the image for one architecture. */
static bool
publication_put_image(struct publication *p, const struct server *server,
                      const struct oci_layer *identity, struct oci_descriptor *ret_descriptor,
                      struct err **err)
{
    struct oci_manifest manifest = {0};
    struct oci_config config = {
        .created = mem_strdup(p->created),
        .architecture = mem_strdup(server->architecture),
        .os = mem_strdup("linux"),
        .user = mem_strdup("65532:65532"),
        .working_dir = mem_strdup("/"),
        .stop_signal = mem_strdup("SIGTERM"),
    };
    const struct source_replica *replica = source_replica_of(p->probe.engine);
    struct oci_layer layer = {0};
    char *json = NULL;
    bool is_new = false;
    bool ok = bake_server_layer(p->store, OCI_COMPRESSION_GZIP, server->file, &layer, err);
    if (!ok)
        goto out;
    p->written += layer.is_new ? layer.descriptor.size : 0;
    publication_add_layer(&manifest, &config, &layer);
    publication_history(p, &config, "server");
    for (size_t i = 0; i < p->data.count; i++) {
        publication_add_layer(&manifest, &config, &p->data.layers[i]);
        struct oci_map *map = &manifest.layers[manifest.layer_count - 1].annotations;
        oci_map_set(map, GENERATION_KEY_FILE, p->data.files[i]);
        oci_map_set(map, GENERATION_KEY_NAME, p->data.names[i]);
        CLEANUP_FREE char *what = mem_printf("data %s", p->data.files[i]);
        publication_history(p, &config, what);
    }
    publication_add_layer(&manifest, &config, identity);
    publication_history(p, &config, "identity");
    for (size_t i = 0; replica->entrypoint[i]; i++)
        strings_add(&config.entrypoint, mem_strdup(replica->entrypoint[i]));
    strings_add(&config.exposed_ports, mem_printf("%u/tcp", replica->port));
    publication_environment(p, &config);
    publication_annotate(p, &config.labels);
    publication_annotate(p, &manifest.annotations);
    ok = publication_put_config(p, &config, &manifest.config, err);
    if (!ok)
        goto out;
    json = oci_manifest_format(&manifest);
    ok = oci_store_put_manifest(p->store, OCI_MEDIA_MANIFEST, json, strlen(json), ret_descriptor,
                                &is_new, err);
    if (!ok)
        goto out;
    p->written += is_new ? ret_descriptor->size : 0;
    ret_descriptor->platform = (struct oci_platform){
        .os = mem_strdup("linux"), .architecture = mem_strdup(server->architecture)};
out:
    free(json);
    oci_layer_free(&layer);
    oci_manifest_free(&manifest);
    oci_config_free(&config);
    return ok;
}

/* Puts the images for all architectures that there are servers for; *ret_top is what the tags will
 * name. */
static bool
publication_put(struct publication *p, struct oci_descriptor *ret_top, struct err **err)
{
    const struct server_list *servers = &p->servers;
    CLEANUP_FREE char *json = publication_identity(p);
    struct oci_layer identity = {0};
    if (!bake_identity_layer(p->store, OCI_COMPRESSION_GZIP, json, strlen(json), &identity, err))
        return false;
    p->written += identity.is_new ? identity.descriptor.size : 0;
    struct oci_index index = {.manifests = mem_new_array(servers->count, sizeof *index.manifests)};
    bool ok = true;
    for (size_t i = 0; ok && i < servers->count; i++) {
        ok = publication_put_image(p, &servers->servers[i], &identity, &index.manifests[i], err);
        index.count += ok;
    }
    if (ok && index.count == 1) {
        oci_descriptor_copy(ret_top, &index.manifests[0]);
    } else if (ok) {
        publication_annotate(p, &index.annotations);
        CLEANUP_FREE char *text = oci_index_format(&index);
        bool is_new = false;
        ok = oci_store_put_manifest(p->store, OCI_MEDIA_INDEX, text, strlen(text), ret_top, &is_new,
                                    err);
        p->written += ok && is_new ? ret_top->size : 0;
    }
    oci_index_free(&index);
    oci_layer_free(&identity);
    return ok;
}

static bool
publication_tag(struct publication *p, const struct oci_descriptor *top, bool *ret_latest_moved,
                struct err **err)
{
    CLEANUP_FREE char *tag = mem_printf("g%u", p->number);
    struct oci_tag_change changes[] = {
        {.name = tag, .descriptor = top},
        {.name = GENERATION_TAG_LATEST, .descriptor = top},
    };
    *ret_latest_moved = !p->pinned;
    return oci_store_set_tags(p->store, changes, p->pinned ? 1 : 2, err);
}

static bool
publication_publish(struct publication *p, struct publish_result *result, struct err **err)
{
    double started = clock_seconds();
    int64_t created_ns;
    struct oci_descriptor top = {0};
    p->number = p->highest + 1;
    bool ok = clock_source_date(p->data.position.time_ns, &created_ns, err);
    if (ok) {
        p->created = clock_rfc3339(created_ns);
        ok = publication_put(p, &top, err) && publication_tag(p, &top, &result->latest_moved, err);
    }
    oci_descriptor_free(&top);
    if (!ok)
        return false;
    result->changed = true;
    result->seconds_store = clock_seconds() - started;
    CLEANUP_FREE char *tag = mem_printf("g%u", p->number);
    if (!generation_read(p->store, tag, &result->generation, err))
        return false;
    result->generation.latest = result->latest_moved;
    return true;
}

bool
publish(const struct config *config, const struct config_service *service,
        const struct publish_options *options, struct publish_result *ret_result, struct err **err)
{
    double started = clock_seconds();
    struct publication p = {.service = service};
    struct publish_result result = {0};
    bool ok = publication_open(&p, config, err);
    result.seconds_probe = clock_seconds() - started;
    bool look = ok && (options->force || !publication_same_position(&p));
    bool fresh = false;
    if (look) {
        /* Whatever may be missing is found out before the long work. */
        int64_t ignored;
        ok = clock_source_date(0, &ignored, err) &&
             server_find(options->server_dir, &p.servers, err) &&
             publication_bake(&p, options->force, err);
        fresh = ok && (options->force || !publication_same_content(&p));
    }
    if (ok && look) {
        result.seconds_snapshot = p.data.seconds_snapshot;
        result.seconds_settle = p.data.seconds_settle;
        result.seconds_bake = p.data.seconds_bake;
        result.bytes_data = p.data.data_bytes;
        for (size_t i = 0; i < p.data.count; i++)
            p.written += p.data.layers[i].is_new ? p.data.layers[i].descriptor.size : 0;
    }
    if (ok && fresh) {
        ok = publication_publish(&p, &result, err);
    } else if (ok) {
        CLEANUP_FREE char *tag = mem_printf("g%u", p.parent->number);
        if (look && p.data.position.exact)
            generation_note_position(p.store, p.parent, p.data.position.text);
        ok = generation_read(p.store, tag, &result.generation, err);
        result.generation.latest = p.newest.latest;
        result.generation.pinned = p.newest.pinned;
        result.bytes_data = p.parent->data_bytes;
    }
    result.bytes_written = p.written;
    publication_free(&p);
    result.seconds_total = clock_seconds() - started;
    if (!ok) {
        publish_result_free(&result);
        return err_wrap(err, "publishing %s", service->name);
    }
    *ret_result = result;
    return true;
}

void
publish_result_free(struct publish_result *result)
{
    generation_free(&result->generation);
    *result = (struct publish_result){0};
}
