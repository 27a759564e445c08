/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/scan.h"

/* Where the next row may be: with an interval, not close to the one before. */
struct cursor {
    const struct log_options *options;
    struct time_span within;
    bool done;
};

static void cursor_pass(struct cursor *c, int64_t ts_ns)
{
    int64_t interval = c->options->interval_ns;
    if (interval <= 0)
        return;
    bool past = c->options->backward ? __builtin_sub_overflow(ts_ns, interval, &c->within.max_ns)
                                     : __builtin_add_overflow(ts_ns, interval, &c->within.min_ns);
    c->done |= past || c->within.min_ns > c->within.max_ns;
}

static int take_rows(struct cursor *c, struct top_rows *top, struct log_result *ret,
                     struct err *err)
{
    size_t n = top_rows_sort(top);
    for (size_t i = 0; i < n && !c->done && ret->n_rows < c->options->limit; i++) {
        int64_t ts = top_rows_ts_ns(top, i);
        if (ts < c->within.min_ns || ts > c->within.max_ns)
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

/* With an interval each round yields at least one row and goes on behind the last one. */
enum { INTERVAL_ROUND_ROWS = 5000 };

static int run_round(const struct plan *plan, const struct pipeline *pipeline, struct cursor *c,
                     struct log_result *ret, struct err *err)
{
    struct top_rows top;
    bool interval = c->options->interval_ns > 0;
    top_rows_init(&top, interval ? INTERVAL_ROUND_ROWS : c->options->limit, c->options->backward,
                  plan->run->control);
    struct scan_query q = {.pipeline = pipeline,
                           .within = c->within,
                           .top = &top,
                           .categorize = c->options->categorize};
    int r = scan_run(plan, &q, 1, err);
    if (r == 0)
        r = take_rows(c, &top, ret, err);
    top_rows_deinit(&top);
    return r;
}

static int run_rounds(const struct run *run, const struct log_query *query,
                      const struct pipeline *pipeline, const struct log_options *options,
                      struct log_result *ret, struct err *err)
{
    struct cursor c = {options, {options->start_ns, options->end_ns - 1}, false};
    struct plan_query q = {query->matchers, query->n_matchers, c.within,
                           options->backward ? PLAN_NEWEST_FIRST : PLAN_OLDEST_FIRST};
    struct plan plan;
    int r = plan_open(&plan, run, &q, err);
    while (r == 0 && !c.done)
        r = run_round(&plan, pipeline, &c, ret, err);
    plan_close(&plan);
    return r;
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
    else
        run->stats->total_entries_returned += (int64_t)ret->n_rows;
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
