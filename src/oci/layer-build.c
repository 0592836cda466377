/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar stream is cut into blocks. Workers claim blocks in order as far as they are ready,
 * compress them each for itself, and whoever finishes the block that the writer waits for appends
 * it and all that are finished behind it. So the blob comes into being in order, and its digest
 * with it, while the content still arrives.
 *
 * A block that is touched after it was claimed may have been compressed from old bytes: it is
 * dirty. If there are none when the build is sealed, the blob just goes on. Otherwise a second pass
 * begins with a new blob, for which the clean blocks are copied from the first.
 */
#include "oci/layer.h"

#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "oci/layer-compress.h"
#include "oci/layer-pool.h"
#include "oci/layer-tar.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HASH_ROOM (256u << 10)
#define WORKER_NICE 10
#define BLOCK_DIRTY (1u << 31)

struct oci_layer_build {
    struct oci_store *store;
    enum oci_compression compression;
    struct layer_tar tar;
    uint64_t blocks;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t work;  /* there may be something to claim, or all is over */
    uint64_t *ready;      /* of each entry's content, bytes */
    size_t ready_entries; /* entries before this one are ready as a whole */
    uint64_t frontier;    /* bytes of the tar stream that are ready */
    uint64_t next;        /* the block to claim next */
    uint64_t written;     /* blocks in the blob */
    bool writing;         /* a worker is appending to the blob */
    bool sealed, over;
    bool restarting; /* sealed with dirty blocks; claimed ones of the first pass are still being
                        written */
    bool dirty;
    uint64_t reported; /* bytes told to progress_add */
    struct err *err;   /* the first failure */

    struct layer_slot **finished; /* ring of blocks that wait for their turn, by block % ring */
    unsigned ring;
    uint32_t *lengths; /* of each written block, and BLOCK_DIRTY */

    struct oci_blob_writer *writer;
    struct oci_blob_writer *first; /* second pass: the blob of the first pass */
    uint64_t first_blocks;         /* how many blocks it has */
    uint64_t first_offset;         /* where block `next` begins in it */

    pthread_t *threads;
    unsigned thread_count;
    pthread_t hasher;
    bool hashing;
    struct oci_digest diff_id; /* "" until the hasher has ended well */
};

/* Ends all work; err may be NULL. The slots go back at once: workers, also of other builds, may be
 * waiting for one. */
static void
build_end(struct oci_layer_build *build, struct err **err)
{
    pthread_mutex_lock(&build->lock);
    if (err && !build->err)
        build->err = steal_ptr(err);
    build->over = true;
    for (unsigned i = 0; i < build->ring; i++)
        if (build->finished[i])
            layer_pool_give(steal_ptr(&build->finished[i]));
    pthread_cond_broadcast(&build->work);
    pthread_mutex_unlock(&build->lock);
}

static uint64_t
block_start(uint64_t block)
{
    return block * OCI_LAYER_BLOCK;
}

static size_t
block_length(const struct oci_layer_build *build, uint64_t block)
{
    uint64_t left = build->tar.size - block_start(block);
    return left < OCI_LAYER_BLOCK ? (size_t)left : OCI_LAYER_BLOCK;
}

static bool
build_can_claim(const struct oci_layer_build *build)
{
    return !build->restarting && build->next < build->blocks &&
           block_start(build->next) + block_length(build, build->next) <= build->frontier;
}

static bool
build_is_claimed(const struct oci_layer_build *build)
{
    return build->sealed && !build->restarting && build->next == build->blocks;
}

/* A block in a worker's hands. */
struct job {
    uint64_t block;
    bool copy; /* from the blob of the first pass */
    uint64_t offset;
    size_t length;
};

static struct job
build_claim(struct oci_layer_build *build)
{
    struct job job = {.block = build->next++};
    if (job.block < build->first_blocks) {
        uint32_t length = build->lengths[job.block];
        job.offset = build->first_offset;
        job.length = length & ~BLOCK_DIRTY;
        job.copy = !(length & BLOCK_DIRTY);
        build->first_offset += job.length;
    }
    return job;
}

