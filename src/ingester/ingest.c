/* SPDX-License-Identifier: Apache-2.0 */
/* A push is accepted under one mutex: judged, appended to the log's open group and to the head.
 * The answer comes from the commit thread, so nobody waits for a disk while holding it. */
#include <assert.h>

#include "base/log.h"
#include "base/metrics.h"
#include "chunk/head.h"
#include "ingester/state.h"
#include "wal/record.h"

COUNTER(appended_total, "halogi_ingester_appended_entries_total", "Entries taken into the head");
COUNTER(repeated_total, "halogi_ingester_refused_pushes_total",
        "Pushes answered with 503: memory, disk, or both generations full");

enum {
    ENTRY_OVERHEAD_BYTES = 48,
    STREAM_OVERHEAD_BYTES = 256,
    WORTH_SPILLING_BYTES = 4 << 20,
};

static void answer(struct pending_push *p, int result, const struct err *err)
{
    p->done(p->ctx, p->batch, result, err);
}

static void on_durable(void *ctx, int result, const struct err *err)
{
    struct pending_push *p = ctx;
    if (result >= 0) {
        if (p->head)
            head_publish(p->head, p->end); /* what is durable may be seen, and then it is told */
        answer(p, 0, err);
        return;
    }
    struct err why = ERR_INIT;
    err_set(&why, ERR_UNAVAILABLE, "%s", err->text);
    cond_broadcast(&p->in->changed); /* the log is broken: the head must get into a segment */
    answer(p, ERR_UNAVAILABLE, &why);
}

static void refuse(struct pending_push *p, struct err *err, int code)
{
    metric_add(&repeated_total, 1);
    answer(p, code, err);
}

static uint64_t estimate_bytes(const struct push_batch *b)
{
    uint64_t sum = 0;
    for (size_t s = 0; s < b->n_streams; s++) {
        if (b->streams[s].rejected)
            continue;
        sum += STREAM_OVERHEAD_BYTES;
        for (size_t i = 0; i < b->streams[s].n_entries; i++)
            if (!b->streams[s].entries[i].rejected)
                sum += b->streams[s].entries[i].e.line.len + b->streams[s].entries[i].e.sm.len +
                       ENTRY_OVERHEAD_BYTES;
    }
    return sum;
}

/* --- generations ------------------------------------------------------------------------- */

static void head_gone(void *ctx, struct generation *g)
{
    struct ingester *in = ctx;
    ledger_release(in->deps.ledger, LEDGER_HEADS, head_mem_bytes(g->head));
    head_free(g->head);
}

static void charge_active_locked(struct ingester *in)
{
    ledger_adjust(in->deps.ledger, LEDGER_HEADS, &in->active.charged_bytes,
                  head_mem_bytes(in->active.g->head));
    ledger_adjust(in->deps.ledger, LEDGER_HEADS, &in->streams_charged_bytes,
                  streams_mem_bytes(in->streams));
}

void ingest_new_head_locked(struct ingester *in, uint64_t first_lsn)
{
    uint64_t number = in->spilling.g ? in->spilling.g->number + 1 : in->n_spilled + 1;
    in->active = (struct ingest_head){.first_lsn = first_lsn};
    in->active.g = generation_new(head_new_in(in->head_pages), number, head_gone, in);
    charge_active_locked(in);
    struct views_change change = {.set_heads = true};
    if (in->spilling.g)
        change.heads[change.n_heads++] = in->spilling.g;
    change.heads[change.n_heads++] = in->active.g;
    views_apply(in->deps.views, &change);
}

bool ingest_swap_locked(struct ingester *in, uint64_t boundary_lsn)
{
    mutex_assert_held(&in->mu);
    if (in->spilling.g || in->active.began_mono_ns == 0)
        return false;
    in->swap_wanted = false;
    in->spilling = in->active;
    in->spilling.end_lsn = boundary_lsn;
    ingest_new_head_locked(in, boundary_lsn);
    cond_broadcast(&in->changed);
    return true;
}

bool ingest_head_is_full_locked(const struct ingester *in)
{
    return in->active.began_mono_ns != 0 &&
           head_mem_bytes(in->active.g->head) >= in->conf.head_max_bytes;
}

/* False: both generations are full. */
static bool make_room_locked(struct ingester *in)
{
    if (!ingest_head_is_full_locked(in))
        return true;
    return ingest_swap_locked(in, wal_next_lsn(in->wal));
}

/* --- accepting --------------------------------------------------------------------------- */

