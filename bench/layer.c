/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-layer FILE gzip|zstd|none [DIRTY]
 *
 * Bakes FILE as the one file of a layer into an image layout in a temporary folder (in $TMPDIR),
 * unpacks the layer again, and prints one line each with wall time, CPU time and the peak memory of
 * the process so far. DIRTY: every DIRTY-th block is reported as touched once all is compressed, as
 * by settling.
 */
#include "oci/layer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void
need(bool ok, struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "bench-layer: %s\n", err ? err->message : "failed");
    exit(1);
}

static double
cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
report(const char *what, double wall, double cpu, uint64_t bytes)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s seconds=%.3f cpu=%.3f peak_mib=%.1f bytes=%" PRIu64 "\n", what,
           clock_seconds() - wall, cpu_seconds() - cpu, (double)usage.ru_maxrss / 1024, bytes);
}

int
main(int argc, char **argv)
{
    enum oci_compression compression;
    if (argc < 3 || !oci_compression_parse(argv[2], &compression)) {
        fputs("usage: bench-layer FILE gzip|zstd|none [DIRTY]\n", stderr);
        return 2;
    }
    uint64_t dirty = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    struct err *err = NULL;
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(argv[1]);
        return 1;
    }
    const char *tmp = getenv("TMPDIR");
    char *folder = mem_printf("%s/bench-layer.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    struct oci_ref ref = {.transport = OCI_TRANSPORT_LAYOUT,
                          .location = file_join(folder, "image")};
    struct oci_store *store;
    need(oci_store_open(&ref, OCI_STORE_CREATE, &store, &err), err);
    struct oci_layer_entry entries[] = {
        {.type = OCI_ENTRY_DIR, .path = "data", .mode = 0755},
        {.type = OCI_ENTRY_FILE,
         .path = "data/file",
         .mode = 0444,
         .size = (uint64_t)st.st_size,
         .fd = fd},
    };

    double wall = clock_seconds(), cpu = cpu_seconds();
    struct oci_layer_build *build;
    need(oci_layer_build_begin(store, compression, 0, entries, 2, &build, &err), err);
    if (dirty) {
        oci_layer_build_ready(build, 1, (uint64_t)st.st_size);
        clock_sleep_ms(3000);
        report("speculation", wall, cpu, (uint64_t)st.st_size);
        wall = clock_seconds();
        cpu = cpu_seconds();
        for (uint64_t offset = 0; offset < (uint64_t)st.st_size; offset += dirty * OCI_LAYER_BLOCK)
            oci_layer_build_touch(build, 1, offset, 1);
    }
    oci_layer_build_seal(build);
    struct oci_layer layer;
    need(oci_layer_build_finish(build, NULL, &layer, &err), err);
    report("build", wall, cpu, layer.descriptor.size);

    char *out = file_join(folder, "out");
    need(file_make_dirs(out, 0755, &err), err);
    wall = clock_seconds();
    cpu = cpu_seconds();
    need(oci_layer_unpack(store, &layer.descriptor, &layer.diff_id, out, NULL, &err), err);
    report("unpack", wall, cpu, layer.tar_size);

    oci_layer_free(&layer);
    oci_store_close(store);
    need(file_remove_tree(folder, &err), err);
    free(out);
    free(ref.location);
    free(folder);
    close(fd);
    return 0;
}
