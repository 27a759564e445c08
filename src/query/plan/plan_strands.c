/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keyed.h"
#include "chunk/head.h"
#include "query/plan/plan_impl.h"
#include "store/view.h"

/* ---- heads ---- */

static void add_head_strand(struct plan *p, uint32_t stream, uint32_t head)
{
    struct head_bounds b;
    if (!head_stream_bounds(p->view->heads[head]->head, p->streams[stream].head_idx, &b) ||
        b.max_ts_ns < p->within.min_ns || b.min_ts_ns > p->within.max_ns)
        return;
    p->head_strands[p->n_head_strands++] = (struct plan_head_strand){
        .strand = {.stream = stream, .arrival = (uint64_t)(p->n_parts + head) << 32},
        .head = head,
        .at = {b.min_ts_ns, b.max_ts_ns},
        .in_order = b.in_order};
}

static void find_head_strands(struct plan *p)
{
    size_t n = 0;
    for (uint32_t s = 0; s < p->n_streams; s++)
        n += p->streams[s].head_idx != PLAN_NO_HEAD;
    p->head_strands = ARENA_ARRAY(&p->arena, struct plan_head_strand, n * p->view->n_heads);
    for (uint32_t s = 0; s < p->n_streams; s++)
        for (uint32_t h = 0; p->streams[s].head_idx != PLAN_NO_HEAD && h < p->view->n_heads; h++)
            add_head_strand(p, s, h);
}

/* ---- runs ---- */

static struct time_span span_of(const struct segment_run *run)
{
    return (struct time_span){run->min_ts_ns, run->max_ts_ns};
}

static void number_strands(struct plan *p)
{
    for (size_t i = 0; i < p->n_parts; i++) {
        struct plan_part *part = &p->parts[i];
        size_t n = part->selected->n_runs;
        part->strands = ARENA_ARRAY(&p->arena, struct plan_strand, n);
        for (size_t k = 0; k < n; k++)
            part->strands[k] = (struct plan_strand){
                .stream = p->rank_of_series[part->selected->runs[k].series],
                .arrival = (uint64_t)i << 32 | part->selected->runs[k].arrival};
    }
}

/* ---- zones ---- */

/* The strands of all streams, those of one stream side by side. */
struct strands_of_streams {
    size_t *end; /* per stream; start is the end of the one before */
    struct time_span *spans;
    struct plan_strand **strands;
    size_t n;
};

static void each_strand(struct plan *p,
                        void (*fn)(struct strands_of_streams *, struct plan_strand *,
                                   struct time_span),
                        struct strands_of_streams *g)
{
    for (size_t i = 0; i < p->n_parts; i++)
        for (size_t k = 0; k < p->parts[i].selected->n_runs; k++)
            fn(g, &p->parts[i].strands[k], span_of(&p->parts[i].selected->runs[k].run));
    for (size_t i = 0; i < p->n_head_strands; i++)
        fn(g, &p->head_strands[i].strand, p->head_strands[i].at);
}

static void count_strand(struct strands_of_streams *g, struct plan_strand *strand,
                         struct time_span at)
{
    g->end[strand->stream]++;
    g->n++;
}

static void place_strand(struct strands_of_streams *g, struct plan_strand *strand,
                         struct time_span at)
{
    size_t to = g->end[strand->stream]++;
    g->spans[to] = at;
    g->strands[to] = strand;
}

/* Counts to starts; placing turns them into ends. */
static void starts_of_counts(struct strands_of_streams *g, uint32_t n_streams)
{
    size_t at = 0;
    for (uint32_t s = 0; s < n_streams; s++) {
        size_t n = g->end[s];
        g->end[s] = at;
        at += n;
    }
}

struct zone_list {
    struct overlap_zone *v;
    size_t n, cap;
};

static void find_zones_of(struct overlap_finder *f, const struct strands_of_streams *g,
                          uint32_t stream, struct time_span within, struct zone_list *zones)
{
    size_t from = stream ? g->end[stream - 1] : 0, to = g->end[stream];
    overlap_find(f, g->spans + from, to - from, within);
    if (f->n == 0)
        return;
    zones->v = mem_grow(zones->v, &zones->cap, zones->n + f->n, sizeof *zones->v);
    memcpy(zones->v + zones->n, f->v, f->n * sizeof *f->v);
    for (size_t i = from; i < to; i++) {
        size_t first;
        g->strands[i]->n_zones = (uint32_t)overlap_zones_in(f, g->spans[i], &first);
        g->strands[i]->first_zone = zones->n + first;
    }
    zones->n += f->n;
}

