/* SPDX-License-Identifier: Apache-2.0 */
/* The spill thread: a frozen generation becomes one local segment.  Order: file durable, index
 * rows, catalog, view, and only then memory and log are given back.  When a step fails everything
 * stays as it was, and the whole is tried again. */
#include "base/backoff.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/head_pages.h"
#include "chunk/segment.h"
#include "ingester/gather.h"
#include "ingester/state.h"
#include "store/catalog.h"
#include "store/period.h"

COUNTER(spills_total, "halogi_ingester_spills_total", "Heads written to local segments");
COUNTER(spill_failures_total, "loki_ingester_chunks_flush_failures_total",
        "Segments that could not be written");
COUNTER_SCALED(spill_seconds_total, "halogi_ingester_spill_seconds_total",
               "Time spent writing heads to local segments", 1e-9);

/* --- writing ----------------------------------------------------------------------------- */

struct spill {
    struct ingester *in;
    const struct head *head;
    struct segment_writer *w;
    struct gather gather;
    bool one_period;  /* all entries lie in the first of periods */
    int64_t *periods; /* of one tenant, ascending */
    size_t n_periods, cap_periods;
    struct buf labels;
    uint64_t charged_bytes;
};

static void add_period(struct spill *sp, int64_t start_ns)
{
    size_t at = sp->n_periods;
    while (at > 0 && sp->periods[at - 1] > start_ns)
        at--;
    if (at > 0 && sp->periods[at - 1] == start_ns)
        return;
    sp->periods = mem_grow(sp->periods, &sp->cap_periods, sp->n_periods + 1, sizeof *sp->periods);
    memmove(sp->periods + at + 1, sp->periods + at, (sp->n_periods - at) * sizeof *sp->periods);
    sp->periods[at] = start_ns;
    sp->n_periods++;
}

/* Which periods the tenant has entries in.  Nearly always the head's ends tell, else those of the
 * stream. */
static void find_periods(struct spill *sp, const struct sorted_tenant *t)
{
    int64_t length_ns = sp->in->deps.period_ns;
    struct head_stream stat;
    if (sp->one_period)
        return;
    sp->n_periods = 0;
    for (size_t i = 0; i < t->n_streams; i++) {
        if (!head_stream_stat(sp->head, t->streams[i], &stat))
            continue;
        int64_t first = period_start(stat.min_ts_ns, length_ns);
        int64_t last = period_start(stat.max_ts_ns, length_ns);
        add_period(sp, first);
        if (first == last)
            continue;
        gather_stream(&sp->gather, sp->head, t->streams[i], &stat);
        for (size_t k = 0; k < sp->gather.n; k++)
            add_period(sp, period_start(sp->gather.v[k].ts_ns, length_ns));
    }
}

static int write_stream(struct spill *sp, uint32_t idx, const struct head_stream *stat,
                        int64_t start_ns, struct err *err)
{
    int64_t length_ns = sp->in->deps.period_ns;
    bool all = sp->one_period ||
               period_start(stat->min_ts_ns, length_ns) == period_start(stat->max_ts_ns, length_ns);
    gather_stream(&sp->gather, sp->head, idx, stat);
    buf_clear(&sp->labels);
    stream_labels(sp->in->streams, streams_get(sp->in->streams, idx), &sp->labels);
    int r = segment_writer_stream(sp->w, buf_view(&sp->labels), err);
    for (size_t i = 0; i < sp->gather.n && r == 0; i++)
        if (all || period_start(sp->gather.v[i].ts_ns, length_ns) == start_ns)
            r = segment_writer_add(sp->w, &sp->gather.v[i], err);
    return r;
}

static int write_part(struct spill *sp, const struct sorted_tenant *t, int64_t start_ns,
                      struct err *err)
{
    int64_t length_ns = sp->in->deps.period_ns;
    struct head_stream stat;
    int r = segment_writer_part(sp->w, t->name, start_ns, length_ns, err);
    for (size_t i = 0; i < t->n_streams && r == 0; i++) {
        if (!head_stream_stat(sp->head, t->streams[i], &stat) ||
            start_ns < period_start(stat.min_ts_ns, length_ns) || stat.max_ts_ns < start_ns)
            continue;
        r = write_stream(sp, t->streams[i], &stat, start_ns, err);
    }
    return r;
}

static int write_tenants(struct spill *sp, const struct sorted_tenant *tenants, size_t n,
                         struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        find_periods(sp, &tenants[i]);
        for (size_t k = 0; k < sp->n_periods && r == 0; k++)
            r = write_part(sp, &tenants[i], sp->periods[k], err);
        ledger_adjust(sp->in->deps.ledger, LEDGER_SPILL, &sp->charged_bytes,
                      segment_writer_mem_bytes(sp->w) + gather_mem_bytes(&sp->gather));
    }
    return r;
}

