/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages, from the tables of commands, exit codes and keys. */
#ifndef EFFIGY_CLI_MAN_H
#define EFFIGY_CLI_MAN_H

#include "base/buf.h"

#include <stdbool.h>

/* "effigy.1", "effigy-publish.1", "effigy.yaml.5". False if there is no such page. */
bool man_write(const char *page, struct buf *out);

#endif
