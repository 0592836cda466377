/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/document.h"
#include "config/keys.h"

#include <string.h>

static json_t *config_json_record(const struct config *config, enum config_section section,
                                  const void *record, size_t service, size_t item);

static json_t *
config_json_list(const struct config *config, const struct config_key *key, const void *record,
                 size_t service)
{
    size_t count = *(const size_t *)((const char *)record + key->count_offset);
    const char *records = *(const char *const *)((const char *)record + key->offset);
    bool top = key->section == CONFIG_TOP;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              config_json_record(config, key->opens,
                                                 records + i * config_section_size(key->opens),
                                                 top ? i : service, top ? 0 : i));
    return list;
}

/* Numbers and truth values as such, all else as it would be written in the file. */
static json_t *
config_json_value(const struct config *config, const struct config_key *key, const void *record,
                  size_t service, size_t item)
{
    CLEANUP_FREE char *text = config_value_shown(config, key, record, service, item);
    uint64_t number;
    if (!*text)
        return json_null();
    if (key->type == CONFIG_UNSIGNED && str_to_u64(text, 0, INT64_MAX, &number))
        return json_integer((json_int_t)number);
    if (key->type == CONFIG_BOOL)
        return json_boolean(strcmp(text, "true") == 0);
    return out_json_string(text);
}

static json_t *
config_json_record(const struct config *config, enum config_section section, const void *record,
                   size_t service, size_t item)
{
    json_t *object = json_object();
    for (const struct config_key *key = config_keys; key < config_keys + config_key_count; key++) {
        if (key->section != section)
            continue;
        json_t *value = key->type == CONFIG_LIST ? config_json_list(config, key, record, service)
                        : key->type == CONFIG_MAPPING
                            ? config_json_record(config, key->opens,
                                                 (const char *)record + key->offset, service, item)
                            : config_json_value(config, key, record, service, item);
        json_object_set_new(object, key->name, value);
    }
    return object;
}

static bool
config_sample(struct cli *cli)
{
    config_write_sample(&cli->text);
    cli->json = json_object();
    out_json_text(cli->json, "sample", buf_text(&cli->text));
    return true;
}

static bool
config_services(struct cli *cli)
{
    json_t *names = json_array();
    for (size_t i = 0; i < cli->config->service_count; i++) {
        buf_printf(&cli->text, "%s\n", cli->config->services[i].name);
        json_array_append_new(names, out_json_string(cli->config->services[i].name));
    }
    cli->json = json_object();
    json_object_set_new(cli->json, "services", names);
    return true;
}

bool
cmd_config(struct cli *cli, struct err **err)
{
    const char *what = command_line_argument(cli->line, 0);
    if (what && strcmp(what, "sample") == 0)
        return config_sample(cli);
    if (!cli_load_config(cli, err))
        return false;
    if (what)
        return config_services(cli);
    buf_printf(&cli->text, "# %s\n", cli->config->path);
    config_write_effective(cli->config, &cli->text);
    cli->json = config_json_record(cli->config, CONFIG_TOP, cli->config, 0, 0);
    out_json_text(cli->json, "path", cli->config->path);
    return true;
}
