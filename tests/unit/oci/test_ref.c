/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "oci/ref.h"

#include <string.h>

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DIGEST "sha256:" HEX
#define LAYOUT OCI_TRANSPORT_LAYOUT
#define REGISTRY OCI_TRANSPORT_REGISTRY
#define A128                                                           \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
a_reference_is_read_and_written(void **state)
{
    static const struct {
        const char *text;
        enum oci_transport transport;
        const char *location, *tag, *digest;
    } table[] = {
        {"oci:./images/catalogue", LAYOUT, "./images/catalogue", NULL, ""},
        {"oci:./images/catalogue:g1", LAYOUT, "./images/catalogue", "g1", ""},
        {"oci:/a:b/c", LAYOUT, "/a:b/c", NULL, ""},
        {"oci:/a:b/c:latest", LAYOUT, "/a:b/c", "latest", ""},
        {"oci:dir:tag", LAYOUT, "dir", "tag", ""},
        {"oci:a:b:c", LAYOUT, "a:b", "c", ""},
        {"oci:/", LAYOUT, "/", NULL, ""},
        {"oci:dir/:_x.y-Z9", LAYOUT, "dir/", "_x.y-Z9", ""},
        {"oci:with space/\xc3\xa9t\xc3\xa9", LAYOUT, "with space/\xc3\xa9t\xc3\xa9", NULL, ""},
        {"oci:user@host", LAYOUT, "user@host", NULL, ""},
        {"oci:dir:" A128, LAYOUT, "dir", A128, ""},
        {"oci:dir@" DIGEST, LAYOUT, "dir", NULL, DIGEST},
        {"oci:dir:g2@" DIGEST, LAYOUT, "dir", "g2", DIGEST},
        {"registry.example.com:5000/team/x:g7", REGISTRY, "registry.example.com:5000/team/x", "g7",
         ""},
        {"localhost/x@" DIGEST, REGISTRY, "localhost/x", NULL, DIGEST},
        {"localhost:5000/x", REGISTRY, "localhost:5000/x", NULL, ""},
        {"docker.io/library/postgres", REGISTRY, "docker.io/library/postgres", NULL, ""},
        {"ghcr.io/a/b--c/d__e/f.g:V1@" DIGEST, REGISTRY, "ghcr.io/a/b--c/d__e/f.g", "V1", DIGEST},
        {"127.0.0.1:1/x", REGISTRY, "127.0.0.1:1/x", NULL, ""},
        {"[::1]:5000/x:y", REGISTRY, "[::1]:5000/x", "y", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        struct oci_ref ref;
        assert_ok(oci_ref_parse(table[i].text, &ref, &err), err);
        assert_int_equal(ref.transport, table[i].transport);
        assert_string_equal(ref.location, table[i].location);
        assert_string_equal(str_or(ref.tag, "(none)"), str_or(table[i].tag, "(none)"));
        assert_string_equal(ref.digest.text, table[i].digest);
        CLEANUP_FREE char *text = oci_ref_format(&ref);
        assert_string_equal(text, table[i].text);
        oci_ref_free(&ref);
        assert_null(ref.location);
    }
}

static void
a_bad_reference_is_refused_with_a_good_one_shown(void **state)
{
    static const char *const table[] = {
        "",
        "x",
        "catalogue:g1",
        "library/postgres",
        "oci:",
        "oci::tag",
        "oci:@" DIGEST,
        "oci:dir:",
        "oci:dir:-x",
        "oci:dir:.x",
        "oci:dir:a b",
        "oci:dir:" A128 "a",
        "oci:dir\n:x",
        "oci:\x7f",
        "oci:dir@sha256:123",
        "oci:dir@sha256:" HEX "0",
        "oci:dir:@" DIGEST,
        "/x",
        "a.b/",
        "a.b//x",
        "a.b/x/",
        "a.b/X",
        "a.b/x:",
        "a.b/x:-",
        "a.b/x@",
        "a.b/x@sha512:" HEX,
        "a.b/x@" DIGEST "@" DIGEST,
        "a.b/x..y",
        "a.b/x___y",
        "a.b/x_-y",
        "a.b/-x",
        "a.b/x-",
        "a.b/../x",
        "a..b/x",
        ".a/x",
        "-a.b/x",
        "a-.b/x",
        "a.b:/x",
        "a.b:0/x",
        "a.b:65536/x",
        "a.b:x/x",
        "a.b:1:2/x",
        "[::1/x",
        "[]:1/x",
        "[::1]x/y",
        "http://a.b/x",
        "docker://a.b/x",
        "a.b/x y",
        "a_b.c/x",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ERR_LOCAL(err);
        struct oci_ref ref;
        if (oci_ref_parse(table[i], &ref, &err))
            fail_msg("\"%s\" was taken", table[i]);
        assert_int_equal(err->kind, ERR_USAGE);
        assert_non_null(err->hint);
        assert_true(strlen(err->message) > strlen(table[i]));
    }
    CLEANUP_FREE char *longest = mem_new(5001);
    memset(longest, 'a', 5000);
    memcpy(longest, "oci:", 4);
    assert_false(oci_ref_parse(longest, &(struct oci_ref){0}, NULL));
    memcpy(longest, "a.b/", 4);
    longest[255] = '\0';
    struct oci_ref ref;
    assert_true(oci_ref_parse(longest, &ref, NULL));
    oci_ref_free(&ref);
    longest[255] = 'a';
    longest[256] = '\0';
    assert_false(oci_ref_parse(longest, &ref, NULL));
}

static void
a_folder_with_a_colon_is_not_written_as_a_tag(void **state)
{
    struct oci_ref ref = {.transport = LAYOUT, .location = (char *)"a:b"}, again;
    CLEANUP_FREE char *text = oci_ref_format(&ref);
    assert_true(oci_ref_parse(text, &again, NULL));
    assert_null(again.tag);
    assert_string_equal(again.location, "a:b/");
    oci_ref_free(&again);
}

static void
a_tag_is_what_the_distribution_spec_says(void **state)
{
    assert_true(oci_tag_valid("g1"));
    assert_true(oci_tag_valid("_"));
    assert_true(oci_tag_valid(A128));
    assert_false(oci_tag_valid(""));
    assert_false(oci_tag_valid(".g1"));
    assert_false(oci_tag_valid("-g1"));
    assert_false(oci_tag_valid("a/b"));
    assert_false(oci_tag_valid("a:b"));
    assert_false(oci_tag_valid(A128 "a"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_is_read_and_written),
        cmocka_unit_test(a_bad_reference_is_refused_with_a_good_one_shown),
        cmocka_unit_test(a_folder_with_a_colon_is_not_written_as_a_tag),
        cmocka_unit_test(a_tag_is_what_the_distribution_spec_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
