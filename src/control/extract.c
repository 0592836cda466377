/* SPDX-License-Identifier: Apache-2.0 */
#include "control/extract.h"

#include "bake/bake.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define EXTRACT_CHUNK (1u << 20)

struct extract {
    const struct generation_file *file;
    const char *folder;
    char *path; /* of the file that was made */
    bool found;
    uint64_t bytes;
};

static bool
extract_content(struct oci_layer_walk *walk, const char *path, int fd, uint64_t *bytes,
                struct err **err)
{
    CLEANUP_FREE char *chunk = mem_new(EXTRACT_CHUNK);
    for (;;) {
        ssize_t n = oci_layer_entry_read(walk, chunk, EXTRACT_CHUNK, err);
        if (n <= 0)
            return n == 0;
        if (!stop_check(err) || !file_write_all(fd, chunk, (size_t)n, path, err))
            return false;
        *bytes += (uint64_t)n;
        progress_add((uint64_t)n);
    }
}

static bool
extract_entry(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, void *context,
              struct err **err)
{
    struct extract *extract = context;
    CLEANUP_FREE char *expected = mem_printf("%s/%s", BAKE_DATA_DIR, extract->file->file);
    if (entry->type == OCI_ENTRY_DIR && strcmp(entry->path, BAKE_DATA_DIR) == 0)
        return true;
    if (entry->type != OCI_ENTRY_FILE || strcmp(entry->path, expected) != 0 || extract->found)
        return err_set(err, ERR_CORRUPT, 0,
                       "the data layer of %s holds %s, which does not belong there",
                       extract->file->file, entry->path);
    extract->found = true;
    CLEANUP_FREE char *path = file_join(extract->folder, extract->file->file);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(err, ERR_IO, errno, "cannot make %s", path);
    extract->path = mem_strdup(path);
    if (!extract_content(walk, path, fd, &extract->bytes, err))
        return false;
    if (fsync(fd) < 0)
        return err_set(err, ERR_IO, errno, "cannot sync %s", path);
    return true;
}

bool
extract_files(struct oci_store *store, const struct generation *generation, const char *folder,
              struct err **err)
{
    CLEANUP_FREE struct extract *extracts = mem_new_array(generation->file_count, sizeof *extracts);
    /* The folder and the file; and no more than the generation says it has. */
    const struct oci_unpack_limits limits = {.entries = 2, .bytes = generation->data_bytes};
    uint64_t bytes = 0;
    progress_start("unpacking", generation->data_bytes);
    bool ok = true;
    for (size_t i = 0; ok && i < generation->file_count; i++) {
        struct extract *extract = &extracts[i];
        *extract = (struct extract){.file = &generation->files[i], .folder = folder};
        /* The name comes from an annotation. */
        if (strchr(extract->file->file, '/') || extract->file->file[0] == '.' ||
            !extract->file->file[0])
            ok = err_set(err, ERR_CORRUPT, 0, "'%s' is no name for a database file",
                         extract->file->file);
        ok = ok &&
             oci_layer_walk(store, &extract->file->layer.descriptor, &extract->file->layer.diff_id,
                            &limits, extract_entry, extract, err);
        if (ok && !extract->found)
            ok = err_set(err, ERR_CORRUPT, 0, "the data layer of %s does not hold it",
                         extract->file->file);
        bytes += extract->bytes;
    }
    progress_end();
    if (ok && bytes != generation->data_bytes)
        ok = err_set(err, ERR_CORRUPT, 0,
                     "the data layers hold %" PRIu64 " bytes, not the %" PRIu64 " that are said",
                     bytes, generation->data_bytes);
    for (size_t i = 0; i < generation->file_count; i++) {
        if (!ok && extracts[i].path)
            unlink(extracts[i].path);
        free(extracts[i].path);
    }
    return ok;
}

char *
extract_temporary_folder(struct err **err)
{
    const char *tmpdir = getenv("TMPDIR");
    CLEANUP_FREE char *path = file_join(tmpdir && *tmpdir ? tmpdir : "/var/tmp", "effigy-XXXXXX");
    if (!mkdtemp(path)) {
        err_set(err, ERR_IO, errno, "cannot make a temporary folder %s", path);
        err_hint(err, "set TMPDIR to a folder with room for the database");
        return NULL;
    }
    return steal_ptr(&path);
}
