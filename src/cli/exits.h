/* SPDX-License-Identifier: Apache-2.0 */
/* The exit codes of base/err.h with their meaning, for the manual, and what to do where an error
 * does not say it. */
#ifndef EFFIGY_CLI_EXITS_H
#define EFFIGY_CLI_EXITS_H

#include "base/err.h"

struct exit_code {
    enum err_kind kind;
    const char *text; /* a sentence */
    const char *hint; /* of an error of this kind that has none of its own; or NULL */
};
extern const struct exit_code exit_codes[]; /* ends with a NULL text */
const char *exit_hint(enum err_kind kind);  /* or NULL */

#endif