static bool
job_run(struct oci_layer_build *build, const struct job *job, struct layer_slot *slot,
        struct err **err)
{
    if (!stop_check(err))
        return false;
    if (job->copy) {
        slot->packed = slot->out;
        slot->length = job->length;
        return oci_blob_writer_reread(build->first, slot->out, job->length, job->offset, err);
    }
    size_t length = block_length(build, job->block);
    if (!layer_tar_read(&build->tar, slot->in, length, block_start(job->block), err))
        return false;
    if (build->compression == OCI_COMPRESSION_NONE) {
        slot->packed = slot->in;
        slot->length = length;
    } else {
        slot->packed = slot->out;
        slot->length =
            layer_packer_pack(slot->packer, build->compression, slot->in, length, slot->out);
    }
    progress_add(length);
    pthread_mutex_lock(&build->lock);
    build->reported += length;
    pthread_mutex_unlock(&build->lock);
    return true;
}

/* Appends what is finished and has its turn. Called, and returns, with the lock held. */
static void
build_write_finished(struct oci_layer_build *build)
{
    if (build->writing)
        return;
    build->writing = true;
    struct layer_slot *slot;
    while (!build->over && (slot = build->finished[build->written % build->ring])) {
        build->finished[build->written % build->ring] = NULL;
        pthread_mutex_unlock(&build->lock);
        ERR_LOCAL(err);
        uint32_t length = (uint32_t)slot->length;
        bool ok = oci_blob_writer_write(build->writer, slot->packed, slot->length, &err);
        layer_pool_give(slot);
        if (!ok)
            build_end(build, &err);
        pthread_mutex_lock(&build->lock);
        uint32_t *place = &build->lengths[build->written++];
        *place = (*place & BLOCK_DIRTY) | length;
    }
    build->writing = false;
}

/* Begins the second pass once nothing of the first is in work. The writer for it is there already.
 */
static void
build_restart_if_idle(struct oci_layer_build *build)
{
    if (!build->restarting || build->written < build->next || build->writing)
        return;
    struct oci_blob_writer *second = build->first;
    build->first = build->writer;
    build->writer = second;
    build->first_blocks = build->written;
    build->first_offset = build->next = build->written = 0;
    build->restarting = false;
    pthread_cond_broadcast(&build->work);
}

static void *
build_worker(void *argument)
{
    struct oci_layer_build *build = argument;
    /* The snapshot, the check and the digest are sequential: the end waits for them, while workers
     * can be made up for. (On Linux the priority is the thread's.) */
    setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + WORKER_NICE);
    pthread_mutex_lock(&build->lock);
    while (!build->over && !build_is_claimed(build)) {
        if (!build_can_claim(build)) {
            pthread_cond_wait(&build->work, &build->lock);
            continue;
        }
        pthread_mutex_unlock(&build->lock);
        struct layer_slot *slot = layer_pool_take();
        pthread_mutex_lock(&build->lock);
        if (build->over || !build_can_claim(build)) {
            layer_pool_give(slot);
            continue;
        }
        struct job job = build_claim(build);
        if (build_is_claimed(build))
            pthread_cond_broadcast(&build->work);
        pthread_mutex_unlock(&build->lock);

        ERR_LOCAL(err);
        bool ok = job_run(build, &job, slot, &err);
        if (!ok)
            build_end(build, &err);
        pthread_mutex_lock(&build->lock);
        if (build->over) {
            layer_pool_give(slot);
        } else {
            build->finished[job.block % build->ring] = slot;
            build_write_finished(build);
            build_restart_if_idle(build);
        }
    }
    pthread_mutex_unlock(&build->lock);
    return NULL;
}

static void *
build_hasher(void *argument)
{
    struct oci_layer_build *build = argument;
    CLEANUP_SHA256 struct sha256 *sha = sha256_new();
    CLEANUP_FREE uint8_t *bytes = mem_new(HASH_ROOM);
    ERR_LOCAL(err);
    for (uint64_t offset = 0; offset < build->tar.size;) {
        uint64_t left = build->tar.size - offset;
        size_t n = left < HASH_ROOM ? (size_t)left : HASH_ROOM;
        pthread_mutex_lock(&build->lock);
        bool over = build->over;
        pthread_mutex_unlock(&build->lock);
        if (over)
            return NULL;
        if (!stop_check(&err) || !layer_tar_read(&build->tar, bytes, n, offset, &err)) {
            build_end(build, &err);
            return NULL;
        }
        sha256_update(sha, bytes, n);
        offset += n;
    }
    uint8_t digest[SHA256_BYTES];
    sha256_final(sha, digest);
    build->diff_id = oci_digest_of_raw(digest);
    return NULL;
}

