/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first pass over the events of effigy.yaml, so that what is wrong with its shape is said in our
 * words and with its place: unknown, repeated and missing keys, lists where values belong and the
 * reverse, anchors, aliases and tags (which have no use here and make bombs), several documents. It
 * goes no deeper than the table of keys. Pure.
 */
#ifndef EFFIGY_CONFIG_SCAN_H
#define EFFIGY_CONFIG_SCAN_H

#include "base/err.h"
#include "config/keys.h"

/* Where a value, or a record of a list, begins. */
struct config_mark {
    const struct config_key *key;
    size_t service,
        item; /* index of the service, and of the record in its list; 0 where there is none */
    unsigned line, column; /* from 1 */
};
struct config_scan {
    struct config_mark *marks;
    size_t mark_count, mark_room;
    unsigned list_indent; /* columns in front of the "-" of the services; 2 if there are none */
    bool empty;           /* there is nothing but comments in it */
};

/* ERR_CONFIG, "<name>:<line>:<column>: ...". An empty file is no error here. */
bool config_scan(const char *bytes, size_t length, const char *name, struct config_scan *ret_scan,
                 struct err **err);
void config_scan_free(struct config_scan *scan); /* the fields */
/* The mark of a value (LIST: of its record `item`, or of the service itself for "services"); NULL
 * if it is absent. */
const struct config_mark *config_scan_mark(const struct config_scan *scan,
                                           const struct config_key *key, size_t service,
                                           size_t item);

#endif
