/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "base/buf.h"
#include "base/str.h"

#include <string.h>

static const char *const choices_against[] = {"master", NULL};
static const char *const choices_config[] = {"sample", "services", NULL};
static const char *const choices_shell[] = {"bash", NULL};

#define ARGUMENT_SERVICE                                                                   \
    {                                                                                      \
        .name = "NAME", .help = "the service, as effigy.yaml has it", .word = WORD_SERVICE \
    }
#define ARGUMENT_TARGET                                                                     \
    {                                                                                       \
        .name = "NAME[:gK]",                                                                \
        .help = "the service and one of its generations; without one, what `latest` names", \
        .word = WORD_TARGET                                                                 \
    }
#define OPTION_REPLICAS(text)                                                                \
    {                                                                                        \
        .name = "replicas", .letter = 'n', .type = OPTION_NUMBER, .argument = "N", .min = 1, \
        .max = 1000, .help = text                                                            \
    }
#define OPTION_PORT(text)                                                                \
    {                                                                                    \
        .name = "port", .letter = 'p', .type = OPTION_NUMBER, .argument = "N", .min = 1, \
        .max = 65535, .help = text                                                       \
    }

const struct option_spec command_common_options[] = {
    {.name = "config",
     .letter = 'c',
     .type = OPTION_TEXT,
     .argument = "FILE",
     .word = WORD_FILE,
     .help = "the configuration; else $EFFIGY_CONFIG, ./effigy.yaml, /etc/effigy/effigy.yaml"},
    {.name = "json", .help = "print one JSON object on stdout, also on failure"},
    {.name = "quiet", .letter = 'q', .help = "on stderr say nothing but errors"},
    {.name = "verbose", .letter = 'v', .help = "say more on stderr"},
    {.name = "help", .letter = 'h', .help = "print this help"},
    {.name = NULL},
};
const struct option_spec command_replica_options[] = {
    {.name = "root",
     .type = OPTION_TEXT,
     .argument = "DIR",
     .word = WORD_FOLDER,
     .help = "where unpacked images are kept; else $EFFIGY_ROOT, /var/lib/effigy, or for users "
             "$XDG_DATA_HOME/effigy"},
    {.name = "run-root",
     .type = OPTION_TEXT,
     .argument = "DIR",
     .word = WORD_FOLDER,
     .help = "where running replicas are kept; else $EFFIGY_RUN_ROOT, /run/effigy, or for users "
             "$XDG_RUNTIME_DIR/effigy"},
    {.name = NULL},
};
const struct option_spec command_global_options[] = {
    {.name = "version", .help = "print the version"},
    {.name = NULL},
};

