/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan/scan_impl.h"

static bool line_passes(struct query_worker *q, struct str_view line)
{
    const struct scanned_query *s = q->state;
    for (size_t i = 0; i < s->n_line_tests; i++)
        if (!line_test_passes(&s->line_tests[i], q->runner.scratch, line))
            return false;
    return true;
}

static bool metadata_has(struct str_view encoded, struct str_view name)
{
    if (encoded.len == 0)
        return false;
    struct reader in = reader_of(encoded);
    for (uint64_t n = rd_varint(&in); n > 0 && !in.bad; n--) {
        if (sv_eq(rd_str(&in, encoded.len), name))
            return true;
        rd_str(&in, encoded.len);
    }
    return in.bad;
}

bool scan_may_keep(struct query_worker *q, uint32_t stream, const struct entry *e)
{
    const struct value_needles *needles = q->state->value_needles;
    struct labels base = q->worker->scan->plan->streams[stream].labels;
    if (!line_passes(q, e->line))
        return false;
    for (size_t i = 0; i < needles->n; i++)
        if (!value_needle_in_line(&needles->v[i], e->line) &&
            !labels_get(base, needles->v[i].label).p && !metadata_has(e->sm, needles->v[i].label))
            return false;
    return true;
}

static void turn_to(struct query_worker *q, uint32_t stream)
{
    if (q->stream == stream)
        return;
    pipeline_runner_stream(&q->runner, q->worker->scan->plan->streams[stream].labels);
    q->stream = stream;
}

/* ---- log rows ---- */

static int offer_row(struct query_worker *q, uint32_t stream, uint32_t position, struct err *err)
{
    struct labels_builder *b = &q->runner.b;
    struct top_row row = {
        .ts_ns = q->runner.ts_ns, .stream = stream, .order = position, .line = q->runner.line};
    buf_clear(&q->labels);
    buf_clear(&q->sm);
    buf_clear(&q->parsed);
    if (q->state->q->categorize) {
        labels_encode(&q->labels, labels_builder_of(b, LABEL_STREAM));
        labels_encode(&q->sm, labels_builder_of(b, LABEL_METADATA));
        labels_encode(&q->parsed, labels_builder_of(b, LABEL_PARSED));
    } else {
        labels_encode(&q->labels, labels_builder_result(b));
    }
    row.labels = buf_view(&q->labels);
    row.sm = buf_view(&q->sm);
    row.parsed = buf_view(&q->parsed);
    return top_rows_offer(q->state->q->top, &row, err);
}

/* ---- samples ---- */

/* The text of an error names all labels, so a row that came with some of its metadata is asked for
 * again. */
static int add_error(struct query_worker *q, bool all_metadata)
{
    struct pipeline_runner *r = &q->runner;
    if (q->leaf->has_error && r->ts_ns > q->leaf->error_ts_ns)
        return 0;
    if (!all_metadata)
        return SCAN_E_NEEDS_METADATA;
    range_leaf_error(q->leaf, r->ts_ns, r->b.error, labels_builder_result(&r->b));
    return 0;
}

static int add_sample(struct query_worker *q, uint32_t stream, uint32_t position, bool all_metadata,
                      struct err *err)
{
    struct pipeline_runner *r = &q->runner;
    uint32_t series;
    if (r->ts_ns < q->cell.min_ns || r->ts_ns > q->cell.max_ns)
        q->cell = range_leaf_cell(q->leaf, r->ts_ns);
    if (!q->cell.any)
        return 0;
    if (pipeline_runner_failed(r))
        return add_error(q, all_metadata);
    int rc = range_leaf_series(q->leaf, pipeline_runner_labels(r), &series, err);
    if (rc < 0)
        return rc;
    if (!q->leaf->unwraps)
        return range_leaf_count_in(q->leaf, series, &q->cell, 1, r->line.len, err);
    return range_leaf_sample(q->leaf, series, r->ts_ns, (uint64_t)stream << 32 | position, r->value,
                             err);
}

/* ---- rows ---- */

enum { CHECK_ROWS = 64 };

