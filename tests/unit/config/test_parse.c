/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/value.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD \
    "services:\n  - name: catalogue\n    master: sqlite:catalogue.db\n    image: oci:./images\n"

static bool
parse(const char *text, struct config **ret_config, struct err **err)
{
    return config_parse(text, strlen(text), "effigy.yaml", ".", ret_config, err);
}

static void
test_all_keys(void **state)
{
    CLEANUP_CONFIG struct config *config = NULL;
    ERR_LOCAL(err);
    assert_ok(
        parse(
            "services:\n"
            "  - name: catalogue\n"
            "    master: sqlite:catalogue.db\n"
            "    attach:\n"
            "      - name: prices\n"
            "        master: sqlite:prices.db\n"
            "      - {name: stock, master: 'sqlite:stock.db'}\n"
            "    image: oci:./images/catalogue\n"
            "    compression: zstd\n"
            "    runtime: local\n"
            "    listen: \"::1\"\n"
            "    port: 8080\n"
            "    replicas: 3\n"
            "    memory: 256MiB\n"
            "    cpus: 1.5\n"
            "    health_timeout: 2m\n"
            "    grace: 500ms\n"
            "    serve: {max_rows: 7, max_bytes: 1MiB, max_time: 250ms, max_heap: 2MiB, queue: 3,\n"
            "            workers: 4, cache_seconds: 60, cors: true}\n"
            "  - name: second\n"
            "    master: sqlite:b.db\n"
            "    image: oci:b\n",
            &config, &err),
        err);
    assert_int_equal(config->service_count, 2);
    const struct config_service *s = &config->services[0];
    assert_string_equal(s->name, "catalogue");
    assert_string_equal(s->master, "sqlite:catalogue.db");
    assert_int_equal(s->attach_count, 2);
    assert_string_equal(s->attach[0].name, "prices");
    assert_string_equal(s->attach[1].name, "stock");
    assert_string_equal(s->attach[1].master, "sqlite:stock.db");
    assert_string_equal(s->image, "oci:./images/catalogue");
    assert_string_equal(s->compression, "zstd");
    assert_string_equal(s->runtime, "local");
    assert_string_equal(s->listen, "::1");
    assert_int_equal(s->port, 8080);
    assert_int_equal(s->replicas, 3);
    assert_int_equal(s->memory, 256 << 20);
    assert_string_equal(s->cpus, "1.5");
    assert_int_equal(s->health_timeout_ms, 120000);
    assert_int_equal(s->grace_ms, 500);
    assert_int_equal(s->serve.max_rows, 7);
    assert_int_equal(s->serve.max_bytes, 1 << 20);
    assert_int_equal(s->serve.max_time_ms, 250);
    assert_int_equal(s->serve.max_heap, 2 << 20);
    assert_int_equal(s->serve.queue, 3);
    assert_int_equal(s->serve.workers, 4);
    assert_int_equal(s->serve.cache_seconds, 60);
    assert_true(s->serve.cors);
    assert_ptr_equal(config_service(config, "second", &err), &config->services[1]);
}

static void
test_defaults(void **state)
{
    CLEANUP_CONFIG struct config *config = NULL;
    ERR_LOCAL(err);
    assert_ok(parse(HEAD "    attach:\n    serve:\n", &config, &err),
              err); /* all below was commented out */
    const struct config_service *s = &config->services[0];
    assert_int_equal(s->attach_count, 0);
    assert_string_equal(s->compression, "gzip");
    assert_string_equal(s->runtime, "local");
    assert_string_equal(s->listen, "127.0.0.1");
    assert_int_equal(s->port, 0);
    assert_int_equal(s->replicas, 1);
    assert_int_equal(s->memory, 0);
    assert_string_equal(s->cpus, "");
    assert_int_equal(s->health_timeout_ms, 30000);
    assert_int_equal(s->grace_ms, 10000);
    assert_int_equal(s->serve.max_rows, 10000);
    assert_int_equal(s->serve.max_bytes, 16 << 20);
    assert_int_equal(s->serve.max_time_ms, 5000);
    assert_int_equal(s->serve.max_heap, 64 << 20);
    assert_int_equal(s->serve.queue, 128);
    assert_int_equal(s->serve.workers, 0);
    assert_int_equal(s->serve.cache_seconds, 0);
    assert_false(s->serve.cors);
}

