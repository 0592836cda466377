/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/identity.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <jansson.h>
#include <string.h>

/* A copy of the string `key`, or NULL where it is not there (an error only if it is needed). */
static bool
identity_string(const json_t *object, const char *key, bool needed, char **ret_text,
                struct err **err)
{
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) {
        if (needed)
            return err_set(err, ERR_CORRUPT, 0, "\"%s\" is missing", key);
        return true;
    }
    const char *text = json_string_value(value);
    if (!text || (needed && !*text))
        return err_set(err, ERR_CORRUPT, 0, "\"%s\" is not a text", key);
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return err_set(err, ERR_CORRUPT, 0, "\"%s\" has a control character", key);
    }
    *ret_text = mem_strdup(text);
    return true;
}

static bool
identity_databases(const json_t *root, struct identity *identity, struct err **err)
{
    const json_t *list = json_object_get(root, "databases");
    size_t count = json_array_size(list);
    if (count < 1 || count > IDENTITY_DATABASES)
        return err_set(err, ERR_CORRUPT, 0, "\"databases\" must list 1 to %d databases",
                       IDENTITY_DATABASES);
    for (size_t i = 0; i < count; i++) {
        struct identity_database *database = &identity->databases[i];
        const json_t *entry = json_array_get(list, i);
        identity->count = i + 1;
        if (!identity_string(entry, "name", true, &database->name, err) ||
            !identity_string(entry, "file", true, &database->file, err) ||
            !identity_string(entry, "digest", true, &database->digest, err))
            return err_wrap(err, "database %zu", i + 1);
        if (!str_is_name(database->name) || strcmp(database->name, "temp") == 0 ||
            (i > 0 && strcmp(database->name, "main") == 0))
            return err_set(err, ERR_CORRUPT, 0, "\"%.80s\" is not a name for a database",
                           database->name);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(identity->databases[k].name, database->name) == 0)
                return err_set(err, ERR_CORRUPT, 0, "two databases are named \"%s\"",
                               database->name);
        }
    }
    return true;
}

bool
identity_parse(const char *text, size_t length, struct identity *ret_identity, struct err **err)
{
    json_error_t why;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return err_set(err, ERR_CORRUPT, 0, "not JSON: %s (line %d)", why.text, why.line);
    struct identity identity = {0};
    CLEANUP_FREE char *engine = NULL;
    bool ok = json_is_object(root) || err_set(err, ERR_CORRUPT, 0, "not a JSON object");
    ok = ok && identity_string(root, "service", true, &identity.service, err) &&
         identity_string(root, "generation", true, &identity.generation, err) &&
         identity_string(root, "parent", false, &identity.parent, err) &&
         identity_string(root, "position", false, &identity.position, err) &&
         identity_string(root, "engine_version", false, &identity.engine_version, err) &&
         identity_string(root, "engine", true, &engine, err) &&
         identity_databases(root, &identity, err);
    if (ok && strcmp(engine, "sqlite") != 0)
        ok = err_set(err, ERR_UNSUPPORTED, 0,
                     "the engine is \"%.80s\", and this server is for sqlite", engine);
    if (ok)
        identity.json = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!ok) {
        identity_free(&identity);
        return false;
    }
    *ret_identity = identity;
    return true;
}

bool
identity_read(const char *path, struct identity *ret_identity, struct err **err)
{
    CLEANUP_BUF struct buf bytes = {0};
    if (!file_read(path, IDENTITY_BYTES, &bytes, err))
        return err_hint(err,
                        "a replica's image holds this file; EFFIGY_IDENTITY names another one");
    if (!identity_parse(buf_text(&bytes), bytes.length, ret_identity, err))
        return err_wrap(err, "cannot use %s", path);
    return true;
}

void
identity_free(struct identity *identity)
{
    free(identity->service);
    free(identity->generation);
    free(identity->parent);
    free(identity->position);
    free(identity->engine_version);
    for (size_t i = 0; i < identity->count; i++) {
        free(identity->databases[i].name);
        free(identity->databases[i].file);
        free(identity->databases[i].digest);
    }
    free(identity->json);
    *identity = (struct identity){0};
}

const char *
identity_schema(const struct identity *identity, size_t index)
{
    return index == 0 ? "main" : identity->databases[index].name;
}
