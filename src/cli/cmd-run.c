/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/mem.h"
#include "config/keys.h"
#include "config/value.h"

static bool
run_check_listen(const char *listen, struct err **err)
{
    struct config_service service = {0};
    CLEANUP_FREE char *shown = config_quote(listen);
    bool ok =
        config_value_set(config_key_find(CONFIG_SERVICE, "listen"), &service, listen, shown, err);
    free(service.listen);
    if (ok)
        return true;
    err_rekind(err, ERR_USAGE);
    err_hint(err, "for example: --listen 127.0.0.1");
    return err_wrap(err, "--listen");
}

bool
cmd_run(struct cli *cli, struct err **err)
{
    const struct command_line *line = cli->line;
    if (!cli_open_target(cli, err))
        return false;
    const char *listen = command_line_text(line, "listen");
    if (listen && !run_check_listen(listen, err))
        return false;
    const struct rollout_options options = {
        .tag = cli->tag,
        .replicas = (unsigned)command_line_number(line, "replicas", 0),
        .listen = listen,
        .port = (unsigned)command_line_number(line, "port", 0),
        .runtime = cli->runtime,
    };
    struct rollout_result result = {0};
    if (!rollout_run(cli->config, cli->service, &options, &result, err))
        return false;
    cli_report_rollout(cli, &result);
    rollout_result_free(&result);
    return true;
}
