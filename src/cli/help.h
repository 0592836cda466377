/* SPDX-License-Identifier: Apache-2.0 */
/* What --help prints: at most 80 columns, from the table of commands. */
#ifndef EFFIGY_CLI_HELP_H
#define EFFIGY_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

#define HELP_COLUMNS 80

void help_write(struct buf *out, const struct command *command); /* NULL: the list of commands */
/* "-c, --config FILE"; to be freed. */
char *help_option_title(const struct option_spec *option);

#endif
