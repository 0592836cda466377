/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying a generation: every blob has its digest and every layer its diff_id, the layout and the
 * annotations are as docs/formats.md says, the databases pass the engine's integrity check. Against
 * the master, the content of every table is compared with the master's as it is now, read in one
 * transaction.
 */
#ifndef EFFIGY_CONTROL_VERIFY_H
#define EFFIGY_CONTROL_VERIFY_H

#include "base/err.h"
#include "config/config.h"
#include "control/generation.h"

struct verify_difference {
    char *database, *table; /* table "" is the schema */
    uint64_t rows_image, rows_master;
    bool only_image, only_master;
};
struct verify_result {
    struct generation generation;
    unsigned blobs; /* checked */
    uint64_t bytes; /* of them */
    bool against_master;
    bool equal;
    bool master_moved;
    struct verify_difference *differences;
    size_t difference_count;
};
/* True only if all is well. ERR_CORRUPT names what is damaged. With against_master: ERR_MOVED if
 * the content differs and the master has committed since, ERR_DIFFERS if it differs and has not;
 * *ret_result is then filled too. */
bool verify(const struct config *config, const struct config_service *service, const char *tag,
            bool against_master, struct verify_result *ret_result, struct err **err);
void verify_result_free(struct verify_result *result); /* the fields */

/* Writes the generation's plain database files into a folder, which is made if it is not there and
 * must be empty of files of those names. All or nothing. *ret_files (NULL-terminated, to be freed
 * with each string) are their paths. */
bool export_files(const struct config *config, const struct config_service *service,
                  const char *tag, const char *folder, char ***ret_files, struct err **err);

#endif
