/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source knows one kind of master: how to look at it, snapshot it, settle the snapshot, compare
 * it with a generation, and how a replica of it runs. It is the only place that knows an engine's
 * name; a new engine is a new folder here and a line in source.c.
 *
 * A master is named by a URL: "sqlite:PATH"; later "postgres://...", "mariadb://...".
 *
 * Life of a snapshot:
 *
 *   source_open ── source_probe ── source_lock ── source_snapshot ── source_settle ── (bake reads
 * the files) └─ source_snapshot_free
 *
 * The content of a snapshot depends on the state of the master alone: two snapshots of the same
 * content are the same bytes.
 */
#ifndef EFFIGY_SOURCE_SOURCE_H
#define EFFIGY_SOURCE_SOURCE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

/* One database file of the master; SQLite masters may have several, which a query then names as
 * schemas: the first is "main", the others have names. */
struct source_database {
    const char *name; /* "main", or the name to attach it under */
    const char *url;  /* "sqlite:PATH" */
};

/* Parses and checks the URLs (ERR_USAGE), but does not touch the master. Relative paths are taken
 * from `base_dir` (NULL: the working folder). */
bool source_open(const struct source_database *databases, size_t count, const char *base_dir,
                 struct source **ret_source, struct err **err);
void source_close(struct source *source);

/* A position is opaque text that changes with every commit; equal texts mean that nothing was
 * committed in between. `exact` is false where that cannot be promised (a file changed within the
 * resolution of its time stamp): such a position must not be used to skip looking. A different
 * position only means *look*. */
struct source_position {
    char *text;
    bool exact;
    int64_t time_ns; /* the master's time of the last commit, nanoseconds since 1970 */
};
void source_position_free(struct source_position *position); /* the fields */

struct source_probe {
    const char *engine;  /* "sqlite" */
    char *version;       /* of the engine that Effigy reads the master with */
    uint32_t page_size;  /* bytes; of the first database */
    uint64_t data_bytes; /* about how much there is to copy */
    struct source_position position;
};
/* Cheap: milliseconds, no lock held. ERR_MASTER (missing, unreadable, not a database, encrypted...)
 * or ERR_CORRUPT, each with a hint. */
bool source_probe(struct source *source, struct source_probe *ret_probe, struct err **err);
void source_probe_free(struct source_probe *probe); /* the fields */

/* Publishers of one master exclude each other: ERR_BUSY at once if another has it. Held until
 * source_close(), or the end of the process. */
bool source_lock(struct source *source, struct err **err);

/* One file of a snapshot. */
struct source_file {
    char *name; /* the database's name: "main", ... */
    char *path; /* its place in the image below the data folder: "catalogue.db" */
    int fd;     /* its bytes from offset 0; owned by the snapshot */
    uint64_t size;
};
struct source_snapshot {
    struct source_file *files;
    size_t count;
    struct source_position position;
    char *engine_version;
    char *work_dir;
};

/* Is told what the snapshot does, from the thread that makes it, so that baking can begin before
 * the snapshot ends. All may be NULL. begin    the file's size is now known (again, after a
 * restart: forget all that was said of this file) ready    the bytes [0, upto) of the file can be
 * read; they may still be changed by settling touched  these bytes, announced as ready before, were
 * changed sealed   all files are final; what remains is checking */
struct source_sink {
    void (*begin)(void *context, size_t file, const struct source_file *info);
    void (*ready)(void *context, size_t file, uint64_t upto);
    void (*touched)(void *context, size_t file, uint64_t offset, uint64_t length);
    void (*sealed)(void *context);
    void *context;
};

/* Copies the master as of one moment into nameless files in work_dir. Writers go on meanwhile. */
bool source_snapshot(struct source *source, const char *work_dir, const struct source_sink *sink,
                     struct source_snapshot **ret_snapshot, struct err **err);
/* Makes the snapshot fit for read-only life and checks it: removes what was deleted, calls
 * sink->sealed, then runs the engine's integrity check (ERR_CORRUPT) and whatever would keep a
 * replica from serving it (ERR_UNSUPPORTED, naming it). The snapshot may be used only after this
 * returned true. */
bool source_settle(struct source *source, struct source_snapshot *snapshot,
                   const struct source_sink *sink, struct err **err);
void source_snapshot_free(struct source_snapshot *snapshot);

/* The content of a database, independent of the order of rows, the layout of pages and the engine's
 * own tables: one hash per table, and the schema's. */
struct source_table_hash {
    char *database; /* "main" */
    char *table;    /* "" for the schema */
    uint64_t rows;
    uint8_t hash[32];
};
struct source_content {
    struct source_table_hash *tables; /* sorted by database, table */
    size_t count;
};
/* Of the master as it is now, in one transaction; *ret_position is the position it was read at. */
bool source_hash_master(struct source *source, struct source_content *ret_content,
                        struct source_position *ret_position, struct err **err);
/* Of settled files: those of a snapshot, or the files of a generation; paths[i] belongs to database
 * names[i]. `engine` as in source_probe. */
bool source_hash_files(const char *engine, const char *const *names, const char *const *paths,
                       size_t count, struct source_content *ret_content, struct err **err);
/* The engine's integrity check over such files. */
bool source_check_files(const char *engine, const char *const *names, const char *const *paths,
                        size_t count, struct err **err);
void source_content_free(struct source_content *content); /* the fields */

/* How a replica of this engine runs; constant strings. */
struct source_replica {
    const char *const *entrypoint; /* NULL-terminated argv in the image */
    unsigned port;                 /* TCP, inside the image */
    const char *health_path;       /* HTTP GET on that port; 200 means ready */
    bool takes_listeners;          /* accepts listening sockets as sd_listen_fds(3) passes them */
    bool portable_data;            /* the data do not depend on the architecture */
};
const struct source_replica *source_replica_of(const char *engine);

#endif
