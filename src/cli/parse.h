/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: effigy [OPTION]... COMMAND [OPTION | ARGUMENT]...
 *
 * Options stand before or behind arguments: --name, --name=VALUE, --name VALUE, -x, -xVALUE, -x
 * VALUE, -xy for flags;
 * "--" ends them. What is misspelt is refused with the nearest right word. Pure.
 */
#ifndef EFFIGY_CLI_PARSE_H
#define EFFIGY_CLI_PARSE_H

#include "base/err.h"
#include "cli/command.h"

#include <stddef.h>

struct option_value {
    const struct option_spec *option;
    const char *text; /* NULL for flags */
    uint64_t number;
};
struct command_line {
    const struct command *command; /* NULL: only --help or --version */
    bool help, version;            /* the rest was then not looked at */
    struct option_value values[24];
    size_t value_count;
    const char *arguments[COMMAND_ARGUMENTS];
    size_t argument_count;
};

/* Strings point into argv. ERR_USAGE, with a hint. */
bool command_line_parse(int argc, const char *const *argv, struct command_line *ret_line,
                        struct err **err);

/* The value of an option that the command takes. */
bool command_line_flag(const struct command_line *line, const char *option);
const char *command_line_text(const struct command_line *line,
                              const char *option); /* NULL: not given */
uint64_t command_line_number(const struct command_line *line, const char *option,
                             uint64_t otherwise);
const char *command_line_argument(const struct command_line *line,
                                  size_t index); /* NULL: not given */

/* Is there a "--json" among the words, whatever is wrong with the others? */
bool command_line_wants_json(int argc, const char *const *argv);

/* Splits "catalogue:g2" into name and tag (NULL without one); both to be freed. The tag is g<N>,
 * latest, pinned or a digest. ERR_USAGE. */
bool command_target_split(const char *text, char **ret_name, char **ret_tag, struct err **err);
/* Checks such a tag. ERR_USAGE. */
bool command_tag_check(const char *tag, struct err **err);

#endif
