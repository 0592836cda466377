/* SPDX-License-Identifier: Apache-2.0 */
/* References inside values: ${env:NAME} is an environment variable, ${file:PATH} the content of a
 * file. */
#ifndef EFFIGY_CONFIG_EXPAND_H
#define EFFIGY_CONFIG_EXPAND_H

#include "base/err.h"

#include <stdbool.h>

#define CONFIG_SECRET_LIMIT (64u << 10) /* bytes of a file that ${file:} names */

/* Is there anything in it to replace? */
bool config_has_reference(const char *text);
/* Replaces each reference, once (what it stands for is not looked at again); "$${" gives "${". A
 * file's path is taken from base_dir, and one line break at its end is left out. ERR_CONFIG names
 * the reference, never a value. */
bool config_expand(const char *text, const char *base_dir, char **ret_text, struct err **err);

#endif
