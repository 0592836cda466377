/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer-pool.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct layer_slot *spare;
    unsigned made, builds;
    unsigned limit; /* fixed while there are builds, which size their rings by it */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER};

unsigned
layer_pool_cpus(void)
{
    cpu_set_t set;
    unsigned cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    return cpus < LAYER_THREADS_LIMIT ? cpus : LAYER_THREADS_LIMIT;
}

unsigned
layer_pool_limit(void)
{
    pthread_mutex_lock(&pool.lock);
    unsigned limit = pool.limit;
    pthread_mutex_unlock(&pool.lock);
    return limit;
}

void
layer_pool_enter(void)
{
    pthread_mutex_lock(&pool.lock);
    if (!pool.builds++)
        pool.limit = layer_pool_cpus() + 4;
    pthread_mutex_unlock(&pool.lock);
}

static void
slot_free(struct layer_slot *slot)
{
    layer_packer_free(slot->packer);
    free(slot->in);
    free(slot->out);
    free(slot);
}

void
layer_pool_leave(void)
{
    pthread_mutex_lock(&pool.lock);
    if (--pool.builds == 0) {
        while (pool.spare) {
            struct layer_slot *slot = pool.spare;
            pool.spare = slot->next;
            slot_free(slot);
        }
        pool.made = 0;
    }
    pthread_mutex_unlock(&pool.lock);
}

struct layer_slot *
layer_pool_take(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.spare && pool.made >= pool.limit)
        pthread_cond_wait(&pool.given, &pool.lock);
    struct layer_slot *slot = pool.spare;
    if (slot) {
        pool.spare = slot->next;
    } else {
        pool.made++;
        slot = mem_new(sizeof *slot);
        slot->packer = layer_packer_new();
        slot->in = mem_new(OCI_LAYER_BLOCK);
        slot->out = mem_new(layer_packer_room());
    }
    pthread_mutex_unlock(&pool.lock);
    return slot;
}

void
layer_pool_give(struct layer_slot *slot)
{
    pthread_mutex_lock(&pool.lock);
    slot->next = pool.spare;
    pool.spare = slot;
    pthread_cond_signal(&pool.given);
    pthread_mutex_unlock(&pool.lock);
}