const struct command commands[COMMAND_COUNT] = {
    [COMMAND_INIT] =
        {.name = "init",
         .summary = "Add a service to effigy.yaml",
         .description = "Writes a service into effigy.yaml, which is made, with every key and its "
                        "explanation, if it is not "
                        "there. What the file holds already stays as it is.\n\n"
                        "Relative paths are taken from the working folder. If --config names a "
                        "file in another folder they "
                        "are written as absolute paths.",
         .arguments = {{.name = "NAME",
                        .help = "the new service: lower-case letters, digits, '-' and '_'"}},
         .options = {{.name = "master",
                      .letter = 'm',
                      .type = OPTION_TEXT,
                      .argument = "URL",
                      .required = true,
                      .help = "the master: sqlite:FILE",
                      .word = WORD_FILE},
                     {.name = "image",
                      .letter = 'i',
                      .type = OPTION_TEXT,
                      .argument = "REF",
                      .required = true,
                      .help = "where the generations are kept: oci:DIR",
                      .word = WORD_FOLDER},
                     OPTION_PORT("the port to publish the service on"),
                     OPTION_REPLICAS("how many replicas to run (default: 1)")},
         .examples = "effigy init catalogue --master sqlite:catalogue.db \\\n"
                     "    --image oci:./images/catalogue --port 8080"},
    [COMMAND_PUBLISH] = {.name = "publish",
                         .summary = "Make a new generation of the master's state",
                         .description = "Takes a consistent snapshot of the master while writers "
                                        "go on, settles it for read-only life, and "
                                        "bakes it into an image, the next generation. Prints its "
                                        "number, digest, position, sizes and the time "
                                        "of each stage.\n\n"
                                        "If the master has not changed since the newest "
                                        "generation, nothing is written. `latest` moves to "
                                        "the new generation unless it is pinned (see rollback). "
                                        "Replicas that run are not touched: that is "
                                        "what run does. A publish that is ended at any moment "
                                        "leaves the previous generation in place.",
                         .arguments = {ARGUMENT_SERVICE},
                         .options = {{.name = "force",
                                      .letter = 'f',
                                      .help = "make a generation even if nothing has changed"}},
                         .examples = "effigy publish catalogue\n"
                                     "effigy publish catalogue --json | jq -r .generation"},
    [COMMAND_RUN] =
        {.name = "run",
         .summary = "Serve a generation, replacing older replicas",
         .replicas = true,
         .description = "Starts replicas of a generation, and if there are some already, replaces "
                        "them one by one: a new one is "
                        "healthy before an old one goes, and readers see no failed read. If a new "
                        "one does not become "
                        "healthy, the old ones stay and the command fails with the reason.\n\n"
                        "The number of replicas and the address are those of the replicas that run "
                        "now, else those of "
                        "effigy.yaml, unless given here.",
         .arguments = {ARGUMENT_TARGET},
         .options = {OPTION_REPLICAS("how many replicas to run"),
                     OPTION_PORT("the port to publish the service on"),
                     {.name = "listen",
                      .letter = 'l',
                      .type = OPTION_TEXT,
                      .argument = "ADDR",
                      .help = "the address to publish the service on: 127.0.0.1, 0.0.0.0, ::"}},
         .examples = "effigy run catalogue --replicas 2 --port 8080\n"
                     "effigy run catalogue:g3"},
    [COMMAND_STATUS] = {.name = "status",
                        .summary = "Show the master, the newest generation and the replicas",
                        .replicas = true,
                        .description = "Shows for one service or for all of them: the master and "
                                       "its position, the newest generation and "
                                       "whether the master has moved on since, what `latest` "
                                       "names, and each replica with its generation, "
                                       "state, staleness and own address.\n\n"
                                       "Staleness is 0 while a replica has all that was committed, "
                                       "else the time since the position of its "
                                       "generation: an upper bound of the age of the oldest commit "
                                       "that it lacks. Status succeeds also when "
                                       "the master is away; it then says so.",
                        .arguments = {{.name = "NAME",
                                       .help = "the service; without it, all",
                                       .optional = true,
                                       .word = WORD_SERVICE}},
                        .examples =
                            "effigy status catalogue\n"
                            "effigy status --json | jq '.services[].newest.staleness_seconds'"},
    [COMMAND_LOG] = {.name = "log",
                     .summary = "List the generations, newest first",
                     .description = "Lists the generations that the image store holds: number, "
                                    "time and position of the master, "
                                    "size of the data, size of the image (compressed), parent, and "
                                    "which one `latest` names. A "
                                    "pinned one stays `latest` until unpin.",
                     .arguments = {ARGUMENT_SERVICE},
                     .examples = "effigy log catalogue"},
    [COMMAND_INSPECT] = {.name = "inspect",
                         .summary = "Show all that is known of a generation",
                         .description = "Shows a generation's digests, position, times, sizes, "
                                        "platforms, layers, the files in them, "
                                        "annotations and labels. Only the manifest and the "
                                        "configuration are read; verify reads the "
                                        "data.",
                         .arguments = {ARGUMENT_TARGET},
                         .examples = "effigy inspect catalogue:g1\n"
                                     "effigy inspect catalogue --json | jq .annotations"},
    [COMMAND_VERIFY] = {.name = "verify",
                        .summary = "Check a generation, or compare it with the master",
                        .description = "Reads every blob of a generation and checks its digest, "
                                       "the annotations and the integrity of the "
                                       "databases.\n\n"
                                       "With --against master the content of every table is also "
                                       "compared with the master as it is now, in one "
                                       "transaction. Exit code 0: equal. 13: different, and the "
                                       "master has committed since. 12: different, "
                                       "although it has not; that must not happen.",
                        .arguments = {ARGUMENT_TARGET},
                        .options = {{.name = "against",
                                     .type = OPTION_TEXT,
                                     .argument = "WHAT",
                                     .word = WORD_CHOICE,
                                     .choices = choices_against,
                                     .help = "compare the content, too: with the `master`"}},
                        .examples = "effigy verify catalogue:g2\n"
                                    "effigy verify catalogue --against master"},
    [COMMAND_ROLLBACK] = {.name = "rollback",
                          .summary = "Go back to a generation and stay there",
                          .replicas = true,
                          .description = "Moves the running replicas and `latest` to a generation, "
                                         "and pins them there: publishing goes on to "
                                         "make new generations, but `latest` stays until unpin. If "
                                         "a replica of it does not become "
                                         "healthy, nothing is changed.",
                          .arguments = {ARGUMENT_SERVICE,
                                        {.name = "gK",
                                         .help = "the generation, as log shows it",
                                         .word = WORD_GENERATION}},
                          .examples = "effigy rollback catalogue g1"},
    [COMMAND_UNPIN] = {.name = "unpin",
                       .summary = "End a rollback: serve the newest generation again",
                       .replicas = true,
                       .description = "Removes the pin that rollback set; `latest` and the running "
                                      "replicas move to the newest "
                                      "generation.",
                       .arguments = {ARGUMENT_SERVICE},
                       .examples = "effigy unpin catalogue"},
    [COMMAND_STOP] =
        {.name = "stop",
         .summary = "Stop all replicas of a service",
         .replicas = true,
         .description =
             "Stops the replicas; each may finish what it is answering within the grace period of "
             "effigy.yaml. The generations stay.",
         .arguments = {ARGUMENT_SERVICE},
         .examples = "effigy stop catalogue"},
    [COMMAND_EXPORT] =
        {.name = "export",
         .summary = "Write a generation's database files into a folder",
         .description =
             "Gives the plain database files of a generation back, for any tool that reads them. "
             "The "
             "folder is made if it is not there; files that are there already are not overwritten.",
         .arguments = {ARGUMENT_TARGET, {.name = "DIR", .help = "the folder", .word = WORD_FOLDER}},
         .examples = "effigy export catalogue:g1 ./exported"},
    [COMMAND_LOGS] = {.name = "logs",
                      .summary = "Print what the replicas have logged",
                      .replicas = true,
                      .description = "Prints the logs of the replicas of a service, or of one of "
                                     "them. With several, each line "
                                     "begins with the replica it is from.",
                      .arguments = {ARGUMENT_SERVICE,
                                    {.name = "REPLICA",
                                     .help = "its id, as status shows it; without it, all",
                                     .optional = true}},
                      .options = {{.name = "follow",
                                   .letter = 'f',
                                   .help = "go on printing new lines until interrupted"},
                                  {.name = "tail",
                                   .letter = 'n',
                                   .type = OPTION_NUMBER,
                                   .argument = "N",
                                   .max = 1000000,
                                   .help = "begin with the last N lines of each log"}},
                      .examples = "effigy logs catalogue --follow"},
    [COMMAND_CONFIG] = {.name = "config",
                        .summary = "Show the configuration in force",
                        .description = "Prints all values in force, defaults included. References "
                                       "to secrets appear as they are "
                                       "written, never what they stand for.\n\n"
                                       "`config sample` prints a commented file with every key, "
                                       "`config services` the names of the "
                                       "services, one a line.",
                        .arguments = {{.name = "WHAT",
                                       .help = "`sample` or `services`",
                                       .optional = true,
                                       .word = WORD_CHOICE,
                                       .choices = choices_config}},
                        .examples = "effigy config\n"
                                    "effigy config sample >effigy.yaml"},
    [COMMAND_COMPLETION] = {.name = "completion",
                            .summary = "Print a shell's completion script",
                            .description = "Prints the script that completes commands, options and "
                                           "names of services. `make install` "
                                           "installs it where bash finds it by itself.",
                            .arguments = {{.name = "SHELL",
                                           .help = "`bash`",
                                           .word = WORD_CHOICE,
                                           .choices = choices_shell}},
                            .examples = "source <(effigy completion bash)"},
    [COMMAND_HELP] = {.name = "help",
                      .summary = "Print help on a command",
                      .description = "Prints help on a command, or the list of commands.",
                      .arguments = {{.name = "COMMAND",
                                     .help = "the command; without it, the list of all",
                                     .optional = true,
                                     .word = WORD_COMMAND}},
                      .examples = "effigy help publish"},
    [COMMAND_MAN] =
        {.name = "man",
         .summary = "Print a manual page as roff",
         .hidden = true,
         .description =
             "Prints the source of a manual page: effigy.1, effigy-COMMAND.1 or effigy.yaml.5.",
         .arguments = {{.name = "PAGE", .help = "the page"}}},
};

