/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "source/source-internal.h"
#include "source/sqlite/sqlite.h"

#include <string.h>

static const struct source_ops *const source_engines[] = {&sqlite_source_ops};

static const struct source_ops *
source_engine_find(const char *engine)
{
    for (size_t i = 0; engine && i < ARRAY_LENGTH(source_engines); i++) {
        if (strcmp(source_engines[i]->engine, engine) == 0)
            return source_engines[i];
    }
    return NULL;
}

static bool
source_scheme_unknown(const char *url, struct err **err)
{
    CLEANUP_BUF struct buf known = {0};
    const char *candidates[ARRAY_LENGTH(source_engines) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(source_engines); i++) {
        buf_printf(&known, "%s%s:", i ? ", " : "", source_engines[i]->scheme);
        candidates[i] = source_engines[i]->scheme;
    }
    size_t length = strcspn(url, ":/");
    if (url[length] != ':' || !length) {
        err_set(err, ERR_USAGE, 0, "the master \"%s\" does not say which kind of database it is",
                url);
        return err_hint(err, "write \"%s:%s\" for an SQLite file (known: %s)",
                        source_engines[0]->scheme, url[0] ? url : "PATH", buf_text(&known));
    }
    CLEANUP_FREE char *scheme = mem_strndup(url, length);
    const char *nearest = str_nearest(scheme, candidates);
    /* The rest of the URL may hold a password. */
    err_set(err, ERR_USAGE, 0, "unknown kind of master \"%s:\"", scheme);
    if (nearest)
        return err_hint(err, "did you mean \"%s:\"? known: %s", nearest, buf_text(&known));
    return err_hint(err, "known: %s", buf_text(&known));
}

static const struct source_ops *
source_scheme_find(const char *url, const char **ret_rest, struct err **err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(source_engines); i++) {
        size_t length = strlen(source_engines[i]->scheme);
        if (strncmp(url, source_engines[i]->scheme, length) == 0 && url[length] == ':') {
            *ret_rest = url + length + 1;
            return source_engines[i];
        }
    }
    source_scheme_unknown(url, err);
    return NULL;
}

static bool
source_name_check(const struct source_database *databases, size_t at, struct err **err)
{
    const char *name = databases[at].name;
    if (!name || (at == 0) != (strcmp(name, "main") == 0))
        return err_set(
            err, ERR_USAGE, 0,
            "the first database is called \"main\", and no other one is (database %zu is \"%s\")",
            at + 1, str_or(name, ""));
    if (!str_is_name(name) || strcmp(name, "temp") == 0) {
        err_set(err, ERR_USAGE, 0, "a database cannot be called \"%s\"", name);
        return err_hint(err,
                        "names have a-z, 0-9, _ and - in them; \"temp\" has a meaning of its own");
    }
    for (size_t i = 0; i < at; i++) {
        if (strcmp(databases[i].name, name) == 0)
            return err_set(err, ERR_USAGE, 0, "two databases are called \"%s\"", name);
    }
    return true;
}

bool
source_open(const struct source_database *databases, size_t count, const char *base_dir,
            struct source **ret_source, struct err **err)
{
    if (!count)
        return err_set(err, ERR_USAGE, 0, "no master is named");
    const struct source_ops *ops = NULL;
    CLEANUP_FREE const char **rests = mem_new_array(count, sizeof *rests);
    for (size_t i = 0; i < count; i++) {
        if (!source_name_check(databases, i, err))
            return false;
        const struct source_ops *found = source_scheme_find(databases[i].url, &rests[i], err);
        if (!found)
            return false;
        if (ops && found != ops)
            return err_set(err, ERR_USAGE, 0,
                           "the databases of one service must be of one kind: \"%s\" is not %s",
                           databases[i].url, ops->engine);
        ops = found;
    }
    struct source *source = ops->open(databases, rests, count, base_dir, err);
    if (!source)
        return false;
    *ret_source = source;
    return true;
}

void
source_close(struct source *source)
{
    if (source)
        source->ops->close(source);
}

void
source_position_free(struct source_position *position)
{
    free(position->text);
    *position = (struct source_position){0};
}

bool
source_probe(struct source *source, struct source_probe *ret_probe, struct err **err)
{
    return source->ops->probe(source, ret_probe, err);
}

void
source_probe_free(struct source_probe *probe)
{
    free(probe->version);
    source_position_free(&probe->position);
    *probe = (struct source_probe){0};
}

bool
source_lock(struct source *source, struct err **err)
{
    return source->ops->lock(source, err);
}

bool
source_snapshot(struct source *source, const char *work_dir, const struct source_sink *sink,
                struct source_snapshot **ret_snapshot, struct err **err)
{
    static const struct source_sink nobody = {0};
    struct source_snapshot *snapshot =
        source->ops->snapshot(source, work_dir, sink ? sink : &nobody, err);
    if (!snapshot)
        return false;
    *ret_snapshot = snapshot;
    return true;
}

bool
source_settle(struct source *source, struct source_snapshot *snapshot,
              const struct source_sink *sink, struct err **err)
{
    static const struct source_sink nobody = {0};
    return source->ops->settle(source, snapshot, sink ? sink : &nobody, err);
}

void
source_snapshot_free(struct source_snapshot *snapshot)
{
    if (!snapshot)
        return;
    struct source_snapshot_own *own = (struct source_snapshot_own *)snapshot;
    if (own->release)
        own->release(own);
    for (size_t i = 0; i < snapshot->count; i++) {
        struct source_file *file = &snapshot->files[i];
        /* Emptied first: closing a file that was once cut to nothing, ext4 writes all of it to the
         * disk. */
        if (file->fd >= 0) {
            int ignored = ftruncate(file->fd, 0);
            (void)ignored;
            close(file->fd);
        }
        free(file->name);
        free(file->path);
    }
    free(snapshot->files);
    source_position_free(&snapshot->position);
    free(snapshot->engine_version);
    free(snapshot->work_dir);
    free(own);
}

bool
source_hash_master(struct source *source, struct source_content *ret_content,
                   struct source_position *ret_position, struct err **err)
{
    return source->ops->hash_master(source, ret_content, ret_position, err);
}

static const struct source_ops *
source_engine_need(const char *engine, struct err **err)
{
    const struct source_ops *ops = source_engine_find(engine);
    if (!ops) {
        err_set(err, ERR_UNSUPPORTED, 0, "this build does not know the engine \"%s\"",
                str_or(engine, ""));
        err_hint(err, "use a newer effigy");
    }
    return ops;
}

bool
source_hash_files(const char *engine, const char *const *names, const char *const *paths,
                  size_t count, struct source_content *ret_content, struct err **err)
{
    const struct source_ops *ops = source_engine_need(engine, err);
    return ops && ops->hash_files(names, paths, count, ret_content, err);
}

bool
source_check_files(const char *engine, const char *const *names, const char *const *paths,
                   size_t count, struct err **err)
{
    const struct source_ops *ops = source_engine_need(engine, err);
    return ops && ops->check_files(names, paths, count, err);
}

void
source_content_free(struct source_content *content)
{
    for (size_t i = 0; i < content->count; i++) {
        free(content->tables[i].database);
        free(content->tables[i].table);
    }
    free(content->tables);
    *content = (struct source_content){0};
}

const struct source_replica *
source_replica_of(const char *engine)
{
    const struct source_ops *ops = source_engine_find(engine);
    return ops ? &ops->replica : NULL;
}
