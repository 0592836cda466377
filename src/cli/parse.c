/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parse.h"

#include "base/mem.h"
#include "base/str.h"
#include "config/value.h"

#include <string.h>

struct parser {
    struct command_line line;
    const char *const *argv;
    int argc, next; /* the next word */
    struct err **err;
};

static const char *
parser_program(const struct parser *p, char room[64])
{
    snprintf(room, 64, "effigy%s%s", p->line.command ? " " : "",
             p->line.command ? p->line.command->name : "");
    return room;
}

static bool __attribute__((format(printf, 2, 3)))
parser_fail(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    char program[64];
    if (p->line.command)
        err_set(p->err, ERR_USAGE, 0, "%s: %s", p->line.command->name, text);
    else
        err_set(p->err, ERR_USAGE, 0, "%s", text);
    return err_hint(p->err, "see '%s --help'", parser_program(p, program));
}

/* A word of the user's, for messages. */
#define SHOW(word) CLEANUP_FREE char *shown = config_quote(word)

static const struct option_spec *
parser_find(const struct parser *p, const char *name, size_t length, char letter)
{
    const struct option_spec *lists[4];
    command_option_lists(p->line.command, lists);
    for (size_t i = 0; i < 4 && lists[i]; i++) {
        for (const struct option_spec *option = lists[i]; option->name; option++) {
            if (name ? strlen(option->name) == length && memcmp(option->name, name, length) == 0
                     : option->letter == letter)
                return option;
        }
    }
    return NULL;
}

static bool
parser_unknown_option(struct parser *p, const char *name)
{
    const char *names[64];
    size_t count = 0, length = strlen(name);
    const char *begun = NULL;
    const struct option_spec *lists[4];
    command_option_lists(p->line.command, lists);
    for (size_t i = 0; i < 4 && lists[i]; i++) {
        for (const struct option_spec *option = lists[i]; option->name; option++) {
            names[count++] = option->name;
            if (length >= 2 && strncmp(option->name, name, length) == 0)
                begun = option->name;
        }
    }
    names[count] = NULL;
    const char *nearest = begun ? begun : str_nearest(name, names);
    CLEANUP_FREE char *option = mem_printf("--%s", name);
    SHOW(option);
    parser_fail(p, "there is no option %s%s", shown,
                p->line.command ? "" : " in front of a command");
    return nearest ? err_hint(p->err, "did you mean '--%s'?", nearest) : false;
}

static bool
parser_number(struct parser *p, const struct option_spec *option, struct option_value *value)
{
    if (str_to_u64(value->text, option->min, option->max, &value->number))
        return true;
    SHOW(value->text);
    return parser_fail(p, "--%s: %s is not a number from %llu to %llu", option->name, shown,
                       (unsigned long long)option->min, (unsigned long long)option->max);
}

static bool
parser_choice(struct parser *p, const char *what, const char *text, const char *const *choices)
{
    CLEANUP_BUF struct buf list = {0};
    for (const char *const *choice = choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0)
            return true;
        buf_printf(&list, "%s'%s'", choice == choices ? "" : choice[1] ? ", " : " or ", *choice);
    }
    SHOW(text);
    parser_fail(p, "%s: %s is not %s", what, shown, buf_text(&list));
    const char *nearest = str_nearest(text, choices);
    return nearest ? err_hint(p->err, "did you mean '%s'?", nearest) : false;
}

static bool
parser_take(struct parser *p, const struct option_spec *option, const char *text)
{
    struct command_line *line = &p->line;
    if (strcmp(option->name, "help") == 0)
        line->help = true;
    if (strcmp(option->name, "version") == 0)
        line->version = true;
    struct option_value value = {.option = option, .text = text};
    for (size_t i = 0; i < line->value_count; i++) {
        if (line->values[i].option != option)
            continue;
        return option->type == OPTION_FLAG ? true
                                           : parser_fail(p, "--%s is given twice", option->name);
    }
    if (text && !*text)
        return parser_fail(p, "--%s has an empty value", option->name);
    if (option->type == OPTION_NUMBER && !parser_number(p, option, &value))
        return false;
    CLEANUP_FREE char *what = mem_printf("--%s", option->name);
    if (option->choices && !parser_choice(p, what, text, option->choices))
        return false;
    line->values[line->value_count++] = value;
    return true;
}

/* The value of an option that takes one and has not got it in the same word. */
static bool
parser_value(struct parser *p, const struct option_spec *option, const char **ret_text)
{
    if (p->next >= p->argc)
        return parser_fail(p, "--%s needs a value: %s", option->name, option->argument);
    *ret_text = p->argv[p->next++];
    return true;
}

static bool
parser_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct option_spec *option = parser_find(p, word, length, 0);
    if (!option) {
        CLEANUP_FREE char *name = mem_strndup(word, length);
        return parser_unknown_option(p, name);
    }
    const char *text = equals ? equals + 1 : NULL;
    if (option->type == OPTION_FLAG && text)
        return parser_fail(p, "--%s takes no value", option->name);
    if (option->type != OPTION_FLAG && !text && !parser_value(p, option, &text))
        return false;
    return parser_take(p, option, text);
}

static bool
parser_letters(struct parser *p, const char *word)
{
    for (; *word; word++) {
        const struct option_spec *option = parser_find(p, NULL, 0, *word);
        if (!option) {
            CLEANUP_FREE char *letter = mem_printf("-%c", *word);
            SHOW(letter);
            return parser_fail(p, "there is no option %s", shown);
        }
        const char *text = option->type != OPTION_FLAG && word[1] ? word + 1 : NULL;
        if (option->type != OPTION_FLAG && !text && !parser_value(p, option, &text))
            return false;
        if (!parser_take(p, option, text))
            return false;
        if (text)
            return true;
    }
    return true;
}

