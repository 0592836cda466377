/* SPDX-License-Identifier: Apache-2.0 */
/* Adding a service to a file, apart from the file: config_add_service() is in config.h. */
#ifndef EFFIGY_CONFIG_ADD_H
#define EFFIGY_CONFIG_ADD_H

#include "base/buf.h"
#include "config/config.h"

/* `bytes` and, behind them, the service: in an empty file all its keys, commented, else those that
 * are given. The result has been read and holds what was there before and the service. ERR_USAGE if
 * there is one of that name; ERR_CONFIG, with the block to add in the hint, if it cannot be
 * appended. */
bool config_add_text(const char *bytes, size_t length, const char *name, const char *base_dir,
                     const struct config_new_service *service, struct buf *ret_text,
                     struct err **err);

#endif