/* Signals are the business of the thread that the caller runs in. */
static int
thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int errnum = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errnum;
}

static void
build_join(struct oci_layer_build *build)
{
    for (unsigned i = 0; i < build->thread_count; i++)
        pthread_join(build->threads[i], NULL);
    build->thread_count = 0;
    if (build->hashing)
        pthread_join(build->hasher, NULL);
    build->hashing = false;
}

static void
build_free(struct oci_layer_build *build)
{
    build_end(build, NULL);
    build_join(build);
    layer_pool_leave();
    if (build->writer)
        oci_blob_writer_abort(build->writer);
    if (build->first)
        oci_blob_writer_abort(build->first);
    err_free(build->err);
    free(build->finished);
    free(build->lengths);
    free(build->ready);
    free(build->threads);
    layer_tar_free(&build->tar);
    pthread_mutex_destroy(&build->lock);
    pthread_cond_destroy(&build->work);
    free(build);
}

/* How much of the tar stream is ready: all up to the first entry whose content is not. */
static void
build_advance(struct oci_layer_build *build)
{
    const struct layer_tar *tar = &build->tar;
    size_t i = build->ready_entries;
    while (i < tar->count && build->ready[i] >= tar->entries[i].size)
        i++;
    build->ready_entries = i;
    build->frontier = i < tar->count ? tar->entries[i].content + build->ready[i] : tar->size;
    if (build_can_claim(build))
        pthread_cond_broadcast(&build->work);
}

bool
oci_layer_build_begin(struct oci_store *store, enum oci_compression compression, unsigned threads,
                      const struct oci_layer_entry *entries, size_t count,
                      struct oci_layer_build **ret_build, struct err **err)
{
    struct layer_tar tar;
    if (!layer_tar_init(&tar, entries, count, err))
        return false;
    struct oci_blob_writer *writer;
    if (!oci_store_write_blob(store, &writer, err)) {
        layer_tar_free(&tar);
        return false;
    }
    struct oci_layer_build *build = mem_new(sizeof *build);
    *build = (struct oci_layer_build){
        .store = store,
        .compression = compression,
        .tar = tar,
        .blocks = (tar.size + OCI_LAYER_BLOCK - 1) / OCI_LAYER_BLOCK,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
        .writer = writer,
    };
    build->ready = mem_new_array(count ? count : 1, sizeof *build->ready);
    layer_pool_enter();
    build->ring = layer_pool_limit();
    build->finished = mem_new_array(build->ring, sizeof *build->finished);
    build->lengths = mem_new_array(build->blocks, sizeof *build->lengths);
    build_advance(build);

    if (!threads)
        threads = layer_pool_cpus();
    if (threads > LAYER_THREADS_LIMIT)
        threads = LAYER_THREADS_LIMIT;
    if (threads > build->blocks)
        threads = (unsigned)build->blocks;
    build->threads = mem_new_array(threads, sizeof *build->threads);
    int errnum = 0;
    while (build->thread_count < threads && !errnum) {
        errnum = thread_start(&build->threads[build->thread_count], build_worker, build);
        build->thread_count += !errnum;
    }
    if (!build->thread_count) {
        build_free(build);
        return err_set(err, ERR_FAILED, errnum, "cannot start a thread to compress a layer");
    }
    *ret_build = build;
    return true;
}

void
oci_layer_build_ready(struct oci_layer_build *build, size_t entry, uint64_t upto)
{
    pthread_mutex_lock(&build->lock);
    if (entry < build->tar.count && build->ready[entry] < upto) {
        build->ready[entry] = upto;
        build_advance(build);
    }
    pthread_mutex_unlock(&build->lock);
}