static void
test_every_default_and_example_is_valid(void **state)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        assert_non_null(key->doc);
        assert_true(str_ends(key->doc, "."));
        if (key->type == CONFIG_LIST || key->type == CONFIG_MAPPING)
            continue;
        assert_true(key->required || key->initial || key->example);
        const char *texts[] = {key->initial, key->example};
        for (size_t k = 0; k < 2; k++) {
            if (!texts[k])
                continue;
            ERR_LOCAL(err);
            void *record = mem_new(config_section_size(key->section));
            assert_ok(config_value_set(key, record, texts[k], "it", &err), err);
            CLEANUP_FREE char *again = config_value_format(key, record);
            assert_string_equal(again, texts[k]);
            bool is_text = key->type != CONFIG_BOOL && key->type != CONFIG_UNSIGNED &&
                           key->type != CONFIG_BYTES && key->type != CONFIG_DURATION;
            if (is_text)
                free(*(char **)((char *)record + key->offset));
            free(record);
        }
    }
}

static void
test_no_services(void **state)
{
    static const char *const texts[] = {"services:\n", "services: []\n", "services: ~\n",
                                        "---\nservices:\n...\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        CLEANUP_CONFIG struct config *config = NULL;
        ERR_LOCAL(err);
        assert_ok(parse(texts[i], &config, &err), err);
        assert_int_equal(config->service_count, 0);
        assert_null(config_service(config, "x", &err));
        assert_int_equal(err->kind, ERR_NOT_FOUND);
        assert_non_null(strstr(err->hint, "effigy init"));
    }
}

