/* SPDX-License-Identifier: Apache-2.0 */
/* What is written out of the table of keys and a configuration, beside config_write_sample and
 * config_write_man. */
#ifndef EFFIGY_CONFIG_DOCUMENT_H
#define EFFIGY_CONFIG_DOCUMENT_H

#include "base/buf.h"
#include "config/config.h"
#include "config/keys.h"

/* All values in force, as a file that could be read again; appended. References appear as they were
 * written, and a password in a URL as ***. */
void config_write_effective(const struct config *config, struct buf *out);
/* One such value, of a record that `service` and `item` (of its list) lead to; to be freed. */
char *config_value_shown(const struct config *config, const struct config_key *key,
                         const void *record, size_t service, size_t item);

/* The commented block of one service, its "-" behind `indent` spaces; appended. With `full`, all
 * keys, those that are not given commented out; without, only those given. */
void config_write_service(const struct config_new_service *service, unsigned indent, bool full,
                          struct buf *out);
/* What stands above `services:` in a new file. */
void config_write_header(struct buf *out);

#endif
