/* SPDX-License-Identifier: Apache-2.0 */
/* What is written from the tables: help, manual pages, exit codes. */
#include "unit.h"

#include "base/str.h"
#include "cli/exits.h"
#include "cli/help.h"
#include "cli/man.h"

#include <string.h>

static const char *source_root;

static void
test_help_is_at_most_80_columns_wide(void **state)
{
    for (int id = -1; id < COMMAND_COUNT; id++) {
        CLEANUP_BUF struct buf help = {0};
        help_write(&help, id < 0 ? NULL : &commands[id]);
        assert_true(str_starts(help.data, "Usage: effigy"));
        for (const char *line = help.data; *line; line += strcspn(line, "\n") + 1) {
            size_t length = strcspn(line, "\n");
            if (length > HELP_COLUMNS || (length && line[length - 1] == ' '))
                fail_msg("%s: %.*s", id < 0 ? "effigy" : commands[id].name, (int)length, line);
        }
    }
}

static void
for_each_option(const struct command *command,
                void (*visit)(const struct option_spec *, const char *), const char *text)
{
    const struct option_spec *lists[4];
    command_option_lists(command, lists);
    for (size_t i = 0; i < 4 && lists[i]; i++) {
        for (const struct option_spec *option = lists[i]; option->name; option++)
            visit(option, text);
    }
}

static void
option_is_in_help(const struct option_spec *option, const char *help)
{
    CLEANUP_FREE char *title = help_option_title(option);
    CLEANUP_FREE char *line = mem_printf("\n  %s", title);
    if (!strstr(help, line))
        fail_msg("no '%s' in the help", title);
}

/* "run-root" as roff has it. */
static void
option_is_in_man(const struct option_spec *option, const char *man)
{
    CLEANUP_FREE char *plain =
        option->letter ? mem_printf("\\fB\\-%c, \\-\\-%s\\fR", option->letter, option->name)
                       : mem_printf("\\fB\\-\\-%s\\fR", option->name);
    if (!strstr(man, plain))
        fail_msg("no '%s' in the manual", plain);
}

static void
test_every_option_is_documented(void **state)
{
    CLEANUP_BUF struct buf overview = {0}, list = {0};
    assert_true(man_write("effigy.1", &overview));
    help_write(&list, NULL);
    for_each_option(NULL, option_is_in_man, overview.data);
    for_each_option(NULL, option_is_in_help, list.data);
    for (int id = 0; id < COMMAND_COUNT; id++) {
        const struct command *command = &commands[id];
        assert_ptr_equal(command_find(command->name), command);
        CLEANUP_FREE char *page = mem_printf("effigy-%s.1", command->name);
        CLEANUP_BUF struct buf man = {0}, help = {0};
        assert_true(man_write(page, &man) == !command->hidden);
        if (command->hidden)
            continue;
        help_write(&help, command);
        for_each_option(command, option_is_in_man, man.data);
        for_each_option(command, option_is_in_help, help.data);
        for (const struct argument_spec *argument = command->arguments; argument->name;
             argument++) {
            assert_non_null(strstr(man.data, argument->name));
            assert_non_null(strstr(help.data, argument->name));
        }
        assert_non_null(strstr(overview.data, command->name));
        CLEANUP_FREE char *line = mem_printf("\n  %s ", command->name);
        assert_non_null(strstr(list.data, line));
    }
    CLEANUP_BUF struct buf none = {0};
    assert_false(man_write("effigy-nonsense.1", &none));
    assert_false(man_write("effigy-.1", &none));
    assert_false(man_write("nonsense", &none));
}

/* The build makes a page for each command. */
static void
test_every_page_is_installed(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *path = file_join(source_root, "src/cli/meson.build");
    CLEANUP_BUF struct buf text = {0};
    assert_ok(file_read(path, 1 << 20, &text, &err), err);
    for (int id = 0; id < COMMAND_COUNT; id++) {
        CLEANUP_FREE char *name = mem_printf("'%s'", commands[id].name);
        if (!commands[id].hidden && !strstr(text.data, name))
            fail_msg("%s has no page in %s", name, path);
    }
}

/* Within one command a name or letter means one option; and no letter is a flag here and takes a
 * value there, since the completion does not know the command when it skips values. */
static void
test_options_do_not_collide(void **state)
{
    enum option_type letters[128];
    bool seen[128] = {false};
    for (int id = 0; id < COMMAND_COUNT; id++) {
        const struct option_spec *lists[4], *all[32];
        size_t count = 0;
        command_option_lists(&commands[id], lists);
        for (size_t i = 0; i < 4 && lists[i]; i++) {
            for (const struct option_spec *option = lists[i]; option->name; option++)
                all[count++] = option;
        }
        assert_true(count <= 24);
        for (size_t i = 0; i < count; i++) {
            assert_true((all[i]->type == OPTION_FLAG) == !all[i]->argument);
            assert_true(all[i]->word != WORD_CHOICE || all[i]->choices);
            for (size_t k = 0; k < i; k++) {
                assert_string_not_equal(all[i]->name, all[k]->name);
                assert_true(!all[i]->letter || all[i]->letter != all[k]->letter);
            }
            int letter = all[i]->letter;
            if (letter && seen[letter])
                assert_int_equal(letters[letter] == OPTION_FLAG, all[i]->type == OPTION_FLAG);
            seen[letter] = letter != 0;
            letters[letter] = all[i]->type;
        }
    }
}

static void
test_exit_codes_are_those_of_err_h(void **state)
{
    /* Every number that err_kind_name() knows by a name of its own is in the table, and the
     * reverse. */
    for (int kind = 1; kind < 256; kind++) {
        const char *name = err_kind_name((enum err_kind)kind);
        bool known = kind == ERR_FAILED || strcmp(name, "failed") != 0, listed = false;
        for (const struct exit_code *code = exit_codes; code->text; code++)
            listed = listed || (int)code->kind == kind;
        if (known != listed)
            fail_msg("exit code %d (%s) is %s the table", kind, name,
                     listed ? "only in" : "not in");
    }
}

static void
test_exit_codes_are_those_of_the_operations_guide(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_BUF struct buf text = {0};
    char path[4096]; /* skip() would not free it */
    snprintf(path, sizeof path, "%s/docs/operations.md", source_root);
    if (!file_exists(path))
        skip();
    assert_ok(file_read(path, 1 << 20, &text, &err), err);
    size_t listed = 0;
    for (const char *line = text.data; *line;
         line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        unsigned code;
        char name[32];
        if (sscanf(line, "| %u | `%31[a-z-]` |", &code, name) != 2)
            continue;
        assert_string_equal(name, err_kind_name((enum err_kind)code));
        listed++;
    }
    size_t known = 0;
    while (exit_codes[known].text)
        known++;
    assert_int_equal(listed, known);
}

int
main(int argc, char **argv)
{
    source_root = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_is_at_most_80_columns_wide),
        cmocka_unit_test(test_every_option_is_documented),
        cmocka_unit_test(test_every_page_is_installed),
        cmocka_unit_test(test_options_do_not_collide),
        cmocka_unit_test(test_exit_codes_are_those_of_err_h),
        cmocka_unit_test(test_exit_codes_are_those_of_the_operations_guide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
