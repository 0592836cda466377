/* SPDX-License-Identifier: Apache-2.0 */
/* The database files of a generation, taken out of its layers. */
#ifndef EFFIGY_CONTROL_EXTRACT_H
#define EFFIGY_CONTROL_EXTRACT_H

#include "base/err.h"
#include "control/generation.h"

/* Writes folder/FILE for each data layer, checking the digests of blob and tar stream and that the
 * layer holds that one file and nothing else (ERR_CORRUPT). The files are synced; what was written
 * is removed again on failure. */
bool extract_files(struct oci_store *store, const struct generation *generation, const char *folder,
                   struct err **err);

/* A new folder for large temporary files in $TMPDIR, else /var/tmp; to be removed by the caller
 * with file_remove_tree(). NULL on failure. */
char *extract_temporary_folder(struct err **err);

#endif
