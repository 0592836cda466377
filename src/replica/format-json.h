/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFFIGY_REPLICA_FORMAT_JSON_H
#define EFFIGY_REPLICA_FORMAT_JSON_H

#include "replica/format.h"

extern const struct format_writer format_json, format_ndjson;

#endif
