/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan/crew.h"

#include "base/bytes.h"

/* Lives until the last helper has looked at it, which may be after the caller went on. */
struct crew {
    struct mutex mu;
    struct cond changed;
    crew_fn *fn;
    void *ctx;
    unsigned n_begun, n_working, n_refs; /* guarded by mu */
    bool closed;                         /* guarded by mu: nobody begins any more */
};

static void unref_and_unlock(struct crew *c)
{
    bool last = --c->n_refs == 0;
    mutex_unlock(&c->mu);
    if (!last)
        return;
    mutex_deinit(&c->mu);
    cond_deinit(&c->changed);
    free(c);
}

static void help(void *ctx)
{
    struct crew *c = ctx;
    mutex_lock(&c->mu);
    if (!c->closed) {
        unsigned number = ++c->n_begun;
        c->n_working++;
        mutex_unlock(&c->mu);
        c->fn(c->ctx, number);
        mutex_lock(&c->mu);
        if (--c->n_working == 0)
            cond_signal(&c->changed);
    }
    unref_and_unlock(c);
}

void crew_run(struct pool *pool, unsigned n, crew_fn *fn, void *ctx)
{
    if (!pool || n < 2) {
        fn(ctx, 0);
        return;
    }
    struct crew *c = mem_zalloc(1, sizeof *c);
    mutex_init(&c->mu);
    cond_init(&c->changed);
    c->fn = fn;
    c->ctx = ctx;
    c->n_refs = n;
    for (unsigned i = 1; i < n; i++)
        pool_submit(pool, POOL_QUERY, help, c);
    fn(ctx, 0);
    mutex_lock(&c->mu);
    c->closed = true;
    while (c->n_working > 0)
        cond_wait(&c->changed, &c->mu);
    unref_and_unlock(c);
}
