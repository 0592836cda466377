/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs (cmd-*.c) have in common. A verb fills .text for people and .json for scripts;
 * main.c prints one of the two, also when the verb then fails.
 */
#ifndef EFFIGY_CLI_CLI_H
#define EFFIGY_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "config/config.h"
#include "control/generation.h"
#include "control/rollout.h"
#include "runtime/runtime.h"

struct cli {
    const struct command_line *line;
    struct config *config;                /* once loaded */
    const struct config_service *service; /* once cli_open_service() was called */
    char *tag;                            /* once cli_open_target() was called; NULL: none given */
    struct runtime_options runtime;
    bool json_wanted;
    struct buf text;
    json_t *json;
};
typedef bool command_run(struct cli *cli, struct err **err);

command_run cmd_init, cmd_publish, cmd_run, cmd_status, cmd_log, cmd_inspect, cmd_verify,
    cmd_rollback, cmd_unpin, cmd_stop, cmd_export, cmd_logs, cmd_config, cmd_completion, cmd_help,
    cmd_man;

bool cli_load_config(struct cli *cli, struct err **err);
/* The first argument as NAME, or as NAME[:gK] into .service and .tag. */
bool cli_open_service(struct cli *cli, struct err **err);
bool cli_open_target(struct cli *cli, struct err **err);
/* The tag to work on where none was given: latest. */
const char *cli_tag(const struct cli *cli);
/* The service's master as effigy.yaml has it, without secrets; to be freed. */
char *cli_master_shown(const struct cli *cli, const struct config_service *service);

/* "g2"; to be freed. */
char *cli_generation_name(unsigned number);
/* A running replica as a JSON object; its members are those of status. */
json_t *cli_replica_json(const struct runtime_replica *replica);
/* What run, rollback and unpin have to say. */
void cli_report_rollout(struct cli *cli, const struct rollout_result *result);

#endif
