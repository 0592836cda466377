/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFFIGY_CLI_COMPLETION_H
#define EFFIGY_CLI_COMPLETION_H

#include "base/buf.h"

/* The completion for bash, from the table of commands; appended. */
void completion_write_bash(struct buf *out);

#endif
