/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/heads.h"

#include <assert.h>

#include "base/clock.h"
#include "base/ledger.h"
#include "base/metrics.h"
#include "chunk/head.h"
#include "chunk/head_pages.h"
#include "ingester/streams/streams.h"
#include "store/view.h"
#include "wal/wal.h"

COUNTER(appended_total, "halogi_ingester_appended_entries_total", "Entries taken into the head");

enum { WORTH_SPILLING_BYTES = 4 << 20 };

/* ---- generations ---- */

static void generation_gone(void *ctx, struct generation *g)
{
    struct heads *h = ctx;
    ledger_release(h->ledger, LEDGER_HEADS, head_mem_bytes(g->head));
    head_free(g->head);
}

void heads_charge_locked(struct heads *h)
{
    mutex_assert_held(&h->mu);
    ledger_adjust(h->ledger, LEDGER_HEADS, &h->active.charged_bytes,
                  head_mem_bytes(h->active.g->head));
    ledger_adjust(h->ledger, LEDGER_HEADS, &h->streams_charged_bytes,
                  streams_mem_bytes(h->streams));
}

/* Queries find it in the view before it has an entry. */
static void new_active_locked(struct heads *h, uint64_t first_lsn)
{
    mutex_assert_held(&h->mu);
    uint64_t number = h->frozen.g ? h->frozen.g->number + 1 : h->n_spilled + 1;
    h->active = (struct head_span){.first_lsn = first_lsn};
    h->active.g = generation_new(head_new_in(h->pages), number, generation_gone, h);
    heads_charge_locked(h);
    struct views_change change = {.set_heads = true};
    if (h->frozen.g)
        change.heads[change.n_heads++] = h->frozen.g;
    change.heads[change.n_heads++] = h->active.g;
    views_apply(h->views, &change);
}

/* False when there is nothing to freeze, or the one before is still there. */
static bool freeze_locked(struct heads *h, uint64_t end_lsn)
{
    mutex_assert_held(&h->mu);
    if (h->frozen.g || h->active.began_mono_ns == 0)
        return false;
    h->freeze_wanted = false;
    h->frozen = h->active;
    h->frozen.end_lsn = end_lsn;
    new_active_locked(h, end_lsn);
    cond_signal(&h->to_spill);
    return true;
}

static bool is_full_locked(const struct heads *h)
{
    mutex_assert_held(&h->mu);
    return h->active.began_mono_ns != 0 && head_mem_bytes(h->active.g->head) >= h->max_bytes;
}

bool heads_make_room_locked(struct heads *h)
{
    mutex_assert_held(&h->mu);
    return !is_full_locked(h) || freeze_locked(h, wal_cut(h->wal));
}

/* ---- life ---- */

void heads_init(struct heads *h, uint64_t max_bytes, uint64_t first_lsn, struct ledger *ledger,
                struct views *views)
{
    *h = (struct heads){.max_bytes = max_bytes, .ledger = ledger, .views = views};
    mutex_init(&h->mu);
    cond_init(&h->to_spill);
    cond_init(&h->spilled);
    h->streams = streams_new();
    h->pages = head_pages_new(ledger, max_bytes);
    MUTEX_GUARD(&h->mu);
    new_active_locked(h, first_lsn);
}

void heads_deinit(struct heads *h)
{
    generation_unref(h->active.g);
    generation_unref(h->frozen.g);
    ledger_release(h->ledger, LEDGER_HEADS, h->streams_charged_bytes);
    streams_free(h->streams);
    head_pages_unref(h->pages);
    cond_deinit(&h->spilled);
    cond_deinit(&h->to_spill);
    mutex_deinit(&h->mu);
}

void heads_take_log(struct heads *h, struct wal *wal)
{
    MUTEX_GUARD(&h->mu);
    h->wal = wal;
    if (h->frozen.g) /* the replay filled more than one, and it is not in a segment yet */
        head_publish(h->frozen.g->head, head_end(h->frozen.g->head));
    head_publish(h->active.g->head, head_end(h->active.g->head));
}

struct wal *heads_log(struct heads *h)
{
    MUTEX_GUARD(&h->mu);
    return h->wal;
}

/* ---- writers ---- */

uint64_t heads_append_stream_locked(struct heads *h, const struct push_stream *stream, uint32_t idx,
                                    int64_t now_mono_ns)
{
    mutex_assert_held(&h->mu);
    struct live_stream *st = streams_get(h->streams, idx);
    uint64_t n = 0;
    /* Before the entries: a query that sees one of them also finds the stream. */
    atomic_store_explicit(&st->last_generation, h->active.g->number, memory_order_relaxed);
    for (size_t i = 0; i < stream->n_entries; i++) {
        const struct push_entry *e = &stream->entries[i];
        if (e->rejected)
            continue;
        head_append(h->active.g->head, idx, &e->e);
        if (e->e.ts_ns > st->max_ts_ns)
            st->max_ts_ns = e->e.ts_ns;
        n++;
    }
    st->last_push_ns = now_mono_ns;
    if (n && h->active.began_mono_ns == 0)
        h->active.began_mono_ns = now_mono_ns ? now_mono_ns : 1;
    metric_add(&appended_total, (int64_t)n);
    return n;
}

