/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

bool
cmd_rollback(struct cli *cli, struct err **err)
{
    const char *tag = command_line_argument(cli->line, 1);
    struct rollout_result result = {0};
    if (!command_tag_check(tag, err) || !cli_open_service(cli, err) ||
        !rollout_rollback(cli->config, cli->service, tag, &cli->runtime, &result, err))
        return false;
    cli_report_rollout(cli, &result);
    out_json_bool(cli->json, "pinned", true);
    buf_printf(&cli->text, "  latest is pinned here; `effigy unpin %s` ends that\n",
               cli->service->name);
    rollout_result_free(&result);
    return true;
}
