/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config-internal.h"
#include "config/expand.h"
#include "config/schema.h"
#include "config/value.h"

#include <string.h>

struct loader {
    struct config_whole *whole;
    const struct config_scan *scan;
    const char *name, *base_dir;
    struct err **err;
};

static bool load_section(struct loader *l, enum config_section section,
                         const struct schema_slot *slots, void *record, size_t service,
                         size_t item);

/* Puts "<file>:<line>:<column>: " in front. */
static bool
load_fail_at(struct loader *l, const struct config_key *key, size_t service, size_t item)
{
    const struct config_mark *mark = config_scan_mark(l->scan, key, service, item);
    return mark ? err_wrap(l->err, "%s:%u:%u", l->name, mark->line, mark->column)
                : err_wrap(l->err, "%s", l->name);
}

static bool
load_value(struct loader *l, const struct config_key *key, const char *text, void *record,
           size_t service, size_t item)
{
    CLEANUP_FREE char *value = NULL;
    bool ok = config_expand(text, l->base_dir, &value, l->err);
    if (ok) {
        CLEANUP_FREE char *shown = key->secret ? mem_strdup("the value") : config_quote(text);
        ok = config_value_set(key, record, value, shown, l->err);
    }
    if (!ok) {
        err_wrap(l->err, "%s", key->name);
        return load_fail_at(l, key, service, item);
    }
    if (config_has_reference(text)) {
        struct config_whole *w = l->whole;
        MEM_RESERVE(w->written, w->written_count, w->written_room);
        w->written[w->written_count++] =
            (struct config_written){key, service, item, mem_strdup(text)};
    }
    return true;
}

static bool
load_list(struct loader *l, const struct config_key *key, const struct schema_slot *slot,
          void *record, size_t service)
{
    size_t size = config_section_size(key->opens), count = slot->value ? (size_t)slot->count : 0;
    char *records = mem_new_array(count, size);
    *(void **)((char *)record + key->offset) = records;
    *(size_t *)((char *)record + key->count_offset) = count;
    for (size_t i = 0; i < count; i++) {
        bool top = key->section == CONFIG_TOP;
        if (!load_section(l, key->opens, schema_record(slot, key, i), records + i * size,
                          top ? i : service, top ? 0 : i))
            return false;
    }
    return true;
}

static bool
load_section(struct loader *l, enum config_section section, const struct schema_slot *slots,
             void *record, size_t service, size_t item)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        static const struct schema_slot absent;
        const struct schema_slot *slot = slots ? schema_slot(slots, key) : &absent;
        bool ok = true;
        if (key->type == CONFIG_LIST)
            ok = load_list(l, key, slot, record, service);
        else if (key->type == CONFIG_MAPPING)
            ok = load_section(l, key->opens, slot->value, (char *)record + key->offset, service,
                              item);
        else if (slot->value)
            ok = load_value(l, key, slot->value, record, service, item);
        else
            config_value_set_initial(key, record);
        if (!ok)
            return false;
    }
    return true;
}

/* What the table cannot say: that no two of a list have the same name. */
static bool
load_check_names(struct loader *l)
{
    const struct config *config = &l->whole->config;
    const struct config_key *service_name = config_key_find(CONFIG_SERVICE, "name");
    const struct config_key *attach_name = config_key_find(CONFIG_ATTACH, "name");
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        for (size_t j = 0; j < i; j++) {
            if (strcmp(service->name, config->services[j].name) != 0)
                continue;
            err_set(l->err, ERR_CONFIG, 0,
                    "a second service is called like service %zu of the list", j + 1);
            err_hint(l->err, "give one of the two another name");
            return load_fail_at(l, service_name, i, 0);
        }
        for (size_t j = 0; j < service->attach_count; j++) {
            for (size_t k = 0; k < j; k++) {
                if (strcmp(service->attach[j].name, service->attach[k].name) != 0)
                    continue;
                err_set(l->err, ERR_CONFIG, 0,
                        "a second attached database is called like entry %zu of the list", k + 1);
                err_hint(l->err, "give one of the two another name");
                return load_fail_at(l, attach_name, i, j);
            }
        }
    }
    return true;
}

