/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

bool
cmd_unpin(struct cli *cli, struct err **err)
{
    struct rollout_result result = {0};
    if (!cli_open_service(cli, err) ||
        !rollout_unpin(cli->config, cli->service, &cli->runtime, &result, err))
        return false;
    cli_report_rollout(cli, &result);
    out_json_bool(cli->json, "pinned", false);
    rollout_result_free(&result);
    return true;
}
