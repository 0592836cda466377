/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/completion.h"

bool
cmd_completion(struct cli *cli, struct err **err)
{
    completion_write_bash(&cli->text);
    cli->json = json_object();
    out_json_text(cli->json, "script", buf_text(&cli->text));
    return true;
}