void
oci_layer_build_touch(struct oci_layer_build *build, size_t entry, uint64_t offset, uint64_t length)
{
    if (entry >= build->tar.count || offset >= build->tar.entries[entry].size || !length)
        return;
    const struct layer_tar_entry *place = &build->tar.entries[entry];
    if (length > place->size - offset)
        length = place->size - offset;
    uint64_t from = (place->content + offset) / OCI_LAYER_BLOCK;
    uint64_t upto = (place->content + offset + length - 1) / OCI_LAYER_BLOCK + 1;
    pthread_mutex_lock(&build->lock);
    /* Who claims a block reads it after this lock, so that it sees the bytes as they are now. */
    for (uint64_t block = from; block < upto && block < build->next && !build->sealed; block++) {
        build->lengths[block] |= BLOCK_DIRTY;
        build->dirty = true;
    }
    pthread_mutex_unlock(&build->lock);
}

void
oci_layer_build_seal(struct oci_layer_build *build)
{
    pthread_mutex_lock(&build->lock);
    bool dirty = build->dirty, sealed = build->sealed;
    pthread_mutex_unlock(&build->lock);
    if (sealed)
        return;

    ERR_LOCAL(err);
    struct oci_blob_writer *second = NULL;
    if (dirty && !oci_store_write_blob(build->store, &second, &err)) {
        build_end(build, &err);
        return;
    }
    pthread_mutex_lock(&build->lock);
    for (size_t i = 0; i < build->tar.count; i++)
        build->ready[i] = build->tar.entries[i].size;
    build->sealed = true;
    build->first = second;
    build->restarting = second != NULL;
    build_advance(build);
    build_restart_if_idle(build);
    pthread_cond_broadcast(&build->work);
    pthread_mutex_unlock(&build->lock);

    int errnum = thread_start(&build->hasher, build_hasher, build);
    build->hashing = !errnum;
    if (errnum) {
        err_set(&err, ERR_FAILED, errnum, "cannot start a thread to hash a layer");
        build_end(build, &err);
    }
}

bool
oci_layer_build_finish(struct oci_layer_build *build, const struct oci_layer *known,
                       struct oci_layer *ret_layer, struct err **err)
{
    pthread_mutex_lock(&build->lock);
    bool endless = !build->sealed && !build->over;
    pthread_mutex_unlock(&build->lock);
    if (endless) {
        build_free(build);
        return err_set(err, ERR_FAILED, 0, "a layer was finished before its content was final");
    }
    if (build->hashing)
        pthread_join(build->hasher, NULL);
    build->hashing = false;

    bool has = false, ok = true;
    if (known && build->diff_id.text[0] && oci_digest_equal(&known->diff_id, &build->diff_id))
        ok = oci_store_has_blob(build->store, &known->descriptor.digest, known->descriptor.size,
                                &has, err);
    struct oci_layer layer = {.diff_id = build->diff_id, .tar_size = build->tar.size};
    if (ok && has) {
        oci_descriptor_copy(&layer.descriptor, &known->descriptor);
    } else if (ok) {
        build_join(build);
        if (build->err)
            ok = err_move(err, &build->err);
        else
            ok = oci_blob_writer_commit(steal_ptr(&build->writer), &layer.descriptor.digest,
                                        &layer.descriptor.size, &layer.is_new, err);
        layer.descriptor.media_type =
            ok ? mem_strdup(oci_compression_media_type(build->compression)) : NULL;
    }
    build_free(build);
    if (ok)
        *ret_layer = layer;
    return ok;
}

void
oci_layer_build_cancel(struct oci_layer_build *build)
{
    if (!build)
        return;
    build_end(build, NULL);
    build_join(build);
    progress_add(-build->reported); /* to be done again */
    build_free(build);
}

bool
oci_layer_write(struct oci_store *store, enum oci_compression compression,
                const struct oci_layer_entry *entries, size_t count, const struct oci_layer *known,
                struct oci_layer *ret_layer, struct err **err)
{
    struct oci_layer_build *build;
    if (!oci_layer_build_begin(store, compression, 0, entries, count, &build, err))
        return false;
    oci_layer_build_seal(build);
    return oci_layer_build_finish(build, known, ret_layer, err);
}
