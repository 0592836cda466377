/* SPDX-License-Identifier: Apache-2.0 */
/* Values of effigy.yaml: from text into the struct's member and back. Pure. */
#ifndef EFFIGY_CONFIG_VALUE_H
#define EFFIGY_CONFIG_VALUE_H

#include "base/err.h"
#include "config/keys.h"

/* Parses text into the member of `record` (the key's section) that the key belongs to. `shown`
 * stands for the text in messages, which end up as "<shown> is not a number from 1 to 65535".
 * ERR_CONFIG. */
bool config_value_set(const struct config_key *key, void *record, const char *text,
                      const char *shown, struct err **err);
/* The default, or an empty value where there is none. */
void config_value_set_initial(const struct config_key *key, void *record);
/* The value as one would write it, in its largest whole unit ("256MiB", "30s"); "" where it is
 * unset. To be freed. */
char *config_value_format(const struct config_key *key, const void *record);
/* What a value may be, in words: "a number from 1 to 65535". To be freed. */
char *config_value_describe(const struct config_key *key);

/* Text fit for a message: in single quotes, at most 40 bytes of it, without control characters. To
 * be freed. */
char *config_quote(const char *text);
/* Neither control characters (C0, DEL, C1) nor those that YAML takes for line breaks or refuses. */
bool config_text_is_plain(const char *text, size_t length);

#endif