int scan_row(struct query_worker *q, uint32_t stream, uint32_t position, const struct entry *e,
             bool all_metadata, struct err *err)
{
    /* A template may make megabytes of each row, so a chunk is too long to wait for. */
    if (++q->worker->n_rows % CHECK_ROWS == 0) {
        int r = query_check(scan_control(q->worker), err);
        if (r < 0)
            return r;
    }
    turn_to(q, stream);
    if (!pipeline_runner_row(&q->runner, e->ts_ns, e->line, e->sm))
        return pipeline_runner_check(&q->runner, err);
    return q->leaf ? add_sample(q, stream, position, all_metadata, err)
                   : offer_row(q, stream, position, err);
}

int scan_entries(struct query_worker *q, uint32_t stream, const struct entry *v, size_t n,
                 bool tested, struct err *err)
{
    bool backward = q->worker->scan->backward;
    struct time_span within = q->state->q->within;
    for (size_t i = 0; i < n; i++) {
        size_t at = backward ? n - 1 - i : i;
        if (v[at].ts_ns < within.min_ns || v[at].ts_ns > within.max_ns)
            continue;
        if (!scan_wants_ts(q, v[at].ts_ns))
            break; /* later ones are worse still */
        if (!tested && !scan_may_keep(q, stream, &v[at]))
            continue;
        q->worker->stats.store.post_filter_lines += !tested;
        int r = scan_row(q, stream, (uint32_t)at, &v[at], true, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int scan_static_series(struct query_worker *q, uint32_t stream, struct str_view sm, uint32_t *ret,
                       struct err *err)
{
    uint32_t *known = sm.len || !q->series_of_stream ? NULL : &q->series_of_stream[stream];
    if (known && *known != SERIES_UNKNOWN) {
        *ret = *known;
        return 0;
    }
    turn_to(q, stream);
    int r = 0;
    if (!pipeline_runner_row(&q->runner, 0, SV_EMPTY, sm))
        *ret = SERIES_DROPPED;
    else if (pipeline_runner_failed(&q->runner))
        *ret = SERIES_ERROR;
    else
        r = range_leaf_series(q->leaf, pipeline_runner_labels(&q->runner), ret, err);
    if (known && r == 0)
        *known = *ret;
    return r;
}

/* ---- zones ---- */

int scan_share(struct query_worker *q, const struct plan_strand *strand, size_t zone,
               const struct entry *v, size_t n, bool bare, struct err *err)
{
    struct zone_share *s;
    if (n == 0)
        return 0;
    int r = zone_share_new(&s, strand->arrival, v, n, bare, scan_control(q->worker), err);
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
        struct zone *zone = &q->state->zones[z];
        if (q->worker->scan->again && !zone->needs_lines)
            continue;
        if (!zone_arrive(zone))
            continue;
        int r = take_zone(q, z, strand->stream, err);
        if (r < 0)
            return r;
    }
    return 0;
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

static void add_stretch(struct scan_worker *w, uint32_t from, uint32_t to, size_t zone)
{
    if (from >= to)
        return;
    w->stretches =
        mem_grow(w->stretches, &w->cap_stretches, w->n_stretches + 1, sizeof *w->stretches);
    w->stretches[w->n_stretches++] = (struct stretch){from, to, zone};
}

void scan_cut(struct scan_worker *w, const struct query_worker *q, const struct plan_strand *strand,
              const int64_t *ts_ns, uint32_t from, uint32_t to)
{
    const struct overlap_zone *zones = w->scan->plan->zones;
    bool again = w->scan->again;
    w->n_stretches = 0;
    from = row_at(ts_ns, from, to, q->state->q->within.min_ns);
    to = scan_row_after(ts_ns, from, to, q->state->q->within.max_ns);
    for (size_t z = strand->first_zone; z < strand->first_zone + strand->n_zones; z++) {
        uint32_t begin = row_at(ts_ns, from, to, zones[z].at.min_ns);
        uint32_t end = scan_row_after(ts_ns, begin, to, zones[z].at.max_ns);
        if (!again)
            add_stretch(w, from, begin, SCAN_NO_ZONE);
        if (!again || q->state->zones[z].needs_lines)
            add_stretch(w, begin, end, z);
        from = end;
    }
    if (!again)
        add_stretch(w, from, to, SCAN_NO_ZONE);
}

const struct stretch *scan_stretch(const struct scan_worker *w, size_t i)
{
    return &w->stretches[w->scan->backward ? w->n_stretches - 1 - i : i];
}