/* The time of the oldest entry. */
static int64_t look_at_times(struct spill *sp)
{
    int64_t min_ns, max_ns, length_ns = sp->in->deps.period_ns;
    head_times(sp->head, &min_ns, &max_ns);
    sp->n_periods = 0;
    add_period(sp, period_start(min_ns, length_ns));
    sp->one_period = sp->periods[0] == period_start(max_ns, length_ns);
    return min_ns;
}

static void spill_deinit(struct spill *sp)
{
    ledger_adjust(sp->in->deps.ledger, LEDGER_SPILL, &sp->charged_bytes, 0);
    gather_deinit(&sp->gather);
    buf_deinit(&sp->labels);
    free(sp->periods);
}

static int write_contents(struct spill *sp, const struct ingest_head *from, struct segment_draft *d,
                          struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct segment_coverage coverage = {.first = from->first_lsn, .last = from->end_lsn - 1};
    memcpy(coverage.source, sp->in->installation.b, UUID_BYTES);
    struct sorted_tenant *tenants = NULL;
    size_t n = streams_sort(sp->in->streams, &arena, &tenants);
    int r = write_tenants(sp, tenants, n, err);
    return r < 0 ? r : segment_writer_finish(sp->w, &coverage, 1, NULL, 0, &d->bytes, err);
}

static int write_segment(struct ingester *in, const struct ingest_head *from, struct arena *arena,
                         struct segment_draft *ret, struct err *err)
{
    struct spill sp = {.in = in, .head = from->g->head, .w = in->spill_writer};
    *ret = publish_draft(&in->publisher, PLACE_LOCAL, SEGMENT_LOCAL, look_at_times(&sp), arena);
    int r = segment_file_create(ret, &in->deps.stores, sp.w, err);
    if (r == 0)
        r = write_contents(&sp, from, ret, err);
    if (r == 0)
        r = segment_file_commit(ret, err);
    else
        segment_file_abort(ret);
    spill_deinit(&sp);
    segment_file_trim_writer(&in->spill_writer);
    return r;
}

/* --- making it live ---------------------------------------------------------------------- */

static void drop_spilled(struct ingester *in)
{
    mutex_lock(&in->mu);
    struct generation *done = in->spilling.g;
    in->n_spilled = done->number;
    in->spilling = (struct ingest_head){0};
    in->spill_err = ERR_INIT;
    cond_broadcast(&in->changed);
    mutex_unlock(&in->mu);
    generation_unref(done);
}

/* NULL while the log is replayed. */
static struct wal *wal_of(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->wal;
}

/* `from` is in->spilling, which nobody else changes. */
static int spill(struct ingester *in, struct leftovers *failed, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct ingest_head from = in->spilling;
    struct segment_draft s;
    struct segment_info info;
    struct publisher *p = &in->publisher;
    struct wal *wal = wal_of(in);
    if (wal)
        wal_flush(wal, NULL); /* everything shown must be shown before the head goes */
    mutex_lock(&in->mu);
    struct generation *active = in->active.g; /* stays, as long as there is one to spill */
    publish_note_streams(p, streams_count(in->streams));
    mutex_unlock(&in->mu);
    bool heavy = publish_heavy_begin(p);
    int r = write_segment(in, &from, &arena, &s, err);
    if (r == 0)
        r = publish_prepare(p, &s, &arena, &info, err);
    publish_heavy_end(p, heavy);
    struct publication what = {
        .add = &info, .n_add = 1, .covered_lsn = from.end_lsn, .heads = &active, .n_heads = 1};
    if (r == 0)
        r = publish_commit(p, failed, &what, err);
    if (r < 0)
        return r;
    drop_spilled(in);
    wal = wal_of(in);
    if (wal)
        wal_covered(wal, from.end_lsn);
    LOG_INFO("head written", log_sv("segment", s.key), log_uint("rows", info.n_rows),
             log_uint("line_bytes", info.line_bytes), log_uint("bytes", info.bytes),
             log_uint("parts", info.n_parts));
    return 0;
}

/* --- the thread -------------------------------------------------------------------------- */

struct spiller {
    struct ingester *in;
    struct leftovers failed;
    struct backoff backoff;
    int64_t next_check_ns, next_evict_ns;
};

static void note_spill(struct spiller *s, int r, const struct err *err, int64_t took_ns)
{
    struct ingester *in = s->in;
    if (r == 0) {
        metric_add(&spills_total, 1);
        metric_add(&spill_seconds_total, took_ns);
        backoff_worked(&s->backoff);
        return;
    }
    metric_add(&spill_failures_total, 1);
    LOG_ERROR("the head could not be written, it stays in memory and in the WAL",
              log_str("err", err->text));
    backoff_failed(&s->backoff, clock_mono_ns());
    mutex_lock(&in->mu);
    in->spill_err = *err;
    cond_broadcast(&in->changed); /* a flush may wait for the end of it */
    mutex_unlock(&in->mu);
    ingest_refuse_waiting(in, ERR_UNAVAILABLE, err->text);
}