void heads_append_locked(struct heads *h, const struct push_batch *batch, int64_t now_mono_ns)
{
    mutex_assert_held(&h->mu);
    for (size_t s = 0; s < batch->n_streams; s++) {
        const struct push_stream *stream = &batch->streams[s];
        if (!push_stream_has_accepted(stream))
            continue;
        struct stream_tenant *t = streams_find_tenant(h->streams, batch->tenant);
        uint32_t idx = t ? streams_find(h->streams, t, stream->labels, stream->hash) : UINT32_MAX;
        if (idx == UINT32_MAX)
            idx = streams_add(h->streams, batch->tenant, stream->labels, stream->hash);
        heads_append_stream_locked(h, stream, idx, now_mono_ns);
    }
    heads_charge_locked(h);
}

struct head_mark heads_mark_locked(const struct heads *h)
{
    mutex_assert_held(&h->mu);
    struct head *head = h->active.g->head;
    return (struct head_mark){head, head_end(head)};
}

void heads_show(struct head_mark m)
{
    head_publish(m.head, m.end);
}

/* ---- when to freeze ---- */

static void want_freeze_locked(struct heads *h)
{
    mutex_assert_held(&h->mu);
    h->freeze_wanted = true;
    cond_signal(&h->to_spill);
}

/* During the replay nothing is due: it freezes itself, at a record's LSN. */
static bool is_due_locked(const struct heads *h)
{
    mutex_assert_held(&h->mu);
    return h->wal && (h->freeze_wanted || wal_is_broken(h->wal, NULL));
}

void heads_relieve(struct heads *h)
{
    MUTEX_GUARD(&h->mu);
    if (h->active.charged_bytes >= WORTH_SPILLING_BYTES)
        want_freeze_locked(h);
}

void heads_freeze_older(struct heads *h, int64_t max_age_ns)
{
    MUTEX_GUARD(&h->mu);
    int64_t began_ns = h->active.began_mono_ns;
    if (began_ns != 0 && clock_mono_ns() - began_ns >= max_age_ns)
        want_freeze_locked(h);
}

uint64_t heads_freeze_all(struct heads *h)
{
    MUTEX_GUARD(&h->mu);
    if (h->active.began_mono_ns != 0) {
        want_freeze_locked(h);
        return h->active.g->number;
    }
    return h->frozen.g ? h->frozen.g->number : 0;
}

int heads_wait_spilled(struct heads *h, uint64_t number, const _Atomic bool *stop, struct err *err)
{
    MUTEX_GUARD(&h->mu);
    while (h->n_spilled < number) {
        if (atomic_load(stop))
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        if (h->spill_err.code)
            return err_set(err, ERR_UNAVAILABLE, "the head could not be written: %s",
                           h->spill_err.text);
        cond_wait(&h->spilled, &h->mu);
    }
    return 0;
}

int heads_wait_room(struct heads *h, uint64_t lsn, const _Atomic bool *stop, struct err *err)
{
    MUTEX_GUARD(&h->mu);
    while (is_full_locked(h) && !freeze_locked(h, lsn)) {
        if (atomic_load(stop))
            return err_set(err, ERR_CANCELLED, "stopped");
        cond_wait(&h->spilled, &h->mu);
    }
    return 0;
}

void heads_wake(struct heads *h)
{
    MUTEX_GUARD(&h->mu);
    cond_broadcast(&h->to_spill);
    cond_broadcast(&h->spilled);
}

void heads_hurry(struct heads *h)
{
    cond_signal(&h->to_spill);
}

/* ---- the spiller ---- */

bool heads_wait_frozen(struct heads *h, bool may_try, const _Atomic bool *stop, int64_t timeout_ns,
                       struct frozen_head *ret)
{
    MUTEX_GUARD(&h->mu);
    if (is_due_locked(h))
        freeze_locked(h, wal_cut(h->wal));
    if (h->frozen.g && may_try) {
        *ret = (struct frozen_head){h->frozen, h->active.g};
        return true;
    }
    if (!atomic_load(stop))
        cond_wait_for(&h->to_spill, &h->mu, timeout_ns);
    return false;
}

void heads_drop_frozen(struct heads *h)
{
    mutex_lock(&h->mu);
    struct generation *g = h->frozen.g;
    h->n_spilled = g->number;
    h->frozen = (struct head_span){0};
    h->spill_err = ERR_INIT;
    cond_broadcast(&h->spilled);
    mutex_unlock(&h->mu);
    generation_unref(g);
}

void heads_spill_failed(struct heads *h, const struct err *why)
{
    MUTEX_GUARD(&h->mu);
    h->spill_err = *why;
    cond_broadcast(&h->spilled);
}

int heads_repair_log(struct heads *h, bool *ret_repaired, struct err *err)
{
    MUTEX_GUARD(&h->mu);
    bool broken =
        h->wal && !h->frozen.g && h->active.began_mono_ns == 0 && wal_is_broken(h->wal, NULL);
    int r = broken ? wal_repair(h->wal, err) : 0;
    *ret_repaired = broken && r == 0;
    return r;
}

/* ---- upkeep ---- */

uint64_t heads_n_streams(struct heads *h)
{
    MUTEX_GUARD(&h->mu);
    return streams_count(h->streams);
}

bool heads_evict_idle(struct heads *h, int64_t idle_since_mono_ns, uint64_t *ret_n)
{
    MUTEX_GUARD(&h->mu);
    *ret_n = 0;
    if (h->frozen.g)
        return false; /* the spiller reads streams without a lock */
    *ret_n = streams_evict(h->streams, h->active.g->number, idle_since_mono_ns);
    return true;
}

void heads_trim(struct heads *h)
{
    head_pages_trim(h->pages);
}
