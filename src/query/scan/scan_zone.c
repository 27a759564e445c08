/* SPDX-License-Identifier: Apache-2.0 */
/* Which stretch of which strand is read in which round: the one place that asks for the round.
 * The first reads everything.  Where it brought the lengths of lines alone to zones, some may have
 * been left in doubt (zone.h): the second reads the strands of those again, that stretch of them
 * only, and brings lines.  There is no third: full shares leave no doubt. */
#include "query/scan/scan_impl.h"

/* ---- rounds ---- */

/* zone SCAN_NO_ZONE: what lies between zones. */
static bool wants_zone(const struct scan_job *job, const struct scanned_query *s, size_t zone)
{
    return !job->is_second_round || (zone != SCAN_NO_ZONE && s->zones[zone].needs_lines);
}

static bool wants_some_zone(const struct scan_job *job, const struct scanned_query *s,
                            const struct plan_strand *strand)
{
    for (size_t z = strand->first_zone; z < strand->first_zone + strand->n_zones; z++)
        if (wants_zone(job, s, z))
            return true;
    return false;
}

bool scan_wants_strand(const struct query_worker *q, const struct plan_strand *strand)
{
    const struct scan_job *job = q->worker->scan;
    return !job->is_second_round || wants_some_zone(job, q->state, strand);
}

static const struct plan_strand *strand_of_task(const struct plan *p, const struct plan_task *t,
                                                uint32_t i)
{
    return t->part == PLAN_HEAD_TASK ? &p->head_strands[t->first_strand + i].strand
                                     : &p->parts[t->part].strands[t->first_strand + i];
}

bool scan_wants_task(const struct scan_job *job, const struct plan_task *t)
{
    if (!job->is_second_round)
        return true;
    for (uint32_t i = 0; i < t->n_strands; i++)
        for (size_t k = 0; k < job->n_queries; k++)
            if (wants_some_zone(job, &job->queries[k], strand_of_task(job->plan, t, i)))
                return true;
    return false;
}

bool scan_shares_bare(const struct query_worker *q)
{
    return q->state->bare && !q->worker->scan->is_second_round;
}

bool scan_next_round(struct scan_job *job)
{
    bool any = false;
    for (size_t i = 0; i < job->n_queries && !job->is_second_round; i++)
        for (size_t z = 0; z < job->plan->n_zones; z++) {
            struct zone *zone = &job->queries[i].zones[z];
            any |= zone->needs_lines;
            atomic_store(&zone->n_missing, job->plan->zones[z].n_spans);
        }
    job->is_second_round = any;
    return any;
}

/* ---- stretches ---- */

/* The first row of [from, to) at or after ts. */
static uint32_t row_at(const int64_t *ts_ns, uint32_t from, uint32_t to, int64_t ts)
{
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (ts_ns[mid] < ts)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

uint32_t scan_row_after(const int64_t *ts_ns, uint32_t from, uint32_t to, int64_t ts)
{
    return ts == INT64_MAX ? to : row_at(ts_ns, from, to, ts + 1);
}

static void add_stretch(struct scan_worker *w, const struct scanned_query *s, uint32_t from,
                        uint32_t to, size_t zone)
{
    if (from >= to || !wants_zone(w->scan, s, zone))
        return;
    w->stretches =
        mem_grow(w->stretches, &w->cap_stretches, w->n_stretches + 1, sizeof *w->stretches);
    w->stretches[w->n_stretches++] = (struct stretch){from, to, zone};
}

void scan_cut(struct scan_worker *w, const struct query_worker *q, const struct plan_strand *strand,
              const int64_t *ts_ns, uint32_t from, uint32_t to)
{
    const struct overlap_zone *zones = w->scan->plan->zones;
    w->n_stretches = 0;
    from = row_at(ts_ns, from, to, q->state->q->within.min_ns);
    to = scan_row_after(ts_ns, from, to, q->state->q->within.max_ns);
    for (size_t z = strand->first_zone; z < strand->first_zone + strand->n_zones; z++) {
        uint32_t begin = row_at(ts_ns, from, to, zones[z].at.min_ns);
        uint32_t end = scan_row_after(ts_ns, begin, to, zones[z].at.max_ns);
        add_stretch(w, q->state, from, begin, SCAN_NO_ZONE);
        add_stretch(w, q->state, begin, end, z);
        from = end;
    }
    add_stretch(w, q->state, from, to, SCAN_NO_ZONE);
}

const struct stretch *scan_stretch(const struct scan_worker *w, size_t i)
{
    return &w->stretches[w->scan->backward ? w->n_stretches - 1 - i : i];
}

/* ---- zones ---- */

int scan_share(struct query_worker *q, const struct plan_strand *strand, size_t zone,
               const struct entry *v, size_t n, struct err *err)
{
    struct zone_share *s;
    if (n == 0)
        return 0;
    int r = zone_share_new(&s, strand->arrival, v, n, scan_shares_bare(q), scan_control(q->worker),
                           err);
    if (r == 0)
        zone_add(&q->state->zones[zone], s);
    return r;
}

static int take_zone(struct query_worker *q, size_t zone, uint32_t stream, struct err *err)
{
    struct zone_entries e;
    struct query_control *control = scan_control(q->worker);
    int r = zone_collapse(&q->state->zones[zone], &e, control, err);
    if (r == 0)
        r = scan_entries(q, stream, e.v, e.n, true, err);
    q->worker->stats.store.total_duplicates += (int64_t)e.n_repeats;
    zone_entries_deinit(&e, control);
    return r;
}

int scan_arrive(struct query_worker *q, const struct plan_strand *strand, struct err *err)
{
    for (size_t z = strand->first_zone; z < strand->first_zone + strand->n_zones; z++) {
        if (!wants_zone(q->worker->scan, q->state, z) || !zone_arrive(&q->state->zones[z]))
            continue;
        int r = take_zone(q, z, strand->stream, err);
        if (r < 0)
            return r;
    }
    return 0;
}
