/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engine.h"

#include "query/scan/scan.h"

static int take_rows(struct top_rows *top, struct log_result *ret, struct err *err)
{
    int r = 0;
    size_t n = top_rows_sort(top);
    for (size_t i = 0; i < n && r == 0; i++)
        r = top_rows_take(top, i, ret, err);
    return r;
}

static int find_rows(const struct query_env *env, const struct log_query *query,
                     const struct pipeline *pipeline, const struct log_options *options,
                     struct log_result *ret, struct err *err)
{
    struct plan_query q = {query->matchers,
                           query->n_matchers,
                           {options->start_ns, options->end_ns - 1},
                           options->backward ? PLAN_NEWEST_FIRST : PLAN_OLDEST_FIRST};
    struct plan plan;
    struct top_rows top;
    struct scan_query scan = {
        .pipeline = pipeline, .within = q.within, .top = &top, .categorize = options->categorize};
    int r = plan_open(&plan, env, &q, err);
    top_rows_init(&top, options->limit, options->backward, env->control);
    if (r == 0)
        r = scan_run(&plan, &scan, 1, err);
    if (r == 0)
        r = take_rows(&top, ret, err);
    top_rows_deinit(&top);
    plan_close(&plan);
    return r;
}

int engine_log(const struct query_env *env, const struct log_query *query,
               const struct log_options *options, struct log_result *ret, struct err *err)
{
    *ret = (struct log_result){0};
    series_set_init(&ret->streams);
    if (options->limit == 0 || options->end_ns <= options->start_ns)
        return 0;
    struct pipeline *pipeline;
    int r = pipeline_new(&pipeline, query, NULL, NULL, env->control, err);
    if (r == 0) {
        r = find_rows(env, query, pipeline, options, ret, err);
        pipeline_free(pipeline);
    }
    if (r < 0)
        log_result_deinit(ret);
    return r;
}
