/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-bake DATABASE gzip|zstd|none
 *
 * Snapshots, settles and bakes a SQLite database into an image layout in a temporary folder (in
 * $TMPDIR), and prints the wall time of all and of the stages, the CPU time, and the peak memory of
 * the process.
 */
#include "bake/bake.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <sys/resource.h>

static void
need(bool ok, struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "bench-bake: %s\n", err ? err->message : "failed");
    exit(1);
}

int
main(int argc, char **argv)
{
    enum oci_compression compression;
    if (argc != 3 || !oci_compression_parse(argv[2], &compression)) {
        fputs("usage: bench-bake DATABASE gzip|zstd|none\n", stderr);
        return 2;
    }
    struct err *err = NULL;
    const char *tmp = getenv("TMPDIR");
    char *folder = mem_printf("%s/bench-bake.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    char *url = mem_printf("sqlite:%s", argv[1]);
    struct source *source;
    need(source_open(&(struct source_database){.name = "main", .url = url}, 1, NULL, &source, &err),
         err);
    struct oci_ref ref = {.transport = OCI_TRANSPORT_LAYOUT,
                          .location = file_join(folder, "image")};
    struct oci_store *store;
    need(oci_store_open(&ref, OCI_STORE_CREATE, &store, &err), err);
    need(oci_store_lock(store, &err), err);

    double wall = clock_seconds();
    struct bake_data data;
    need(bake_data_layers(source, store, compression, NULL, 0, &data, &err), err);
    wall = clock_seconds() - wall;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("seconds=%.3f snapshot=%.3f settle=%.3f bake=%.3f cpu=%.3f peak_mib=%.1f bytes=%" PRIu64
           "\n",
           wall, data.seconds_snapshot, data.seconds_settle, data.seconds_bake,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (double)usage.ru_maxrss / 1024, data.layers[0].descriptor.size);

    bake_data_free(&data);
    oci_store_close(store);
    source_close(source);
    need(file_remove_tree(folder, &err), err);
    free(ref.location);
    free(url);
    free(folder);
    return 0;
}