/* Each is refused with this in its message and in its hint. */
static const struct {
    const char *text, *message, *hint;
} wrong[] = {
    {"", "effigy.yaml is empty", "effigy init"},
    {"# nothing\n\n", "is empty", "effigy init"},
    {"---\n", "is empty", "effigy init"},
    {"services\n", "effigy.yaml:1:1: ", "sample"},
    {"- name: a\n", "effigy.yaml:1:1: ", "sample"},
    {"service:\n", "effigy.yaml:1:1: unknown key 'service'", "did you mean 'services'"},
    {"{}\n", "has no 'services'", "sample"},
    {"services:\n  catalogue:\n    image: x\n", "effigy.yaml:2:3: services must be a list",
     "- name:"},
    {"services: catalogue\n", "services must be a list", NULL},
    {"services:\n  - catalogue\n", "effigy.yaml:2:5: services: an entry is not", NULL},
    {"services:\n  - name: a\n    master: b\n", "effigy.yaml:2:5: a service has no 'image'",
     "image: oci:"},
    {"services: [{name: a, image: b}]\n", "a service has no 'master'", NULL},
    {HEAD "    prot: 1\n", "effigy.yaml:5:5: unknown key 'prot' in a service",
     "did you mean 'port'"},
    {HEAD "    max_rows: 1\n", "unknown key 'max_rows' in a service", "belongs into 'serve'"},
    {HEAD "    zzzzzzzzzzzz: 1\n", "unknown key", "the keys are name, master"},
    {HEAD "    serve:\n      max_row: 1\n", "effigy.yaml:6:7: unknown key 'max_row' in 'serve'",
     "'max_rows'"},
    {HEAD "    image: x\n", "effigy.yaml:5:5: the key 'image' is given twice", "keep one"},
    {HEAD "    serve: {queue: 1, queue: 2}\n", "'queue' is given twice", NULL},
    {HEAD "    \"por\\x1b[31mt\": 1\n", "unknown key 'por\\x1b[31mt'", NULL},
    {HEAD "    ? [a, b]\n    : 1\n", "a key must be a word", NULL},
    {HEAD "    port: http\n", "effigy.yaml:5:11: port: 'http' is not a number from 1 to 65535",
     "port: 8080"},
    {HEAD "    port: 0\n", "not a number from 1", NULL},
    {HEAD "    port: 65536\n", "not a number from 1", NULL},
    {HEAD "    port: -1\n", "not a number from 1", NULL},
    {HEAD "    port: 80.0\n", "not a number from 1", NULL},
    {HEAD "    port: 99999999999999999999999\n", "not a number from 1", NULL},
    {HEAD "    port:\n", "effigy.yaml:5:10: port has no value", "default"},
    {HEAD "    port: [1]\n", "effigy.yaml:5:11: port: a list or a group", NULL},
    {HEAD "    port: {a: 1}\n", "port: a list or a group", NULL},
    {HEAD "    replicas: 0\n", "not a number from 1 to 1000", NULL},
    {HEAD "    memory: 256\n", "'256' is not a size from 16MiB", "memory: 0"},
    {HEAD "    memory: 12 parsecs\n", "is not a size", NULL},
    {HEAD "    memory: 99999999TiB\n", "is not a size", NULL},
    {HEAD "    cpus: 0\n", "is not a decimal number", "cpus: 1.5"},
    {HEAD "    cpus: 1e3\n", "is not a decimal number", NULL},
    {HEAD "    cpus: 1.\n", "is not a decimal number", NULL},
    {HEAD "    cpus: nan\n", "is not a decimal number", NULL},
    {HEAD "    grace: soon\n", "is not a time", "grace: 10s"},
    {HEAD "    grace: 2d\n", "is not a time from 0 to 1h", NULL},
    {HEAD "    health_timeout: 1ms\n", "is not a time from 1s to 1h", NULL},
    {HEAD "    listen: localhost\n", "is not an IPv4 or IPv6 address", "127.0.0.1"},
    {HEAD "    listen: 1.2.3\n", "is not an IPv4", NULL},
    {HEAD "    compression: lzma\n", "'lzma' is not gzip, none or zstd", "gzip"},
    {HEAD "    runtime: docker\n", "'docker' is not local", NULL},
    {HEAD "    serve: {cors: 1}\n", "is not true or false", NULL},
    {HEAD "    serve: yes\n", "serve must be a group", NULL},
    {HEAD "    serve: [1]\n", "serve must be a group", NULL},
    {HEAD "    attach: prices\n", "attach must be a list", NULL},
    {HEAD "    attach: [{name: a}]\n", "an attached database has no 'master'", NULL},
    {HEAD "    attach: [{name: main, master: b}]\n", "'main' is a name that the database keeps",
     "prices"},
    {HEAD "    attach: [{name: temp, master: b}]\n", "'temp' is a name", NULL},
    {HEAD "    attach:\n      - name: a\n        master: b\n      - name: a\n        master: c\n",
     "effigy.yaml:8:15: a second attached database", NULL},
    {HEAD "  - name: catalogue\n    master: b\n    image: c\n",
     "effigy.yaml:5:11: a second service", "another name"},
    {"services: [{name: Upper, master: a, image: b}]", "'Upper' is not a name", "name: catalogue"},
    {"services: [{name: \"\", master: a, image: b}]", "'' is not a name", NULL},
    {"services: [{name: ../etc, master: a, image: b}]", "is not a name", NULL},
    {"services: [{name: a, master: \"\", image: b}]", "master: the value is not a text", NULL},
    {"services: [{name: a, master: \"b\\0c\", image: b}]", "control character", NULL},
    {"services: [{name: a, master: \"b\\nc\", image: b}]", "control character", NULL},
    {"services:\n  - name: a\n    master: |\n      b\n    image: c\n", "control character", NULL},
    {"services: [{name: a, master: \"b\\x82\", image: c}]", "control character", NULL},
    {"services: [{name: a, master: \"b\\u2028c\", image: c}]", "control character", NULL},
    {"services: &a []\n", "anchors", "quotes"},
    {"services: *a\n", "anchors", NULL},
    {"services: !!seq []\n", "tags", NULL},
    {HEAD "    port: !!int 1\n", "tags", NULL},
    {HEAD "    <<: {port: 1}\n", "unknown key '<<'", NULL},
    {HEAD "---\nservices: []\n", "effigy.yaml:5:1: a second document", "---"},
    {"services:\n\t- name: a\n", "effigy.yaml:2:1: ", "tab"},
    {"services: [\n", "effigy.yaml:", NULL},
    {"services: 'abc\n", "effigy.yaml:", NULL},
    {"services: [}\n", "effigy.yaml:1:12: ", NULL},
    {"%YAML 3.0\n---\nservices: []\n", "effigy.yaml:", NULL},
    {"services:\n  - name: \xff\n", "not UTF-8", NULL},
    {"\xff\xfe\x73\x00", "not UTF-8", NULL},
    {"services: \x01\n", "effigy.yaml: control characters", NULL},
    {HEAD "    cpus: ${env:EFFIGY_TEST_UNSET}\n",
     "effigy.yaml:5:11: cpus: ${env:EFFIGY_TEST_UNSET}: the environment variable EFFIGY_TEST_UNSET "
     "is not set",
     "export"},
    {HEAD "    cpus: ${env:A B}\n", "does not hold the name", NULL},
    {HEAD "    cpus: ${env:}\n", "does not hold the name", NULL},
    {HEAD "    cpus: ${file:}\n", "does not hold the path", NULL},
    {HEAD "    cpus: ${home}\n", "${home} is no reference", "${env:NAME}"},
    {HEAD "    cpus: ${env:A\n", "does not end", "$${"},
    {HEAD "    cpus: ${env:${env:A}}\n", "inside a reference", NULL},
    {HEAD "    cpus: ${file:/nonexistent/file}\n", "cpus: ${file:/nonexistent/file}: cannot open",
     NULL},
    {HEAD "    cpus: ${file:/dev/zero}\n", "larger than the 65536 bytes", NULL},
    {HEAD "    cpus: ${file:/}\n", "Is a directory", NULL},
};

