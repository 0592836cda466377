/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

bool
cmd_stop(struct cli *cli, struct err **err)
{
    unsigned stopped = 0;
    if (!cli_open_service(cli, err) || !rollout_stop(cli->service, &cli->runtime, &stopped, err))
        return false;
    cli->json = json_object();
    out_json_text(cli->json, "service", cli->service->name);
    out_json_number(cli->json, "stopped", stopped);
    buf_printf(&cli->text, "%s  %u %s stopped\n", cli->service->name, stopped,
               stopped == 1 ? "replica" : "replicas");
    return true;
}
