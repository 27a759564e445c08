/* SPDX-License-Identifier: Apache-2.0 */
/* A push must be on the disk before it is answered, in the order in which queries and a replay see
 * it, and thousands of small ones come a second.  One sync for each would be the bound; so nobody
 * who holds the writers' lock waits for a disk:
 *     under heads->mu    judged, appended to the active generation and to the log's open group,
 *                        whose place in the file is known although nothing is written yet
 *     commit thread      writes and syncs the group of everybody who came meanwhile, then runs
 *                        their waiters in that order: on_durable() shows the entries and answers
 * What holds because of it:
 *   - Log and head have the same order, since one lock covers both.  A replay judges nothing again
 *     (the log keeps the verdicts) and comes to the same head.
 *   - The head has entries that are not durable yet.  They are not seen, because they stand above
 *     the mark that queries stop at, and the mark only moves from on_durable().
 *   - A push of which nothing is left (all of it repeats of what is there) writes nothing and still
 *     waits for what was appended before it: the first copy may not be durable yet.
 *   - A generation is frozen between two batches, where the log begins another group: the segment
 *     that comes of it covers whole batches.
 * Where both generations are full a push waits, in order and up to a bound of bytes; whoever frees
 * one calls ingest_resume().  A push that waits holds no memory but its request's, which the
 * distributor counts.
 * After a failed write or sync the log takes nothing, and pushes get 503, until the spiller has
 * written both generations to segments and begins a new file.  The entries of the failed group
 * stay in the head: their clients were told nothing of them, and they may appear. */
#include "ingester/ingest.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "base/metrics.h"
#include "ingester/checks.h"
#include "ingester/heads.h"
#include "ingester/ingester.h"
#include "ingester/phase.h"
#include "wal/record.h"
#include "wal/wal.h"

COUNTER(refused_total, "halogi_ingester_refused_pushes_total",
        "Pushes answered with 503: memory, disk, or both generations full");

enum { ENTRY_OVERHEAD_BYTES = 48, STREAM_OVERHEAD_BYTES = 256 };

/* A push between its call and its answer; lives in the batch's arena. */
struct pending_push {
    struct ingest *in;
    struct push_batch *batch;
    push_done_fn *done;
    void *ctx;
    uint64_t bytes;            /* what it will take of a head, estimated */
    struct head_mark mark;     /* behind its entries; head NULL: none was taken */
    struct pending_push *next; /* of those that wait for room */
};

/* ---- answers ---- */

static void answer(struct pending_push *p, int result, const struct err *err)
{
    p->done(p->ctx, p->batch, result, err);
}

static void on_durable(void *ctx, int result, const struct err *err)
{
    struct pending_push *p = ctx;
    if (result >= 0) {
        if (p->mark.head)
            heads_show(p->mark);
        answer(p, 0, err);
        return;
    }
    struct err why = ERR_INIT;
    err_set(&why, ERR_UNAVAILABLE, "%s", err->text);
    heads_hurry(p->in->heads); /* the log is broken: what is in them must get into a segment */
    answer(p, ERR_UNAVAILABLE, &why);
}

static void refuse(struct pending_push *p, const struct err *err)
{
    metric_add(&refused_total, 1);
    answer(p, err->code, err);
}

/* ---- accepting ---- */

/* Marks refusals and appends; true when the log must have the batch. */
static bool judge_and_append_locked(struct ingest *in, struct push_batch *batch)
{
    int64_t now_mono_ns = clock_mono_ns();
    bool any = false;
    mutex_assert_held(&in->heads->mu);
    for (size_t s = 0; s < batch->n_streams; s++) {
        struct push_stream *stream = &batch->streams[s];
        if (!push_stream_has_accepted(stream))
            continue;
        uint32_t idx = check_stream_locked(in->heads, in->conf, batch, stream, now_mono_ns);
        if (idx == UINT32_MAX || !push_stream_has_accepted(stream))
            continue;
        heads_append_stream_locked(in->heads, stream, idx, now_mono_ns);
        any = true;
    }
    heads_charge_locked(in->heads);
    return any;
}

static int log_body_locked(struct ingest *in, struct pending_push *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf prefix = BUF_INIT;
    mutex_assert_held(&in->heads->mu);
    wal_body_put_prefix(&prefix, p->batch);
    struct wal_entry e = {.type = WAL_RECORD_BODY,
                          .prefix = buf_view(&prefix),
                          .body = p->batch->body.bytes,
                          .policy_id = wal_policy_id(p->batch->body.policy),
                          .policy = p->batch->body.policy,
                          .waiter = {on_durable, p}};
    return wal_append(in->heads->wal, &e, NULL, err);
}

/* Several records where it is large; only the last one answers. */
static int log_canonical_locked(struct ingest *in, struct pending_push *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf record = BUF_INIT, next = BUF_INIT;
    struct wal_cursor at = {0};
    bool more = wal_canonical_put(&record, p->batch, &at);
    int r = 0;
    mutex_assert_held(&in->heads->mu);
    while (more && r == 0) {
        buf_clear(&next);
        more = wal_canonical_put(&next, p->batch, &at);
        struct wal_entry e = {.type = WAL_RECORD_CANONICAL, .prefix = buf_view(&record)};
        if (!more)
            e.waiter = (struct wal_waiter){on_durable, p};
        r = wal_append(in->heads->wal, &e, NULL, err);
        struct buf swap = record;
        record = next;
        next = swap;
    }
    return r;
}

enum entry_state {
    ENTRY_REFUSED, /* err says why */
    ENTRY_WAITS,   /* for room */
    ENTRY_LOGGED,  /* the commit thread answers */
    ENTRY_EMPTY,   /* nothing of it is new */
};