static void
test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct config *config = NULL;
        ERR_LOCAL(err);
        if (parse(wrong[i].text, &config, &err)) {
            config_free(config);
            fail_msg("accepted: %s", wrong[i].text);
        }
        assert_int_equal(err->kind, ERR_CONFIG);
        if (!strstr(err->message, wrong[i].message))
            fail_msg("%s\n  gives    %s\n  without  %s", wrong[i].text, err->message,
                     wrong[i].message);
        if (wrong[i].hint && (!err->hint || !strstr(err->hint, wrong[i].hint)))
            fail_msg("%s\n  hints    %s\n  without  %s", wrong[i].text, str_or(err->hint, "(none)"),
                     wrong[i].hint);
        assert_null(config);
    }
}

/* Inputs that cost more than they should, if one lets them. */
static void
test_bombs(void **state)
{
    CLEANUP_BUF struct buf laughs = {0}, deep = {0}, wide = {0}, large = {0}, colons = {0};
    buf_puts(&laughs, "a: &a [x]\nb: &b [*a,*a]\nservices: [*b,*b]\n");
    buf_puts(&deep, "services: ");
    for (int i = 0; i < 200000; i++)
        buf_putc(&deep, '[');
    buf_puts(&wide, "services:\n");
    for (int i = 0; i < 2000; i++)
        buf_printf(&wide, "- {name: s%d, master: a, image: b}\n", i);
    for (unsigned i = 0; i <= CONFIG_FILE_LIMIT; i++)
        buf_putc(&large, '#');
    buf_puts(&colons, "services: ");
    for (int i = 0; i < 100000; i++)
        buf_puts(&colons, "? ");
    const struct buf *bombs[] = {&laughs, &deep, &wide, &large, &colons};
    for (size_t i = 0; i < ARRAY_LENGTH(bombs); i++) {
        struct config *config = NULL;
        ERR_LOCAL(err);
        assert_false(config_parse(bombs[i]->data, bombs[i]->length, "bomb", ".", &config, &err));
        assert_int_equal(err->kind, ERR_CONFIG);
        assert_true(strlen(err->message) < 300);
    }
}

static void
test_byte_order_mark_and_line_ends(void **state)
{
    CLEANUP_CONFIG struct config *config = NULL;
    ERR_LOCAL(err);
    assert_ok(
        parse("\xef\xbb\xbfservices:\r\n- name: a\r\n  master: sqlite:b\r\n  image: oci:c\r\n",
              &config, &err),
        err);
    assert_string_equal(config->services[0].image, "oci:c");
}

static void
write_text(const char *folder, const char *name, const char *text)
{
    ERR_LOCAL(err);
    CLEANUP_FREE char *path = file_join(folder, name);
    assert_ok(file_write_atomic(path, text, strlen(text), 0600, &err), err);
}

static void
test_references(void **state)
{
    ERR_LOCAL(err);
    CLEANUP_CONFIG struct config *config = NULL;
    write_text(*state, "port", "8081\r\n");
    setenv("EFFIGY_TEST_DB", "my ${env:HOME}: 'db' #1", 1);
    setenv("EFFIGY_TEST_EMPTY", "", 1);
    static const char text[] = "services:\n"
                               "- name: ${env:EFFIGY_TEST_EMPTY}a\n"
                               "  master: sqlite:${env:EFFIGY_TEST_DB}.${env:EFFIGY_TEST_DB}\n"
                               "  image: 'oci:$${env:NO}$x$$'\n"
                               "  port: ${file:port}\n";
    assert_ok(config_parse(text, strlen(text), "effigy.yaml", *state, &config, &err), err);
    const struct config_service *s = &config->services[0];
    assert_string_equal(s->name, "a");
    assert_string_equal(s->master, "sqlite:my ${env:HOME}: 'db' #1.my ${env:HOME}: 'db' #1");
    assert_string_equal(s->image, "oci:${env:NO}$x$$");
    assert_int_equal(s->port, 8081);
}

/* Wherever a value that came from outside is wrong, the message shows the reference and not the
 * value. */
