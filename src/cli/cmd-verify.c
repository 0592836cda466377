/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "control/verify.h"

static json_t *
verify_json(const struct cli *cli, const struct verify_result *result, bool ok)
{
    CLEANUP_FREE char *name = cli_generation_name(result->generation.number);
    json_t *object = json_object();
    out_json_text(object, "service", cli->service->name);
    out_json_text(object, "generation", name);
    out_json_text(object, "digest", result->generation.top.digest.text);
    out_json_bool(object, "ok", ok);
    out_json_number(object, "blobs", result->blobs);
    out_json_number(object, "bytes", result->bytes);
    out_json_bool(object, "against_master", result->against_master);
    json_object_set_new(object, "equal",
                        result->against_master ? json_boolean(result->equal) : json_null());
    json_object_set_new(object, "master_moved",
                        result->against_master ? json_boolean(result->master_moved) : json_null());
    json_t *differences = json_array();
    for (size_t i = 0; i < result->difference_count; i++) {
        const struct verify_difference *difference = &result->differences[i];
        json_t *one = json_object();
        out_json_text(one, "database", difference->database);
        out_json_text(one, "table", difference->table);
        out_json_number(one, "rows_image", difference->rows_image);
        out_json_number(one, "rows_master", difference->rows_master);
        out_json_bool(one, "only_image", difference->only_image);
        out_json_bool(one, "only_master", difference->only_master);
        json_array_append_new(differences, one);
    }
    json_object_set_new(object, "differences", differences);
    return object;
}

static void
verify_text(const struct cli *cli, const struct verify_result *result, struct buf *out)
{
    CLEANUP_FREE char *bytes = str_of_bytes(result->bytes);
    buf_printf(out, "%s:g%u  sound: %u blobs, %s\n", cli->service->name, result->generation.number,
               result->blobs, bytes);
    if (!result->against_master)
        return;
    out_field(out, "master",
              result->equal          ? "equal"
              : result->master_moved ? "differs; it has committed since"
                                     : "differs, although it has not committed since");
    if (!result->difference_count)
        return;
    struct out_table table = {0};
    out_table_headings(
        &table, (const char *[]){"DATABASE", "TABLE", "ROWS HERE", "ROWS IN THE MASTER", NULL});
    for (size_t i = 0; i < result->difference_count; i++) {
        const struct verify_difference *difference = &result->differences[i];
        bool schema = !*difference->table;
        out_table_add_text(&table, difference->database);
        out_table_add_text(&table, schema ? "(schema)" : difference->table);
        out_table_add(&table, schema || difference->only_master
                                  ? NULL
                                  : mem_printf("%llu", (unsigned long long)difference->rows_image));
        out_table_add(&table,
                      schema || difference->only_image
                          ? NULL
                          : mem_printf("%llu", (unsigned long long)difference->rows_master));
    }
    out_table_write(&table, 2, out);
}

bool
cmd_verify(struct cli *cli, struct err **err)
{
    bool against_master = command_line_text(cli->line, "against") != NULL;
    struct verify_result result = {0};
    ERR_LOCAL(failed);
    if (!cli_open_target(cli, err))
        return false;
    bool ok = verify(cli->config, cli->service, cli_tag(cli), against_master, &result, &failed);
    if (!ok && failed->kind != ERR_DIFFERS && failed->kind != ERR_MOVED)
        return err_move(err, &failed);
    cli->json = verify_json(cli, &result, ok);
    verify_text(cli, &result, &cli->text);
    verify_result_free(&result);
    return ok ? true : err_move(err, &failed);
}