/* There is room. */
static enum entry_state accept_locked(struct ingest *in, struct pending_push *p, struct err *err)
{
    struct heads *h = in->heads;
    mutex_assert_held(&h->mu);
    int r = wal_is_broken(h->wal, err) ? -1 : 0;
    bool any = r == 0 && judge_and_append_locked(in, p->batch);
    if (any) {
        p->mark = heads_mark_locked(h);
        r = wal_keeps_body(p->batch) ? log_body_locked(in, p, err)
                                     : log_canonical_locked(in, p, err);
    }
    heads_make_room_locked(h); /* for the next one: the spill begins now, not then */
    if (r < 0)
        err->code = ERR_UNAVAILABLE;
    return r < 0 ? ENTRY_REFUSED : any ? ENTRY_LOGGED : ENTRY_EMPTY;
}

/* What remains to be done without the lock.  Where it waits or is logged, p may be gone. */
static void finish(struct ingest *in, struct pending_push *p, enum entry_state state,
                   const struct err *err)
{
    if (state == ENTRY_EMPTY)
        wal_join(in->heads->wal, (struct wal_waiter){on_durable, p});
    else if (state == ENTRY_REFUSED)
        refuse(p, err);
}

/* ---- waiting for room ---- */

static int check_disk_locked(const struct ingest *in, struct err *err)
{
    mutex_assert_held(&in->heads->mu);
    if (!in->disk_full)
        return 0;
    return err_set(err, ERR_DISK_FULL,
                   "the disk of '%s' is used over the watermark "
                   "(ingester.wal.disk_full_threshold: %g)",
                   in->data_dir, in->conf->disk_full_threshold);
}

static enum entry_state wait_locked(struct ingest *in, struct pending_push *p, struct err *err)
{
    mutex_assert_held(&in->heads->mu);
    if (in->heads->spill_err.code) {
        err_set(err, ERR_UNAVAILABLE, "the head is full and cannot be written: %s",
                in->heads->spill_err.text);
        return ENTRY_REFUSED;
    }
    if (in->waiting_bytes + p->bytes > in->conf->push_wait_max_bytes) {
        err_set(err, ERR_UNAVAILABLE,
                "pushes come faster than segments are written: %llu bytes wait already "
                "(ingester.push_wait_max_bytes)",
                (unsigned long long)in->waiting_bytes);
        return ENTRY_REFUSED;
    }
    in->waiting_bytes += p->bytes;
    if (in->last_waiting)
        in->last_waiting->next = p;
    else
        in->first_waiting = p;
    in->last_waiting = p;
    return ENTRY_WAITS;
}

static enum entry_state enter(struct ingest *in, struct pending_push *p, struct err *err)
{
    if (phase_check_push(in->phase, err) < 0)
        return ENTRY_REFUSED;
    MUTEX_GUARD(&in->heads->mu);
    if (check_disk_locked(in, err) < 0)
        return ENTRY_REFUSED;
    if (in->first_waiting || !heads_make_room_locked(in->heads))
        return wait_locked(in, p, err);
    return accept_locked(in, p, err);
}

static struct pending_push *take_waiting_locked(struct ingest *in)
{
    struct pending_push *p = in->first_waiting;
    mutex_assert_held(&in->heads->mu);
    if (!p || !heads_make_room_locked(in->heads))
        return NULL;
    in->first_waiting = p->next;
    if (!p->next)
        in->last_waiting = NULL;
    in->waiting_bytes -= p->bytes;
    return p;
}

void ingest_resume(struct ingest *in)
{
    for (;;) {
        struct err err = ERR_INIT;
        enum entry_state state = ENTRY_WAITS;
        mutex_lock(&in->heads->mu);
        struct pending_push *p = take_waiting_locked(in);
        if (p)
            state = accept_locked(in, p, &err);
        mutex_unlock(&in->heads->mu);
        if (!p)
            return;
        finish(in, p, state, &err);
    }
}

void ingest_refuse_waiting(struct ingest *in, int code, const char *text)
{
    struct err err = ERR_INIT;
    err_set(&err, code, "%s", text);
    mutex_lock(&in->heads->mu);
    struct pending_push *p = in->first_waiting;
    in->first_waiting = in->last_waiting = NULL;
    in->waiting_bytes = 0;
    mutex_unlock(&in->heads->mu);
    while (p) {
        struct pending_push *next = p->next;
        refuse(p, &err);
        p = next;
    }
}

bool ingest_set_disk_full(struct ingest *in, bool full)
{
    mutex_lock(&in->heads->mu);
    bool was = in->disk_full;
    in->disk_full = full;
    mutex_unlock(&in->heads->mu);
    if (full && !was)
        ingest_refuse_waiting(in, ERR_DISK_FULL, "the disk is used over the watermark");
    return full != was;
}

/* ---- a push ---- */

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

void ingest_push(struct ingest *in, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    struct ledger *ledger = in->heads->ledger;
    uint64_t bytes = estimate_bytes(batch);
    struct pending_push *p = ARENA_NEW(batch->arena, struct pending_push);
    *p = (struct pending_push){.in = in, .batch = batch, .done = done, .ctx = ctx, .bytes = bytes};
    struct err err = ERR_INIT;
    /* Held only while the head takes the real amount: what waits is in its request's memory. */
    if (!ledger_try_charge(ledger, LEDGER_HEADS, bytes)) {
        heads_relieve(in->heads);
        err_set(&err, ERR_UNAVAILABLE,
                "the memory ceiling of %llu MiB is reached, try again in a moment",
                (unsigned long long)(ledger->ceiling_bytes >> 20));
        refuse(p, &err);
        return;
    }
    enum entry_state state = enter(in, p, &err);
    ledger_release(ledger, LEDGER_HEADS, bytes);
    finish(in, p, state, &err);
}
