/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/help.h"

bool
cmd_help(struct cli *cli, struct err **err)
{
    const char *name = command_line_argument(cli->line, 0);
    const struct command *command = name ? command_find(name) : NULL;
    if (name && !command) {
        const char *nearest = command_nearest(name);
        err_set(err, ERR_USAGE, 0, "there is no command '%s'", name);
        return nearest ? err_hint(err, "did you mean '%s'?", nearest)
                       : err_hint(err, "'effigy help' lists the commands");
    }
    help_write(&cli->text, command);
    cli->json = json_object();
    out_json_text(cli->json, "help", buf_text(&cli->text));
    return true;
}