static int keep_zones(struct plan *p, const struct zone_list *zones, struct err *err)
{
    uint64_t bytes = zones->n * sizeof *zones->v;
    int r = query_charge(p->env->control, bytes, err); /* a moment twice: here and in the arena */
    if (r < 0)
        return r;
    p->n_zones = zones->n;
    p->zones = ARENA_ARRAY(&p->arena, struct overlap_zone, zones->n);
    if (zones->n)
        memcpy(p->zones, zones->v, bytes);
    query_release(p->env->control, bytes);
    return 0;
}

static int find_zones_in(struct plan *p, struct strands_of_streams *g, struct err *err)
{
    starts_of_counts(g, p->n_streams);
    each_strand(p, place_strand, g);
    struct overlap_finder f = OVERLAP_FINDER_INIT;
    struct zone_list zones = {0};
    for (uint32_t s = 0; s < p->n_streams; s++)
        find_zones_of(&f, g, s, p->within, &zones);
    int r = keep_zones(p, &zones, err);
    free(zones.v);
    overlap_finder_deinit(&f);
    return r;
}

static int find_zones(struct plan *p, struct err *err)
{
    struct strands_of_streams g = {.end = mem_zalloc(p->n_streams + (size_t)1, sizeof *g.end)};
    each_strand(p, count_strand, &g);
    uint64_t bytes = g.n * (sizeof *g.spans + sizeof *g.strands);
    int r = query_charge(p->env->control, bytes, err);
    if (r == 0) {
        g.spans = mem_alloc(g.n * sizeof *g.spans);
        g.strands = mem_alloc(g.n * sizeof *g.strands);
        r = find_zones_in(p, &g, err);
        free(g.spans);
        free(g.strands);
        query_release(p->env->control, bytes);
    }
    free(g.end);
    return r;
}

/* ---- tasks ---- */

/* Runs stand by chunk. */
static size_t add_chunk_tasks(const struct plan *p, uint32_t part, struct plan_task *out)
{
    const struct index_selected_part *sel = p->parts[part].selected;
    size_t n = 0;
    for (size_t i = 0; i < sel->n_runs; i++) {
        const struct segment_run *run = &sel->runs[i].run;
        if (i > 0 && run->chunk == sel->runs[i - 1].run.chunk) {
            if (out) {
                out[n - 1].n_strands++;
                out[n - 1].at = span_hull(out[n - 1].at, span_of(run));
            }
            continue;
        }
        if (out)
            out[n] = (struct plan_task){span_of(run), part, (uint32_t)i, 1};
        n++;
    }
    return n;
}

/* Times as keys that rise in the order asked for. */
static uint64_t order_key(const struct plan_task *t, enum plan_order order)
{
    uint64_t sign = UINT64_C(1) << 63;
    return order == PLAN_NEWEST_FIRST ? ~((uint64_t)t->at.max_ns ^ sign)
                                      : (uint64_t)t->at.min_ns ^ sign;
}

static int sort_tasks(struct plan *p, enum plan_order order, struct err *err)
{
    uint64_t bytes = p->n_tasks * sizeof *p->tasks + KEYED_SORT_BYTES(p->n_tasks);
    int r = query_charge(p->env->control, bytes, err);
    if (r < 0)
        return r;
    struct plan_task *from = mem_alloc((p->n_tasks + 1) * sizeof *from);
    struct keyed *keys = mem_alloc((p->n_tasks + 1) * sizeof *keys);
    for (size_t i = 0; i < p->n_tasks; i++) {
        from[i] = p->tasks[i];
        keys[i] = (struct keyed){order_key(&from[i], order), i};
    }
    keyed_sort(keys, p->n_tasks);
    for (size_t i = 0; i < p->n_tasks; i++)
        p->tasks[i] = from[keys[i].number];
    free(from);
    free(keys);
    query_release(p->env->control, bytes);
    return 0;
}

static int make_tasks(struct plan *p, enum plan_order order, struct err *err)
{
    for (uint32_t i = 0; i < p->n_parts; i++)
        p->n_chunks += add_chunk_tasks(p, i, NULL);
    p->tasks = ARENA_ARRAY(&p->arena, struct plan_task, p->n_chunks + p->n_head_strands);
    for (uint32_t i = 0; i < p->n_parts; i++)
        p->n_tasks += add_chunk_tasks(p, i, p->tasks + p->n_tasks);
    for (uint32_t i = 0; i < p->n_head_strands; i++)
        p->tasks[p->n_tasks++] = (struct plan_task){p->head_strands[i].at, PLAN_HEAD_TASK, i, 1};
    return sort_tasks(p, order, err);
}

int plan_find_strands(struct plan *p, enum plan_order order, struct err *err)
{
    number_strands(p);
    find_head_strands(p);
    int r = find_zones(p, err);
    return r < 0 ? r : make_tasks(p, order, err);
}
