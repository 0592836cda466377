/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest-internal.h"

#include "base/mem.h"

#include <string.h>

static void
texts_free(char **texts)
{
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

static size_t
texts_count(char *const *texts)
{
    size_t count = 0;
    while (texts && texts[count])
        count++;
    return count;
}

static int
texts_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An array of strings: Env, Entrypoint, Cmd. */
static bool
texts_from_array(const json_t *object, const char *key, const char *what, char ***ret_texts,
                 struct err **err)
{
    json_t *array;
    if (!oci_json_get(object, key, JSON_ARRAY, OCI_JSON_OPTIONAL, what, &array, err))
        return false;
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_array_get(array, i)))
            return err_set(err, ERR_CORRUPT, 0, "\"%s\" of %s holds something that is not a string",
                           key, what);
    if (!array)
        return true;
    *ret_texts = mem_new_array(count + 1, sizeof **ret_texts);
    for (size_t i = 0; i < count; i++)
        (*ret_texts)[i] = mem_strdup(json_string_value(json_array_get(array, i)));
    return true;
}

static void
texts_to_array(json_t *object, const char *key, char *const *texts)
{
    if (!texts)
        return;
    json_t *array = json_array();
    for (; *texts; texts++)
        json_array_append_new(array, oci_json_text(*texts));
    json_object_set_new(object, key, array);
}

/* An object of which only the keys count: ExposedPorts, Volumes (config.md). */
static bool
texts_from_keys(const json_t *object, const char *key, const char *what, char ***ret_texts,
                struct err **err)
{
    json_t *members, *value;
    if (!oci_json_get(object, key, JSON_OBJECT, OCI_JSON_OPTIONAL, what, &members, err))
        return false;
    if (!members)
        return true;
    char **texts = mem_new_array(json_object_size(members) + 1, sizeof *texts);
    size_t count = 0;
    const char *name;
    json_object_foreach(members, name, value) texts[count++] = mem_strdup(name);
    qsort(texts, count, sizeof *texts, texts_compare);
    *ret_texts = texts;
    return true;
}

static void
texts_to_keys(json_t *object, const char *key, char *const *texts)
{
    size_t count = texts_count(texts);
    if (!count)
        return;
    CLEANUP_FREE const char **sorted = mem_dup(texts, count * sizeof *texts);
    qsort(sorted, count, sizeof *sorted, texts_compare);
    json_t *members = json_object();
    for (size_t i = 0; i < count; i++) {
        json_auto_t *name = oci_json_text(sorted[i]);
        json_object_set_new(members, json_string_value(name), json_object());
    }
    json_object_set_new(object, key, members);
}

static bool
config_parse_run(const json_t *json, struct oci_config *config, struct err **err)
{
    const char *what = "the image config's \"config\"";
    json_t *run;
    if (!oci_json_get(json, "config", JSON_OBJECT, OCI_JSON_OPTIONAL, "the image config", &run,
                      err))
        return false;
    return !run || (oci_json_get_text(run, "User", OCI_JSON_OPTIONAL, what, &config->user, err) &&
                    texts_from_keys(run, "ExposedPorts", what, &config->exposed_ports, err) &&
                    texts_from_array(run, "Env", what, &config->env, err) &&
                    texts_from_array(run, "Entrypoint", what, &config->entrypoint, err) &&
                    texts_from_array(run, "Cmd", what, &config->cmd, err) &&
                    texts_from_keys(run, "Volumes", what, &config->volumes, err) &&
                    oci_json_get_text(run, "WorkingDir", OCI_JSON_OPTIONAL, what,
                                      &config->working_dir, err) &&
                    oci_json_get_map(run, "Labels", what, &config->labels, err) &&
                    oci_json_get_text(run, "StopSignal", OCI_JSON_OPTIONAL, what,
                                      &config->stop_signal, err));
}

static bool
config_parse_rootfs(const json_t *json, struct oci_config *config, struct err **err)
{
    const char *what = "the image config's \"rootfs\"";
    json_t *rootfs, *type, *diff_ids;
    if (!oci_json_get(json, "rootfs", JSON_OBJECT, OCI_JSON_REQUIRED, "the image config", &rootfs,
                      err) ||
        !oci_json_get(rootfs, "type", JSON_STRING, OCI_JSON_REQUIRED, what, &type, err) ||
        !oci_json_get(rootfs, "diff_ids", JSON_ARRAY, OCI_JSON_REQUIRED, what, &diff_ids, err))
        return false;
    if (strcmp(json_string_value(type), "layers") != 0)
        return err_set(err, ERR_CORRUPT, 0, "%s is of the type \"%.100s\", not \"layers\"", what,
                       json_string_value(type));
    size_t count = json_array_size(diff_ids);
    if (count > OCI_LAYERS_LIMIT)
        return err_set(err, ERR_CORRUPT, 0,
                       "the image config has %zu layers; at most %d are possible", count,
                       OCI_LAYERS_LIMIT);
    config->diff_ids = mem_new_array(count ? count : 1, sizeof *config->diff_ids);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(diff_ids, i));
        if (!oci_digest_parse(text ? text : "", &config->diff_ids[i], err))
            return err_wrap(err, "%s", what);
        config->diff_id_count++;
    }
    return true;
}

