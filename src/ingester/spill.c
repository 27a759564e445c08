/* SPDX-License-Identifier: Apache-2.0 */
/* A generation has its entries in order of arrival, streams mixed; a segment has them stream by
 * stream in order of time, the streams of a part in label order, and a part for each tenant and
 * period.  Between the two lies a sort of everything in memory, tens of megabytes, while pushes go
 * on and want the processor and the memory themselves.  So:
 *   - Streams are not sorted anew: each tenant keeps its streams sorted, and only those that came
 *     since the last spill are sorted and merged in (streams_sort).
 *   - Entries are not sorted where they came in order of time, which the head has noticed; one pass
 *     over its pages finds each stream's entries (chunk/head_order.h), since following the streams'
 *     back-pointers waits for memory at every entry.
 *   - Entries are not copied: what gather_stream() yields borrows the pages.  What a spill needs
 *     beside them is the writer's chunk in work, the directory, and 16 bytes or so an entry.
 *   - Nearly always all entries lie in one period, which the head's ends tell.  Else each stream's
 *     ends are looked at, and only the entries of streams that cross a border one by one; such a
 *     stream is gathered again for each of its periods, which is rare and costs no memory.
 * Exact repeats of (time, line, metadata) within the generation are dropped here: a stream is a
 * set.
 * What must hold: every entry of the generation gets into exactly one part, also the one that
 * stands at the first or the last nanosecond of a period; the coverage is what the generation holds
 * and nothing else (cover.h); and nothing here gives anything back.  Memory and log go only after
 * the catalog has named the segment (spiller.c). */
#include "ingester/spill.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/ledger.h"
#include "chunk/head.h"
#include "chunk/segment.h"
#include "ingester/cover.h"
#include "ingester/gather.h"
#include "ingester/heads.h"
#include "ingester/streams/streams.h"
#include "store/period.h"
#include "store/publish.h"
#include "store/view.h"

struct spill {
    const struct spill_tools *tools; /* borrowed, as the next two */
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
    int64_t length_ns = sp->tools->period_ns;
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
    int64_t length_ns = sp->tools->period_ns;
    bool all = sp->one_period ||
               period_start(stat->min_ts_ns, length_ns) == period_start(stat->max_ts_ns, length_ns);
    gather_stream(&sp->gather, sp->head, idx, stat);
    buf_clear(&sp->labels);
    stream_labels(sp->tools->streams, streams_get(sp->tools->streams, idx), &sp->labels);
    int r = segment_writer_stream(sp->w, buf_view(&sp->labels), err);
    for (size_t i = 0; i < sp->gather.n && r == 0; i++)
        if (all || period_start(sp->gather.v[i].ts_ns, length_ns) == start_ns)
            r = segment_writer_add(sp->w, &sp->gather.v[i], err);
    return r;
}

static int write_part(struct spill *sp, const struct sorted_tenant *t, int64_t start_ns,
                      struct err *err)
{
    int64_t length_ns = sp->tools->period_ns;
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
        ledger_adjust(sp->tools->publisher->deps.ledger, LEDGER_SPILL, &sp->charged_bytes,
                      segment_writer_mem_bytes(sp->w) + gather_mem_bytes(&sp->gather));
    }
    return r;
}

/* The time of the oldest entry. */
static int64_t look_at_times(struct spill *sp)
{
    int64_t min_ns, max_ns, length_ns = sp->tools->period_ns;
    head_times(sp->head, &min_ns, &max_ns);
    sp->n_periods = 0;
    add_period(sp, period_start(min_ns, length_ns));
    sp->one_period = sp->periods[0] == period_start(max_ns, length_ns);
    return min_ns;
}

static void spill_deinit(struct spill *sp)
{
    ledger_adjust(sp->tools->publisher->deps.ledger, LEDGER_SPILL, &sp->charged_bytes, 0);
    gather_deinit(&sp->gather);
    buf_deinit(&sp->labels);
    free(sp->periods);
}

static int write_contents(struct spill *sp, const struct head_span *from, struct segment_draft *d,
                          struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct sorted_tenant *tenants = NULL;
    size_t n = streams_sort(sp->tools->streams, &arena, &tenants);
    int r = write_tenants(sp, tenants, n, err);
    if (r < 0)
        return r;
    size_t n_coverage = 0;
    struct segment_coverage *coverage =
        cover_claim(sp->tools->cover, from->first_lsn, from->end_lsn, &arena, &n_coverage);
    return segment_writer_finish(sp->w, coverage, n_coverage, NULL, 0, &d->bytes, err);
}

int spill_write(const struct spill_tools *tools, const struct head_span *from,
                struct segment_writer **w, struct arena *arena, struct segment_draft *ret,
                struct err *err)
{
    struct spill sp = {.tools = tools, .head = from->g->head, .w = *w};
    struct publisher *p = tools->publisher;
    *ret = publish_draft(p, PLACE_LOCAL, SEGMENT_LOCAL, look_at_times(&sp), arena);
    int r = segment_file_create(ret, &p->deps.stores, sp.w, err);
    if (r == 0)
        r = write_contents(&sp, from, ret, err);
    if (r == 0)
        r = segment_file_commit(ret, err);
    else
        segment_file_abort(ret);
    spill_deinit(&sp);
    segment_file_trim_writer(w);
    return r;
}
