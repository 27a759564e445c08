/* SPDX-License-Identifier: Apache-2.0 */
/* A head strand: the entries are in memory as they came, newest append first.  Where the stream
 * came in time order they are taken in batches, so that a query that has enough can stop early. */
#include "chunk/collapse.h"
#include "chunk/head.h"
#include "query/scan/scan_impl.h"
#include "store/view.h"

enum { BATCH_ENTRIES = 1024 };

struct head_walk {
    struct scan_worker *w;
    const struct plan_head_strand *strand;
    struct head_iter it;
    struct entry next; /* read but not yet in a batch */
    bool has_next;
    struct time_span within;
};

static bool walk_next(struct head_walk *h, struct entry *ret)
{
    if (h->has_next) {
        *ret = h->next;
        h->has_next = false;
        return true;
    }
    while (head_iter_next(&h->it, ret, NULL)) {
        if (h->strand->in_order && ret->ts_ns < h->within.min_ns)
            return false; /* and so are all that follow */
        if (ret->ts_ns >= h->within.min_ns && ret->ts_ns <= h->within.max_ns)
            return true;
    }
    return false;
}

static int reserve_entries(struct scan_worker *w, size_t n, struct err *err)
{
    size_t before = w->cap_entries;
    int r = query_grow(scan_control(w), &w->entries, &w->cap_entries, n, sizeof *w->entries, err);
    w->charged_bytes += (w->cap_entries - before) * sizeof *w->entries;
    return r;
}

static void reverse(struct entry *v, size_t n)
{
    for (size_t a = 0, b = n; a + 1 < b; a++, b--) {
        struct entry t = v[a];
        v[a] = v[b - 1];
        v[b - 1] = t;
    }
}

/* Fills w->entries with the next batch, in (time, arrival) order; entries of one time are never
 * parted.  Out of order, one batch holds all. */
static int next_batch(struct head_walk *h, size_t *ret_n, struct err *err)
{
    struct scan_worker *w = h->w;
    struct entry e;
    size_t n = 0;
    while (walk_next(h, &e)) {
        if (h->strand->in_order && n >= BATCH_ENTRIES && e.ts_ns != w->entries[n - 1].ts_ns) {
            h->next = e;
            h->has_next = true;
            break;
        }
        int r = reserve_entries(w, n + 1, err);
        if (r == 0 && n % BATCH_ENTRIES == 0)
            r = query_check(scan_control(w), err);
        if (r < 0)
            return r;
        w->stats.ingester.head_chunk_bytes += (int64_t)e.line.len;
        w->stats.ingester.head_chunk_sm_bytes += (int64_t)e.sm.len;
        w->entries[n++] = e;
    }
    w->stats.ingester.head_chunk_lines += (int64_t)n;
    reverse(w->entries, n);
    *ret_n = n ? entries_sort_collapse(w->entries, n) : 0;
    w->stats.ingester.total_duplicates += (int64_t)(n - *ret_n);
    return 0;
}

/* ---- for each query ---- */

static void copy_times(const struct entry *v, size_t n, int64_t *ts_ns)
{
    for (size_t i = 0; i < n; i++)
        ts_ns[i] = v[i].ts_ns;
}

/* Entries that pass the line tests, moved to the front. */
static size_t keep_passing(struct query_worker *q, uint32_t stream, struct entry *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (scan_may_keep(q, stream, &v[i]))
            v[kept++] = v[i];
    return kept;
}

static int share_stretch(struct query_worker *q, const struct plan_strand *strand,
                         const struct stretch *s, struct err *err)
{
    size_t n = s->to - s->from;
    struct entry *v = mem_alloc(n * sizeof *v); /* the batch itself serves other queries */
    memcpy(v, q->worker->entries + s->from, n * sizeof *v);
    n = keep_passing(q, strand->stream, v, n);
    int r = scan_share(q, strand, s->zone, v, n, err);
    free(v);
    return r;
}

static int scan_batch(struct query_worker *q, const struct plan_strand *strand,
                      const int64_t *ts_ns, size_t n, struct err *err)
{
    struct scan_worker *w = q->worker;
    int r = 0;
    if (scan_drops_stream(q->state, strand->stream))
        return 0;
    scan_cut(w, q, strand, ts_ns, 0, (uint32_t)n);
    for (size_t i = 0; i < w->n_stretches && r == 0; i++) {
        const struct stretch *s = scan_stretch(w, i);
        r = s->zone == SCAN_NO_ZONE
                ? scan_entries(q, strand->stream, w->entries + s->from, s->to - s->from, false, err)
                : share_stretch(q, strand, s, err);
    }
    return r;
}

/* The newest time of the batches still to come can matter to nobody. */
static bool is_enough(const struct scan_worker *w, const struct head_walk *h)
{
    return w->scan->backward && h->has_next && !scan_wants_ts(&w->queries[0], h->next.ts_ns);
}

static int scan_batches(struct scan_worker *w, struct head_walk *h, struct err *err)
{
    int64_t *ts_ns = NULL;
    size_t n = 1, cap = 0;
    int r = 0;
    while (r == 0 && n > 0 && !is_enough(w, h)) {
        if ((r = next_batch(h, &n, err)) < 0)
            break;
        ts_ns = mem_grow(ts_ns, &cap, n, sizeof *ts_ns);
        copy_times(w->entries, n, ts_ns);
        for (size_t i = 0; i < w->scan->n_queries && r == 0; i++)
            r = scan_batch(&w->queries[i], &h->strand->strand, ts_ns, n, err);
    }
    free(ts_ns);
    return r;
}

int scan_head(struct scan_worker *w, const struct plan_task *t, struct err *err)
{
    const struct plan *p = w->scan->plan;
    const struct plan_head_strand *strand = &p->head_strands[t->first_strand];
    struct head_walk h = {.w = w, .strand = strand, .within = p->within};
    head_iter_init(&h.it, p->view->heads[strand->head]->head,
                   p->streams[strand->strand.stream].head_idx, p->view->visible[strand->head]);
    int r = scan_batches(w, &h, err);
    for (size_t i = 0; i < w->scan->n_queries && r == 0; i++)
        r = scan_arrive(&w->queries[i], &strand->strand, err);
    return r;
}
