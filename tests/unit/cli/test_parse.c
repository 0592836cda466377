/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "cli/parse.h"

#include <string.h>

#define WORDS 16

/* Parses "effigy" and the words, which are separated by spaces; '~' stands for an empty word. */
static bool
parse(const char *words, struct command_line *ret_line, struct err **err)
{
    static char room[WORDS][64];
    const char *argv[WORDS + 2] = {"effigy"};
    int argc = 1;
    while (*words) {
        size_t length = strcspn(words, " ");
        snprintf(room[argc - 1], sizeof room[0], "%.*s", words[0] == '~' ? 0 : (int)length, words);
        argv[argc] = room[argc - 1];
        argc++;
        words += length + (words[length] == ' ');
    }
    memset(ret_line, 0, sizeof *ret_line);
    return command_line_parse(argc, argv, ret_line, err);
}

static void
test_right(void **state)
{
    struct command_line line;
    ERR_LOCAL(err);
    static const char *const same[] = {
        "run shop:g2 --replicas 3 --port=8080 -c x.yaml --json",
        "--json -c x.yaml run -n3 -p 8080 shop:g2",
        "--config=x.yaml run --port 8080 --json --replicas=3 -- shop:g2",
        "-cx.yaml --json run shop:g2 -p8080 -n 3",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
        assert_ok(parse(same[i], &line, &err), err);
        assert_ptr_equal(line.command, &commands[COMMAND_RUN]);
        assert_int_equal(command_line_number(&line, "replicas", 0), 3);
        assert_int_equal(command_line_number(&line, "port", 0), 8080);
        assert_string_equal(command_line_text(&line, "config"), "x.yaml");
        assert_true(command_line_flag(&line, "json"));
        assert_false(command_line_flag(&line, "quiet"));
        assert_null(command_line_text(&line, "listen"));
        assert_int_equal(line.argument_count, 1);
        assert_string_equal(command_line_argument(&line, 0), "shop:g2");
        assert_null(command_line_argument(&line, 1));
    }
    assert_ok(parse("publish -qf shop", &line, &err), err);
    assert_true(command_line_flag(&line, "force") && command_line_flag(&line, "quiet"));
    assert_ok(parse("publish shop -q -q", &line, &err), err);
    assert_ok(parse("publish -- --json", &line, &err), err);
    assert_string_equal(command_line_argument(&line, 0), "--json");
    assert_false(command_line_flag(&line, "json"));
    assert_ok(parse("export shop -", &line, &err), err); /* a lone dash is a word */
    assert_ok(parse("--root /r status", &line, &err), err);
    assert_string_equal(command_line_text(&line, "root"), "/r");
    assert_ok(parse("verify shop --against master", &line, &err), err);
    assert_ok(parse("status", &line, &err), err);
    assert_int_equal(command_line_number(&line, "replicas", 7), 7);
}

static void
test_help_and_version(void **state)
{
    struct command_line line;
    ERR_LOCAL(err);
    assert_ok(parse("--help", &line, &err), err);
    assert_true(line.help && !line.command);
    assert_ok(parse("--version", &line, &err), err);
    assert_true(line.version);
    static const char *const help[] = {"rollback --help", "rollback -h",
                                       "rollback --help --nonsense x y z", "rollback shop -qh"};
    for (size_t i = 0; i < ARRAY_LENGTH(help); i++) {
        assert_ok(parse(help[i], &line, &err), err);
        assert_true(line.help);
        assert_ptr_equal(line.command, &commands[COMMAND_ROLLBACK]);
    }
}

