/* SPDX-License-Identifier: Apache-2.0 */
#include "store/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "chunk/head.h"

/* Heads and segments of one instant, shared by all views pinned while it is the newest. */
struct view_state {
    _Atomic uint32_t refs;
    size_t n_heads; /* fixed once published, as all below */
    struct generation *heads[VIEW_MAX_HEADS];
    struct live_segment **segments; /* by segment_order */
    struct by_uuid {
        struct uuid uuid;
        uint32_t at; /* in segments */
    } * by_uuid;     /* sorted */
    size_t n_segments;
};

struct views {
    struct mutex mu;           /* of `newest`, held for a pointer and a count only */
    struct mutex changes;      /* one change at a time */
    struct view_state *newest; /* guarded by mu */
};

struct generation *generation_new(struct head *head, uint64_t number, generation_gone_fn *gone,
                                  void *ctx)
{
    struct generation *g = mem_zalloc(1, sizeof *g);
    g->head = head;
    g->number = number;
    g->gone = gone;
    g->ctx = ctx;
    atomic_init(&g->refs, 1);
    return g;
}

struct generation *generation_ref(struct generation *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void generation_unref(struct generation *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (g->gone)
        g->gone(g->ctx, g);
    free(g);
}

struct live_segment *live_segment_new(const struct segment_info *info, live_segment_gone_fn *gone,
                                      void *ctx)
{
    struct live_segment *s = mem_zalloc(1, sizeof *s);
    segment_info_copy(&s->arena, &s->info, info);
    s->gone = gone;
    s->ctx = ctx;
    atomic_init(&s->doomed, false);
    atomic_init(&s->refs, 1);
    return s;
}

struct live_segment *live_segment_ref(struct live_segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void live_segment_unref(struct live_segment *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (s->gone)
        s->gone(s->ctx, &s->info, atomic_load(&s->doomed));
    arena_deinit(&s->arena);
    free(s);
}

void live_segment_doom(struct live_segment *s)
{
    atomic_store(&s->doomed, true);
}

static void state_unref(struct view_state *st)
{
    if (!st || atomic_fetch_sub_explicit(&st->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < st->n_heads; i++)
        generation_unref(st->heads[i]);
    for (size_t i = 0; i < st->n_segments; i++)
        live_segment_unref(st->segments[i]);
    free(st->segments);
    free(st->by_uuid);
    free(st);
}

static struct view_state *state_new(size_t max_segments)
{
    struct view_state *st = mem_zalloc(1, sizeof *st);
    atomic_init(&st->refs, 1);
    st->segments = mem_alloc(max_segments * sizeof *st->segments);
    st->by_uuid = mem_alloc(max_segments * sizeof *st->by_uuid);
    return st;
}

struct views *views_new(void)
{
    struct views *vs = mem_zalloc(1, sizeof *vs);
    mutex_init(&vs->mu);
    mutex_init(&vs->changes);
    vs->newest = state_new(0);
    return vs;
}

void views_free(struct views *vs)
{
    if (!vs)
        return;
    assert(atomic_load(&vs->newest->refs) == 1);
    state_unref(vs->newest);
    mutex_deinit(&vs->mu);
    mutex_deinit(&vs->changes);
    free(vs);
}

struct view *view_pin(struct views *vs)
{
    mutex_lock(&vs->mu);
    struct view_state *st = vs->newest;
    atomic_fetch_add_explicit(&st->refs, 1, memory_order_relaxed);
    mutex_unlock(&vs->mu);

    struct view *v = mem_zalloc(1, sizeof *v);
    v->state = st;
    v->n_heads = st->n_heads;
    for (size_t i = 0; i < st->n_heads; i++) {
        v->heads[i] = st->heads[i];
        v->visible[i] = head_visible(st->heads[i]->head);
    }
    v->segments = st->segments;
    v->n_segments = st->n_segments;
    return v;
}

void view_unpin(struct view *v)
{
    if (!v)
        return;
    state_unref(v->state);
    free(v);
}

static int cmp_by_uuid(const void *a, const void *b)
{
    return uuid_cmp(((const struct by_uuid *)a)->uuid, ((const struct by_uuid *)b)->uuid);
}

static const struct by_uuid *state_find(const struct view_state *st, struct uuid uuid)
{
    struct by_uuid key = {.uuid = uuid};
    if (st->n_segments == 0)
        return NULL;
    return bsearch(&key, st->by_uuid, st->n_segments, sizeof key, cmp_by_uuid);
}

size_t view_find_segment(const struct view *v, struct uuid uuid)
{
    const struct by_uuid *hit = state_find(v->state, uuid);
    return hit ? hit->at : SIZE_MAX;
}

static int cmp_coverage(const void *a, const void *b)
{
    return segment_order(&(*(struct live_segment *const *)a)->info,
                         &(*(struct live_segment *const *)b)->info);
}

/* Sorts, and builds the look-up table. */
static void state_finish(struct view_state *st)
{
    if (st->n_segments == 0)
        return;
    qsort(st->segments, st->n_segments, sizeof *st->segments, cmp_coverage);
    for (size_t i = 0; i < st->n_segments; i++)
        st->by_uuid[i] = (struct by_uuid){st->segments[i]->info.uuid, (uint32_t)i};
    qsort(st->by_uuid, st->n_segments, sizeof *st->by_uuid, cmp_by_uuid);
}

static bool names_uuid(const struct uuid *v, size_t n, struct uuid uuid)
{
    for (size_t i = 0; i < n; i++)
        if (uuid_eq(v[i], uuid))
            return true;
    return false;
}

static void take_segments(struct view_state *next, const struct view_state *old,
                          const struct views_change *change)
{
    for (size_t i = 0; i < old->n_segments; i++) {
        struct live_segment *s = old->segments[i];
        if (!names_uuid(change->remove, change->n_remove, s->info.uuid))
            next->segments[next->n_segments++] = live_segment_ref(s);
        else if (change->doom_removed)
            live_segment_doom(s);
    }
    for (size_t i = 0; i < change->n_add; i++)
        if (!state_find(old, change->add[i]->info.uuid))
            next->segments[next->n_segments++] = live_segment_ref(change->add[i]);
}

void views_apply(struct views *vs, const struct views_change *change)
{
    assert(change->n_heads <= VIEW_MAX_HEADS);
    mutex_lock(&vs->changes);
    struct view_state *old = vs->newest; /* only changes, which we hold, replace it */
    struct view_state *next = state_new(old->n_segments + change->n_add);
    struct generation *const *heads = change->set_heads ? change->heads : old->heads;
    next->n_heads = change->set_heads ? change->n_heads : old->n_heads;
    for (size_t i = 0; i < next->n_heads; i++)
        next->heads[i] = generation_ref(heads[i]);
    take_segments(next, old, change);
    state_finish(next);

    mutex_lock(&vs->mu);
    vs->newest = next;
    mutex_unlock(&vs->mu);
    mutex_unlock(&vs->changes);
    state_unref(old); /* outside the locks: callbacks may unlink files */
}
