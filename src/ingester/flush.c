/* SPDX-License-Identifier: Apache-2.0 */
/* The flush thread: when a merge of local segments is due, and who waits for the end of all of
 * them. */
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/segment.h"
#include "ingester/flush_impl.h"

COUNTER(flush_failures_total, "halogi_ingester_flush_failures_total",
        "Merges of local segments into objects that failed and are tried again");

/* --- all of them --------------------------------------------------------------------------- */

static void note_failure(struct flusher *f, const struct err *err)
{
    enum { FIRST_S = 1, MOST_S = 60 };
    metric_add(&flush_failures_total, 1);
    LOG_ERROR("local segments did not become objects, they stay where they are",
              log_str("err", err->text));
    f->retry_ns = f->retry_ns ? f->retry_ns * 2 : FIRST_S * NS_PER_S;
    if (f->retry_ns > MOST_S * NS_PER_S)
        f->retry_ns = MOST_S * NS_PER_S;
    f->retry_at_ns = clock_mono_ns() + f->retry_ns;
}

/* Until there are none, or it fails. */
static int merge_all(struct flusher *f, struct err *err)
{
    bool done = false;
    int r = 0;
    while (!done && (r == 0 || r == ERR_CORRUPT)) {
        if (flush_is_stopping(f->in))
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        size_t n_damaged = f->n_damaged;
        unsigned singly = f->singly;
        r = flush_merge_some(f, &done, err);
        if (r == ERR_CORRUPT && f->n_damaged == n_damaged && singly)
            break;
    }
    if (r == 0)
        f->retry_ns = 0;
    return r;
}

/* --- when ---------------------------------------------------------------------------------- */

/* The wall clock says how old a segment of an earlier run is, once; from then on time is counted
 * by the clock that never jumps. */
static int64_t oldest_age_ns(struct flusher *f, const struct flush_round *rd, int64_t now_ns)
{
    const struct segment_info *info = &rd->live[0]->info;
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
    if (now_ns < f->retry_at_ns)
        return false;
    struct flush_round rd;
    flush_round_init(&rd, f);
    bool due =
        rd.n_live > 0 && (rd.live_bytes >= c->flush_local_bytes || rd.n_live >= MERGE_MAX_SOURCES ||
                          f->singly || oldest_age_ns(f, &rd, now_ns) >= c->flush_local_age_ns);
    flush_round_deinit(&rd);
    return due;
}

/* --- flush requests ------------------------------------------------------------------------ */

static void enqueue_locked(struct ingester *in, struct flush_request *q)
{
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

struct waited {
    struct mutex mu;
    struct cond done;
    bool ran;
    int result;
    struct err err;
};

static void wake(void *ctx, int result, const struct err *err)
{
    struct waited *w = ctx;
    MUTEX_GUARD(&w->mu);
    w->ran = true;
    w->result = result;
    if (result < 0)
        w->err = *err;
    cond_signal(&w->done);
}

int flush_and_wait(struct ingester *in, struct err *err)
{
    struct waited w = {0};
    mutex_init(&w.mu);
    cond_init(&w.done);
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    *q = (struct flush_request){.done = wake, .ctx = &w};
    mutex_lock(&in->mu);
    enqueue_locked(in, q);
    mutex_unlock(&in->mu);
    mutex_lock(&w.mu);
    while (!w.ran)
        cond_wait(&w.done, &w.mu);
    mutex_unlock(&w.mu);
    cond_deinit(&w.done);
    mutex_deinit(&w.mu);
    return w.result < 0 ? err_set(err, w.result, "%s", w.err.text) : 0;
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
    if (r == 0 && f->n_damaged)
        r = err_set(&err, ERR_CORRUPT, "%zu damaged local segments cannot become objects",
                    f->n_damaged);
    if (r < 0)
        note_failure(f, &err);
    answer(requests, r, &err);
}

/* --- what the last run left ----------------------------------------------------------------- */

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

void flush_remove_dead(struct flusher *f)
{
    struct err err = ERR_INIT;
    if (publish_remove_dead(&f->in->publisher, &err) < 0)
        LOG_WARN("segments that nobody needs any more stay", log_str("err", err.text));
}

/* --- the thread ---------------------------------------------------------------------------- */

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
    bool done;
    if (!may_work(f->in))
        return;
    if (!f->tidied)
        tidy_up(f);
    struct flush_request *requests = take_requests(f->in);
    if (requests)
        serve(f, requests);
    else if (is_due(f)) {
        if (flush_merge_some(f, &done, &err) < 0)
            note_failure(f, &err);
        else
            f->retry_ns = 0;
    }
    flush_remove_dead(f);
}

void flush_thread_run(void *ctx)
{
    struct flusher f = {.in = ctx, .merge = merge_new(), .writer = segment_writer_new()};
    while (!flush_is_stopping(f.in)) {
        work(&f);
        wait_a_moment(f.in);
    }
    struct err err = ERR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    answer(take_requests(f.in), err.code, &err);
    leftovers_deinit(&f.failed);
    merge_free(f.merge);
    segment_writer_free(f.writer);
    free(f.damaged);
}