const struct command *
command_find(const char *name)
{
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (strcmp(commands[id].name, name) == 0)
            return &commands[id];
    }
    return NULL;
}

const char *
command_nearest(const char *name)
{
    const char *names[COMMAND_COUNT + 1] = {NULL};
    size_t count = 0;
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (!commands[id].hidden)
            names[count++] = commands[id].name;
    }
    return str_nearest(name, names);
}

void
command_option_lists(const struct command *command, const struct option_spec *ret_lists[4])
{
    size_t count = 0;
    if (command && command->options[0].name)
        ret_lists[count++] = command->options;
    if (!command || command->replicas)
        ret_lists[count++] = command_replica_options;
    ret_lists[count++] = command_common_options;
    if (!command)
        ret_lists[count++] = command_global_options;
    if (count < 4)
        ret_lists[count] = NULL;
}

char *
command_synopsis(const struct command *command)
{
    struct buf text = {0};
    buf_printf(&text, "effigy %s", command->name);
    for (const struct argument_spec *argument = command->arguments; argument->name; argument++)
        buf_printf(&text, argument->optional ? " [%s]" : " %s", argument->name);
    for (const struct option_spec *option = command->options; option->name; option++) {
        if (option->required)
            buf_printf(&text, " --%s %s", option->name, option->argument);
    }
    buf_puts(&text, " [OPTION]...");
    return buf_steal(&text);
}
