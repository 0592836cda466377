/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite masters: "sqlite:PATH", files in rollback-journal or WAL mode. */
#ifndef EFFIGY_SOURCE_SQLITE_SQLITE_H
#define EFFIGY_SOURCE_SQLITE_SQLITE_H

#include "source/source-internal.h"

extern const struct source_ops sqlite_source_ops;

#endif
