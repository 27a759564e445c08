/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/flusher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/segment.h"
#include "ingester/heads.h"
#include "ingester/ingester.h"
#include "merge/merge.h"
#include "merge/round.h"
#include "store/publish.h"
#include "store/view.h"

COUNTER(flush_failures_total, "halogi_ingester_flush_failures_total",
        "Merges of local segments into objects that failed and are tried again");
COUNTER(merges_total, "halogi_ingester_flushes_total", "Merges of local segments into objects");
COUNTER_SCALED(merge_seconds_total, "halogi_ingester_flush_seconds_total",
               "Time spent merging local segments into objects", 1e-9);
COUNTER(copied_total, "halogi_ingester_flush_copied_chunks_total",
        "Chunks that merges copied as they were");
COUNTER(decoded_total, "halogi_ingester_flush_decoded_chunks_total",
        "Chunks that merges had to decode");

struct flush_request {
    flush_done_fn *done;
    void *ctx;
    struct flush_request *next;
};

/* ---- what there is to merge ---- */

/* Local segments that are not damaged, in order of arrival, with a reference each. */
struct backlog {
    struct live_segment **v;
    size_t n;
    uint64_t bytes;
};

/* Keeps segments, not the view: that would keep heads in memory as long as a merge takes. */
static void backlog_init(struct backlog *b, struct flusher *f)
{
    struct view *view = view_pin(f->publisher->deps.views);
    *b = (struct backlog){.v = mem_alloc((view->n_segments + 1) * sizeof(struct live_segment *))};
    for (size_t i = 0; i < view->n_segments; i++) {
        struct live_segment *s = view->segments[i];
        if (s->info.place != PLACE_LOCAL || merger_is_damaged(f->merger, s->info.uuid))
            continue;
        b->v[b->n++] = live_segment_ref(s);
        b->bytes += s->info.bytes;
    }
    view_unpin(view);
}

static void backlog_deinit(struct backlog *b)
{
    for (size_t i = 0; i < b->n; i++)
        live_segment_unref(b->v[i]);
    free(b->v);
}

/* ---- merging ---- */

static void note_failure(struct flusher *f, const struct err *err)
{
    metric_add(&flush_failures_total, 1);
    LOG_ERROR("local segments did not become objects, they stay where they are",
              log_str("err", err->text));
    backoff_failed(&f->backoff, clock_mono_ns());
}

static void remove_dead(struct flusher *f)
{
    struct err err = ERR_INIT;
    if (publish_remove_dead(f->publisher, &err) < 0)
        LOG_WARN("segments that nobody needs any more stay", log_str("err", err.text));
}

static void note_merged(const struct merge_result *done)
{
    metric_add(&merges_total, 1);
    metric_add(&copied_total, (int64_t)done->copied_chunks);
    metric_add(&decoded_total, (int64_t)done->decoded_chunks);
    LOG_INFO("local segments became objects", log_uint("segments", done->n_sources),
             log_uint("objects", done->n_made), log_uint("bytes", done->bytes));
}

/* The oldest local segments, as many as one merge takes; *ret_none when there are none.  When it
 * fails they stay as they are (ERR_CORRUPT: see merger_round). */
static int merge_some(struct flusher *f, bool *ret_none, struct err *err)
{
    int64_t began_ns = clock_mono_ns();
    struct merge_result done;
    struct backlog b;
    int r = 0;
    backlog_init(&b, f);
    *ret_none = b.n == 0;
    if (b.n > 0) {
        r = merger_round(f->merger, b.v, b.n, &done, err);
        if (r == 0)
            note_merged(&done);
        if (r < 0 && done.damaged)
            LOG_ERROR("a local segment is damaged; it stays where it is, what can be read of it "
                      "is read",
                      log_sv("key", done.damaged->key), log_str("err", err->text));
    }
    backlog_deinit(&b);
    remove_dead(f);
    metric_add(&merge_seconds_total, clock_mono_ns() - began_ns);
    return r;
}

/* Until there are none, or it fails. */
static int merge_all(struct flusher *f, struct err *err)
{
    bool none = false;
    int r = 0;
    while (!none && (r == 0 || r == ERR_CORRUPT)) {
        if (atomic_load(&f->stop))
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        r = merge_some(f, &none, err);
    }
    if (r == 0)
        backoff_worked(&f->backoff);
    return r;
}

/* ---- when ---- */

/* The wall clock says how old a segment of an earlier run is, once; from then on time is counted
 * by the clock that never jumps. */
