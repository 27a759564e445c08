/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES (8 << 20) /* instrumented frames are several times larger */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_BYTES (8 << 20)
#endif
#endif
#ifndef STACK_BYTES
/* A query may nest 2000 levels.  What is not touched costs nothing. */
#define STACK_BYTES (2 << 20)
#endif

static void must(int r)
{
    if (r != 0)
        abort(); /* only misuse makes these calls fail */
}

static uintptr_t self(void)
{
    return (uintptr_t)pthread_self();
}

void mutex_init(struct mutex *mu)
{
    must(pthread_mutex_init(&mu->m, NULL));
    atomic_init(&mu->owner, 0);
}

void mutex_deinit(struct mutex *mu)
{
    must(pthread_mutex_destroy(&mu->m));
}

void mutex_lock(struct mutex *mu)
{
    must(pthread_mutex_lock(&mu->m));
    atomic_store_explicit(&mu->owner, self(), memory_order_relaxed);
}

void mutex_unlock(struct mutex *mu)
{
    atomic_store_explicit(&mu->owner, 0, memory_order_relaxed);
    must(pthread_mutex_unlock(&mu->m));
}

void mutex_assert_held(const struct mutex *mu)
{
    assert(atomic_load_explicit(&mu->owner, memory_order_relaxed) == self());
}

struct mutex *mutex_guard(struct mutex *mu)
{
    mutex_lock(mu);
    return mu;
}

void mutex_guard_end(struct mutex **mu)
{
    mutex_unlock(*mu);
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &attr));
    must(pthread_condattr_destroy(&attr));
}

void cond_deinit(struct cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

void cond_wait(struct cond *c, struct mutex *mu)
{
    atomic_store_explicit(&mu->owner, 0, memory_order_relaxed);
    must(pthread_cond_wait(&c->c, &mu->m));
    atomic_store_explicit(&mu->owner, self(), memory_order_relaxed);
}

bool cond_wait_for(struct cond *c, struct mutex *mu, int64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ns < 0)
        timeout_ns = 0;
    until.tv_sec += (time_t)(timeout_ns / 1000000000);
    until.tv_nsec += (long)(timeout_ns % 1000000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    atomic_store_explicit(&mu->owner, 0, memory_order_relaxed);
    int r = pthread_cond_timedwait(&c->c, &mu->m, &until);
    atomic_store_explicit(&mu->owner, self(), memory_order_relaxed);
    if (r == ETIMEDOUT)
        return false;
    must(r);
    return true;
}

void rwlock_init(struct rwlock *l)
{
    pthread_rwlockattr_t attr;
    must(pthread_rwlockattr_init(&attr));
    must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
    must(pthread_rwlock_init(&l->l, &attr));
    must(pthread_rwlockattr_destroy(&attr));
}

void rwlock_deinit(struct rwlock *l)
{
    must(pthread_rwlock_destroy(&l->l));
}

void rwlock_rdlock(struct rwlock *l)
{
    must(pthread_rwlock_rdlock(&l->l));
}

void rwlock_wrlock(struct rwlock *l)
{
    must(pthread_rwlock_wrlock(&l->l));
}

void rwlock_unlock(struct rwlock *l)
{
    must(pthread_rwlock_unlock(&l->l));
}

struct start {
    void (*fn)(void *ctx);
    void *ctx;
};

static void *thread_main(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    s.fn(s.ctx);
    return NULL;
}

int thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx,
                 struct err *err)
{
    struct start *s = mem_alloc(sizeof *s);
    *s = (struct start){fn, ctx};
    pthread_attr_t attr;
    must(pthread_attr_init(&attr));
    must(pthread_attr_setstacksize(&attr, STACK_BYTES));
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&t->t, &attr, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    must(pthread_attr_destroy(&attr));
    t->running = r == 0;
    if (r != 0) {
        free(s);
        return err_set(err, -r, "start thread '%s': %s", name, strerror(r));
    }
    char short_name[16] = "";
    strncpy(short_name, name, sizeof short_name - 1);
    pthread_setname_np(t->t, short_name);
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t->running)
        return;
    must(pthread_join(t->t, NULL));
    t->running = false;
}

int thread_group_start(struct thread_group *g, const char *name, unsigned n, void (*fn)(void *ctx),
                       void *ctx, struct err *err)
{
    *g = (struct thread_group){mem_zalloc(n, sizeof *g->threads), n};
    int r = 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        char thread_name[32];
        snprintf(thread_name, sizeof thread_name, "%s-%u", name, i);
        r = thread_start(&g->threads[i], thread_name, fn, ctx, err);
    }
    return r;
}

void thread_group_join(struct thread_group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        thread_join(&g->threads[i]);
    free(g->threads);
    *g = (struct thread_group){0};
}

unsigned thread_n_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

void wait_group_init(struct wait_group *g)
{
    mutex_init(&g->mu);
    cond_init(&g->done);
    g->open = 0;
}

void wait_group_deinit(struct wait_group *g)
{
    cond_deinit(&g->done);
    mutex_deinit(&g->mu);
}

void wait_group_add(struct wait_group *g, uint64_t n)
{
    MUTEX_GUARD(&g->mu);
    g->open += n;
}

void wait_group_done(struct wait_group *g)
{
    MUTEX_GUARD(&g->mu);
    assert(g->open > 0);
    if (--g->open == 0)
        cond_broadcast(&g->done); /* under the lock: the waiter may free g right after */
}

void wait_group_wait(struct wait_group *g)
{
    MUTEX_GUARD(&g->mu);
    while (g->open > 0)
        cond_wait(&g->done, &g->mu);
}
