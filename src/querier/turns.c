/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/turns.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/thread.h"

enum { N_BUCKETS = 256 };

/* A tenant with waiting jobs; it exists only as long as it has some. */
struct waiter {
    struct waiter *next_in_bucket, *next_in_round;
    struct turn *first, *last;
    uint64_t n;
    size_t bucket;
    struct str_view tenant; /* in this allocation */
};

struct turns {
    uint64_t max_waiting;        /* fixed at init */
    struct thread_group threads; /* fixed at init */
    struct mutex mu;
    struct cond work;
    struct waiter *buckets[N_BUCKETS]; /* guarded by mu */
    struct waiter *first, *last;       /* guarded by mu: whose turn comes first */
    uint64_t n_waiting;                /* guarded by mu */
    bool closing;                      /* guarded by mu */
};

static size_t bucket_of(struct str_view tenant)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < tenant.len; i++)
        h = (h ^ (unsigned char)tenant.p[i]) * 16777619u;
    return h % N_BUCKETS;
}

static struct waiter *find_locked(struct turns *ts, struct str_view tenant)
{
    mutex_assert_held(&ts->mu);
    struct waiter *w = ts->buckets[bucket_of(tenant)];
    while (w && !sv_eq(w->tenant, tenant))
        w = w->next_in_bucket;
    return w;
}

static void join_round_locked(struct turns *ts, struct waiter *w)
{
    mutex_assert_held(&ts->mu);
    w->next_in_round = NULL;
    if (ts->last)
        ts->last->next_in_round = w;
    else
        ts->first = w;
    ts->last = w;
}

static struct waiter *add_locked(struct turns *ts, struct str_view tenant)
{
    mutex_assert_held(&ts->mu);
    struct waiter *w = mem_zalloc(1, sizeof *w + tenant.len);
    memcpy(w + 1, tenant.p, tenant.len);
    w->tenant = sv((const char *)(w + 1), tenant.len);
    w->bucket = bucket_of(tenant);
    w->next_in_bucket = ts->buckets[w->bucket];
    ts->buckets[w->bucket] = w;
    join_round_locked(ts, w);
    return w;
}

static void remove_locked(struct turns *ts, struct waiter *w)
{
    mutex_assert_held(&ts->mu);
    struct waiter **at = &ts->buckets[w->bucket];
    while (*at != w)
        at = &(*at)->next_in_bucket;
    *at = w->next_in_bucket;
    free(w);
}

/* The tenant whose turn it is leaves the front of the round, and joins its end while it has more
 * jobs. */
static struct turn *take_locked(struct turns *ts)
{
    mutex_assert_held(&ts->mu);
    struct waiter *w = ts->first;
    ts->first = w->next_in_round;
    if (!ts->first)
        ts->last = NULL;
    struct turn *t = w->first;
    w->first = t->next;
    w->n--;
    ts->n_waiting--;
    if (w->n > 0)
        join_round_locked(ts, w);
    else
        remove_locked(ts, w);
    return t;
}

static void serve(void *ctx)
{
    struct turns *ts = ctx;
    mutex_lock(&ts->mu);
    for (;;) {
        if (ts->first) {
            struct turn *t = take_locked(ts);
            mutex_unlock(&ts->mu);
            t->run(t);
            mutex_lock(&ts->mu);
        } else if (ts->closing) {
            break;
        } else {
            cond_wait(&ts->work, &ts->mu);
        }
    }
    mutex_unlock(&ts->mu);
}

int turns_open(struct turns **ret, const char *name, unsigned n_threads, uint64_t max_waiting,
               struct err *err)
{
    assert(n_threads > 0);
    struct turns *ts = mem_zalloc(1, sizeof *ts);
    mutex_init(&ts->mu);
    cond_init(&ts->work);
    ts->max_waiting = max_waiting;
    int r = thread_group_start(&ts->threads, name, n_threads, serve, ts, err);
    if (r < 0) {
        turns_close(ts);
        return r;
    }
    *ret = ts;
    return 0;
}

void turns_close(struct turns *ts)
{
    if (!ts)
        return;
    mutex_lock(&ts->mu);
    ts->closing = true;
    cond_broadcast(&ts->work);
    mutex_unlock(&ts->mu);
    thread_group_join(&ts->threads);
    cond_deinit(&ts->work);
    mutex_deinit(&ts->mu);
    free(ts);
}

bool turns_push(struct turns *ts, struct str_view tenant, struct turn *t)
{
    MUTEX_GUARD(&ts->mu);
    struct waiter *w = find_locked(ts, tenant);
    if (w && w->n >= ts->max_waiting)
        return false;
    if (!w)
        w = add_locked(ts, tenant);
    t->next = NULL;
    if (w->n > 0)
        w->last->next = t;
    else
        w->first = t;
    w->last = t;
    w->n++;
    ts->n_waiting++;
    cond_signal(&ts->work);
    return true;
}

uint64_t turns_waiting(struct turns *ts)
{
    MUTEX_GUARD(&ts->mu);
    return ts->n_waiting;
}
