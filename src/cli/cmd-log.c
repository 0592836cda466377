/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/service.h"

#define POSITION_ROOM 20

static json_t *
log_json(const struct generation *g)
{
    CLEANUP_FREE char *name = cli_generation_name(g->number),
                      *created = clock_rfc3339(g->created_ns);
    json_t *object = json_object();
    out_json_text(object, "generation", name);
    out_json_text(object, "created", created);
    out_json_text(object, "position", g->position);
    out_json_text(object, "digest", g->top.digest.text);
    out_json_text(object, "parent", g->parent);
    out_json_number(object, "bytes_data", g->data_bytes);
    out_json_number(object, "bytes_image", g->image_bytes);
    out_json_bool(object, "latest", g->latest);
    out_json_bool(object, "pinned", g->pinned);
    return object;
}

static bool
log_list(struct cli *cli, struct generation **ret_list, size_t *ret_count, struct err **err)
{
    struct oci_store *store = NULL;
    bool ok = service_open_store(cli->config, cli->service, OCI_STORE_READ, &store, err) &&
              generation_list(store, ret_list, ret_count, err);
    oci_store_close(store);
    return ok;
}

bool
cmd_log(struct cli *cli, struct err **err)
{
    struct generation *list = NULL;
    size_t count = 0;
    ERR_LOCAL(failed);
    if (!cli_open_service(cli, err))
        return false;
    /* A service that was never published has an empty log. */
    if (!log_list(cli, &list, &count, &failed) && failed->kind != ERR_NOT_FOUND)
        return err_move(err, &failed);
    cli->json = json_object();
    out_json_text(cli->json, "service", cli->service->name);
    json_t *generations = json_array();
    json_object_set_new(cli->json, "generations", generations);
    struct out_table table = {0};
    out_table_headings(&table, (const char *[]){"GENERATION", "CREATED", "POSITION", "DATA",
                                                "IMAGE", "PARENT", "DIGEST", "", NULL});
    for (size_t i = count; i-- > 0;) {
        const struct generation *g = &list[i];
        json_array_append_new(generations, log_json(g));
        out_table_add(&table, cli_generation_name(g->number));
        out_table_add(&table, out_time(g->created_ns));
        out_table_add(&table, out_shorten(str_or(g->position, "-"), POSITION_ROOM));
        out_table_add(&table, str_of_bytes(g->data_bytes));
        out_table_add(&table, str_of_bytes(g->image_bytes));
        out_table_add_text(&table, g->parent);
        out_table_add(&table, mem_printf("%.12s", oci_digest_hex(&g->top.digest)));
        out_table_add_text(&table, g->pinned ? "latest, pinned" : g->latest ? "latest" : "");
    }
    out_table_write(&table, 0, &cli->text);
    generation_list_free(list, count);
    return true;
}