static void append_stream(struct ingester *in, struct push_stream *stream, uint32_t idx,
                          int64_t now_mono_ns)
{
    struct stream *st = streams_get(in->streams, idx);
    uint64_t n = 0;
    /* Before the entries: a query that sees one of them also finds the stream. */
    atomic_store_explicit(&st->last_generation, in->active.g->number, memory_order_relaxed);
    for (size_t i = 0; i < stream->n_entries; i++) {
        const struct push_entry *e = &stream->entries[i];
        if (e->rejected)
            continue;
        head_append(in->active.g->head, idx, &e->e);
        if (e->e.ts_ns > st->max_ts_ns)
            st->max_ts_ns = e->e.ts_ns;
        n++;
    }
    st->last_push_ns = now_mono_ns;
    if (n && in->active.began_mono_ns == 0)
        in->active.began_mono_ns = now_mono_ns ? now_mono_ns : 1;
    metric_add(&appended_total, (int64_t)n);
}

static bool has_accepted(const struct push_stream *s)
{
    if (s->rejected)
        return false;
    for (size_t i = 0; i < s->n_entries; i++)
        if (!s->entries[i].rejected)
            return true;
    return false;
}

void ingest_append_locked(struct ingester *in, struct push_batch *batch, int64_t now_mono_ns)
{
    struct stream_tenant *t = NULL;
    for (size_t s = 0; s < batch->n_streams; s++) {
        struct push_stream *stream = &batch->streams[s];
        if (!has_accepted(stream))
            continue;
        t = streams_find_tenant(in->streams, batch->tenant);
        uint32_t idx = t ? streams_find(in->streams, t, stream->labels, stream->hash) : UINT32_MAX;
        if (idx == UINT32_MAX)
            idx = streams_add(in->streams, batch->tenant, stream->labels, stream->hash);
        append_stream(in, stream, idx, now_mono_ns);
    }
    charge_active_locked(in);
}

/* Marks refusals and appends; true when the log must have the batch. */
static bool judge_and_append_locked(struct ingester *in, struct push_batch *batch)
{
    int64_t now_mono_ns = clock_mono_ns();
    bool any = false;
    for (size_t s = 0; s < batch->n_streams; s++) {
        struct push_stream *stream = &batch->streams[s];
        if (!has_accepted(stream))
            continue;
        uint32_t idx = check_stream_locked(in, batch, stream, now_mono_ns);
        if (idx == UINT32_MAX || !has_accepted(stream))
            continue;
        append_stream(in, stream, idx, now_mono_ns);
        any = true;
    }
    charge_active_locked(in);
    return any;
}

static int log_body_locked(struct ingester *in, struct pending_push *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf head = BUF_INIT;
    wal_body_put_head(&head, p->batch);
    struct wal_entry e = {.type = WAL_RECORD_BODY,
                          .head = buf_view(&head),
                          .body = p->batch->body.bytes,
                          .policy_id = wal_policy_id(p->batch->body.policy),
                          .policy = p->batch->body.policy,
                          .waiter = {on_durable, p}};
    return wal_append(in->wal, &e, NULL, err);
}

/* Several records; only the last one answers. */
static int log_canonical_locked(struct ingester *in, struct pending_push *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf piece = BUF_INIT, next = BUF_INIT;
    struct wal_cursor at = {0};
    bool more = wal_canonical_put(&piece, p->batch, &at);
    int r = 0;
    while (more && r == 0) {
        buf_clear(&next);
        more = wal_canonical_put(&next, p->batch, &at);
        struct wal_entry e = {.type = WAL_RECORD_CANONICAL, .head = buf_view(&piece)};
        if (!more)
            e.waiter = (struct wal_waiter){on_durable, p};
        r = wal_append(in->wal, &e, NULL, err);
        struct buf swap = piece;
        piece = next;
        next = swap;
    }
    return r;
}

/* There is room.  Answers at once only when it fails. */
static void accept(struct ingester *in, struct pending_push *p)
{
    struct err err = ERR_INIT;
    mutex_assert_held(&in->mu);
    int r = wal_is_broken(in->wal, &err) ? err.code : 0;
    bool log = r == 0 && judge_and_append_locked(in, p->batch);
    if (log) {
        p->head = in->active.g->head;
        p->end = head_end(p->head);
        r = wal_keeps_body(p->batch) ? log_body_locked(in, p, &err)
                                     : log_canonical_locked(in, p, &err);
    }
    if (ingest_head_is_full_locked(in))
        ingest_swap_locked(in, wal_next_lsn(in->wal));
    mutex_unlock(&in->mu);
    if (r < 0) {
        struct err why = ERR_INIT;
        err_set(&why, ERR_UNAVAILABLE, "%s", err.text);
        refuse(p, &why, ERR_UNAVAILABLE);
    } else if (!log) {
        wal_join(in->wal, (struct wal_waiter){on_durable, p});
    }
}

