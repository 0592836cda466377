/* SPDX-License-Identifier: Apache-2.0 */
/* A layer from a stranger: the first byte chooses the compression, the rest is the blob. */
#include "base/err.h"
#include "oci/layer-internal.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct input {
    const uint8_t *bytes;
    size_t length;
};

static ssize_t
input_read(void *context, void *bytes, size_t room, struct err **err)
{
    (void)err;
    struct input *input = context;
    size_t n = room < input->length ? room : input->length;
    memcpy(bytes, input->bytes, n);
    input->bytes += n;
    input->length -= n;
    return (ssize_t)n;
}

static bool
visit(struct oci_layer_walk *walk, const struct oci_walk_entry *entry, void *context,
      struct err **err)
{
    /* What every caller relies on. */
    if (!*entry->path || entry->path[0] == '/' || strstr(entry->path, "//") ||
        strcmp(entry->path, "..") == 0 || strncmp(entry->path, "../", 3) == 0 ||
        strstr(entry->path, "/../"))
        __builtin_trap();
    uint64_t total = 0;
    uint8_t content[4096];
    ssize_t n;
    while ((n = oci_layer_entry_read(walk, content, sizeof content, err)) > 0)
        total += (uint64_t)n;
    if (n == 0 && total != entry->size)
        __builtin_trap();
    return n == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (!length)
        return 0;
    struct input input = {bytes + 1, length - 1};
    struct oci_unpack_limits limits = {.entries = 1000, .bytes = 16u << 20};
    struct oci_digest diff_id;
    struct err *err = NULL;
    bool ok = layer_walk_stream(input_read, &input, (enum oci_compression)(bytes[0] % 3), &limits,
                                visit, NULL, &diff_id, &err);
    if (ok != !err)
        __builtin_trap();
    err_free(err);
    return 0;
}
