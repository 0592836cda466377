/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads, each with its own connection to the databases, and the bounded queue in front of
 * them.
 *
 * SQLite can be interrupted between the steps of its virtual machine but within few of them
 * (count(*) is one), and one step may take minutes (instr() of two long texts). pool_watch()
 * interrupts a worker that is past its deadline, and leaves it behind if that does not help: its
 * job is answered without it, and a new thread takes its place. The worker ends when the step does.
 * At most POOL_STUCK of them are replaced at a time; with more, nothing but a new process helps.
 */
#ifndef EFFIGY_REPLICA_POOL_H
#define EFFIGY_REPLICA_POOL_H

#include "base/err.h"
#include "replica/database.h"

#include <stdbool.h>
#include <stddef.h>

#define POOL_STUCK 16
#define POOL_STUCK_SECONDS 1.0 /* past the deadline */

/* Embedded in what is to be done. */
struct job {
    struct job *next;
    double queued, started, deadline; /* clock_seconds(); the pool sets started and deadline */
    bool forsaken;
};

struct pool;

struct pool_options {
    const struct identity *identity;
    struct database_options database;
    size_t workers, queue;
    double seconds;                                          /* that a job may take */
    void (*run)(struct job *job, struct database *database); /* in a worker */
    void (*finish)(struct job *job);  /* in the worker, after run: hands the job back */
    void (*forsake)(struct job *job); /* in pool_watch(): answers for a job that still runs */
    void (*discard)(struct job *job); /* in the worker: a forsaken job has ended at last */
};

/* Starts the workers, which open their databases, each for itself; pool_ready() waits until all
 * have. */
struct pool *pool_start(const struct pool_options *options, struct err **err);
bool pool_ready(struct pool *pool, struct err **err);
bool pool_submit(struct pool *pool, struct job *job); /* false: the queue is full */
/* To be called several times a second; false: too many workers are stuck, or there are none. */
bool pool_watch(struct pool *pool);
/* Waits for idle workers to end and frees the pool; false, with nothing freed, if one is still
 * busy. */
bool pool_stop(struct pool *pool);

struct pool_state {
    size_t workers, busy, queued, stuck;
};
struct pool_state pool_state(struct pool *pool);

/* The CPUs that this process may use: affinity and the cgroup's quota. */
size_t pool_cpus(void);

#endif
