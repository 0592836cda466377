/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/completion.h"

#include "cli/command.h"

#include <string.h>

/* The function's first part finds the command, the number of arguments behind it, and the -c option
 * for the calls of effigy that name services and generations. */
static const char head[] =
    "# bash completion for effigy; made by 'effigy completion bash'\n"
    "_effigy_call() {\n"
    "    \"${COMP_WORDS[0]}\" \"$@\" ${config:+--config \"$config\"} 2>/dev/null\n"
    "}\n"
    "_effigy() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local command='' config='' service='' words='' files='' count=0 i word\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n";

/* `values` are patterns of the options that take a value in the next word. */
static const char middle[] =
    "                if [ \"$word\" = --config ] || [ \"$word\" = -c ]; then "
    "config=${COMP_WORDS[i+1]}; fi\n"
    "                i=$((i + 1)) ;;\n"
    "            :) i=$((i + 1)) ;; # bash takes a colon for a word of its own\n"
    "            -*) ;;\n"
    "            *)\n"
    "                if [ -z \"$command\" ]; then command=$word\n"
    "                else\n"
    "                    count=$((count + 1))\n"
    "                    [ -n \"$service\" ] || service=$word\n"
    "                fi ;;\n"
    "        esac\n"
    "    done\n"
    "    # The word being completed is the value of an option when i has gone past it.\n"
    "    if [ \"$i\" -gt \"$COMP_CWORD\" ]; then\n"
    "        case $command:$previous in\n";

static const char tail[] =
    "        esac\n"
    "    fi\n"
    "    COMPREPLY=()\n"
    "    if [ -n \"$files\" ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen \"$files\" -- \"$current\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
    "    fi\n"
    "}\n"
    "complete -F _effigy effigy\n";

static void
completion_words_of(struct buf *out, enum word_kind word, const char *const *choices)
{
    switch (word) {
    case WORD_FILE:
        buf_puts(out, "files=-f");
        break;
    case WORD_FOLDER:
        buf_puts(out, "files=-d");
        break;
    case WORD_CHOICE:
        buf_puts(out, "words='");
        for (; *choices; choices++)
            buf_printf(out, "%s%s", *choices, choices[1] ? " " : "");
        buf_puts(out, "'");
        break;
    case WORD_SERVICE:
    case WORD_TARGET:
        buf_puts(out, "words=$(_effigy_call config services)");
        break;
    case WORD_GENERATION:
        buf_puts(out, "words=$(_effigy_call log \"$service\" | awk 'NR > 1 { print $1 }')");
        break;
    case WORD_COMMAND:
        buf_puts(out, "words=$commands");
        break;
    case WORD_TEXT:
        buf_puts(out, ":");
        break;
    }
}

static void
completion_option_values(struct buf *out, const struct command *command,
                         const struct option_spec *options)
{
    for (; options->name; options++) {
        if (options->type == OPTION_FLAG)
            continue;
        const char *name = command ? command->name : "*";
        buf_printf(out, "            %s:--%s", name, options->name);
        if (options->letter)
            buf_printf(out, "|%s:-%c", name, options->letter);
        buf_puts(out, ") ");
        completion_words_of(out, options->word, options->choices);
        buf_puts(out, " ;;\n");
    }
}

static bool
completion_is_first(int id, const struct option_spec *option)
{
    for (int earlier = 0; earlier < id; earlier++) {
        for (const struct option_spec *other = commands[earlier].options; other->name; other++) {
            if (strcmp(other->name, option->name) == 0)
                return false;
        }
    }
    return true;
}

/* The patterns of all options that take a value, for the loop that skips these. (No letter takes a
 * value in one command and is a flag in another; a test sees to it.) */
static void
completion_skips(struct buf *out)
{
    buf_puts(out, "            --config|-c|--root|--run-root");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        for (const struct option_spec *option = commands[id].options; option->name; option++) {
            if (option->type == OPTION_FLAG || !completion_is_first(id, option))
                continue;
            buf_printf(out, "|--%s", option->name);
            if (option->letter && option->letter != 'n')
                buf_printf(out, "|-%c", option->letter);
        }
    }
    buf_puts(out, "|-n)\n");
}

/* What stands behind NAME: is a generation, behind a scheme such as sqlite: a path. */
static void
completion_colon(struct buf *out)
{
    for (int id = 0; id < COMMAND_COUNT; id++) {
        for (const struct argument_spec *argument = commands[id].arguments; argument->name;
             argument++) {
            if (argument->word != WORD_TARGET)
                continue;
            buf_printf(out, "            %s::) ", commands[id].name);
            completion_words_of(out, WORD_GENERATION, NULL);
            buf_puts(out, " ;;\n");
        }
    }
    buf_puts(out, "            *::) files=-f ;;\n");
}

static void
completion_options(struct buf *out, const struct command *command)
{
    const struct option_spec *lists[4];
    command_option_lists(command, lists);
    for (size_t i = 0; i < 4 && lists[i]; i++) {
        for (const struct option_spec *option = lists[i]; option->name; option++)
            buf_printf(out, " --%s", option->name);
    }
}

void
completion_write_bash(struct buf *out)
{
    buf_puts(out, head);
    completion_skips(out);
    buf_puts(out, middle);
    completion_option_values(out, NULL, command_common_options);
    completion_option_values(out, NULL, command_replica_options);
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (!commands[id].hidden)
            completion_option_values(out, &commands[id], commands[id].options);
    }
    completion_colon(out);
    buf_puts(out, "        esac\n    elif [[ $current == -* ]]; then\n        case $command in\n");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (commands[id].hidden)
            continue;
        buf_printf(out, "            %s) words='", commands[id].name);
        completion_options(out, &commands[id]);
        buf_puts(out, "' ;;\n");
    }
    buf_puts(out, "            '') words='");
    completion_options(out, NULL);
    buf_puts(out, "' ;;\n        esac\n    else\n        local commands='");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        if (!commands[id].hidden)
            buf_printf(out, " %s", commands[id].name);
    }
    buf_puts(out, "'\n        case $command:$count in\n            :*) words=$commands ;;\n");
    for (int id = 0; id < COMMAND_COUNT; id++) {
        for (int i = 0; !commands[id].hidden && commands[id].arguments[i].name; i++) {
            const struct argument_spec *argument = &commands[id].arguments[i];
            if (argument->word == WORD_TEXT)
                continue;
            buf_printf(out, "            %s:%d) ", commands[id].name, i);
            completion_words_of(out, argument->word, argument->choices);
            buf_puts(out, " ;;\n");
        }
    }
    buf_puts(out, tail);
}
