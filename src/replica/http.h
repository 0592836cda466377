/* SPDX-License-Identifier: Apache-2.0 */
/* Routes, negotiation and headers: docs/http.md is the manual of what happens here. */
#ifndef EFFIGY_REPLICA_HTTP_H
#define EFFIGY_REPLICA_HTTP_H

#include "replica/loop.h"

/* Makes the loop's evhttp answer. */
void http_setup(struct loop *loop);

#endif