bool
config_parse_scanned(const char *bytes, size_t length, const char *name, const char *base_dir,
                     struct config **ret_config, struct config_scan *ret_scan, struct err **err)
{
    if (length > CONFIG_FILE_LIMIT) {
        err_set(err, ERR_CONFIG, 0, "%s is larger than %u bytes", name, CONFIG_FILE_LIMIT);
        return err_hint(err, "is it the right file?");
    }
    if (!str_is_utf8(bytes, length)) {
        err_set(err, ERR_CONFIG, 0, "%s is not UTF-8 text", name);
        return err_hint(err, "is it the right file? If so, save it as UTF-8");
    }
    struct config_scan scan = {0};
    if (!config_scan(bytes, length, name, &scan, err))
        return false;
    if (scan.empty) {
        config_scan_free(&scan);
        err_set(err, ERR_CONFIG, 0, "%s is empty", name);
        return err_hint(err,
                        "'effigy init NAME --master sqlite:FILE --image oci:DIR' adds a service");
    }
    struct schema *schema = NULL;
    if (!schema_load(bytes, length, name, &schema, err)) {
        config_scan_free(&scan);
        return false;
    }
    struct config_whole *whole = mem_new(sizeof *whole);
    struct loader loader = {whole, &scan, name, str_or(base_dir, "."), err};
    bool ok = load_section(&loader, CONFIG_TOP, schema_top(schema), &whole->config, 0, 0) &&
              load_check_names(&loader);
    schema_free(schema);
    if (!ok) {
        config_scan_free(&scan);
        config_free(&whole->config);
        return false;
    }
    whole->config.path = mem_strdup(name);
    whole->config.base_dir = mem_strdup(str_or(base_dir, "."));
    *ret_config = &whole->config;
    *ret_scan = scan;
    return true;
}

bool
config_parse(const char *bytes, size_t length, const char *name, const char *base_dir,
             struct config **ret_config, struct err **err)
{
    struct config_scan scan = {0};
    bool ok = config_parse_scanned(bytes, length, name, base_dir, ret_config, &scan, err);
    config_scan_free(&scan);
    return ok;
}

bool
config_load(const char *path, struct config **ret_config, struct err **err)
{
    static const char here[] = "effigy.yaml", system[] = "/etc/effigy/effigy.yaml";
    const char *variable = getenv("EFFIGY_CONFIG");
    bool searched = !path && !(variable && *variable);
    if (!path)
        path = !searched ? variable : file_exists(here) || !file_exists(system) ? here : system;
    CLEANUP_BUF struct buf bytes = {0};
    ERR_LOCAL(failed);
    if (!file_read(path, CONFIG_FILE_LIMIT, &bytes, &failed)) {
        if (failed->kind == ERR_CORRUPT)
            err_rekind(&failed, ERR_CONFIG);
        if (failed->kind == ERR_NOT_FOUND && searched)
            err_set(&failed, ERR_NOT_FOUND, 0, "there is no effigy.yaml here, nor %s", system);
        if (failed->kind == ERR_NOT_FOUND)
            err_hint(&failed, "'effigy init NAME --master sqlite:FILE --image oci:DIR' makes one; "
                              "--config names another file");
        return err_move(err, &failed);
    }
    CLEANUP_FREE char *dir = file_dirname(path);
    return config_parse(buf_text(&bytes), bytes.length, path, dir, ret_config, err);
}

static void
config_free_record(enum config_section section, void *record)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        void *member = (char *)record + key->offset;
        switch (key->type) {
        case CONFIG_LIST: {
            char *records = *(void **)member;
            size_t count = *(size_t *)((char *)record + key->count_offset);
            for (size_t i = 0; i < count; i++)
                config_free_record(key->opens, records + i * config_section_size(key->opens));
            free(records);
            break;
        }
        case CONFIG_MAPPING:
            config_free_record(key->opens, member);
            break;
        case CONFIG_STRING:
        case CONFIG_NAME:
        case CONFIG_ADDRESS:
        case CONFIG_CPUS:
        case CONFIG_CHOICE:
            free(*(char **)member);
            break;
        case CONFIG_BOOL:
        case CONFIG_UNSIGNED:
        case CONFIG_BYTES:
        case CONFIG_DURATION:
            break;
        }
    }
}

void
config_free(struct config *config)
{
    if (!config)
        return;
    struct config_whole *whole = (struct config_whole *)config;
    config_free_record(CONFIG_TOP, config);
    for (size_t i = 0; i < whole->written_count; i++)
        free(whole->written[i].text);
    free(whole->written);
    free(config->path);
    free(config->base_dir);
    free(whole);
}

const struct config_service *
config_service(const struct config *config, const char *name, struct err **err)
{
    const char **names = mem_new_array(config->service_count + 1, sizeof *names);
    CLEANUP_BUF struct buf list = {0};
    const struct config_service *found = NULL;
    for (size_t i = 0; i < config->service_count; i++) {
        names[i] = config->services[i].name;
        if (i < 20)
            buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
        if (strcmp(names[i], name) == 0)
            found = &config->services[i];
    }
    if (!found) {
        CLEANUP_FREE char *shown = config_quote(name);
        const char *nearest = str_nearest(name, names);
        err_set(err, ERR_NOT_FOUND, 0, "there is no service %s in %s", shown, config->path);
        if (nearest)
            err_hint(err, "did you mean '%s'?", nearest);
        else if (config->service_count)
            err_hint(err, "there are: %s%s; 'effigy init' adds one", buf_text(&list),
                     config->service_count > 20 ? ", ..." : "");
        else
            err_hint(err, "there are no services yet; 'effigy init' adds one");
    }
    free(names);
    return found;
}