static bool
parser_word(struct parser *p, const char *word)
{
    struct command_line *line = &p->line;
    if (!line->command) {
        line->command = command_find(word);
        if (line->command)
            return true;
        SHOW(word);
        const char *nearest = command_nearest(word);
        err_set(p->err, ERR_USAGE, 0, "there is no command %s", shown);
        return nearest ? err_hint(p->err, "did you mean '%s'?", nearest)
                       : err_hint(p->err, "'effigy help' lists the commands");
    }
    const struct argument_spec *argument = &line->command->arguments[line->argument_count];
    if (!argument->name) {
        SHOW(word);
        return parser_fail(p, "the argument %s is one too many", shown);
    }
    if (!*word)
        return parser_fail(p, "%s is empty", argument->name);
    if (argument->choices && !parser_choice(p, argument->name, word, argument->choices))
        return false;
    line->arguments[line->argument_count++] = word;
    return true;
}

/* What must be there and is not, and what cannot be together. */
static bool
parser_check(struct parser *p)
{
    struct command_line *line = &p->line;
    if (!line->command) {
        err_set(p->err, ERR_USAGE, 0, "no command is given");
        return err_hint(p->err, "'effigy help' lists the commands");
    }
    CLEANUP_FREE char *synopsis = command_synopsis(line->command);
    for (size_t i = line->argument_count; line->command->arguments[i].name; i++) {
        if (line->command->arguments[i].optional)
            continue;
        parser_fail(p, "the argument %s is missing", line->command->arguments[i].name);
        return err_hint(p->err, "%s", synopsis);
    }
    for (const struct option_spec *option = line->command->options; option->name; option++) {
        if (!option->required || command_line_text(line, option->name))
            continue;
        parser_fail(p, "the option --%s %s is missing", option->name, option->argument);
        return err_hint(p->err, "%s", synopsis);
    }
    if (command_line_flag(line, "quiet") && command_line_flag(line, "verbose"))
        return parser_fail(p, "--quiet and --verbose contradict each other");
    return true;
}

/* An option in front of the command that the command does not take. */
static bool
parser_check_early(struct parser *p)
{
    for (size_t i = 0; i < p->line.value_count; i++) {
        const struct option_spec *option = p->line.values[i].option;
        if (!parser_find(p, option->name, strlen(option->name), 0))
            return parser_fail(p, "it takes no option --%s", option->name);
    }
    return true;
}

bool
command_line_parse(int argc, const char *const *argv, struct command_line *ret_line,
                   struct err **err)
{
    struct parser parser = {.argv = argv, .argc = argc, .next = 1, .err = err}, *p = &parser;
    bool options = true;
    while (p->next < argc && !p->line.help && !p->line.version) {
        const char *word = argv[p->next++];
        bool early = !p->line.command, ok;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            continue;
        }
        if (options && str_starts(word, "--"))
            ok = parser_long(p, word + 2);
        else if (options && word[0] == '-' && word[1])
            ok = parser_letters(p, word + 1);
        else
            ok = parser_word(p, word) && (!early || parser_check_early(p));
        if (!ok)
            return false;
    }
    if (!p->line.help && !p->line.version && !parser_check(p))
        return false;
    *ret_line = p->line;
    return true;
}

static const struct option_value *
command_line_value(const struct command_line *line, const char *option)
{
    for (size_t i = 0; i < line->value_count; i++) {
        if (strcmp(line->values[i].option->name, option) == 0)
            return &line->values[i];
    }
    return NULL;
}

bool
command_line_flag(const struct command_line *line, const char *option)
{
    return command_line_value(line, option) != NULL;
}

const char *
command_line_text(const struct command_line *line, const char *option)
{
    const struct option_value *value = command_line_value(line, option);
    return value ? value->text : NULL;
}

uint64_t
command_line_number(const struct command_line *line, const char *option, uint64_t otherwise)
{
    const struct option_value *value = command_line_value(line, option);
    return value ? value->number : otherwise;
}

const char *
command_line_argument(const struct command_line *line, size_t index)
{
    return index < line->argument_count ? line->arguments[index] : NULL;
}

bool
command_line_wants_json(int argc, const char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

bool
command_tag_check(const char *tag, struct err **err)
{
    uint64_t number;
    if ((tag[0] == 'g' && tag[1] != '0' && str_to_u64(tag + 1, 1, UINT32_MAX, &number)) ||
        strcmp(tag, "latest") == 0 || strcmp(tag, "pinned") == 0)
        return true;
    if (str_starts(tag, "sha256:") && strlen(tag) == 7 + 64 &&
        strspn(tag + 7, "0123456789abcdef") == 64)
        return true;
    SHOW(tag);
    err_set(err, ERR_USAGE, 0, "%s names no generation", shown);
    if (tag[0] != '0' && str_to_u64(tag, 1, UINT32_MAX, &number))
        return err_hint(err, "did you mean 'g%s'?", tag);
    return err_hint(err, "a generation is g1, g2 and so on, latest, or a digest sha256:...");
}

bool
command_target_split(const char *text, char **ret_name, char **ret_tag, struct err **err)
{
    const char *colon = strchr(text, ':');
    if (colon && !command_tag_check(colon + 1, err))
        return false;
    if (colon == text) {
        err_set(err, ERR_USAGE, 0, "there is no service in front of the ':'");
        return err_hint(err, "write NAME:gK, for example catalogue:g2");
    }
    *ret_name = colon ? mem_strndup(text, (size_t)(colon - text)) : mem_strdup(text);
    *ret_tag = colon ? mem_strdup(colon + 1) : NULL;
    return true;
}
