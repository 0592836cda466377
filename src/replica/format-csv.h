/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFFIGY_REPLICA_FORMAT_CSV_H
#define EFFIGY_REPLICA_FORMAT_CSV_H

#include "replica/format.h"

extern const struct format_writer format_csv;

#endif
