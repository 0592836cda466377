/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for blocks in work. All layer builds of the process draw on one bounded pool, so that
 * memory is a matter of the number of CPUs, not of the number or size of the layers. A slot serves
 * one block from the moment it is claimed to the moment it is written.
 */
#ifndef EFFIGY_OCI_LAYER_POOL_H
#define EFFIGY_OCI_LAYER_POOL_H

#include "oci/layer-compress.h"

#define LAYER_THREADS_LIMIT 24 /* more than one layer's ordered writing can keep up with */

struct layer_slot {
    struct layer_slot *next;
    struct layer_packer *packer;
    uint8_t *in;           /* OCI_LAYER_BLOCK bytes */
    uint8_t *out;          /* layer_packer_room() bytes */
    const uint8_t *packed; /* in or out */
    size_t length;
};

/* The CPUs that the process may use, at most LAYER_THREADS_LIMIT. */
unsigned layer_pool_cpus(void);
/* How many slots there may be at once; for who has entered. */
unsigned layer_pool_limit(void);
/* A build is there; the last one that leaves frees the memory. */
void layer_pool_enter(void);
void layer_pool_leave(void);
/* Waits for a slot. Who holds one must not wait for another. */
struct layer_slot *layer_pool_take(void);
void layer_pool_give(struct layer_slot *slot);

#endif
