/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

enum { FAIR_EVERY = 16 };

struct task {
    pool_fn *fn;
    void *ctx;
};

/* Ring of tasks that grows: callers bound what they submit. */
struct task_ring {
    struct task *slots;
    size_t cap, head, n;
};

struct pool {
    struct mutex mu;
    struct cond work;
    struct task_ring rings[POOL_N_CLASSES]; /* guarded by mu */
    unsigned running_long;                  /* guarded by mu: QUERY and BACKGROUND tasks running */
    unsigned n_picks;                       /* guarded by mu */
    unsigned n_running;                     /* guarded by mu */
    bool closing;                           /* guarded by mu */
    unsigned n_threads;                     /* fixed at init */
    struct thread_group workers;            /* fixed at init */
};

static void ring_push(struct task_ring *r, struct task t)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct task *slots = mem_alloc(cap * sizeof *slots);
        for (size_t i = 0; i < r->n; i++)
            slots[i] = r->slots[(r->head + i) % r->cap];
        free(r->slots);
        *r = (struct task_ring){slots, cap, 0, r->n};
    }
    r->slots[(r->head + r->n++) % r->cap] = t;
}

static struct task ring_pop(struct task_ring *r)
{
    struct task t = r->slots[r->head];
    r->head = (r->head + 1) % r->cap;
    r->n--;
    return t;
}

static bool is_long(enum pool_class c)
{
    return c == POOL_QUERY || c == POOL_BACKGROUND;
}

/* Whether a task of that class may take the worker that asks. */
static bool may_run_locked(struct pool *p, enum pool_class c)
{
    mutex_assert_held(&p->mu);
    if (p->rings[c].n == 0)
        return false;
    return !is_long(c) || p->n_threads == 1 || p->running_long + 1 < p->n_threads;
}

/* The class to serve next, or POOL_N_CLASSES when there is nothing for this worker. */
static enum pool_class pick_locked(struct pool *p)
{
    mutex_assert_held(&p->mu);
    enum pool_class first = POOL_N_CLASSES, last = POOL_N_CLASSES;
    for (int c = 0; c < POOL_N_CLASSES; c++) {
        if (!may_run_locked(p, (enum pool_class)c))
            continue;
        if (first == POOL_N_CLASSES)
            first = (enum pool_class)c;
        last = (enum pool_class)c;
    }
    if (first == last)
        return first;
    return ++p->n_picks % FAIR_EVERY == 0 ? last : first;
}

static bool all_done_locked(struct pool *p)
{
    mutex_assert_held(&p->mu);
    for (int c = 0; c < POOL_N_CLASSES; c++)
        if (p->rings[c].n > 0)
            return false;
    return p->closing && p->n_running == 0;
}

static void worker(void *ctx)
{
    struct pool *p = ctx;
    mutex_lock(&p->mu);
    while (!all_done_locked(p)) {
        enum pool_class c = pick_locked(p);
        if (c == POOL_N_CLASSES) {
            cond_wait(&p->work, &p->mu);
            continue;
        }
        struct task t = ring_pop(&p->rings[c]);
        p->n_running++;
        p->running_long += is_long(c);
        mutex_unlock(&p->mu);
        t.fn(t.ctx);
        mutex_lock(&p->mu);
        p->n_running--;
        if (is_long(c)) {
            p->running_long--;
            cond_signal(&p->work); /* a worker may have passed over a long task */
        }
        if (all_done_locked(p))
            cond_broadcast(&p->work);
    }
    mutex_unlock(&p->mu);
}

int pool_open(struct pool **ret, const char *name, unsigned n_threads, struct err *err)
{
    assert(n_threads > 0);
    struct pool *p = mem_zalloc(1, sizeof *p);
    mutex_init(&p->mu);
    cond_init(&p->work);
    p->n_threads = n_threads;
    int r = thread_group_start(&p->workers, name, n_threads, worker, p, err);
    if (r < 0) {
        pool_close(p);
        return r;
    }
    *ret = p;
    return 0;
}

void pool_submit(struct pool *p, enum pool_class klass, pool_fn *fn, void *ctx)
{
    mutex_lock(&p->mu);
    ring_push(&p->rings[klass], (struct task){fn, ctx});
    cond_signal(&p->work);
    mutex_unlock(&p->mu);
}

unsigned pool_n_threads(const struct pool *p)
{
    return p->n_threads;
}

uint64_t pool_queued(struct pool *p, enum pool_class klass)
{
    MUTEX_GUARD(&p->mu);
    return p->rings[klass].n;
}

void pool_close(struct pool *p)
{
    if (!p)
        return;
    mutex_lock(&p->mu);
    p->closing = true;
    cond_broadcast(&p->work);
    mutex_unlock(&p->mu);
    thread_group_join(&p->workers);
    for (int c = 0; c < POOL_N_CLASSES; c++)
        free(p->rings[c].slots);
    cond_deinit(&p->work);
    mutex_deinit(&p->mu);
    free(p);
}
