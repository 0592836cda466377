/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "oci/digest.h"

#include <string.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void
a_digest_is_of_its_bytes(void **state)
{
    struct oci_digest digest = oci_digest_of("abc", 3), other = oci_digest_of("abd", 3),
                      none = {""};
    assert_string_equal(digest.text, "sha256:" ABC);
    assert_string_equal(oci_digest_hex(&digest), ABC);
    assert_string_equal(oci_digest_hex(&none), "");
    assert_true(oci_digest_equal(&digest, &digest));
    assert_false(oci_digest_equal(&digest, &other));
}

static void
only_sha256_in_lower_case_is_a_digest(void **state)
{
    struct oci_digest digest = {"untouched"};
    const char *const bad[] = {
        "",
        "sha256:",
        ABC,
        "sha256:" ABC "0",
        "sha256:" ABC "\n",
        "sha512:" ABC,
        "SHA256:" ABC,
        "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "sha256:../../../../../../../../../../../../../../../../../../../etc/passwd",
        "sha256:ba7816bf8f01cfea414140de5dae2223/../61a396177a9cb410ff61f20015ad0",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ERR_LOCAL(err);
        assert_false(oci_digest_parse(bad[i], &digest, &err));
        assert_int_equal(err->kind, ERR_CORRUPT);
        assert_string_equal(digest.text, "untouched");
    }
    assert_true(oci_digest_parse("sha256:" ABC, &digest, NULL));
    assert_string_equal(digest.text, "sha256:" ABC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_of_its_bytes),
        cmocka_unit_test(only_sha256_in_lower_case_is_a_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
