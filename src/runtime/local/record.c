/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/record.h"

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>
#include <string.h>

#define RECORD_LIMIT 65536

bool
record_write(const char *folder, const struct local_record *record, struct err **err)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "id", record->id, "service",
        record->service, "generation", (json_int_t)record->generation, "manifest",
        record->manifest_digest, "address", record->address, "published", record->published,
        "health_path", record->health_path, "runc", record->runc, "runc_root", record->runc_root,
        "started_ns", (json_int_t)record->started_ns, "wanted", (json_int_t)record->wanted);
    CLEANUP_FREE char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text)
        return err_set(err, ERR_FAILED, 0,
                       "cannot describe the replica %s: a path in it is not UTF-8", record->id);
    CLEANUP_FREE char *path = file_join(folder, "replica.json");
    return file_write_atomic(path, text, strlen(text), 0600, err);
}

bool
record_read(const char *folder, struct local_record *ret_record, struct err **err)
{
    CLEANUP_FREE char *path = file_join(folder, "replica.json");
    CLEANUP_BUF struct buf bytes = {0};
    if (!file_read(path, RECORD_LIMIT, &bytes, err))
        return false;
    const char *id, *service, *manifest, *address, *published, *health_path, *runc, *runc_root;
    json_int_t generation, started_ns, wanted;
    json_error_t why;
    json_t *json = json_loadb(buf_text(&bytes), bytes.length, 0, &why);
    if (!json ||
        json_unpack_ex(json, &why, 0, "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}",
                       "id", &id, "service", &service, "generation", &generation, "manifest",
                       &manifest, "address", &address, "published", &published, "health_path",
                       &health_path, "runc", &runc, "runc_root", &runc_root, "started_ns",
                       &started_ns, "wanted", &wanted) < 0) {
        json_decref(json);
        return err_set(err, ERR_CORRUPT, 0, "cannot read %s: %s", path, why.text);
    }
    *ret_record = (struct local_record){
        .id = mem_strdup(id),
        .service = mem_strdup(service),
        .generation = (unsigned)generation,
        .manifest_digest = mem_strdup(manifest),
        .address = mem_strdup(address),
        .published = mem_strdup(published),
        .health_path = mem_strdup(health_path),
        .runc = mem_strdup(runc),
        .runc_root = mem_strdup(runc_root),
        .started_ns = started_ns,
        .wanted = (unsigned)wanted,
    };
    json_decref(json);
    return true;
}

void
record_free(struct local_record *record)
{
    free(record->id);
    free(record->service);
    free(record->manifest_digest);
    free(record->address);
    free(record->published);
    free(record->health_path);
    free(record->runc);
    free(record->runc_root);
    *record = (struct local_record){0};
}
