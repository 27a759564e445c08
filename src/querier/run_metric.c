/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/gather.h"
#include "querier/pipeline.h"

struct leaf_scan {
    const struct plan *plan;
    struct pipeline_runner runner;
    struct range_leaf *leaf;
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

static int add_row(struct leaf_scan *s, uint64_t order, struct err *err)
{
    struct pipeline_runner *r = &s->runner;
    uint32_t series;
    if (pipeline_runner_failed(r)) {
        range_leaf_error(s->leaf, r->ts_ns, r->b.error, labels_builder_result(&r->b));
        return 0;
    }
    int rc = range_leaf_series(s->leaf, pipeline_runner_labels(r), &series, err);
    if (rc < 0)
        return rc;
    return s->leaf->unwraps ? range_leaf_sample(s->leaf, series, r->ts_ns, order, r->value, err)
                            : range_leaf_count(s->leaf, series, r->ts_ns, 1, r->line.len, err);
}

static int scan_stream(void *ctx, uint32_t stream, const struct entry *v, size_t n, struct err *err)
{
    struct leaf_scan *s = ctx;
    pipeline_runner_stream(&s->runner, s->plan->streams[stream].labels);
    for (size_t i = 0; i < n; i++) {
        if (!line_passes(&s->runner, v[i].line) ||
            !pipeline_runner_row(&s->runner, v[i].ts_ns, v[i].line, v[i].sm))
            continue;
        int r = add_row(s, (uint64_t)stream << 32 | i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int fill_leaf(const struct run *run, struct eval_leaf *l, struct err *err)
{
    int64_t min_ns, max_ns;
    if (!range_leaf_bounds(&l->leaf, &min_ns, &max_ns))
        return 0;
    struct pipeline *pipeline;
    int r = pipeline_new(&pipeline, &l->agg->log, &l->agg->unwrap, &l->need, err);
    if (r < 0)
        return r;
    struct plan plan;
    struct leaf_scan s = {.plan = &plan, .leaf = &l->leaf};
    pipeline_runner_init(&s.runner, pipeline);
    r = plan_open(&plan, run, l->agg->log.matchers, l->agg->log.n_matchers, min_ns, max_ns, err);
    if (r == 0)
        r = gather(&plan, scan_stream, &s, err);
    plan_close(&plan);
    pipeline_runner_deinit(&s.runner);
    pipeline_free(pipeline);
    return r;
}

int run_metric(const struct run *run, const struct logql_expr *expr, const struct eval_grid *grid,
               const struct eval_options *options, struct eval **ret_eval,
               const struct eval_result **ret, struct err *err)
{
    *ret_eval = NULL;
    struct eval *e;
    int r = eval_new(&e, expr, grid, run->control, options, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < eval_n_leaves(e) && r == 0; i++)
        r = fill_leaf(run, eval_leaf(e, i), err);
    if (r == 0)
        r = eval_run(e, ret, err);
    if (r < 0) {
        eval_free(e);
        return r;
    }
    *ret_eval = e;
    return 0;
}
