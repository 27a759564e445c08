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
