/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "config/add.h"
#include "config/config.h"
#include "config/document.h"
#include "config/keys.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config *
parsed(const char *text)
{
    ERR_LOCAL(err);
    struct config *config = NULL;
    assert_ok(config_parse(text, strlen(text), "effigy.yaml", ".", &config, &err), err);
    return config;
}

static char *
effective(const char *text)
{
    CLEANUP_CONFIG struct config *config = parsed(text);
    struct buf out = {0};
    config_write_effective(config, &out);
    return buf_steal(&out);
}

/* Takes the # off "#key: value" and of what stands below such a key; "# Text" stays a comment. */
static char *
uncommented(const char *sample)
{
    struct buf out = {0};
    while (*sample) {
        size_t length = strcspn(sample, "\n"), spaces = strspn(sample, " ");
        const char *hash = sample + spaces;
        bool key = spaces < length && hash[0] == '#' && (hash[1] != ' ' || hash[2] == ' ');
        buf_append(&out, sample, spaces);
        buf_append(&out, hash + key, length - spaces - key);
        buf_putc(&out, '\n');
        sample += length + (sample[length] == '\n');
    }
    return buf_steal(&out);
}

static void
test_sample_gives_the_defaults(void **state)
{
    CLEANUP_BUF struct buf sample = {0};
    config_write_sample(&sample);
    CLEANUP_FREE char *was = effective(buf_text(&sample));
    CLEANUP_FREE char *plain =
        effective("services: [{name: catalogue, master: 'sqlite:catalogue.db', image: "
                  "'oci:./images/catalogue'}]");
    assert_string_equal(was, plain);
    for (size_t i = 0; i < config_key_count; i++) {
        CLEANUP_FREE char *key = mem_printf("%s:", config_keys[i].name);
        assert_non_null(strstr(sample.data, key));
    }
    for (const char *line = sample.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 90);
}

static void
test_sample_without_its_comment_signs(void **state)
{
    CLEANUP_BUF struct buf sample = {0};
    config_write_sample(&sample);
    CLEANUP_FREE char *live = uncommented(buf_text(&sample));
    CLEANUP_CONFIG struct config *config = parsed(live);
    CLEANUP_CONFIG struct config *plain =
        parsed("services: [{name: catalogue, master: 'sqlite:catalogue.db', image: "
               "'oci:./images/catalogue'}]");
    const struct config_service *s = &config->services[0];
    assert_string_equal(s->attach[0].name, "prices");
    assert_int_equal(s->port, 8080);
    assert_string_equal(s->cpus, "1.5");
    assert_memory_equal(&s->serve, &plain->services[0].serve, sizeof s->serve);
    assert_int_equal(s->health_timeout_ms, plain->services[0].health_timeout_ms);
}

static void
test_effective_reads_back(void **state)
{
    setenv("EFFIGY_TEST_SECRET", "hunter2", 1);
    static const char text[] =
        "services:\n"
        "- name: a\n"
        "  master: 'sqlite:it''s # here: ${env:EFFIGY_TEST_SECRET}'\n"
        "  attach: [{name: b, master: '${env:EFFIGY_TEST_SECRET}'}, {name: c, master: '-'}]\n"
        "  image: \"oci:$${env:X} \\u00e9 'q'\"\n"
        "  memory: 1536MiB\n"
        "  health_timeout: 90s\n"
        "  serve: {max_time: 1500ms, cors: yes}\n"
        "- {name: z, master: a, image: 'null'}\n";
    CLEANUP_FREE char *once = effective(text);
    assert_null(strstr(once, "hunter2"));
    assert_non_null(strstr(once, "${env:EFFIGY_TEST_SECRET}"));
    assert_non_null(strstr(once, "memory: 1536MiB\n"));
    assert_non_null(strstr(once, "health_timeout: 90s\n"));
    assert_non_null(strstr(once, "max_time: 1500ms\n"));
    CLEANUP_FREE char *twice = effective(once);
    assert_string_equal(once, twice);
    CLEANUP_CONFIG struct config *first = parsed(text), *second = parsed(once);
    assert_string_equal(first->services[0].master, second->services[0].master);
    assert_string_equal(first->services[0].image, second->services[0].image);
    assert_string_equal(first->services[1].image, "null");
    assert_string_equal(second->services[1].image, "null");
}

static void
test_passwords_in_urls_are_hidden(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"postgres://effigy:hunter2@db:5432/shop", "postgres://effigy:***@db:5432/shop"},
        {"postgres://effigy:hun@ter2@db/shop?x=@", "postgres://effigy:***@db/shop?x=@"},
        {"postgres://effigy@db:5432/a:b@c", "postgres://effigy@db:5432/a:b@c"},
        {"sqlite:a@b:c", "sqlite:a@b:c"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *text =
            mem_printf("services: [{name: a, master: '%s', image: b}]", cases[i].url);
        CLEANUP_CONFIG struct config *config = parsed(text);
        CLEANUP_FREE char *shown = config_value_shown(
            config, config_key_find(CONFIG_SERVICE, "master"), &config->services[0], 0, 0);
        assert_string_equal(shown, cases[i].shown);
    }
}

