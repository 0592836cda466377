/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "control/publish.h"

static void
publish_json(struct cli *cli, const struct publish_result *result, const char *generation)
{
    const struct {
        const char *name;
        double seconds;
    } stages[] = {
        {"probe", result->seconds_probe},   {"snapshot", result->seconds_snapshot},
        {"settle", result->seconds_settle}, {"bake", result->seconds_bake},
        {"store", result->seconds_store},   {"total", result->seconds_total},
    };
    cli->json = json_object();
    out_json_text(cli->json, "service", cli->service->name);
    out_json_text(cli->json, "generation", generation);
    out_json_text(cli->json, "digest", result->generation.top.digest.text);
    out_json_text(cli->json, "parent", result->generation.parent);
    out_json_text(cli->json, "position", result->generation.position);
    out_json_bool(cli->json, "changed", result->changed);
    out_json_bool(cli->json, "latest_moved", result->latest_moved);
    out_json_number(cli->json, "bytes_data", result->bytes_data);
    out_json_number(cli->json, "bytes_written", result->bytes_written);
    json_t *seconds = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(stages); i++)
        out_json_real(seconds, stages[i].name, stages[i].seconds < 0 ? 0 : stages[i].seconds);
    json_object_set_new(cli->json, "seconds", seconds);
}

static void
publish_text(struct cli *cli, const struct publish_result *result, const char *generation)
{
    struct buf *out = &cli->text;
    const struct generation *g = &result->generation;
    const char *name = cli->service->name;
    if (!result->changed) {
        buf_printf(out, "%s:%s  unchanged: nothing was written\n", name, generation);
    } else {
        CLEANUP_FREE char *data = str_of_bytes(result->bytes_data);
        CLEANUP_FREE char *written = str_of_bytes(result->bytes_written);
        buf_printf(out, "%s:%s  published\n", name, generation);
        out_field(out, "data", "%s", data);
        out_field(out, "written", "%s", written);
    }
    CLEANUP_FREE char *digest = out_digest_short(g->top.digest.text);
    out_field(out, "digest", "%s", digest);
    if (g->parent)
        out_field(out, "parent", "%s", g->parent);
    out_field(out, "position", "%s", str_or(g->position, "-"));
    if (result->changed)
        out_field(out, "time",
                  "%.2f s (probe %.2f, snapshot %.2f, settle %.2f, bake %.2f, store %.2f)",
                  result->seconds_total, result->seconds_probe, result->seconds_snapshot,
                  result->seconds_settle, result->seconds_bake, result->seconds_store);
    else
        out_field(out, "time", "%.2f s", result->seconds_total);
    if (result->changed && !result->latest_moved)
        out_field(out, "latest", "stays where it is pinned; `effigy unpin %s` moves it", name);
}

bool
cmd_publish(struct cli *cli, struct err **err)
{
    const struct publish_options options = {.force = command_line_flag(cli->line, "force")};
    struct publish_result result = {0};
    if (!cli_open_service(cli, err) || !publish(cli->config, cli->service, &options, &result, err))
        return false;
    CLEANUP_FREE char *generation = cli_generation_name(result.generation.number);
    publish_json(cli, &result, generation);
    publish_text(cli, &result, generation);
    publish_result_free(&result);
    return true;
}