static bool
config_parse_history(const json_t *json, struct oci_config *config, struct err **err)
{
    const char *what = "the image config's \"history\"";
    json_t *array;
    if (!oci_json_get(json, "history", JSON_ARRAY, OCI_JSON_OPTIONAL, "the image config", &array,
                      err))
        return false;
    size_t count = json_array_size(array);
    config->history = mem_new_array(count ? count : 1, sizeof *config->history);
    while (config->history_count < count) {
        const json_t *entry = json_array_get(array, config->history_count);
        struct oci_history *history = &config->history[config->history_count++];
        json_t *empty;
        if (!json_is_object(entry))
            return err_set(err, ERR_CORRUPT, 0, "%s holds something that is not an object", what);
        if (!oci_json_get_text(entry, "created", OCI_JSON_OPTIONAL, what, &history->created, err) ||
            !oci_json_get_text(entry, "created_by", OCI_JSON_OPTIONAL, what, &history->created_by,
                               err) ||
            !oci_json_get_text(entry, "comment", OCI_JSON_OPTIONAL, what, &history->comment, err) ||
            !oci_json_get(entry, "empty_layer", JSON_TRUE, OCI_JSON_OPTIONAL, what, &empty, err))
            return false;
        history->empty_layer = json_is_true(empty);
    }
    return true;
}

bool
oci_config_parse(const char *bytes, size_t length, struct oci_config *ret_config, struct err **err)
{
    const char *what = "the image config";
    json_auto_t *json = oci_json_load(bytes, length, OCI_CONFIG_LIMIT, what, err);
    if (!json)
        return false;
    CLEANUP(oci_config_free) struct oci_config config = {0};
    if (!oci_json_get_text(json, "created", OCI_JSON_OPTIONAL, what, &config.created, err) ||
        !oci_json_get_text(json, "architecture", OCI_JSON_REQUIRED, what, &config.architecture,
                           err) ||
        !oci_json_get_text(json, "os", OCI_JSON_REQUIRED, what, &config.os, err) ||
        !config_parse_run(json, &config, err) || !config_parse_rootfs(json, &config, err) ||
        !config_parse_history(json, &config, err))
        return false;
    *ret_config = config;
    config = (struct oci_config){0};
    return true;
}

char *
oci_config_format(const struct oci_config *config)
{
    json_auto_t *json = json_object();
    oci_json_set_text(json, "created", config->created);
    oci_json_set_text(json, "architecture", config->architecture);
    oci_json_set_text(json, "os", config->os);

    json_t *run = json_object();
    json_object_set_new(json, "config", run);
    oci_json_set_text(run, "User", config->user);
    texts_to_keys(run, "ExposedPorts", config->exposed_ports);
    texts_to_array(run, "Env", config->env);
    texts_to_array(run, "Entrypoint", config->entrypoint);
    texts_to_array(run, "Cmd", config->cmd);
    texts_to_keys(run, "Volumes", config->volumes);
    oci_json_set_text(run, "WorkingDir", config->working_dir);
    oci_json_set_map(run, "Labels", &config->labels);
    oci_json_set_text(run, "StopSignal", config->stop_signal);

    json_t *rootfs = json_object(), *diff_ids = json_array();
    json_object_set_new(json, "rootfs", rootfs);
    oci_json_set_text(rootfs, "type", "layers");
    json_object_set_new(rootfs, "diff_ids", diff_ids);
    for (size_t i = 0; i < config->diff_id_count; i++)
        json_array_append_new(diff_ids, json_string(config->diff_ids[i].text));

    json_t *history = config->history_count ? json_array() : NULL;
    for (size_t i = 0; i < config->history_count; i++) {
        const struct oci_history *entry = &config->history[i];
        json_t *object = json_object();
        oci_json_set_text(object, "created", entry->created);
        oci_json_set_text(object, "created_by", entry->created_by);
        oci_json_set_text(object, "comment", entry->comment);
        if (entry->empty_layer)
            json_object_set_new(object, "empty_layer", json_true());
        json_array_append_new(history, object);
    }
    if (history)
        json_object_set_new(json, "history", history);
    return oci_json_dump(json);
}

void
oci_config_free(struct oci_config *config)
{
    free(config->created);
    free(config->architecture);
    free(config->os);
    texts_free(config->env);
    texts_free(config->entrypoint);
    texts_free(config->cmd);
    free(config->user);
    free(config->working_dir);
    free(config->stop_signal);
    texts_free(config->exposed_ports);
    texts_free(config->volumes);
    oci_map_free(&config->labels);
    free(config->diff_ids);
    for (size_t i = 0; i < config->history_count; i++) {
        free(config->history[i].created);
        free(config->history[i].created_by);
        free(config->history[i].comment);
    }
    free(config->history);
    *config = (struct oci_config){0};
}
