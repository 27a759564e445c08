/* SPDX-License-Identifier: Apache-2.0 */
/* The flush thread: when a merge of local segments is due, and who waits for the end of all of
 * them. */
#include "base/backoff.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/wait_once.h"
#include "chunk/segment.h"
#include "ingester/state.h"
#include "merge/merge.h"
#include "merge/round.h"

COUNTER(flush_failures_total, "halogi_ingester_flush_failures_total",
        "Merges of local segments into objects that failed and are tried again");
COUNTER(merges_total, "halogi_ingester_flushes_total", "Merges of local segments into objects");
COUNTER_SCALED(merge_seconds_total, "halogi_ingester_flush_seconds_total",
               "Time spent merging local segments into objects", 1e-9);
COUNTER(copied_total, "halogi_ingester_flush_copied_chunks_total",
        "Chunks that merges copied as they were");
COUNTER(decoded_total, "halogi_ingester_flush_decoded_chunks_total",
        "Chunks that merges had to decode");

struct flusher {
    struct ingester *in;
    struct merger *merger; /* owned */
    struct backoff backoff;
    /* The oldest local segment: since when, on the monotonic clock. */
    struct uuid oldest;
    int64_t oldest_since_ns;
    bool tidied;
};

static bool flush_is_stopping(struct ingester *in)
{
    return atomic_load(&in->stop_flush);
}

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
    struct view *view = view_pin(f->in->deps.views);
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
    if (publish_remove_dead(&f->in->publisher, &err) < 0)
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
        if (flush_is_stopping(f->in))
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
        int64_t most_ns = f->in->conf.flush_local_age_ns;
        f->oldest = info->uuid;
        f->oldest_since_ns = now_ns - (age_ns < 0 ? 0 : age_ns > most_ns ? most_ns : age_ns);
    }
    return now_ns - f->oldest_since_ns;
}

