/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to ask: the tables and views with their columns, and the schema as SQL. */
#ifndef EFFIGY_REPLICA_CATALOG_H
#define EFFIGY_REPLICA_CATALOG_H

#include "replica/identity.h"
#include "replica/query.h"

/* {"generation":"g2","databases":[{"name":"main","file":"catalogue.db","tables":[{"name":"package",
 *  "type":"table","rows_estimate":68000,"columns":[{"name":"id","type":"INTEGER","notnull":true,"pk":1}]}]}]}
 * type is table, view or virtual. rows_estimate is what ANALYZE left behind, null without it:
 * nothing is counted. Shadow tables and SQLite's own are left out. */
void catalog_tables(struct database *database, const struct identity *identity,
                    const struct query_limits *limits, struct answer *answer,
                    struct query_result *ret_result);

/* The statements that would make the schema, as text; or as JSON
 * {"generation":...,"databases":[{"name":...,
 * "schema":[{"type":"table","name":...,"table":...,"sql":...}]}]}. */
void catalog_schema(struct database *database, const struct identity *identity, bool json,
                    const struct query_limits *limits, struct answer *answer,
                    struct query_result *ret_result);

#endif
