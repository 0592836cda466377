/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "oci/manifest.h"

#include <string.h>

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DIGEST "sha256:" HEX
#define CONFIG_JSON "{\"mediaType\":\"" OCI_MEDIA_CONFIG "\",\"digest\":\"" DIGEST "\",\"size\":7}"
#define LAYER_JSON \
    "{\"mediaType\":\"" OCI_MEDIA_LAYER_GZIP "\",\"digest\":\"" DIGEST "\",\"size\":9}"
#define MANIFEST(more) \
    "{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":[" LAYER_JSON "]" more "}"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]}"
#define CONFIG(more) "{\"architecture\":\"amd64\",\"os\":\"linux\"," ROOTFS more "}"

static void
a_map_is_sorted(void **state)
{
    struct oci_map map = {0}, copy;
    const char *const keys[] = {"m", "a", "z", "b", "y", "m"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        oci_map_set(&map, keys[i], i == 5 ? "new" : keys[i]);
    assert_int_equal(map.count, 5);
    for (size_t i = 1; i < map.count; i++)
        assert_true(strcmp(map.pairs[i - 1].key, map.pairs[i].key) < 0);
    assert_string_equal(oci_map_get(&map, "m"), "new");
    oci_map_set(&map, "m", oci_map_get(&map, "m"));
    assert_string_equal(oci_map_get(&map, "m"), "new");
    oci_map_copy(&copy, &map);
    oci_map_set(&map, "a", NULL);
    oci_map_set(&map, "nothing", NULL);
    assert_null(oci_map_get(&map, "a"));
    assert_int_equal(map.count, 4);
    assert_string_equal(oci_map_get(&copy, "a"), "a");
    oci_map_free(&map);
    oci_map_free(&copy);
    assert_int_equal(map.count, 0);
}

static struct oci_manifest
sample_manifest(void)
{
    struct oci_manifest manifest = {
        .config = {.media_type = mem_strdup(OCI_MEDIA_CONFIG),
                   .digest = oci_digest_of("config", 6),
                   .size = 6},
        .layers = mem_new_array(2, sizeof *manifest.layers),
        .layer_count = 2,
    };
    manifest.layers[0] =
        (struct oci_descriptor){mem_strdup(OCI_MEDIA_LAYER_GZIP), oci_digest_of("x", 1), 1};
    manifest.layers[1] =
        (struct oci_descriptor){mem_strdup(OCI_MEDIA_LAYER_ZSTD), oci_digest_of("", 0), INT64_MAX};
    oci_map_set(&manifest.layers[1].annotations, "io.effigy.data.file", "catalogue.db");
    oci_map_set(&manifest.annotations, "org.opencontainers.image.title",
                "catalogue \"\xc3\xa9\" </\n\x01>");
    oci_map_set(&manifest.annotations, "io.effigy.generation", "g2");
    return manifest;
}

/* The digests below may change only together with BAKE_FORMAT: an unchanged master would otherwise
 * get a new generation from a new version of the program. */
static void
the_bytes_of_a_manifest_never_change_silently(void **state)
{
    struct oci_manifest manifest = sample_manifest(), again;
    CLEANUP_FREE char *text = oci_manifest_format(&manifest);
    assert_string_equal(oci_digest_of(text, strlen(text)).text,
                        "sha256:c216d4b7490a6f69fa410c5ac8005e064f8514f97b9d374478c604a8f7604fed");
    ERR_LOCAL(err);
    assert_ok(oci_manifest_parse(text, strlen(text), &again, &err), err);
    CLEANUP_FREE char *text_again = oci_manifest_format(&again);
    assert_string_equal(text, text_again);
    assert_int_equal(again.layers[1].size, INT64_MAX);
    assert_string_equal(oci_map_get(&again.layers[1].annotations, "io.effigy.data.file"),
                        "catalogue.db");
    oci_manifest_free(&manifest);
    oci_manifest_free(&again);
}

static void
the_bytes_of_an_index_never_change_silently(void **state)
{
    struct oci_descriptor manifests[2] = {
        {(char *)OCI_MEDIA_MANIFEST, oci_digest_of("1", 1), 1,
         .platform = {(char *)"linux", (char *)"amd64"}},
        {(char *)OCI_MEDIA_MANIFEST, oci_digest_of("2", 1), 2},
    };
    struct oci_index index = {.manifests = manifests, .count = 2}, again;
    oci_map_set(&index.annotations, "k", "v");
    CLEANUP_FREE char *text = oci_index_format(&index);
    assert_string_equal(oci_digest_of(text, strlen(text)).text,
                        "sha256:24dbd8c5a17b5f244529a55087c2359003f8eb29eebcf564d9491073f5931317");
    ERR_LOCAL(err);
    assert_ok(oci_index_parse(text, strlen(text), &again, &err), err);
    CLEANUP_FREE char *text_again = oci_index_format(&again);
    assert_string_equal(text, text_again);
    assert_string_equal(again.manifests[0].platform.architecture, "amd64");
    assert_null(again.manifests[1].platform.os);
    oci_index_free(&again);
    oci_map_free(&index.annotations);
}

static void
the_bytes_of_a_config_never_change_silently(void **state)
{
    char *env[] = {(char *)"PATH=/", (char *)"B=1", NULL},
         *entrypoint[] = {(char *)"/effigy-serve", NULL};
    char *cmd[] = {NULL}, *ports[] = {(char *)"9090/udp", (char *)"8080/tcp", NULL};
    struct oci_digest diff_ids[] = {oci_digest_of("1", 1), oci_digest_of("2", 1)};
    struct oci_history history[] = {
        {.created = (char *)"2026-01-31T12:00:00Z",
         .created_by = (char *)"effigy",
         .comment = (char *)"data"},
        {.empty_layer = true},
    };
    struct oci_config again, config = {
                                 .created = (char *)"2026-01-31T12:00:00Z",
                                 .architecture = (char *)"amd64",
                                 .os = (char *)"linux",
                                 .env = env,
                                 .entrypoint = entrypoint,
                                 .cmd = cmd,
                                 .user = (char *)"65532:65532",
                                 .working_dir = (char *)"/",
                                 .stop_signal = (char *)"SIGTERM",
                                 .exposed_ports = ports,
                                 .diff_ids = diff_ids,
                                 .diff_id_count = 2,
                                 .history = history,
                                 .history_count = 2,
                             };
    oci_map_set(&config.labels, "io.effigy.role", "generation");
    CLEANUP_FREE char *text = oci_config_format(&config);
    assert_string_equal(oci_digest_of(text, strlen(text)).text,
                        "sha256:57bd1362e0b20ed586c4ff97dafca9dfbdd315e9db7c5d1afdc718e54c6f02d8");
    ERR_LOCAL(err);
    assert_ok(oci_config_parse(text, strlen(text), &again, &err), err);
    CLEANUP_FREE char *text_again = oci_config_format(&again);
    assert_string_equal(text, text_again);
    assert_string_equal(again.exposed_ports[0], "8080/tcp");
    assert_string_equal(again.env[1], "B=1");
    assert_null(again.env[2]);
    assert_non_null(again.cmd);
    assert_null(again.cmd[0]);
    assert_null(again.volumes);
    assert_true(again.history[1].empty_layer);
    assert_false(again.history[0].empty_layer);
    assert_string_equal(oci_map_get(&again.labels, "io.effigy.role"), "generation");
    oci_config_free(&again);
    oci_map_free(&config.labels);
}

static void
docker_types_are_read_as_oci_types(void **state)
{
    const char *text =
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.v2+json\",\"config\":{"
        "\"mediaType\":\"application/"
        "vnd.docker.container.image.v1+json\",\"size\":1,\"digest\":\"" DIGEST "\"},"
        "\"layers\":[{\"mediaType\":\"application/"
        "vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":1,\"digest\":\"" DIGEST "\"}]}";
    ERR_LOCAL(err);
    struct oci_manifest manifest;
    assert_ok(oci_manifest_parse(text, strlen(text), &manifest, &err), err);
    assert_string_equal(manifest.config.media_type, OCI_MEDIA_CONFIG);
    assert_string_equal(manifest.layers[0].media_type, OCI_MEDIA_LAYER_GZIP);
    oci_manifest_free(&manifest);
    text = "{\"schemaVersion\":2,\"mediaType\":\"application/"
           "vnd.docker.distribution.manifest.list.v2+json\","
           "\"manifests\":[{\"mediaType\":\"application/"
           "vnd.docker.distribution.manifest.v2+json\",\"size\":1,"
           "\"digest\":\"" DIGEST
           "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}]}";
    struct oci_index index;
    assert_ok(oci_index_parse(text, strlen(text), &index, &err), err);
    assert_string_equal(index.manifests[0].media_type, OCI_MEDIA_MANIFEST);
    assert_string_equal(index.manifests[0].platform.architecture, "arm64");
    oci_index_free(&index);
    text = CONFIG(",\"config\":{\"Entrypoint\":null,\"Volumes\":{\"/w\":{},\"/"
                  "v\":{}},\"Labels\":null,\"Healthcheck\":{}},"
                  "\"history\":null,\"container_config\":{}");
    struct oci_config config;
    assert_ok(oci_config_parse(text, strlen(text), &config, &err), err);
    assert_null(config.entrypoint);
    assert_string_equal(config.volumes[0], "/v");
    assert_string_equal(config.volumes[1], "/w");
    assert_null(config.volumes[2]);
    assert_int_equal(config.history_count, 0);
    oci_config_free(&config);
}

static void
hostile_manifests_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"[]", "object"},
        {"null", "JSON"},
        {"{}", "schemaVersion"},
        {"{} x", "JSON"},
        {"{\"schemaVersion\":2,\"schemaVersion\":2}", "duplicate"},
        {"{\"schemaVersion\":\"2\"}", "schemaVersion"},
        {"{\"schemaVersion\":2.0}", "schemaVersion"},
        {"{\"schemaVersion\":2}", "config"},
        {"{\"schemaVersion\":2,\"config\":[]}", "config"},
        {"{\"schemaVersion\":2,\"config\":" CONFIG_JSON "}", "layers"},
        {"{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":{}}", "layers"},
        {"{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":[1]}", "layer 0"},
        {"{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":[" LAYER_JSON ",{}]}",
         "layer 1"},
        {MANIFEST(",\"manifests\":[]"), "manifests"},
        {MANIFEST(",\"mediaType\":\"" OCI_MEDIA_INDEX "\""), "media type"},
        {MANIFEST(",\"mediaType\":7"), "mediaType"},
        {MANIFEST(",\"annotations\":[]"), "annotations"},
        {MANIFEST(",\"annotations\":{\"a\":1}"), "\"a\""},
        {MANIFEST(",\"annotations\":{\"a\":\"1\",\"a\":\"2\"}"), "duplicate"},
        {MANIFEST(",\"annotations\":{\"a\":\"\xff\"}"), "JSON"},
        {MANIFEST(",\"annotations\":{\"a\":\"\\u0000\"}"), "JSON"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST
         "\",\"size\":-1}}",
         "negative"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST
         "\",\"size\":1e3}}",
         "size"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{\"mediaType\":\"x\",\"digest\":\"" DIGEST
         "\",\"size\":9223372036854775808}}",
         "JSON"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:.."
         "/../x\",\"size\":1}}",
         "digest"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{\"digest\":\"" DIGEST "\",\"size\":1}}",
         "mediaType"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        struct oci_manifest manifest;
        if (oci_manifest_parse(table[i].text, strlen(table[i].text), &manifest, &err))
            fail_msg("%s was taken", table[i].text);
        assert_int_equal(err->kind, ERR_CORRUPT);
        if (!strstr(err->message, table[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", table[i].text, err->message, table[i].says);
    }
    ERR_LOCAL(err);
    struct oci_manifest manifest;
    assert_ok(oci_manifest_parse(MANIFEST(""), strlen(MANIFEST("")), &manifest, &err), err);
    oci_manifest_free(&manifest);
    assert_false(oci_manifest_parse("{\"schemaVersion\":1}", 19, &manifest, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    assert_false(oci_manifest_parse(NULL, 0, &manifest, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    struct oci_index index;
    assert_false(oci_index_parse(MANIFEST(""), strlen(MANIFEST("")), &index, &err));
    const char *both = "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}";
    assert_false(oci_index_parse(both, strlen(both), &index, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
}

static void
hostile_configs_are_refused(void **state)
{
    static const char *const table[] = {
        "{}",
        "{\"architecture\":\"amd64\",\"os\":\"linux\"}",
        "{\"architecture\":\"amd64\"," ROOTFS "}",
        "{\"os\":\"linux\"," ROOTFS "}",
        "{\"architecture\":1,\"os\":\"linux\"," ROOTFS "}",
        "{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\"}}",
        "{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}",
        "{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
        "{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" HEX
        "\"]}}",
        CONFIG(",\"config\":[]"),
        CONFIG(",\"config\":{\"Env\":{}}"),
        CONFIG(",\"config\":{\"Env\":[1]}"),
        CONFIG(",\"config\":{\"ExposedPorts\":[]}"),
        CONFIG(",\"config\":{\"User\":1}"),
        CONFIG(",\"config\":{\"Labels\":{\"a\":{}}}"),
        CONFIG(",\"history\":{}"),
        CONFIG(",\"history\":[1]"),
        CONFIG(",\"history\":[{},{\"empty_layer\":1}]"),
        CONFIG(",\"history\":[{\"created\":1}]"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        struct oci_config config;
        if (oci_config_parse(table[i], strlen(table[i]), &config, &err))
            fail_msg("%s was taken", table[i]);
        assert_int_equal(err->kind, ERR_CORRUPT);
    }
}

static char *
repeat(const char *before, const char *item, const char *between, size_t count, const char *after)
{
    struct buf buf = {0};
    buf_puts(&buf, before);
    for (size_t i = 0; i < count; i++)
        buf_printf(&buf, "%s%s", i ? between : "", item);
    buf_puts(&buf, after);
    return buf_steal(&buf);
}

static void
there_are_limits(void **state)
{
    for (size_t layers = 127; layers <= 128; layers++) {
        CLEANUP_FREE char *manifest =
            repeat("{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":[", LAYER_JSON, ",",
                   layers, "]}");
        CLEANUP_FREE char *config =
            repeat("{\"architecture\":\"a\",\"os\":\"l\",\"rootfs\":{\"type\":\"layers\","
                   "\"diff_ids\":[",
                   "\"" DIGEST "\"", ",", layers, "]}}");
        struct oci_manifest m = {0};
        struct oci_config c = {0};
        assert_int_equal(oci_manifest_parse(manifest, strlen(manifest), &m, NULL), layers <= 127);
        assert_int_equal(oci_config_parse(config, strlen(config), &c, NULL), layers <= 127);
        oci_manifest_free(&m);
        oci_config_free(&c);
    }
    CLEANUP_FREE char *deep = repeat("{\"schemaVersion\":2,\"x\":", "[", "", 1 << 20, "");
    CLEANUP_FREE char *large = repeat("{", " ", "", OCI_MANIFEST_LIMIT, "}");
    const char *const texts[] = {deep, large};
    for (size_t i = 0; i < 2; i++) {
        ERR_LOCAL(err);
        struct oci_manifest m;
        assert_false(oci_manifest_parse(texts[i], strlen(texts[i]), &m, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
    }
}

static void
a_map_of_many_hostile_keys_is_read_quickly(void **state)
{
    CLEANUP_BUF struct buf buf = {0};
    buf_puts(&buf,
             "{\"schemaVersion\":2,\"config\":" CONFIG_JSON ",\"layers\":[],\"annotations\":{");
    for (unsigned i = 300000; i > 0; i--)
        buf_printf(&buf, "\"%06x\":\"\"%s", i, i > 1 ? "," : "}}");
    ERR_LOCAL(err);
    struct oci_manifest manifest;
    assert_ok(oci_manifest_parse(buf.data, buf.length, &manifest, &err), err);
    assert_int_equal(manifest.annotations.count, 300000);
    assert_string_equal(manifest.annotations.pairs[0].key, "000001");
    assert_string_equal(oci_map_get(&manifest.annotations, "0000ff"), "");
    oci_manifest_free(&manifest);
}

static void
what_is_not_utf8_is_written_as_question_marks(void **state)
{
    struct oci_manifest manifest = sample_manifest(), again;
    oci_map_set(&manifest.annotations, "bad\xff", "\xc3(");
    CLEANUP_FREE char *text = oci_manifest_format(&manifest);
    ERR_LOCAL(err);
    assert_ok(oci_manifest_parse(text, strlen(text), &again, &err), err);
    assert_string_equal(str_or(oci_map_get(&again.annotations, "bad?"), "(none)"), "?(");
    oci_manifest_free(&manifest);
    oci_manifest_free(&again);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_sorted),
        cmocka_unit_test(the_bytes_of_a_manifest_never_change_silently),
        cmocka_unit_test(the_bytes_of_an_index_never_change_silently),
        cmocka_unit_test(the_bytes_of_a_config_never_change_silently),
        cmocka_unit_test(docker_types_are_read_as_oci_types),
        cmocka_unit_test(hostile_manifests_are_refused),
        cmocka_unit_test(hostile_configs_are_refused),
        cmocka_unit_test(there_are_limits),
        cmocka_unit_test(a_map_of_many_hostile_keys_is_read_quickly),
        cmocka_unit_test(what_is_not_utf8_is_written_as_question_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
