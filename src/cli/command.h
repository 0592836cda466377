/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands and their options. The parser, --help, the man pages and the completion are
 * made from it; what a command does is found by its id in main.c.
 */
#ifndef EFFIGY_CLI_COMMAND_H
#define EFFIGY_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

enum command_id {
    COMMAND_INIT,
    COMMAND_PUBLISH,
    COMMAND_RUN,
    COMMAND_STATUS,
    COMMAND_LOG,
    COMMAND_INSPECT,
    COMMAND_VERIFY,
    COMMAND_ROLLBACK,
    COMMAND_UNPIN,
    COMMAND_STOP,
    COMMAND_EXPORT,
    COMMAND_LOGS,
    COMMAND_CONFIG,
    COMMAND_COMPLETION,
    COMMAND_HELP,
    COMMAND_MAN,
    COMMAND_COUNT,
};

/* What a word on the command line is, for checks and completion. */
enum word_kind {
    WORD_TEXT,
    WORD_FILE,
    WORD_FOLDER,
    WORD_CHOICE,     /* one of .choices */
    WORD_SERVICE,    /* NAME */
    WORD_TARGET,     /* NAME[:gK] */
    WORD_GENERATION, /* gK of the service before it */
    WORD_COMMAND,
};

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER, /* from .min to .max */
};

struct option_spec {
    const char *name; /* without "--" */
    char letter;      /* 0: none */
    enum option_type type;
    const char *argument; /* "FILE"; NULL for flags */
    const char *help;     /* a sentence without a capital letter and full stop */
    bool required;
    uint64_t min, max;
    enum word_kind word;
    const char *const *choices;
};
struct argument_spec {
    const char *name; /* "NAME[:gK]" */
    const char *help;
    bool optional;
    enum word_kind word;
    const char *const *choices;
};

#define COMMAND_ARGUMENTS 3 /* room in the tables, the terminating empty one included */
#define COMMAND_OPTIONS 8

struct command {
    const char *name;
    const char *summary;                               /* one line for lists, without a full stop */
    const char *description;                           /* paragraphs, separated by an empty line */
    struct argument_spec arguments[COMMAND_ARGUMENTS]; /* ends with a NULL name */
    struct option_spec options[COMMAND_OPTIONS];       /* ends with a NULL name */
    const char *examples;                              /* lines of shell, or NULL */
    bool replicas; /* touches replicas: takes command_replica_options, too */
    bool hidden;
};

extern const struct command commands[COMMAND_COUNT]; /* in the order of their ids */
extern const struct option_spec
    command_common_options[]; /* of every command; ends with a NULL name */
extern const struct option_spec command_replica_options[]; /* ends with a NULL name */
extern const struct option_spec
    command_global_options[]; /* without a command; ends with a NULL name */

const struct command *command_find(const char *name); /* NULL: there is none */
const char *
command_nearest(const char *name); /* of those that are not hidden; NULL: none is near */
/* The option lists that a command takes (NULL: none given yet), up to four and a NULL. */
void command_option_lists(const struct command *command, const struct option_spec *ret_lists[4]);
/* "effigy run [options] NAME[:gK]"; to be freed. */
char *command_synopsis(const struct command *command);

#endif
