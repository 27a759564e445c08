/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/gather.h"
#include "querier/pipeline.h"
#include "querier/top_rows.h"

struct log_scan {
    const struct plan *plan;
    const struct log_options *options;
    const struct pipeline *pipeline;
    struct pipeline_runner runner;
    struct top_rows *top;
    struct buf labels, sm, parsed; /* encoded, of the row */
};

static bool line_passes(struct pipeline_runner *r, struct str_view line)
{
    size_t n;
    const struct line_test *tests = pipeline_line_tests(r->p, &n);
    for (size_t i = 0; i < n; i++)
        if (!line_test_passes(&tests[i], r->scratch, line))
            return false;
    return true;
}

static int offer_row(struct log_scan *s, uint32_t stream, uint64_t order, struct err *err)
{
    struct labels_builder *b = &s->runner.b;
    struct top_row row = {s->runner.ts_ns, stream, order, s->runner.line, {0}, {0}, {0}};
    buf_clear(&s->labels);
    if (!s->options->categorize) {
        labels_encode(&s->labels, labels_builder_result(b));
        row.labels = buf_view(&s->labels);
        return top_rows_offer(s->top, &row, err);
    }
    buf_clear(&s->sm);
    buf_clear(&s->parsed);
    labels_encode(&s->labels, labels_builder_of(b, LABEL_STREAM));
    labels_encode(&s->sm, labels_builder_of(b, LABEL_METADATA));
    labels_encode(&s->parsed, labels_builder_of(b, LABEL_PARSED));
    row.labels = buf_view(&s->labels);
    row.sm = buf_view(&s->sm);
    row.parsed = buf_view(&s->parsed);
    return top_rows_offer(s->top, &row, err);
}

static int scan_stream(void *ctx, uint32_t stream, const struct entry *v, size_t n, struct err *err)
{
    struct log_scan *s = ctx;
    pipeline_runner_stream(&s->runner, s->plan->streams[stream].labels);
    for (size_t i = 0; i < n; i++) {
        if (!top_rows_may_keep(s->top, v[i].ts_ns) || !line_passes(&s->runner, v[i].line) ||
            !pipeline_runner_row(&s->runner, v[i].ts_ns, v[i].line, v[i].sm))
            continue;
        int r = offer_row(s, stream, i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* One round: the first rows of [start_ns, end_ns]. */
static int scan_once(const struct run *run, const struct log_query *query,
                     const struct pipeline *pipeline, const struct log_options *options,
                     int64_t min_ns, int64_t max_ns, struct top_rows *top, struct err *err)
{
    struct plan plan;
    int r = plan_open(&plan, run, query->matchers, query->n_matchers, min_ns, max_ns, err);
    struct log_scan s = {.plan = &plan, .options = options, .pipeline = pipeline, .top = top};
    if (r == 0) {
        pipeline_runner_init(&s.runner, pipeline);
        r = gather(&plan, scan_stream, &s, err);
        pipeline_runner_deinit(&s.runner);
    }
    buf_deinit(&s.labels);
    buf_deinit(&s.sm);
    buf_deinit(&s.parsed);
    plan_close(&plan);
    return r;
}

/* ---- the interval between rows ---- */

struct cursor {
    const struct log_options *options;
    int64_t min_ns, max_ns; /* where the next row may be */
    bool done;
};

static void cursor_pass(struct cursor *c, int64_t ts_ns)
{
    int64_t interval = c->options->interval_ns;
    if (interval <= 0)
        return;
    bool past = c->options->backward ? __builtin_sub_overflow(ts_ns, interval, &c->max_ns)
                                     : __builtin_add_overflow(ts_ns, interval, &c->min_ns);
    c->done |= past || c->min_ns > c->max_ns;
}

static int take_rows(struct cursor *c, struct top_rows *top, struct log_result *ret,
                     struct err *err)
{
    size_t n = top_rows_sort(top);
    for (size_t i = 0; i < n && !c->done && ret->n_rows < c->options->limit; i++) {
        int64_t ts = top_rows_ts_ns(top, i);
        if (ts < c->min_ns || ts > c->max_ns)
            continue;
        int r = top_rows_take(top, i, ret, err);
        if (r < 0)
            return r;
        cursor_pass(c, ts);
    }
    /* A round that was not full has seen everything; without an interval one round is all. */
    c->done |= n < top->limit || c->options->interval_ns <= 0 || ret->n_rows >= c->options->limit;
    return 0;
}

enum { ROUND_ROWS = 5000 };

static int run_rounds(const struct run *run, const struct log_query *query,
                      const struct pipeline *pipeline, const struct log_options *options,
                      struct log_result *ret, struct err *err)
{
    struct cursor c = {options, options->start_ns, options->end_ns - 1, false};
    for (int r = 0; !c.done;) {
        struct top_rows top;
        size_t rows = options->interval_ns > 0 ? ROUND_ROWS : options->limit;
        top_rows_init(&top, rows, options->backward, run->control);
        r = scan_once(run, query, pipeline, options, c.min_ns, c.max_ns, &top, err);
        if (r == 0)
            r = take_rows(&c, &top, ret, err);
        top_rows_deinit(&top);
        if (r < 0)
            return r;
    }
    return 0;
}

int run_log(const struct run *run, const struct log_query *query, const struct log_options *options,
            struct log_result *ret, struct err *err)
{
    *ret = (struct log_result){0};
    series_set_init(&ret->streams);
    if (options->limit == 0 || options->end_ns <= options->start_ns)
        return 0;
    struct pipeline *pipeline;
    int r = pipeline_new(&pipeline, query, NULL, NULL, err);
    if (r == 0) {
        r = run_rounds(run, query, pipeline, options, ret, err);
        pipeline_free(pipeline);
    }
    if (r < 0)
        log_result_deinit(ret);
    return r;
}

void log_result_deinit(struct log_result *r)
{
    if (!r)
        return;
    free(r->rows);
    series_set_deinit(&r->streams);
    arena_deinit(&r->arena);
    *r = (struct log_result){0};
}