static void
test_add_to_text(void **state)
{
    /* What is there, and whether the service can be put behind it. */
    static const struct {
        const char *before;
        bool works;
    } cases[] = {
        {"", true},
        {"# my services\n", true},
        {"services:\n", true},
        {"services:", true},
        {"services: # none yet", true},
        {"services:\n- name: a\n  master: x\n  image: y\n", true},
        {"services:\n- name: a\n  master: x\n  image: y", true},
        {"services:\n        - name: a\n          master: x\n          image: y\n# the end\n",
         true},
        {"services:\n  - {name: a, master: x, image: y}\n\n\n", true},
        {"services:\n  - name: a\n    master: x\n    image: y\n    serve:\n      cors: true\n",
         true},
        {"services:\r\n  - name: a\r\n    master: x\r\n    image: y\r\n", true},
        {"services: [{name: a, master: x, image: y}]\n", false},
        {"services: []\n", false},
        {"{services: [{name: a, master: x, image: y}]}\n", false},
        {"services:\n  - name: a\n    master: x\n    image: y\n...\n", false},
    };
    const struct config_new_service service = {
        .name = "new", .master = "sqlite:it's", .image = "oci:new", .port = 81};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_BUF struct buf text = {0};
        ERR_LOCAL(err);
        bool ok = config_add_text(cases[i].before, strlen(cases[i].before), "effigy.yaml", ".",
                                  &service, &text, &err);
        if (ok != cases[i].works)
            fail_msg("%s: %s", cases[i].before, unit_message(err));
        if (!ok) {
            assert_int_equal(err->kind, ERR_CONFIG);
            assert_non_null(strstr(err->hint, "- name: new\n"));
            continue;
        }
        assert_true(str_starts(text.data, cases[i].before));
        assert_non_null(strstr(text.data + strlen(cases[i].before), "# "));
        CLEANUP_CONFIG struct config *config = parsed(text.data);
        const struct config_service *last = &config->services[config->service_count - 1];
        assert_string_equal(last->name, "new");
        assert_string_equal(last->master, "sqlite:it's");
        assert_int_equal(last->port, 81);
        assert_int_equal(last->replicas, 1);
        CLEANUP_BUF struct buf again = {0};
        assert_false(
            config_add_text(text.data, text.length, "effigy.yaml", ".", &service, &again, &err));
        assert_int_equal(err->kind, ERR_USAGE);
    }
}

static void
test_add_to_file(void **state)
{
    char *was = realpath(".", NULL);
    assert_int_equal(chdir(*state), 0);
    unsetenv("EFFIGY_CONFIG");
    ERR_LOCAL(err);
    CLEANUP_FREE char *path = NULL, *linked = NULL, *far = NULL, *here = realpath(".", NULL);
    struct config_new_service service = {
        .name = "a", .master = "sqlite:a.db", .image = "oci:./images/a", .replicas = 2};
    assert_ok(config_add_service(NULL, &service, &path, &err), err);
    assert_string_equal(path, "effigy.yaml");

    /* Rights stay, and so does a link. */
    assert_int_equal(chmod("effigy.yaml", 0640), 0);
    assert_int_equal(symlink("effigy.yaml", "link.yaml"), 0);
    service.name = "b";
    assert_ok(config_add_service("link.yaml", &service, &linked, &err), err);
    struct stat st;
    assert_int_equal(lstat("link.yaml", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("effigy.yaml", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);

    /* From another folder, relative paths become absolute. */
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(chdir("sub"), 0);
    service.name = "c";
    service.image = "oci:images:x";
    assert_ok(config_add_service("../effigy.yaml", &service, &far, &err), err);
    service.name = "d";
    service.master = "sqlite:/abs.db";
    service.image = "localhost:5000/shop";
    assert_ok(config_add_service("../effigy.yaml", &service, NULL, &err), err);
    assert_int_equal(chdir(".."), 0);

    struct config *config = NULL;
    assert_ok(config_load(NULL, &config, &err), err);
    assert_int_equal(config->service_count, 4);
    assert_string_equal(config->services[0].master, "sqlite:a.db");
    assert_string_equal(config->services[0].image, "oci:./images/a");
    assert_int_equal(config->services[1].replicas, 2);
    CLEANUP_FREE char *master = mem_printf("sqlite:%s/sub/a.db", here);
    CLEANUP_FREE char *image = mem_printf("oci:%s/sub/images:x", here);
    assert_string_equal(config->services[2].master, master);
    assert_string_equal(config->services[2].image, image);
    assert_string_equal(config->services[3].master, "sqlite:/abs.db");
    assert_string_equal(config->services[3].image, "localhost:5000/shop");
    config_free(config);

    static const char *const bad[] = {"", "Upper", "a b", "-a", "a/b", "main\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        service.name = bad[i];
        assert_false(config_add_service(NULL, &service, NULL, &err));
        assert_int_equal(err->kind, ERR_USAGE);
    }
    service.name = "e";
    service.master = "sqlite:\n";
    assert_false(config_add_service(NULL, &service, NULL, &err));
    assert_int_equal(err->kind, ERR_USAGE);
    service.master = "sqlite:x";
    assert_false(config_add_service("nowhere/effigy.yaml", &service, NULL, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_int_equal(chdir(was), 0);
    free(was);
}

static void
test_man_has_every_key(void **state)
{
    CLEANUP_BUF struct buf man = {0};
    config_write_man(&man);
    for (size_t i = 0; i < config_key_count; i++) {
        CLEANUP_FREE char *tag = mem_printf(".TP\n\\fB%s\\fR", config_keys[i].name);
        assert_non_null(strstr(man.data, tag));
    }
    for (const char *line = man.data; line; line = strchr(line, '\n'), line += line ? 1 : 0)
        assert_true(*line != '\'');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_gives_the_defaults),
        cmocka_unit_test(test_sample_without_its_comment_signs),
        cmocka_unit_test(test_effective_reads_back),
        cmocka_unit_test(test_passwords_in_urls_are_hidden),
        cmocka_unit_test(test_add_to_text),
        cmocka_unit_test_setup_teardown(test_add_to_file, unit_folder_setup, unit_folder_teardown),
        cmocka_unit_test(test_man_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
