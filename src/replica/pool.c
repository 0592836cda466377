/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/pool.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define POOL_STACK_BYTES (4u << 20)
#define POOL_NICE \
    5 /* workers yield to the threads that serve connections, health checks among them */

struct worker {
    struct worker *next;
    struct pool *pool;
    struct job *job;
    struct database *database; /* while it is open; the pool's lock keeps it from being closed */
    pthread_t thread;
    bool stuck;
};

struct pool {
    struct pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t work, change;
    struct job *first, *last;
    struct worker *workers;
    size_t threads; /* that are not stuck */
    size_t busy, queued, stuck, opened;
    bool stopping;
    struct err *failure;
};

static struct job *
pool_take(struct pool *pool, struct worker *worker)
{
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct job *job = pool->first;
    if (!job || pool->stopping)
        return NULL;
    pool->first = job->next;
    pool->queued--;
    pool->busy++;
    job->started = clock_seconds();
    job->deadline = job->started + pool->options.seconds;
    worker->job = job;
    return job;
}

/* Runs jobs until the pool stops or this worker was left behind. With the lock held. */
static void
pool_work(struct pool *pool, struct worker *worker, struct database *database)
{
    struct job *job;
    while (!worker->stuck && (job = pool_take(pool, worker))) {
        pthread_mutex_unlock(&pool->lock);
        pool->options.run(job, database);
        pthread_mutex_lock(&pool->lock);
        worker->job = NULL;
        bool forsaken = job->forsaken;
        if (!forsaken)
            pool->busy--;
        pthread_mutex_unlock(&pool->lock);
        (forsaken ? pool->options.discard : pool->options.finish)(job);
        pthread_mutex_lock(&pool->lock);
    }
}

static void
pool_forget(struct pool *pool, struct worker *worker)
{
    struct worker **place = &pool->workers;
    while (*place != worker)
        place = &(*place)->next;
    *place = worker->next;
    if (worker->stuck)
        pool->stuck--;
    else
        pool->threads--;
    free(worker);
    pthread_cond_broadcast(&pool->change);
}

static void *
pool_thread(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;
    struct err *why = NULL;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), POOL_NICE);
    struct database *database =
        database_open(pool->options.identity, &pool->options.database, &why);
    pthread_mutex_lock(&pool->lock);
    if (!database && !pool->failure)
        pool->failure = steal_ptr(&why);
    pool->opened++;
    pthread_cond_broadcast(&pool->change);
    worker->database = database;
    if (database)
        pool_work(pool, worker, database);
    worker->database = NULL;
    pthread_mutex_unlock(&pool->lock);
    database_close(database);
    err_free(why);
    pthread_mutex_lock(&pool->lock);
    pool_forget(pool, worker);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* With the lock held. */
static bool
pool_add_worker(struct pool *pool, struct err **err)
{
    struct worker *worker = mem_new(sizeof *worker);
    worker->pool = pool;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, POOL_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&worker->thread, &attributes, pool_thread, worker);
    pthread_attr_destroy(&attributes);
    if (failed) {
        free(worker);
        return err_set(err, ERR_FAILED, failed, "cannot start a worker thread");
    }
    worker->next = pool->workers;
    pool->workers = worker;
    pool->threads++;
    return true;
}

struct pool *
pool_start(const struct pool_options *options, struct err **err)
{
    struct pool *pool = mem_new(sizeof *pool);
    pool->options = *options;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->change, NULL);
    pthread_mutex_lock(&pool->lock);
    bool ok = true;
    for (size_t i = 0; ok && i < options->workers; i++)
        ok = pool_add_worker(pool, err);
    pthread_mutex_unlock(&pool->lock);
    if (ok)
        return pool;
    pool_stop(pool);
    return NULL;
}

bool
pool_ready(struct pool *pool, struct err **err)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->opened < pool->options.workers)
        pthread_cond_wait(&pool->change, &pool->lock);
    bool ok = !pool->failure || err_move(err, &pool->failure);
    pthread_mutex_unlock(&pool->lock);
    return ok;
}

bool
pool_submit(struct pool *pool, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    /* A job that an idle worker is about to take does not wait. */
    size_t idle = pool->threads - pool->busy;
    bool room = pool->queued < pool->options.queue + idle && !pool->stopping;
    if (room) {
        if (pool->first)
            pool->last->next = job;
        else
            pool->first = job;
        pool->last = job;
        pool->queued++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (room)
        pthread_cond_signal(&pool->work);
    return room;
}

/* Leaves the worker behind. With the lock held. */
static void
pool_replace(struct pool *pool, struct worker *worker)
{
    worker->stuck = true;
    worker->job->forsaken = true;
    pool->options.forsake(worker->job);
    pool->stuck++;
    pool->busy--;
    pool->threads--;
    pool_add_worker(pool, NULL);
}

bool
pool_watch(struct pool *pool)
{
    double now = clock_seconds();
    bool alive = true;
    pthread_mutex_lock(&pool->lock);
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        if (!worker->job || now < worker->job->deadline)
            continue;
        /* If the job has just ended, this is forgotten when the connection starts on the next one.
         */
        sqlite3_interrupt(database_handle(worker->database));
        if (worker->stuck || now < worker->job->deadline + POOL_STUCK_SECONDS)
            continue;
        if (pool->stuck < POOL_STUCK)
            pool_replace(pool, worker);
        else
            alive = false;
    }
    alive = alive && pool->threads > 0;
    pthread_mutex_unlock(&pool->lock);
    return alive;
}

bool
pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    bool idle = pool->busy == 0 && pool->stuck == 0;
    pthread_cond_broadcast(&pool->work);
    while (idle && pool->threads)
        pthread_cond_wait(&pool->change, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    if (!idle)
        return false;
    err_free(pool->failure);
    free(pool);
    return true;
}

struct pool_state
pool_state(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_state state = {pool->threads, pool->busy, pool->queued, pool->stuck};
    pthread_mutex_unlock(&pool->lock);
    return state;
}

size_t
pool_cpus(void)
{
    cpu_set_t set;
    size_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    CLEANUP_BUF struct buf text = {0};
    unsigned long long quota, period;
    if (file_read("/sys/fs/cgroup/cpu.max", 256, &text, NULL) &&
        sscanf(buf_text(&text), "%llu %llu", &quota, &period) == 2 && period > 0) {
        size_t allowed = (size_t)((quota + period - 1) / period);
        if (allowed < cpus)
            cpus = allowed;
    }
    return cpus ? cpus : 1;
}
