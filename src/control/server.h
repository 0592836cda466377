/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replica servers that are installed: one static binary an architecture,
 * <folder>/<GOARCH>/effigy-serve. The folder is the one given, else $EFFIGY_LIBDIR, else
 * ../lib/effigy beside the program (so that a tree can be moved), else where it was installed to.
 * In a build folder the one that was just built is found.
 */
#ifndef EFFIGY_CONTROL_SERVER_H
#define EFFIGY_CONTROL_SERVER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct server {
    char *architecture; /* "amd64" */
    char *file;
};
struct server_list {
    struct server *servers; /* the host's first, the others by name; at least the host's */
    size_t count;
};
/* ERR_NOT_FOUND if there is none for the host. */
bool server_find(const char *folder, struct server_list *ret_list, struct err **err);
void server_list_free(struct server_list *list); /* the fields */

#endif
