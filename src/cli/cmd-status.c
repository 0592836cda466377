/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/status.h"

static json_t *
status_json_master(const struct status *status, const char *url)
{
    json_t *master = json_object();
    const struct source_probe *probe = &status->probe;
    out_json_text(master, "url", url);
    out_json_bool(master, "reachable", status->master_ok);
    out_json_text(master, "position", status->master_ok ? probe->position.text : NULL);
    out_json_text(master, "engine", status->master_ok ? probe->engine : NULL);
    out_json_text(master, "version", status->master_ok ? probe->version : NULL);
    if (status->master_ok) {
        out_json_number(master, "page_size", probe->page_size);
        out_json_number(master, "bytes", probe->data_bytes);
    } else {
        json_object_set_new(master, "page_size", json_null());
        json_object_set_new(master, "bytes", json_null());
    }
    out_json_text(master, "error", status->master_error);
    return master;
}

static json_t *
status_json_newest(const struct status *status)
{
    if (!status->has_newest)
        return json_null();
    const struct generation *g = &status->newest;
    CLEANUP_FREE char *name = cli_generation_name(g->number),
                      *created = clock_rfc3339(g->created_ns);
    json_t *newest = json_object();
    out_json_text(newest, "generation", name);
    out_json_text(newest, "digest", g->top.digest.text);
    out_json_text(newest, "position", g->position);
    out_json_text(newest, "created", created);
    json_object_set_new(newest, "behind",
                        status->master_ok ? json_boolean(status->newest_behind) : json_null());
    out_json_real(newest, "staleness_seconds", status->newest_staleness_seconds);
    return newest;
}

static json_t *
status_json_latest(const struct status *status)
{
    if (!status->has_newest || !status->latest.number)
        return json_null();
    CLEANUP_FREE char *name = cli_generation_name(status->latest.number);
    json_t *latest = json_object();
    out_json_text(latest, "generation", name);
    out_json_bool(latest, "pinned", status->latest.pinned);
    return latest;
}

static json_t *
status_json(const struct status *status, const char *url)
{
    json_t *object = json_object();
    out_json_text(object, "service", status->service);
    json_object_set_new(object, "master", status_json_master(status, url));
    json_object_set_new(object, "newest", status_json_newest(status));
    json_object_set_new(object, "latest", status_json_latest(status));
    json_t *replicas = json_array();
    for (size_t i = 0; i < status->replica_count; i++) {
        json_t *replica = cli_replica_json(&status->replicas[i].replica);
        out_json_real(replica, "staleness_seconds", status->replicas[i].staleness_seconds);
        json_array_append_new(replicas, replica);
    }
    json_object_set_new(object, "replicas", replicas);
    if (status->runtime_error)
        out_json_text(object, "runtime_error", status->runtime_error);
    return object;
}

/* "up to date", "behind by at most 2m 10s", "unknown". To be freed. */
static char *
status_staleness(double seconds)
{
    if (seconds < 0)
        return mem_strdup("unknown");
    if (seconds == 0)
        return mem_strdup("0 s");
    CLEANUP_FREE char *time = str_of_seconds(seconds);
    return mem_printf("<= %s", time);
}

static void
status_text_replicas(const struct status *status, struct buf *out)
{
    if (status->runtime_error)
        out_field(out, "replicas", "cannot be listed: %s", status->runtime_error);
    else if (!status->replica_count)
        out_field(out, "replicas", "none");
    if (!status->replica_count)
        return;
    struct out_table table = {0};
    out_table_headings(&table, (const char *[]){"REPLICA", "GENERATION", "STATE", "STALENESS",
                                                "ADDRESS", "RESTARTS", "UP", NULL});
    for (size_t i = 0; i < status->replica_count; i++) {
        const struct runtime_replica *replica = &status->replicas[i].replica;
        double up = replica->pid && replica->started_ns
                        ? (double)(clock_wall_ns() - replica->started_ns) / 1e9
                        : -1;
        out_table_add_text(&table, replica->id);
        out_table_add(&table, cli_generation_name(replica->generation));
        out_table_add_text(&table, runtime_state_name(replica->state));
        out_table_add(&table, status_staleness(status->replicas[i].staleness_seconds));
        out_table_add_text(&table, replica->address);
        out_table_add(&table, mem_printf("%u", replica->restarts));
        out_table_add(&table, up < 0 ? NULL : str_of_seconds(up));
    }
    buf_putc(out, '\n');
    out_table_write(&table, 2, out);
    for (size_t i = 0; i < status->replica_count; i++) {
        const struct runtime_replica *replica = &status->replicas[i].replica;
        if (replica->reason)
            buf_printf(out, "  %s: %s\n", replica->id, replica->reason);
    }
}

static void
status_text(const struct status *status, const char *url, struct buf *out)
{
    buf_printf(out, "%s\n", status->service);
    if (status->master_ok) {
        CLEANUP_FREE char *bytes = str_of_bytes(status->probe.data_bytes);
        out_field(out, "master", "%s  (%s %s, %s)", url, status->probe.engine,
                  status->probe.version, bytes);
        out_field(out, "position", "%s", status->probe.position.text);
    } else {
        out_field(out, "master", "%s", url);
        out_field(out, "", "unreachable: %s", str_or(status->master_error, "unknown"));
    }
    if (!status->has_newest) {
        out_field(out, "newest", "none; `effigy publish %s` makes the first generation",
                  status->service);
    } else {
        const struct generation *g = &status->newest;
        CLEANUP_FREE char *created = out_time(g->created_ns);
        CLEANUP_FREE char *behind = str_of_seconds(status->newest_staleness_seconds);
        const char *state = !status->master_ok      ? ""
                            : status->newest_behind ? ", behind the master by at most "
                                                    : ", up to date";
        out_field(out, "newest", "g%u of %s%s%s", g->number, created, state,
                  status->master_ok && status->newest_behind ? behind : "");
        if (status->latest.number)
            out_field(out, "latest", "g%u%s", status->latest.number,
                      status->latest.pinned ? ", pinned" : "");
    }
    const char *published = NULL;
    for (size_t i = 0; i < status->replica_count && !published; i++)
        published = status->replicas[i].replica.published;
    if (published)
        out_field(out, "published", "http://%s", published);
    status_text_replicas(status, out);
}

static bool
status_add(struct cli *cli, const struct config_service *service, json_t **ret_json,
           struct err **err)
{
    struct status status = {0};
    if (!status_read(cli->config, service, &cli->runtime, &status, err))
        return false;
    CLEANUP_FREE char *url = cli_master_shown(cli, service);
    *ret_json = status_json(&status, url);
    status_text(&status, url, &cli->text);
    status_free(&status);
    return true;
}

bool
cmd_status(struct cli *cli, struct err **err)
{
    if (command_line_argument(cli->line, 0))
        return cli_open_service(cli, err) && status_add(cli, cli->service, &cli->json, err);
    if (!cli_load_config(cli, err))
        return false;
    cli->json = json_object();
    json_t *services = json_array();
    json_object_set_new(cli->json, "services", services);
    for (size_t i = 0; i < cli->config->service_count; i++) {
        json_t *one = NULL;
        if (i)
            buf_putc(&cli->text, '\n');
        if (!status_add(cli, &cli->config->services[i], &one, err))
            return false;
        json_array_append_new(services, one);
    }
    return true;
}
