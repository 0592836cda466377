/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/mem.h"
#include "control/verify.h"

bool
cmd_export(struct cli *cli, struct err **err)
{
    const char *folder = command_line_argument(cli->line, 1);
    char **files = NULL;
    if (!cli_open_target(cli, err) ||
        !export_files(cli->config, cli->service, cli_tag(cli), folder, &files, err))
        return false;
    cli->json = json_object();
    out_json_text(cli->json, "service", cli->service->name);
    out_json_text(cli->json, "tag", cli_tag(cli));
    out_json_text(cli->json, "folder", folder);
    json_t *list = json_array();
    json_object_set_new(cli->json, "files", list);
    for (char **file = files; *file; file++) {
        json_array_append_new(list, out_json_string(*file));
        buf_printf(&cli->text, "%s\n", *file);
        free(*file);
    }
    free(files);
    return true;
}
