/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/man.h"

bool
cmd_man(struct cli *cli, struct err **err)
{
    const char *page = command_line_argument(cli->line, 0);
    if (!man_write(page, &cli->text)) {
        err_set(err, ERR_NOT_FOUND, 0, "there is no manual page '%s'", page);
        return err_hint(err, "there are effigy.1, effigy-COMMAND.1 and effigy.yaml.5");
    }
    cli->json = json_object();
    out_json_text(cli->json, "page", buf_text(&cli->text));
    return true;
}