static int64_t oldest_age_ns(struct flusher *f, const struct backlog *b, int64_t now_ns)
{
    const struct segment_info *info = &b->v[0]->info;
    if (!uuid_eq(info->uuid, f->oldest)) {
        int64_t age_ns = clock_wall_ns() - info->created_ns;
        int64_t most_ns = f->conf->flush_local_age_ns;
        f->oldest = info->uuid;
        f->oldest_since_ns = now_ns - (age_ns < 0 ? 0 : age_ns > most_ns ? most_ns : age_ns);
    }
    return now_ns - f->oldest_since_ns;
}

static bool is_due(struct flusher *f)
{
    const struct ingester_conf *c = f->conf;
    int64_t now_ns = clock_mono_ns();
    if (!backoff_is_over(&f->backoff, now_ns))
        return false;
    struct backlog b;
    backlog_init(&b, f);
    bool due = b.n > 0 && (b.bytes >= c->flush_local_bytes || b.n >= MERGE_MAX_SOURCES ||
                           merger_is_searching(f->merger) ||
                           oldest_age_ns(f, &b, now_ns) >= c->flush_local_age_ns);
    backlog_deinit(&b);
    return due;
}

/* ---- requests ---- */

void flusher_request(struct flusher *f, flush_done_fn *done, void *ctx)
{
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    MUTEX_GUARD(&f->mu);
    *q = (struct flush_request){.done = done, .ctx = ctx, .next = f->requests};
    f->requests = q;
    cond_signal(&f->work);
}

static struct flush_request *take_requests(struct flusher *f)
{
    MUTEX_GUARD(&f->mu);
    return TAKE(f->requests);
}

static void answer(struct flush_request *q, int result, const struct err *err)
{
    while (q) {
        struct flush_request *next = q->next;
        q->done(q->ctx, result, err);
        free(q);
        q = next;
    }
}

static void serve(struct flusher *f, struct flush_request *requests)
{
    struct err err = ERR_INIT;
    int r = heads_wait_spilled(f->heads, heads_freeze_all(f->heads), &f->stop, &err);
    if (r == 0)
        r = merge_all(f, &err);
    if (r == 0 && merger_n_damaged(f->merger))
        r = err_set(&err, ERR_CORRUPT, "%zu damaged local segments cannot become objects",
                    merger_n_damaged(f->merger));
    if (r < 0)
        note_failure(f, &err);
    answer(requests, r, &err);
}

/* ---- the thread ---- */

static void merge_if_due(struct flusher *f)
{
    struct err err = ERR_INIT;
    bool none;
    if (!is_due(f))
        return;
    if (merge_some(f, &none, &err) < 0)
        note_failure(f, &err);
    else
        backoff_worked(&f->backoff);
}

/* True when the thread is to look at what there is. */
static bool wait_for_work(struct flusher *f)
{
    MUTEX_GUARD(&f->mu);
    if (!atomic_load(&f->stop) && !(f->may_work && f->requests))
        cond_wait_for(&f->work, &f->mu, NS_PER_S);
    return f->may_work && !atomic_load(&f->stop);
}

static void flusher_run(void *ctx)
{
    struct flusher *f = ctx;
    while (!atomic_load(&f->stop)) {
        if (!wait_for_work(f))
            continue;
        struct flush_request *requests = take_requests(f);
        if (requests)
            serve(f, requests);
        else
            merge_if_due(f);
        remove_dead(f);
    }
}

int flusher_start(struct flusher *f, const struct ingester_conf *conf, struct heads *heads,
                  struct publisher *publisher, struct err *err)
{
    *f = (struct flusher){.conf = conf,
                          .heads = heads,
                          .publisher = publisher,
                          .backoff = BACKOFF_INIT(NS_PER_S, 60 * NS_PER_S)};
    struct merger_conf merger = {.publisher = publisher,
                                 .place = PLACE_OBJECT,
                                 .level = SEGMENT_OBJECT,
                                 .object_bytes = conf->flush_object_bytes,
                                 .stop = &f->stop};
    f->merger = merger_new(&merger);
    mutex_init(&f->mu);
    cond_init(&f->work);
    return thread_start(&f->thread, "flush", flusher_run, f, err);
}

void flusher_begin(struct flusher *f)
{
    MUTEX_GUARD(&f->mu);
    f->may_work = true;
    cond_signal(&f->work);
}

void flusher_stop(struct flusher *f)
{
    struct err err = ERR_INIT;
    if (!f->merger)
        return;
    mutex_lock(&f->mu);
    atomic_store(&f->stop, true);
    cond_signal(&f->work);
    mutex_unlock(&f->mu);
    heads_wake(f->heads); /* it may wait for a spill */
    thread_join(&f->thread);
    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    answer(take_requests(f), err.code, &err);
    merger_free(f->merger);
    cond_deinit(&f->work);
    mutex_deinit(&f->mu);
}
