/* SPDX-License-Identifier: Apache-2.0 */
/* The exit codes of base/err.h with their meaning, for the manual. */
#ifndef EFFIGY_CLI_EXITS_H
#define EFFIGY_CLI_EXITS_H

#include "base/err.h"

struct exit_code {
    enum err_kind kind;
    const char *text; /* a sentence */
};
extern const struct exit_code exit_codes[]; /* ends with a NULL text */

#endif