static void
test_wrong(void **state)
{
    static const struct {
        const char *words, *message, *hint;
    } cases[] = {
        {"", "no command is given", "effigy help"},
        {"~", "there is no command ''", "effigy help"},
        {"publsh shop", "there is no command 'publsh'", "did you mean 'publish'?"},
        {"rolback shop g1", "there is no command", "'rollback'"},
        {"xyzzyxyzzy", "there is no command", "effigy help"},
        {"mann effigy.1", "there is no command", NULL},
        {"run shop --replica 2", "run: there is no option '--replica'",
         "did you mean '--replicas'?"},
        {"run shop --repl 2", "there is no option '--repl'", "did you mean '--replicas'?"},
        {"run shop --prot=2", "there is no option '--prot'", "did you mean '--port'?"},
        {"run shop --zzzzzzzzz", "there is no option", "effigy run --help"},
        {"run shop -z", "there is no option '-z'", "effigy run --help"},
        {"publish shop -n 2", "there is no option '-n'", NULL},
        {"publish shop --root x", "there is no option '--root'", NULL},
        {"--root x publish shop", "it takes no option --root", "effigy publish --help"},
        {"--force publish shop", "there is no option '--force' in front of a command",
         "effigy --help"},
        {"run shop --port", "--port needs a value: N", NULL},
        {"run shop -p", "--port needs a value", NULL},
        {"run shop --port=", "--port has an empty value", NULL},
        {"run shop --port ~", "--port has an empty value", NULL},
        {"run shop --port http", "--port: 'http' is not a number from 1 to 65535", NULL},
        {"run shop --port 65536", "is not a number from 1 to 65535", NULL},
        {"run shop --port=-1", "is not a number", NULL},
        {"run shop --port 80x", "is not a number", NULL},
        {"run shop -n0", "'0' is not a number from 1 to 1000", NULL},
        {"run shop --port 1 --port 2", "--port is given twice", NULL},
        {"run shop --port 1 -p 2", "--port is given twice", NULL},
        {"--config a run shop -c b", "--config is given twice", NULL},
        {"run shop --json=yes", "--json takes no value", NULL},
        {"run", "run: the argument NAME[:gK] is missing", "effigy run NAME[:gK]"},
        {"rollback shop", "the argument gK is missing", "effigy rollback NAME gK"},
        {"publish a b", "the argument 'b' is one too many", "effigy publish --help"},
        {"publish ~", "NAME is empty", NULL},
        {"init shop --image oci:x", "the option --master URL is missing",
         "--master URL --image REF"},
        {"init shop --master sqlite:x", "the option --image REF is missing", NULL},
        {"verify shop --against mister", "--against: 'mister' is not 'master'",
         "did you mean 'master'?"},
        {"config sampel", "WHAT: 'sampel' is not 'sample' or 'services'", "did you mean 'sample'?"},
        {"completion fish", "SHELL: 'fish' is not 'bash'", NULL},
        {"publish shop -q -v", "contradict", NULL},
        {"publish shop --\x1b[31m", "'--\\x1b[31m'", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct command_line line;
        ERR_LOCAL(err);
        if (parse(cases[i].words, &line, &err))
            fail_msg("accepted: %s", cases[i].words);
        assert_int_equal(err->kind, ERR_USAGE);
        assert_non_null(err->hint);
        if (!strstr(err->message, cases[i].message) ||
            (cases[i].hint && !strstr(err->hint, cases[i].hint)))
            fail_msg("%s\n  gives  %s\n  hint   %s\n", cases[i].words, err->message, err->hint);
    }
}

static void
test_wants_json(void **state)
{
    const char *const yes[] = {"effigy", "publsh", "--json"}, *const no[] = {"effigy", "publish",
                                                                             "--", "--json"};
    assert_true(command_line_wants_json(3, yes));
    assert_false(command_line_wants_json(4, no));
    assert_false(command_line_wants_json(1, no));
}

static void
test_targets(void **state)
{
    static const struct {
        const char *text, *name, *tag;
    } right[] = {
        {"shop", "shop", NULL},
        {"shop:g12", "shop", "g12"},
        {"shop:latest", "shop", "latest"},
        {"shop:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "shop",
         "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
        ERR_LOCAL(err);
        CLEANUP_FREE char *name = NULL, *tag = NULL;
        assert_ok(command_target_split(right[i].text, &name, &tag, &err), err);
        assert_string_equal(name, right[i].name);
        assert_true(right[i].tag ? tag && strcmp(tag, right[i].tag) == 0 : !tag);
    }
    static const char *const wrong[] = {"shop:",           ":g1",       "shop:2",
                                        "shop:g0",         "shop:g01",  "shop:g",
                                        "shop:g1x",        "shop:G1",   "shop:g99999999999",
                                        "shop:sha256:abc", "shop:../g1"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ERR_LOCAL(err);
        char *name, *tag;
        assert_false(command_target_split(wrong[i], &name, &tag, &err));
        assert_int_equal(err->kind, ERR_USAGE);
        assert_non_null(err->hint);
    }
    ERR_LOCAL(err);
    assert_false(command_tag_check("2", &err));
    assert_string_equal(err->hint, "did you mean 'g2'?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),   cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_wrong),   cmocka_unit_test(test_wants_json),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