static bool due_locked(const struct ingester *in, int64_t now_ns)
{
    if (in->active.began_mono_ns == 0 || !in->wal)
        return false; /* during recovery the replay swaps, at a record's LSN */
    return in->swap_wanted || wal_is_broken(in->wal, NULL) ||
           now_ns - in->active.began_mono_ns >= in->conf.head_max_age_ns;
}

/* What was appended is in a segment now, whatever became of the log. */
static void repair_log(struct ingester *in)
{
    struct err err = ERR_INIT;
    mutex_lock(&in->mu);
    bool broken =
        in->wal && wal_is_broken(in->wal, NULL) && !in->spilling.g && in->active.began_mono_ns == 0;
    int r = broken ? wal_repair(in->wal, &err) : 0;
    mutex_unlock(&in->mu);
    if (r < 0)
        LOG_ERROR("the WAL cannot be written, pushes get 503", log_str("err", err.text));
    else if (broken)
        LOG_WARN("the WAL goes on in a new file");
}

static double used_share(const char *folder)
{
    struct disk_space space;
    if (file_disk_space(folder, &space, NULL) < 0 || space.total_bytes == 0)
        return 0;
    return 1 - (double)space.free_bytes / (double)space.total_bytes;
}

static void check_disk(struct ingester *in)
{
    if (in->conf.disk_full_threshold <= 0)
        return;
    double data = used_share(in->deps.data_dir), wal = used_share(in->wal_folder.p);
    double used = data > wal ? data : wal;
    mutex_lock(&in->mu);
    bool was = in->disk_full;
    /* A little below the watermark before it opens again, so that it does not flap. */
    in->disk_full = used >= in->conf.disk_full_threshold - (was ? 0.01 : 0);
    bool now = in->disk_full;
    mutex_unlock(&in->mu);
    if (now == was)
        return;
    LOG_WARN(now ? "the disk is full, pushes get 503" : "the disk has room again",
             log_float("used", used), log_float("threshold", in->conf.disk_full_threshold));
    if (now)
        ingest_refuse_waiting(in, ERR_DISK_FULL, "the disk is used over the watermark");
}

static void evict_idle(struct ingester *in)
{
    mutex_lock(&in->mu);
    uint64_t oldest = in->spilling.g ? in->spilling.g->number : in->active.g->number;
    uint64_t n =
        streams_evict(in->streams, oldest, clock_mono_ns() - in->conf.chunk_idle_period_ns);
    mutex_unlock(&in->mu);
    if (n)
        LOG_DEBUG("idle streams left memory", log_uint("streams", n));
}

static void housekeeping(struct spiller *s, int64_t now_ns)
{
    if (now_ns >= s->next_check_ns) {
        check_disk(s->in);
        repair_log(s->in);
        s->next_check_ns = now_ns + NS_PER_S;
    }
    if (now_ns >= s->next_evict_ns) {
        evict_idle(s->in);
        head_pages_trim(s->in->head_pages);
        s->next_evict_ns = now_ns + s->in->conf.flush_check_period_ns;
    }
}

/* True when there is a generation to write now. */
static bool wait_for_work(struct spiller *s)
{
    struct ingester *in = s->in;
    mutex_lock(&in->mu);
    int64_t now_ns = clock_mono_ns();
    if (due_locked(in, now_ns))
        ingest_swap_locked(in, wal_next_lsn(in->wal));
    bool work = in->spilling.g && backoff_is_over(&s->backoff, now_ns);
    if (!work && !in->stop_spill)
        cond_wait_for(&in->changed, &in->mu, NS_PER_S / 4);
    mutex_unlock(&in->mu);
    return work;
}

static bool stopping(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->stop_spill;
}

void spill_thread_run(void *ctx)
{
    struct spiller s = {.in = ctx, .backoff = BACKOFF_INIT(NS_PER_S / 4, 10 * NS_PER_S)};
    while (!stopping(s.in)) {
        bool work = wait_for_work(&s);
        int64_t began_ns = clock_mono_ns();
        if (work) {
            struct err err = ERR_INIT;
            int r = spill(s.in, &s.failed, &err);
            note_spill(&s, r, &err, clock_mono_ns() - began_ns);
            repair_log(s.in);
        }
        ingest_resume(s.in);
        housekeeping(&s, clock_mono_ns());
    }
    leftovers_deinit(&s.failed);
}
