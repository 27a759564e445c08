/* SPDX-License-Identifier: Apache-2.0 */
#include "store/index_keeper.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/damage.h"
#include "store/index/index.h"
#include "store/view.h"

COUNTER(rebuilt_total, "halogi_index_tables_rebuilt_total",
        "Tables of the index that were made again from segments");
GAUGE(tables_bad, "halogi_index_tables_bad",
      "Tables of the index that are damaged, missing or behind, and wait to be made again");

enum { LOOK_NS = 250000000 };

static bool stopping(struct index_keeper *k)
{
    MUTEX_GUARD(&k->mu);
    return k->stop;
}

/* ---- one table ---- */

/* The segments of a pinned view with parts in one period. */
struct period_segments {
    struct index_keeper *keeper;
    struct live_segment **v; /* borrowed from the view */
    size_t n, at;
    struct segment_file open;
};

static bool has_period(const struct segment_info *info, struct period p)
{
    for (size_t i = 0; i < info->n_periods; i++)
        if (period_cmp(&info->periods[i], &p) == 0)
            return true;
    return false;
}

static int next_segment(void *ctx, struct index_source_segment *ret, struct err *err)
{
    enum { NONE_LEFT = 1 };
    struct period_segments *s = ctx;
    segment_file_close(&s->open);
    if (s->at == s->n)
        return NONE_LEFT;
    if (stopping(s->keeper))
        return err_set(err, ERR_CANCELLED, "stopped");
    const struct segment_info *info = &s->v[s->at++]->info;
    struct err why = ERR_INIT;
    int r = segment_file_open(&s->open, &s->keeper->stores, info->place, info->key, &why);
    bool is_other = r == 0 && memcmp(s->open.segment->header.uuid, info->uuid.b, UUID_BYTES) != 0;
    if (r < 0 && !damage_is(r)) /* no descriptors, no rights: no verdict on the segment */
        return err_set(err, r, "segment '%.*s': %s", SV_ARG(info->key), why.text);
    if (r < 0 || is_other)
        LOG_ERROR("a segment cannot be read for the index", log_sv("key", info->key),
                  log_str("err", is_other ? "it is another segment" : why.text));
    *ret = (struct index_source_segment){info->uuid, is_other ? NULL : s->open.segment};
    return 0;
}

static int rebuild(struct index_keeper *k, struct period p, struct err *err)
{
    struct view *view = view_pin(k->views);
    struct period_segments s = {
        .keeper = k, .v = mem_alloc((view->n_segments + 1) * sizeof(struct live_segment *))};
    for (size_t i = 0; i < view->n_segments; i++)
        if (has_period(&view->segments[i]->info, p))
            s.v[s.n++] = view->segments[i];
    struct index_source source = {next_segment, &s, s.n};
    int r = index_rebuild_period(k->index, p, &source, err);
    segment_file_close(&s.open);
    free(s.v);
    view_unpin(view);
    return r;
}

static void rebuild_all(struct index_keeper *k)
{
    struct index_bad bad = {.period = {INT64_MIN, 0}};
    int64_t n_bad = 0;
    while (index_next_bad(k->index, &bad) && !stopping(k)) {
        struct err err = ERR_INIT;
        metric_set(&tables_bad, ++n_bad);
        LOG_ERROR("a table of the index is made again from segments",
                  log_int("period_start_s", bad.period.start_ns / NS_PER_S),
                  log_str("why", bad.why));
        int r = rebuild(k, bad.period, &err);
        if (r == 0) {
            metric_add(&rebuilt_total, 1);
            n_bad--;
            backoff_worked(&k->backoff);
        } else if (r != ERR_CANCELLED) {
            LOG_ERROR("the table could not be made again", log_str("err", err.text));
            backoff_failed(&k->backoff, clock_mono_ns());
        }
    }
    metric_set(&tables_bad, n_bad);
}

/* ---- the thread ---- */

/* Tables that nobody asked for: what is wrong with one is found before a query meets it. */
static bool look_at_next(struct index_keeper *k)
{
    struct view *view = view_pin(k->views);
    int r = index_check_next(k->index, view, NULL);
    view_unpin(view);
    return r == 0; /* there may be more; one that cannot be looked at waits for a query */
}

static bool wait(struct index_keeper *k, int64_t timeout_ns)
{
    MUTEX_GUARD(&k->mu);
    if (!k->stop)
        cond_wait_for(&k->changed, &k->mu, timeout_ns);
    return !k->stop;
}

static void wait_begun(struct index_keeper *k)
{
    MUTEX_GUARD(&k->mu);
    while (!k->begun && !k->stop)
        cond_wait(&k->changed, &k->mu);
}

static void keeper_run(void *ctx)
{
    struct index_keeper *k = ctx;
    bool more = true;
    wait_begun(k);
    do {
        if (backoff_is_over(&k->backoff, clock_mono_ns()))
            rebuild_all(k);
        index_seal_idle(k->index);
        more = more && look_at_next(k);
    } while (wait(k, more ? 1 : LOOK_NS));
}

int index_keeper_start(struct index_keeper *k, struct index *index, struct views *views,
                       const struct stores *stores, struct err *err)
{
    *k = (struct index_keeper){.index = index,
                               .views = views,
                               .stores = *stores,
                               .backoff = BACKOFF_INIT(NS_PER_S, 60 * NS_PER_S)};
    mutex_init(&k->mu);
    cond_init(&k->changed);
    return thread_start(&k->thread, "index", keeper_run, k, err);
}

void index_keeper_begin(struct index_keeper *k)
{
    MUTEX_GUARD(&k->mu);
    k->begun = true;
    cond_signal(&k->changed);
}

void index_keeper_stop(struct index_keeper *k)
{
    if (!k->index)
        return;
    mutex_lock(&k->mu);
    k->stop = true;
    cond_signal(&k->changed);
    mutex_unlock(&k->mu);
    thread_join(&k->thread);
    cond_deinit(&k->changed);
    mutex_deinit(&k->mu);
    k->index = NULL;
}
