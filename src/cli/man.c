/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/man.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "config/config.h"
#include "config/roff.h"

#include <ctype.h>
#include <string.h>

/* The text as a sentence, for what is written without capital letter and full stop. */
static char *
man_sentence(const char *text)
{
    char *sentence = mem_printf("%s.", text);
    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    return sentence;
}

static void
man_options(struct buf *out, const struct option_spec *options)
{
    for (; options->name; options++) {
        CLEANUP_FREE char *title = options->letter
                                       ? mem_printf("-%c, --%s", options->letter, options->name)
                                       : mem_printf("--%s", options->name);
        CLEANUP_FREE char *text = man_sentence(options->help);
        CLEANUP_FREE char *whole = mem_printf("%s%s", text, options->required ? " Required." : "");
        roff_item(out, title, options->argument, whole);
    }
}

static void
man_paragraphs(struct buf *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        CLEANUP_FREE char *paragraph =
            end ? mem_strndup(text, (size_t)(end - text)) : mem_strdup(text);
        roff_paragraph(out, paragraph);
        text = end ? end + 2 : text + strlen(text);
    }
}

static void
man_command(struct buf *out, const struct command *command)
{
    CLEANUP_FREE char *title = mem_printf("effigy-%s", command->name);
    CLEANUP_FREE char *synopsis = command_synopsis(command);
    roff_title(out, title, "1");
    roff_section(out, "NAME");
    CLEANUP_FREE char *summary = mem_strdup(command->summary);
    summary[0] = (char)tolower((unsigned char)summary[0]);
    buf_printf(out, "effigy\\-%s \\- ", command->name);
    roff_text(out, summary);
    buf_putc(out, '\n');
    roff_section(out, "SYNOPSIS");
    roff_paragraph(out, synopsis);
    roff_section(out, "DESCRIPTION");
    man_paragraphs(out, command->description);
    if (command->arguments[0].name)
        roff_section(out, "ARGUMENTS");
    for (const struct argument_spec *argument = command->arguments; argument->name; argument++) {
        CLEANUP_FREE char *text = man_sentence(argument->help);
        roff_item(out, argument->name, NULL, text);
    }
    roff_section(out, "OPTIONS");
    man_options(out, command->options);
    if (command->replicas)
        man_options(out, command_replica_options);
    man_options(out, command_common_options);
    if (command->examples) {
        roff_section(out, "EXAMPLES");
        roff_example(out, command->examples);
    }
    roff_section(out, "EXIT STATUS");
    roff_paragraph(out, "0 on success, else the kind of the error; effigy(1) lists them.");
    roff_section(out, "SEE ALSO");
    buf_puts(out, ".BR effigy (1),\n.BR effigy.yaml (5)\n");
}

static void
man_overview(struct buf *out)
{
    roff_title(out, "effigy", "1");
    roff_section(out, "NAME");
    buf_puts(
        out,
        "effigy \\- bake databases into container images and serve them from stateless replicas\n");
    roff_section(out, "SYNOPSIS");
    roff_paragraph(out, "effigy [OPTION]... COMMAND [OPTION | ARGUMENT]...");
    roff_section(out, "DESCRIPTION");
    roff_paragraph(
        out,
        "One master database takes every write. Effigy takes a consistent snapshot of it, prepares "
        "that snapshot for read-only life, and bakes it into an OCI container image: a generation. "
        "Replicas are plain containers of it. They hold no state, so that killing one loses "
        "nothing; a new state of the data is a new image, and going back is the old image.");
    roff_paragraph(
        out,
        "Results go to stdout, progress and errors to stderr. With --json every command prints one "
        "JSON object on stdout; when it fails, the object has the member `error` with kind, "
        "message, "
        "hint and exit.");
    roff_section(out, "COMMANDS");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (commands[id].hidden)
            continue;
        CLEANUP_FREE char *text =
            mem_printf("%s. See effigy-%s(1).", commands[id].summary, commands[id].name);
        roff_item(out, commands[id].name, NULL, text);
    }
    roff_section(out, "OPTIONS");
    roff_paragraph(
        out,
        "Options stand before or behind arguments; -- ends them. These belong to every command:");
    man_options(out, command_common_options);
    roff_paragraph(out, "These belong to the commands that touch replicas:");
    man_options(out, command_replica_options);
    roff_paragraph(out, "Without a command:");
    man_options(out, command_global_options);
    roff_section(out, "EXIT STATUS");
    roff_item(out, "0", NULL, "Success.");
    for (const struct exit_code *code = exit_codes; code->text; code++) {
        CLEANUP_FREE char *number = mem_printf("%d", (int)code->kind);
        CLEANUP_FREE char *name = mem_printf("(%s)", err_kind_name(code->kind));
        roff_item(out, number, name, code->text);
    }
    roff_section(out, "ENVIRONMENT");
    roff_item(out, "EFFIGY_CONFIG", NULL, "The configuration, where --config is not given.");
    roff_item(out, "EFFIGY_ROOT, EFFIGY_RUN_ROOT", NULL, "As --root and --run-root.");
    roff_item(out, "EFFIGY_LIBDIR", NULL, "Where the servers that go into images were installed.");
    roff_item(out, "SOURCE_DATE_EPOCH", NULL,
              "The time, in seconds since 1970, that images say they were made at; "
              "else the master's time at the position.");
    roff_section(out, "FILES");
    roff_item(out, "./effigy.yaml, /etc/effigy/effigy.yaml", NULL,
              "The configuration; see effigy.yaml(5).");
    roff_item(
        out, "/var/lib/effigy, /run/effigy", NULL,
        "Unpacked images and running replicas, of root. Both can be made again from the images.");
    roff_section(out, "EXAMPLES");
    roff_example(
        out, "effigy init catalogue --master sqlite:catalogue.db --image oci:./images/catalogue\n"
             "effigy publish catalogue\n"
             "effigy run catalogue --replicas 2 --port 8080\n"
             "curl -G localhost:8080/query --data-urlencode 'sql=select 1'\n"
             "effigy status catalogue\n"
             "effigy rollback catalogue g1\n");
    roff_section(out, "SEE ALSO");
    buf_puts(out, ".BR effigy.yaml (5),\n.BR runc (8),\n.BR skopeo (1)\n");
}

bool
man_write(const char *page, struct buf *out)
{
    if (strcmp(page, "effigy.1") == 0) {
        man_overview(out);
        return true;
    }
    if (strcmp(page, "effigy.yaml.5") == 0) {
        config_write_man(out);
        return true;
    }
    if (!str_starts(page, "effigy-") || !str_ends(page, ".1"))
        return false;
    CLEANUP_FREE char *name = mem_strndup(page + 7, strlen(page) - 9);
    const struct command *command = command_find(name);
    if (!command || command->hidden)
        return false;
    man_command(out, command);
    return true;
}
