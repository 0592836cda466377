/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "base/str.h"

static void
a_blob_comes_back_as_it_was_put(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    size_t length = (9u << 20) + 3;
    CLEANUP_FREE char *bytes = mem_new(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    for (int round = 0; round < 2; round++) {
        struct oci_blob_writer *writer;
        assert_ok(oci_store_write_blob(store, &writer, &err), err);
        for (size_t at = 0; at < length; at += 100000)
            assert_ok(oci_blob_writer_write(writer, bytes + at,
                                            length - at < 100000 ? length - at : 100000, &err),
                      err);
        char again[1000];
        assert_ok(oci_blob_writer_reread(writer, again, sizeof again, 99500, &err), err);
        assert_memory_equal(again, bytes + 99500, sizeof again);
        assert_false(oci_blob_writer_reread(writer, again, sizeof again, length - 999, NULL));
        struct oci_descriptor blob = {0};
        bool is_new;
        assert_ok(oci_blob_writer_commit(writer, &blob.digest, &blob.size, &is_new, &err), err);
        struct oci_digest expected = oci_digest_of(bytes, length);
        assert_true(oci_digest_equal(&blob.digest, &expected));
        assert_int_equal(blob.size, length);
        assert_int_equal(is_new, round == 0);

        CLEANUP_BUF struct buf read = {0};
        assert_ok(oci_store_get_blob(store, &blob, length, &read, &err), err);
        assert_int_equal(read.length, length);
        assert_memory_equal(read.data, bytes, length);
        buf_free(&read);
        assert_false(oci_store_get_blob(store, &blob, length - 1, &read, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);

        bool has;
        assert_ok(oci_store_has_blob(store, &blob.digest, blob.size, &has, &err), err);
        assert_true(has);
        assert_ok(oci_store_has_blob(store, &blob.digest, blob.size + 1, &has, &err), err);
        assert_false(has);
    }
    oci_store_close(store);
}

static void
an_empty_blob_is_a_blob(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    bool is_new;
    struct oci_descriptor blob = {0};
    assert_ok(oci_store_put_blob(store, "", 0, &blob.digest, &is_new, &err), err);
    assert_true(is_new);
    assert_ok(oci_store_put_blob(store, "", 0, &blob.digest, &is_new, &err), err);
    assert_false(is_new);
    CLEANUP_BUF struct buf bytes = {0};
    assert_ok(oci_store_get_blob(store, &blob, 0, &bytes, &err), err);
    assert_int_equal(bytes.length, 0);
    struct oci_blob_reader *reader;
    char c;
    assert_ok(oci_store_read_blob(store, &blob, &reader, &err), err);
    assert_int_equal(oci_blob_reader_read(reader, &c, 1, &err), 0);
    assert_int_equal(oci_blob_reader_read(reader, &c, 1, &err), 0);
    oci_blob_reader_close(reader);
    oci_store_close(store);
}

static void
an_aborted_blob_is_not_there(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_blob_writer *writer;
    assert_ok(oci_store_write_blob(store, &writer, &err), err);
    assert_ok(oci_blob_writer_write(writer, "abc", 3, &err), err);
    oci_blob_writer_abort(writer);
    struct oci_digest digest = oci_digest_of("abc", 3);
    bool has;
    assert_ok(oci_store_has_blob(store, &digest, 3, &has, &err), err);
    assert_false(has);
    oci_store_close(store);
}

static void
tags_are_set_together_and_listed_in_order(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor g1 = store_put_image(store, "one", 1),
                          g2 = store_put_image(store, "two", 1);
    oci_map_set(&g1.annotations, "io.effigy.generation", "g1");
    g2.platform = (struct oci_platform){mem_strdup("linux"), mem_strdup("arm64")};
    struct oci_tag_change first[] = {{"latest", &g1}, {"g1", &g1}};
    struct oci_tag_change second[] = {{"g2", &g2}, {"pinned", NULL}, {"latest", &g2}};
    assert_ok(oci_store_set_tags(store, first, 2, &err), err);
    assert_ok(oci_store_set_tags(store, second, 3, &err), err);

    /* One change that is wrong: none is made. */
    struct oci_descriptor absent = {.media_type = (char *)OCI_MEDIA_MANIFEST,
                                    .digest = oci_digest_of("-", 1)};
    struct oci_tag_change wrong[] = {{"latest", &g1}, {"g3", &absent}};
    assert_false(oci_store_set_tags(store, wrong, 2, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    struct oci_tag_change bad[] = {{"latest", &g1}, {"a/b", &g1}};
    assert_false(oci_store_set_tags(store, bad, 2, &err));
    assert_int_equal(err->kind, ERR_USAGE);

    struct oci_tag *tags;
    size_t count;
    assert_ok(oci_store_list_tags(store, &tags, &count, &err), err);
    assert_int_equal(count, 3);
    assert_string_equal(tags[0].name, "g1");
    assert_true(oci_digest_equal(&tags[0].descriptor.digest, &g1.digest));
    assert_string_equal(oci_map_get(&tags[0].descriptor.annotations, "io.effigy.generation"), "g1");
    assert_string_equal(tags[1].name, "g2");
    assert_string_equal(tags[1].descriptor.platform.architecture, "arm64");
    assert_string_equal(tags[1].descriptor.media_type, OCI_MEDIA_MANIFEST);
    assert_int_equal(tags[1].descriptor.size, g2.size);
    assert_string_equal(tags[2].name, "latest");
    assert_true(oci_digest_equal(&tags[2].descriptor.digest, &g2.digest));
    oci_tags_free(tags, count);

    store_set_tag(store, "g2", NULL);
    struct oci_descriptor found;
    struct buf bytes;
    assert_false(oci_store_get_manifest(store, "g2", &found, &bytes, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err->hint, "g1"));
    oci_store_close(store);

    store = store_open(*state, OCI_STORE_READ, &err);
    assert_false(oci_store_set_tags(store, first, 2, NULL));
    oci_store_close(store);
    oci_descriptor_free(&g1);
    oci_descriptor_free(&g2);
}

static void
a_manifest_is_found_by_tag_and_by_digest(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor image = store_put_image(store, "one", 1), found;
    store_set_tag(store, "g1", &image);
    const char *const names[] = {"g1", image.digest.text};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_BUF struct buf bytes = {0};
        assert_ok(oci_store_get_manifest(store, names[i], &found, &bytes, &err), err);
        assert_string_equal(found.media_type, OCI_MEDIA_MANIFEST);
        assert_int_equal(found.size, bytes.length);
        assert_string_equal(found.digest.text, image.digest.text);
        oci_descriptor_free(&found);
        struct oci_manifest manifest;
        struct oci_config config;
        assert_ok(oci_store_resolve(store, names[i], "s390x", &found, &manifest, &err), err);
        assert_ok(oci_store_get_config(store, &manifest, &config, &err), err);
        assert_string_equal(config.user, "one");
        oci_descriptor_free(&found);
        oci_manifest_free(&manifest);
        oci_config_free(&config);
    }
    static const struct {
        const char *name;
        enum err_kind kind;
    } bad[] = {
        {"", ERR_USAGE},
        {"a/b", ERR_USAGE},
        {"sha256:12", ERR_USAGE},
        {"nothing", ERR_NOT_FOUND},
        {"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct buf bytes;
        assert_false(oci_store_get_manifest(store, bad[i].name, &found, &bytes, &err));
        assert_int_equal(err->kind, bad[i].kind);
    }
    struct oci_descriptor text = store_put_text(store, "text/plain", "no JSON"),
                          json = store_put_text(store, "x", "{}");
    struct buf bytes;
    assert_false(oci_store_get_manifest(store, text.digest.text, &found, &bytes, &err));
    assert_false(oci_store_get_manifest(store, json.digest.text, &found, &bytes, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    oci_descriptor_free(&text);
    oci_descriptor_free(&json);
    oci_descriptor_free(&image);
    oci_store_close(store);
}

/* Puts an index of the descriptors and frees them. */
static struct oci_descriptor
put_index(struct oci_store *store, struct oci_descriptor *entries, size_t count)
{
    ERR_LOCAL(err);
    struct oci_index index = {.manifests = entries, .count = count};
    CLEANUP_FREE char *text = oci_index_format(&index);
    struct oci_descriptor descriptor;
    assert_ok(
        oci_store_put_manifest(store, OCI_MEDIA_INDEX, text, strlen(text), &descriptor, NULL, &err),
        err);
    for (size_t i = 0; i < count; i++)
        oci_descriptor_free(&entries[i]);
    return descriptor;
}

static struct oci_descriptor
with_platform(struct oci_descriptor descriptor, const char *os, const char *architecture)
{
    descriptor.platform = (struct oci_platform){mem_strdup(os), mem_strdup(architecture)};
    return descriptor;
}

static void
assert_resolves(struct oci_store *store, const char *tag, const char *architecture,
                const char *user)
{
    ERR_LOCAL(err);
    struct oci_descriptor descriptor;
    struct oci_manifest manifest;
    struct oci_config config;
    assert_ok(oci_store_resolve(store, tag, architecture, &descriptor, &manifest, &err), err);
    assert_ok(oci_store_get_config(store, &manifest, &config, &err), err);
    assert_string_equal(config.user, user);
    oci_descriptor_free(&descriptor);
    oci_manifest_free(&manifest);
    oci_config_free(&config);
}

static void
an_index_is_followed_to_the_architecture(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor entries[] = {
        with_platform(store_put_image(store, "windows", 1), "windows", "amd64"),
        with_platform(store_put_image(store, "arm", 1), "linux", "arm64"),
        with_platform(store_put_image(store, "intel", 1), "linux", "amd64"),
        with_platform(store_put_image(store, "attestation", 1), "unknown", "unknown"),
    };
    struct oci_descriptor index = put_index(store, entries, 4);
    store_set_tag(store, "flat", &index);
    assert_resolves(store, "flat", "arm64", "arm");
    assert_resolves(store, "flat", "amd64", "intel");
    struct oci_descriptor descriptor;
    struct oci_manifest manifest;
    assert_false(oci_store_resolve(store, "flat", "riscv64", &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err->message, "linux/arm64, linux/amd64"));

    for (int depth = 2; depth <= 3; depth++) { /* "flat" is the first */
        index = put_index(store, &index, 1);
        CLEANUP_FREE char *tag = mem_printf("deep%d", depth);
        store_set_tag(store, tag, &index);
    }
    assert_resolves(store, "deep2", "arm64", "arm");
    assert_false(oci_store_resolve(store, "deep3", "arm64", &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    oci_descriptor_free(&index);

    struct oci_descriptor silent[] = {store_put_image(store, "a", 1),
                                      store_put_image(store, "b", 1)};
    index = put_index(store, silent, 2);
    store_set_tag(store, "ambiguous", &index);
    assert_false(oci_store_resolve(store, "ambiguous", NULL, &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    oci_descriptor_free(&index);
    oci_store_close(store);
}

static void
an_index_that_lies_is_refused(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor descriptor;
    struct oci_manifest manifest;
    struct oci_descriptor entry = store_put_image(store, "a", 1);
    entry.size++;
    struct oci_descriptor index = put_index(store, &entry, 1);
    assert_false(oci_store_resolve(store, index.digest.text, NULL, &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    oci_descriptor_free(&index);

    entry = store_put_image(store, "a", 1);
    free(entry.media_type);
    entry.media_type = mem_strdup(OCI_MEDIA_INDEX);
    index = put_index(store, &entry, 1);
    assert_false(oci_store_resolve(store, index.digest.text, NULL, &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    oci_descriptor_free(&index);

    entry = store_put_text(store, "application/x-other", "{\"layers\":[]}");
    index = put_index(store, &entry, 1);
    assert_false(oci_store_resolve(store, index.digest.text, NULL, &descriptor, &manifest, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    oci_descriptor_free(&index);
    oci_store_close(store);
}

static void
a_config_must_fit_its_manifest(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor image = store_put_image(store, "one", 2), found;
    struct oci_manifest manifest;
    struct oci_config config;
    assert_ok(oci_store_resolve(store, image.digest.text, NULL, &found, &manifest, &err), err);
    assert_false(oci_store_get_config(store, &manifest, &config, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_non_null(strstr(err->message, "2 layers"));
    free(manifest.config.media_type);
    manifest.config.media_type = mem_strdup("application/vnd.oci.empty.v1+json");
    assert_false(oci_store_get_config(store, &manifest, &config, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    oci_manifest_free(&manifest);
    oci_descriptor_free(&found);
    oci_descriptor_free(&image);
    oci_store_close(store);
}

static void
registries_are_refused_with_a_hint(void **state)
{
    ERR_LOCAL(err);
    struct oci_ref ref;
    struct oci_store *store;
    assert_ok(oci_ref_parse("registry.example.com/team/catalogue:g1", &ref, &err), err);
    assert_false(oci_store_open(&ref, OCI_STORE_CREATE, &store, &err));
    assert_int_equal(err->kind, ERR_UNSUPPORTED);
    assert_non_null(strstr(err->message, "registry.example.com/team/catalogue:"));
    assert_non_null(strstr(err->hint, "oci:./images/catalogue"));
    oci_ref_free(&ref);
}

static void
a_digest_that_is_none_reaches_no_driver(void **state)
{
    ERR_LOCAL(err);
    struct oci_store *store = store_open_locked(*state);
    struct oci_descriptor blob = {.digest = {"sha256:../../oci-layout"}, .size = 30};
    struct oci_blob_reader *reader;
    struct buf bytes;
    bool has;
    struct oci_tag_change change = {"x", &blob};
    assert_false(oci_store_has_blob(store, &blob.digest, 30, &has, &err));
    assert_false(oci_store_read_blob(store, &blob, &reader, &err));
    assert_false(oci_store_get_blob(store, &blob, 100, &bytes, &err));
    assert_false(oci_store_set_tags(store, &change, 1, &err));
    assert_int_equal(err->kind, ERR_CORRUPT);
    oci_store_close(store);
}

#define IN_FOLDER(test) \
    cmocka_unit_test_setup_teardown(test, unit_folder_setup, unit_folder_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_blob_comes_back_as_it_was_put),
        IN_FOLDER(an_empty_blob_is_a_blob),
        IN_FOLDER(an_aborted_blob_is_not_there),
        IN_FOLDER(tags_are_set_together_and_listed_in_order),
        IN_FOLDER(a_manifest_is_found_by_tag_and_by_digest),
        IN_FOLDER(an_index_is_followed_to_the_architecture),
        IN_FOLDER(an_index_that_lies_is_refused),
        IN_FOLDER(a_config_must_fit_its_manifest),
        IN_FOLDER(registries_are_refused_with_a_hint),
        IN_FOLDER(a_digest_that_is_none_reaches_no_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
