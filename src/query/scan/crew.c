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

static void unref(struct crew *c)
{
    mutex_lock(&c->mu);
    bool is_last = --c->n_refs == 0;
    mutex_unlock(&c->mu);
    if (!is_last)
        return;
    mutex_deinit(&c->mu);
    cond_deinit(&c->changed);
    free(c);
}

/* The number of a helper that begins; 0: it comes too late. */
static unsigned begin_help(struct crew *c)
{
    MUTEX_GUARD(&c->mu);
    if (c->closed)
        return 0;
    c->n_working++;
    return ++c->n_begun;
}

static void end_help(struct crew *c)
{
    MUTEX_GUARD(&c->mu);
    if (--c->n_working == 0)
        cond_signal(&c->changed);
}

static void help(void *ctx)
{
    struct crew *c = ctx;
    unsigned number = begin_help(c);
    if (number) {
        c->fn(c->ctx, number);
        end_help(c);
    }
    unref(c);
}

static void wait_for_helpers(struct crew *c)
{
    MUTEX_GUARD(&c->mu);
    c->closed = true;
    while (c->n_working > 0)
        cond_wait(&c->changed, &c->mu);
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
    wait_for_helpers(c);
    unref(c);
}
