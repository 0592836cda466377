/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/document.h"

bool
cli_load_config(struct cli *cli, struct err **err)
{
    return config_load(command_line_text(cli->line, "config"), &cli->config, err);
}

static bool
cli_find_service(struct cli *cli, const char *name, struct err **err)
{
    if (!cli_load_config(cli, err))
        return false;
    cli->service = config_service(cli->config, name, err);
    return cli->service != NULL;
}

bool
cli_open_service(struct cli *cli, struct err **err)
{
    return cli_find_service(cli, command_line_argument(cli->line, 0), err);
}

bool
cli_open_target(struct cli *cli, struct err **err)
{
    CLEANUP_FREE char *name = NULL;
    return command_target_split(command_line_argument(cli->line, 0), &name, &cli->tag, err) &&
           cli_find_service(cli, name, err);
}

const char *
cli_tag(const struct cli *cli)
{
    return cli->tag ? cli->tag : GENERATION_TAG_LATEST;
}

char *
cli_master_shown(const struct cli *cli, const struct config_service *service)
{
    size_t index = (size_t)(service - cli->config->services);
    return config_value_shown(cli->config, config_key_find(CONFIG_SERVICE, "master"), service,
                              index, 0);
}

char *
cli_generation_name(unsigned number)
{
    return mem_printf("g%u", number);
}

json_t *
cli_replica_json(const struct runtime_replica *replica)
{
    json_t *object = json_object();
    CLEANUP_FREE char *generation = cli_generation_name(replica->generation);
    CLEANUP_FREE char *started = replica->started_ns ? clock_rfc3339(replica->started_ns) : NULL;
    out_json_text(object, "id", replica->id);
    out_json_text(object, "generation", generation);
    out_json_text(object, "digest", replica->manifest_digest);
    out_json_text(object, "address", replica->address);
    out_json_text(object, "published", replica->published);
    out_json_text(object, "state", runtime_state_name(replica->state));
    out_json_bool(object, "healthy", replica->healthy);
    out_json_number(object, "restarts", replica->restarts);
    json_object_set_new(object, "pid", replica->pid ? json_integer(replica->pid) : json_null());
    out_json_text(object, "started", started);
    out_json_text(object, "reason", replica->reason);
    return object;
}

void
cli_report_rollout(struct cli *cli, const struct rollout_result *result)
{
    CLEANUP_FREE char *generation = cli_generation_name(result->generation.number);
    cli->json = json_object();
    out_json_text(cli->json, "service", cli->service->name);
    out_json_text(cli->json, "generation", generation);
    out_json_text(cli->json, "digest", result->generation.top.digest.text);
    out_json_text(cli->json, "published", result->published);
    json_t *replicas = json_array();
    json_object_set_new(cli->json, "replicas", replicas);
    out_json_number(cli->json, "started", result->started);
    out_json_number(cli->json, "stopped", result->stopped);
    out_json_number(cli->json, "kept", result->kept);

    struct out_table table = {0};
    out_table_headings(&table, (const char *[]){"REPLICA", "GENERATION", "STATE", "ADDRESS", NULL});
    for (size_t i = 0; i < result->replica_count; i++) {
        const struct runtime_replica *replica = &result->replicas[i];
        json_array_append_new(replicas, cli_replica_json(replica));
        out_table_add_text(&table, replica->id);
        out_table_add(&table, cli_generation_name(replica->generation));
        out_table_add_text(&table, runtime_state_name(replica->state));
        out_table_add_text(&table, replica->address);
    }
    buf_printf(&cli->text, "%s:%s", cli->service->name, generation);
    if (result->published)
        buf_printf(&cli->text, "  http://%s", result->published);
    buf_printf(&cli->text, "  %u started, %u kept, %u stopped\n", result->started, result->kept,
               result->stopped);
    CLEANUP_BUF struct buf lines = {0};
    out_table_write(&table, 2, &lines);
    if (result->replica_count)
        buf_puts(&cli->text, buf_text(&lines));
}
