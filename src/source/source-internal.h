/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine gives to source.c: one table of operations. Each operation means what the function
 * of the same name in source.h says.
 */
#ifndef EFFIGY_SOURCE_SOURCE_INTERNAL_H
#define EFFIGY_SOURCE_SOURCE_INTERNAL_H

#include "source/source.h"

struct source_ops {
    const char *engine;
    const char *scheme; /* of its URLs */
    struct source_replica replica;

    /* urls[i] is what follows the colon of the URL of database i. The names are checked already. */
    struct source *(*open)(const struct source_database *databases, const char *const *rests,
                           size_t count, const char *base_dir, struct err **err);
    void (*close)(struct source *source);
    bool (*probe)(struct source *source, struct source_probe *ret_probe, struct err **err);
    bool (*lock)(struct source *source, struct err **err);
    struct source_snapshot *(*snapshot)(struct source *source, const char *work_dir,
                                        const struct source_sink *sink, struct err **err);
    bool (*settle)(struct source *source, struct source_snapshot *snapshot,
                   const struct source_sink *sink, struct err **err);
    bool (*hash_master)(struct source *source, struct source_content *ret_content,
                        struct source_position *ret_position, struct err **err);
    bool (*hash_files)(const char *const *names, const char *const *paths, size_t count,
                       struct source_content *ret_content, struct err **err);
    bool (*check_files)(const char *const *names, const char *const *paths, size_t count,
                        struct err **err);
};

/* The head of every engine's own source. */
struct source {
    const struct source_ops *ops;
};

/* The head of every engine's own snapshot: what the contract shows, and how to free the rest. Made
 * by mem_new(); source_snapshot_free() calls release(), then frees the public part and the block.
 */
struct source_snapshot_own {
    struct source_snapshot shown;
    void (*release)(struct source_snapshot_own *own);
};

#endif
