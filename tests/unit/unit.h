/* SPDX-License-Identifier: Apache-2.0 */
/* What cmocka.h needs before it, and a temporary folder for tests. */
#ifndef EFFIGY_TESTS_UNIT_H
#define EFFIGY_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* cmocka set-up and tear-down of a test that works in a folder of its own, *state. */
__attribute__((unused)) static int
unit_folder_setup(void **state)
{
    const char *tmpdir = getenv("TMPDIR");
    char *path = file_join(tmpdir && *tmpdir ? tmpdir : "/tmp", "effigy-test-XXXXXX");
    *state = mkdtemp(path);
    return *state ? 0 : -1;
}

__attribute__((unused)) static int
unit_folder_teardown(void **state)
{
    bool ok = file_remove_tree(*state, NULL);
    free(*state);
    return ok ? 0 : -1;
}

/* The error's message if there is one, for assert_string_equal and messages. */
#define unit_message(err) ((err) ? (err)->message : "(no error)")
/* Fails with the error's message. */
#define assert_ok(call, err)                              \
    do {                                                  \
        if (!(call))                                      \
            fail_msg("%s: %s", #call, unit_message(err)); \
    } while (0)

#endif
