/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* Words of text, from column `at` on, in lines that begin with `indent` spaces. */
static void
help_wrap(struct buf *out, const char *text, size_t at, size_t indent)
{
    bool begun = false;
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (begun && at + 1 + length > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (begun) {
            buf_putc(out, ' ');
            at++;
        }
        buf_append(out, text, length);
        at += length;
        begun = true;
        text += length;
        if (str_starts(text, "\n\n")) {
            buf_printf(out, "\n\n%*s", (int)indent, "");
            at = indent;
            begun = false;
        }
        text += strspn(text, " \n");
    }
    buf_putc(out, '\n');
}

static void
help_entry(struct buf *out, const char *title, const char *text, size_t column)
{
    size_t length = strlen(title) + 2;
    buf_printf(out, "  %s", title);
    if (length + 2 > column)
        buf_printf(out, "\n%*s", (int)column, "");
    else
        buf_printf(out, "%*s", (int)(column - length), "");
    help_wrap(out, text, column, column);
}

char *
help_option_title(const struct option_spec *option)
{
    struct buf title = {0};
    if (option->letter)
        buf_printf(&title, "-%c, ", option->letter);
    else
        buf_puts(&title, "    ");
    buf_printf(&title, "--%s", option->name);
    if (option->argument)
        buf_printf(&title, " %s", option->argument);
    return buf_steal(&title);
}

static void
help_options(struct buf *out, const char *heading, const struct option_spec *options)
{
    if (!options->name)
        return;
    buf_printf(out, "\n%s:\n", heading);
    for (; options->name; options++) {
        CLEANUP_FREE char *title = help_option_title(options);
        CLEANUP_FREE char *text =
            mem_printf("%s%s", options->help, options->required ? " (required)" : "");
        help_entry(out, title, text, 25);
    }
}

static void
help_command(struct buf *out, const struct command *command)
{
    CLEANUP_FREE char *synopsis = command_synopsis(command);
    buf_puts(out, "Usage: ");
    help_wrap(out, synopsis, 7, 11);
    buf_printf(out, "\n%s.\n\n", command->summary);
    help_wrap(out, command->description, 0, 0);
    if (command->arguments[0].name)
        buf_puts(out, "\nArguments:\n");
    for (const struct argument_spec *argument = command->arguments; argument->name; argument++)
        help_entry(out, argument->name, argument->help, 25);
    help_options(out, "Options", command->options);
    if (command->replicas)
        help_options(out, "Options of commands that touch replicas", command_replica_options);
    help_options(out, "Options of every command", command_common_options);
    if (!command->examples)
        return;
    buf_puts(out, "\nExamples:\n");
    for (const char *line = command->examples; *line;) {
        size_t length = strcspn(line, "\n");
        buf_printf(out, "  %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void
help_overview(struct buf *out)
{
    buf_puts(out, "Usage: effigy [OPTION]... COMMAND [OPTION | ARGUMENT]...\n\n");
    help_wrap(
        out,
        "Bakes snapshots of a master database into OCI images, generations, and serves them from "
        "replicas that keep no state.",
        0, 0);
    buf_puts(out, "\nCommands:\n");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (!commands[id].hidden)
            help_entry(out, commands[id].name, commands[id].summary, 16);
    }
    help_options(out, "Options", command_common_options);
    help_options(out, "Options without a command", command_global_options);
    help_options(out, "Options of commands that touch replicas", command_replica_options);
    buf_puts(out, "\n'effigy help COMMAND' describes a command; effigy(1) and effigy.yaml(5) are "
                  "the\nmanual.\n");
}

void
help_write(struct buf *out, const struct command *command)
{
    if (command)
        help_command(out, command);
    else
        help_overview(out);
}