static void
test_secrets_stay_secret(void **state)
{
    write_text(*state, "secret", "hunter2\n");
    write_text(*state, "lines", "hunter2\nhunter2\n");
    setenv("EFFIGY_TEST_SECRET", "hunter2", 1);
    setenv("EFFIGY_TEST_ESCAPE", "hunter2\x1b[0m", 1);
    static const char *const values[] = {"${env:EFFIGY_TEST_SECRET}", "${file:secret}",
                                         "${file:lines}", "${env:EFFIGY_TEST_ESCAPE}"};
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->type == CONFIG_LIST || key->type == CONFIG_MAPPING ||
            key->section != CONFIG_SERVICE || key->type == CONFIG_STRING ||
            key->type == CONFIG_NAME)
            continue;
        for (size_t k = 0; k < ARRAY_LENGTH(values); k++) {
            ERR_LOCAL(err);
            struct config *config = NULL;
            CLEANUP_FREE char *text = mem_printf(HEAD "    %s: %s\n", key->name, values[k]);
            assert_false(config_parse(text, strlen(text), "effigy.yaml", *state, &config, &err));
            assert_null(strstr(err->message, "hunter2"));
            assert_non_null(strstr(err->message, key->name));
            assert_non_null(strstr(err->message, "${"));
            assert_true(!err->hint || !strstr(err->hint, "hunter2"));
        }
    }
    /* A name that is given twice, too. */
    ERR_LOCAL(err);
    struct config *config = NULL;
    static const char twice[] =
        "services:\n- {name: '${env:EFFIGY_TEST_SECRET}', master: a, image: b}\n"
        "- {name: '${env:EFFIGY_TEST_SECRET}', master: a, image: b}\n";
    assert_false(config_parse(twice, strlen(twice), "effigy.yaml", ".", &config, &err));
    assert_null(strstr(err->message, "hunter2"));
}

static void
test_find_service(void **state)
{
    CLEANUP_CONFIG struct config *config = NULL;
    ERR_LOCAL(err);
    assert_ok(parse(HEAD "  - {name: prices, master: a, image: b}\n", &config, &err), err);
    assert_null(config_service(config, "catalog", &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_string_equal(err->hint, "did you mean 'catalogue'?");
    assert_null(config_service(config, "zzzzzz", &err));
    assert_non_null(strstr(err->hint, "catalogue, prices"));
    assert_null(config_service(config, "\x1b[31m", &err));
    assert_null(strchr(err->message, '\x1b'));
}

static void
test_load(void **state)
{
    char *was = realpath(".", NULL);
    assert_int_equal(chdir(*state), 0);
    unsetenv("EFFIGY_CONFIG");
    ERR_LOCAL(err);
    struct config *config = NULL;
    if (!file_exists("/etc/effigy/effigy.yaml")) {
        assert_false(config_load(NULL, &config, &err));
        assert_int_equal(err->kind, ERR_NOT_FOUND);
        assert_non_null(strstr(err->hint, "effigy init"));
    }
    assert_false(config_load("elsewhere.yaml", &config, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err->message, "elsewhere.yaml"));

    write_text(".", "effigy.yaml", HEAD);
    assert_ok(config_load(NULL, &config, &err), err);
    assert_string_equal(config->path, "effigy.yaml");
    assert_string_equal(config->base_dir, ".");
    config_free(config);

    assert_int_equal(mkdir("sub", 0700), 0);
    write_text("sub", "other.yaml", HEAD "  - {name: other, master: a, image: b}\n");
    setenv("EFFIGY_CONFIG", "sub/other.yaml", 1);
    assert_ok(config_load(NULL, &config, &err), err);
    assert_int_equal(config->service_count, 2);
    assert_string_equal(config->base_dir, "sub");
    config_free(config);
    assert_ok(config_load("effigy.yaml", &config, &err), err); /* what is named wins */
    assert_int_equal(config->service_count, 1);
    config_free(config);
    unsetenv("EFFIGY_CONFIG");

    assert_int_equal(truncate("effigy.yaml", CONFIG_FILE_LIMIT + 1), 0);
    assert_false(config_load(NULL, &config, &err));
    assert_int_equal(err->kind, ERR_CONFIG);
    assert_false(config_load("sub", &config, &err)); /* a folder */
    assert_int_equal(chdir(was), 0);
    free(was);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_default_and_example_is_valid),
        cmocka_unit_test(test_no_services),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_byte_order_mark_and_line_ends),
        cmocka_unit_test_setup_teardown(test_references, unit_folder_setup, unit_folder_teardown),
        cmocka_unit_test_setup_teardown(test_secrets_stay_secret, unit_folder_setup,
                                        unit_folder_teardown),
        cmocka_unit_test(test_find_service),
        cmocka_unit_test_setup_teardown(test_load, unit_folder_setup, unit_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
