/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - locks, threads and the fixed worker pool.
 * Locks never fail: misuse aborts.  Threads get a bounded stack (2 MiB, of which what is touched
 * costs memory), a name, and all signals blocked, so that only the main thread meets signals. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mutex {
    pthread_mutex_t m;
    _Atomic(uintptr_t) owner; /* for mutex_assert_held */
};
#define MUTEX_INIT                                                                                 \
    (struct mutex)                                                                                 \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, 0                                                               \
    }
void mutex_init(struct mutex *mu);
void mutex_deinit(struct mutex *mu);
void mutex_lock(struct mutex *mu);
void mutex_unlock(struct mutex *mu);
void mutex_assert_held(const struct mutex *mu);
/* Holds mu until the scope ends. */
#define MUTEX_GUARD(mu)                                                                            \
    __attribute__((cleanup(mutex_guard_end), unused)) struct mutex *guard_ = mutex_guard(mu)
struct mutex *mutex_guard(struct mutex *mu);
void mutex_guard_end(struct mutex **mu);

/* Waits on the monotonic clock. */
struct cond {
    pthread_cond_t c;
};
void cond_init(struct cond *c);
void cond_deinit(struct cond *c);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
void cond_wait(struct cond *c, struct mutex *mu);
/* False when timeout_ns passed without a wake-up. */
bool cond_wait_for(struct cond *c, struct mutex *mu, int64_t timeout_ns);

/* Many readers or one writer; a waiting writer goes before new readers. */
struct rwlock {
    pthread_rwlock_t l;
};
void rwlock_init(struct rwlock *l);
void rwlock_deinit(struct rwlock *l);
void rwlock_rdlock(struct rwlock *l);
void rwlock_wrlock(struct rwlock *l);
void rwlock_unlock(struct rwlock *l);

/* `name` is cut to 15 bytes. */
struct thread {
    pthread_t t;
    bool running;
};
int thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx,
                 struct err *err);
void thread_join(struct thread *t); /* no-op when it never started */

/* Threads that run the same function, named "<name>-0", "<name>-1", ... */
struct thread_group {
    struct thread *threads;
    unsigned n;
};
/* Where one does not start, those before it run: tell fn to end, then thread_group_join(). */
int thread_group_start(struct thread_group *g, const char *name, unsigned n, void (*fn)(void *ctx),
                       void *ctx, struct err *err);
void thread_group_join(struct thread_group *g); /* fn must be told to end; 0 threads are fine */
unsigned thread_n_cpus(void);                   /* that this process may run on, at least 1 */

/* Fixed pool.  A lower class runs only when the higher ones are empty, and QUERY and BACKGROUND
 * never hold all workers (from two workers on), so a push finds a free one.  One pick in sixteen
 * goes to the lowest waiting class: nothing starves. */
enum pool_class { POOL_INGEST, POOL_STATUS, POOL_QUERY, POOL_BACKGROUND, POOL_N_CLASSES };
typedef void pool_fn(void *ctx);
struct pool;
int pool_open(struct pool **ret, const char *name, unsigned n_threads, struct err *err);
/* Runs fn(ctx) on a worker, in order of submission within a class.  Never blocks, never refuses:
 * callers bound what they submit. */
void pool_submit(struct pool *p, enum pool_class klass, pool_fn *fn, void *ctx);
unsigned pool_n_threads(const struct pool *p);
uint64_t pool_queued(struct pool *p, enum pool_class klass);
/* Everything submitted still runs, then the workers end.  Tasks may submit while it waits. */
void pool_close(struct pool *p);

/* For a caller that spreads work over the pool and waits: counts open pieces. */
struct wait_group {
    struct mutex mu;
    struct cond done;
    uint64_t open; /* guarded by mu */
};
void wait_group_init(struct wait_group *g);
void wait_group_deinit(struct wait_group *g);
void wait_group_add(struct wait_group *g, uint64_t n);
void wait_group_done(struct wait_group *g);
void wait_group_wait(struct wait_group *g);