static bool is_due(struct flusher *f)
{
    const struct ingester_conf *c = &f->in->conf;
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

/* ---- flush requests ---- */

static void enqueue_locked(struct ingester *in, struct flush_request *q)
{
    mutex_assert_held(&in->mu);
    q->next = in->flushes;
    in->flushes = q;
    cond_broadcast(&in->changed);
}

void flush_request(struct ingester *in, void (*done)(void *ctx, int result, const struct err *err),
                   void *ctx)
{
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    *q = (struct flush_request){.done = done, .ctx = ctx};
    mutex_lock(&in->mu);
    bool ready = in->state == INGESTER_READY;
    if (ready)
        enqueue_locked(in, q);
    mutex_unlock(&in->mu);
    if (ready)
        return;
    struct err err = ERR_INIT;
    free(q);
    done(ctx, err_set(&err, ERR_UNAVAILABLE, "the ingester is starting or stopping"), &err);
}

int flush_and_wait(struct ingester *in, struct err *err)
{
    struct wait_once wait;
    wait_once_init(&wait);
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    *q = (struct flush_request){.done = wait_once_done, .ctx = &wait};
    mutex_lock(&in->mu);
    enqueue_locked(in, q);
    mutex_unlock(&in->mu);
    return wait_once_end(&wait, err);
}

/* Everything in the head now gets into a segment. */
static int wait_spilled(struct ingester *in, struct err *err)
{
    MUTEX_GUARD(&in->mu);
    uint64_t last = in->spilling.g ? in->spilling.g->number : 0;
    if (in->active.began_mono_ns != 0) {
        last = in->active.g->number;
        in->swap_wanted = true;
        cond_broadcast(&in->changed);
    }
    while (in->n_spilled < last) {
        if (in->stop_flush)
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        if (in->spill_err.code)
            return err_set(err, ERR_UNAVAILABLE, "the head could not be written: %s",
                           in->spill_err.text);
        cond_wait(&in->changed, &in->mu);
    }
    return 0;
}

static struct flush_request *take_requests(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    struct flush_request *q = in->flushes;
    in->flushes = NULL;
    return q;
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
    int r = wait_spilled(f->in, &err);
    if (r == 0)
        r = merge_all(f, &err);
    if (r == 0 && merger_n_damaged(f->merger))
        r = err_set(&err, ERR_CORRUPT, "%zu damaged local segments cannot become objects",
                    merger_n_damaged(f->merger));
    if (r < 0)
        note_failure(f, &err);
    answer(requests, r, &err);
}

/* ---- what the last run left ---- */

enum { LOG_MOST = 10 };

/* Rows and storage of those that hold nothing which is not kept elsewhere. */
static void remove_strays(struct ingester *in)
{
    struct leftovers gone = LEFTOVERS_INIT;
    struct err err = ERR_INIT;
    size_t n_left = 0;
    for (size_t i = 0; i < in->strays.n; i++) {
        const struct stray *s = &in->strays.v[i];
        struct uuid uuid;
        if (stray_judge(s, &in->deps.stores, in->installation, in->kept_lsn, &uuid) ==
            STRAY_KEPT_ELSEWHERE)
            leftovers_add(&gone, uuid, s->place, s->key);
        else if (n_left++ < LOG_MOST)
            LOG_WARN("a segment that the catalog does not know, and that is not clearly a "
                     "left-over of ours: left alone",
                     log_sv("key", s->key));
    }
    if (gone.n)
        LOG_INFO("left-over segments removed", log_uint("segments", gone.n));
    if (leftovers_remove(&gone, in->deps.index, &in->deps.stores, &err) < 0)
        LOG_WARN("left-over segments were not removed", log_str("err", err.text));
}

/* Once, before the first object is written. */
static void tidy_up(struct flusher *f)
{
    struct ingester *in = f->in;
    struct err err = ERR_INIT;
    f->tidied = true;
    int r = strays_list(&in->strays, &in->deps.stores, PLACE_OBJECT, in->startup, in->n_startup,
                        in->began_wall_ns, &err);
    for (size_t i = 0; i < in->strays.n_missing && i < LOG_MOST; i++)
        LOG_ERROR("a segment that the catalog names is missing; what it held is lost, unless its "
                  "file comes back",
                  log_sv("key", in->strays.missing[i].key));
    if (r < 0)
        LOG_WARN("the object store cannot be listed", log_str("err", err.text));
    else if (in->strays.n_missing)
        LOG_ERROR("left-over segments are not removed, since others are missing",
                  log_uint("missing", in->strays.n_missing));
    else
        remove_strays(in);
    recover_end(in);
}

/* ---- the thread ---- */

static void wait_a_moment(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    if (!in->flushes && !in->stop_flush)
        cond_wait_for(&in->changed, &in->mu, NS_PER_S);
}

static bool may_work(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->wal != NULL; /* recovery is over */
}

static void work(struct flusher *f)
{
    struct err err = ERR_INIT;
    bool none;
    if (!may_work(f->in))
        return;
    if (!f->tidied)
        tidy_up(f);
    struct flush_request *requests = take_requests(f->in);
    if (requests)
        serve(f, requests);
    else if (is_due(f)) {
        if (merge_some(f, &none, &err) < 0)
            note_failure(f, &err);
        else
            backoff_worked(&f->backoff);
    }
    remove_dead(f);
}

void flush_thread_run(void *ctx)
{
    struct ingester *in = ctx;
    struct merger_conf conf = {.publisher = &in->publisher,
                               .place = PLACE_OBJECT,
                               .level = SEGMENT_OBJECT,
                               .object_bytes = in->conf.flush_object_bytes,
                               .stop = &in->stop_flush};
    struct flusher f = {
        .in = in, .merger = merger_new(&conf), .backoff = BACKOFF_INIT(NS_PER_S, 60 * NS_PER_S)};
    while (!flush_is_stopping(in)) {
        work(&f);
        wait_a_moment(in);
    }
    struct err err = ERR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    answer(take_requests(in), err.code, &err);
    merger_free(f.merger);
}