/* --- waiting for room -------------------------------------------------------------------- */

static int may_enter_locked(struct ingester *in, struct err *err)
{
    switch (in->state) {
    case INGESTER_READY:
        break;
    case INGESTER_FAILED:
        return err_set(err, ERR_UNAVAILABLE, "%s", in->state_err.text);
    case INGESTER_STOPPING:
        return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
    case INGESTER_RECOVERING:
        return err_set(err, ERR_UNAVAILABLE, "the ingester is replaying its log");
    }
    if (in->disk_full)
        return err_set(err, ERR_DISK_FULL,
                       "the disk of '%s' is used over the watermark "
                       "(ingester.wal.disk_full_threshold: %g)",
                       in->deps.data_dir, in->conf.disk_full_threshold);
    return 0;
}

static int wait_locked(struct ingester *in, struct pending_push *p, struct err *err)
{
    if (in->spill_err.code)
        return err_set(err, ERR_UNAVAILABLE, "the head is full and cannot be written: %s",
                       in->spill_err.text);
    if (in->waiting_bytes + p->bytes > in->conf.push_wait_max_bytes)
        return err_set(err, ERR_UNAVAILABLE,
                       "pushes come faster than segments are written: %llu bytes wait already "
                       "(ingester.push_wait_max_bytes)",
                       (unsigned long long)in->waiting_bytes);
    in->waiting_bytes += p->bytes;
    if (in->last_waiting)
        in->last_waiting->next = p;
    else
        in->first_waiting = p;
    in->last_waiting = p;
    return 1;
}

/* 1: it waits; 0: go on; < 0: refused. */
static int enter_locked(struct ingester *in, struct pending_push *p, struct err *err)
{
    int r = may_enter_locked(in, err);
    if (r < 0)
        return r;
    if (in->first_waiting || !make_room_locked(in))
        return wait_locked(in, p, err);
    return 0;
}

static int charge(struct ingester *in, uint64_t bytes, struct err *err)
{
    if (ledger_try_charge(in->deps.ledger, LEDGER_HEADS, bytes))
        return 0;
    mutex_lock(&in->mu);
    if (in->active.charged_bytes >= WORTH_SPILLING_BYTES) { /* a spill frees memory */
        in->swap_wanted = true;
        cond_broadcast(&in->changed);
    }
    mutex_unlock(&in->mu);
    return err_set(err, ERR_UNAVAILABLE,
                   "the memory ceiling of %llu MiB is reached, try again in a moment",
                   (unsigned long long)(in->deps.ledger->ceiling_bytes >> 20));
}

void ingest_push(struct ingester *in, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    struct err err = ERR_INIT;
    struct pending_push *p = ARENA_NEW(batch->arena, struct pending_push);
    *p = (struct pending_push){.in = in, .batch = batch, .done = done, .ctx = ctx};
    p->bytes = estimate_bytes(batch);
    /* Held only while the head takes the real amount: what waits is in its request's memory. */
    int r = charge(in, p->bytes, &err);
    if (r < 0) {
        refuse(p, &err, r);
        return;
    }
    uint64_t charged = p->bytes;
    mutex_lock(&in->mu);
    r = enter_locked(in, p, &err);
    if (r == 0)
        accept(in, p); /* unlocks; p is gone */
    else
        mutex_unlock(&in->mu);
    ledger_release(in->deps.ledger, LEDGER_HEADS, charged);
    if (r < 0)
        refuse(p, &err, r);
}

void ingest_resume(struct ingester *in)
{
    for (;;) {
        mutex_lock(&in->mu);
        struct pending_push *p = in->first_waiting;
        if (!p || !make_room_locked(in)) {
            mutex_unlock(&in->mu);
            return;
        }
        in->first_waiting = p->next;
        if (!p->next)
            in->last_waiting = NULL;
        in->waiting_bytes -= p->bytes;
        accept(in, p);
    }
}

void ingest_refuse_waiting(struct ingester *in, int code, const char *text)
{
    struct err err = ERR_INIT;
    err_set(&err, code, "%s", text);
    mutex_lock(&in->mu);
    struct pending_push *p = in->first_waiting;
    in->first_waiting = in->last_waiting = NULL;
    in->waiting_bytes = 0;
    mutex_unlock(&in->mu);
    while (p) {
        struct pending_push *next = p->next;
        refuse(p, &err, code);
        p = next;
    }
}
