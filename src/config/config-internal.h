/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFFIGY_CONFIG_CONFIG_INTERNAL_H
#define EFFIGY_CONFIG_CONFIG_INTERNAL_H

#include "config/config.h"
#include "config/keys.h"
#include "config/scan.h"

/* What config_parse makes: the configuration, and the text of the values that hold a reference, as
 * written, so that it and not what it stands for is shown. */
struct config_written {
    const struct config_key *key;
    size_t service, item;
    char *text;
};
struct config_whole {
    struct config config; /* first */
    struct config_written *written;
    size_t written_count, written_room;
};

/* As config_parse; *ret_scan is to be freed. */
bool config_parse_scanned(const char *bytes, size_t length, const char *name, const char *base_dir,
                          struct config **ret_config, struct config_scan *ret_scan,
                          struct err **err);

#endif
