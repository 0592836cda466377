/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running;
    bool ending;
    bool drawn; /* a line is on the terminal */
    bool terminal;
    char label[64];
    double started, printed;
    atomic_uint_fast64_t done, total;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void
progress_draw(double now)
{
    uint64_t done = atomic_load(&progress.done), total = atomic_load(&progress.total);
    double elapsed = now - progress.started;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    CLEANUP_FREE char *done_text = str_of_bytes(done);
    CLEANUP_FREE char *total_text = str_of_bytes(total);
    CLEANUP_FREE char *rate_text = str_of_bytes((uint64_t)rate);
    CLEANUP_FREE char *left_text =
        str_of_seconds(rate > 0 && total > done ? (double)(total - done) / rate : 0);
    CLEANUP_FREE char *line =
        total ? mem_printf("%s: %s of %s (%u %%), %s/s, %s left", progress.label, done_text,
                           total_text,
                           (unsigned)(done >= total ? 100 : 100.0 * (double)done / (double)total),
                           rate_text, left_text)
              : mem_printf("%s: %s, %s/s", progress.label, done_text, rate_text);
    if (progress.terminal) {
        fprintf(stderr, "\r%s\033[K", line);
        progress.drawn = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
    progress.printed = now;
}

static void *
progress_thread(void *unused)
{
    pthread_mutex_lock(&progress.lock);
    while (!progress.ending) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&progress.wake, &progress.lock, &until);
        double now = clock_seconds();
        double pause = progress.terminal ? 0.2 : 5;
        if (!progress.ending && now - progress.started >= 0.5 && now - progress.printed >= pause)
            progress_draw(now);
    }
    pthread_mutex_unlock(&progress.lock);
    return unused;
}

void
progress_start(const char *label, uint64_t total)
{
    progress_end();
    atomic_store(&progress.done, 0);
    atomic_store(&progress.total, total);
    if (log_get_level() < LOG_NOTE)
        return;
    pthread_mutex_lock(&progress.lock);
    snprintf(progress.label, sizeof progress.label, "%s", label);
    progress.terminal =
        isatty(STDERR_FILENO) && strcmp(str_or(getenv("TERM"), "dumb"), "dumb") != 0;
    progress.started = clock_seconds();
    progress.printed = progress.terminal ? 0 : progress.started;
    progress.ending = false;
    progress.running = pthread_create(&progress.thread, NULL, progress_thread, NULL) == 0;
    pthread_mutex_unlock(&progress.lock);
}

void
progress_set_total(uint64_t total)
{
    atomic_store(&progress.total, total);
}

void
progress_add(uint64_t bytes)
{
    atomic_fetch_add(&progress.done, bytes);
}

void
progress_set(uint64_t bytes)
{
    atomic_store(&progress.done, bytes);
}

void
progress_clear(void)
{
    pthread_mutex_lock(&progress.lock);
    if (progress.drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress.drawn = false;
    }
    pthread_mutex_unlock(&progress.lock);
}

void
progress_end(void)
{
    pthread_mutex_lock(&progress.lock);
    bool running = progress.running;
    progress.running = false;
    progress.ending = true;
    pthread_cond_signal(&progress.wake);
    pthread_mutex_unlock(&progress.lock);
    if (running)
        pthread_join(progress.thread, NULL);
    progress_clear();
}
