/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema for libcyaml, made from the table of keys. What libcyaml fills is a record of slots
 * for each section, one slot per key in the order of the table: the texts of values, to be
 * converted by config/value.h.
 */
#ifndef EFFIGY_CONFIG_SCHEMA_H
#define EFFIGY_CONFIG_SCHEMA_H

#include "base/err.h"
#include "config/keys.h"

struct schema_slot {
    void *value; /* char *, or the records of a list, or the record of a mapping; NULL where it is
                    absent */
    uint64_t count; /* of a list */
};

struct schema;
/* Loads a file that config_scan() has found right. */
bool schema_load(const char *bytes, size_t length, const char *name, struct schema **ret_schema,
                 struct err **err);
const struct schema_slot *schema_top(const struct schema *schema);
/* The slot of a key in a record of its section. */
const struct schema_slot *schema_slot(const struct schema_slot *record,
                                      const struct config_key *key);
/* Record i of a list. */
const struct schema_slot *schema_record(const struct schema_slot *list,
                                        const struct config_key *key, size_t i);
void schema_free(struct schema *schema);

#endif
