/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity tags. What lies behind a generation never changes, so the answer to a request is a
 * function of the databases' content, the request and this server: the tag is a hash (SHA-256, 128
 * bits of it) of those, and can be told before the query has run. Strong in the sense of RFC 9110
 * section 8.8.3.
 */
#ifndef EFFIGY_REPLICA_ETAG_H
#define EFFIGY_REPLICA_ETAG_H

#include "replica/identity.h"
#include "replica/limits.h"
#include "replica/request.h"

#include <stdbool.h>

#define ETAG_ROOM 35 /* quotes, 32 hex digits, NUL */

/* Takes in content digests, version and limits; before the others. */
void etag_setup(const struct identity *identity, const struct limits *limits);
void etag_of_request(const struct request *request, char ret_tag[ETAG_ROOM]);
void etag_of_name(const char *name, char ret_tag[ETAG_ROOM]); /* "/tables" */

/* Does the If-None-Match header list the tag? (Also as W/"...", which a compressing proxy makes of
 * it. A * does not count: whether there is an answer is not known yet.) */
bool etag_matches(const char *if_none_match, const char *tag);

#endif
