/* SPDX-License-Identifier: Apache-2.0 */
#include "query/engine_impl.h"
#include "query/log_merge.h"

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
    const struct selection_query q = {
        query->matchers, query->n_matchers, {options->start_ns, options->end_ns - 1}};
    struct top_rows top;
    const struct scan_query scan = {
        .pipeline = pipeline, .within = q.within, .top = &top, .categorize = options->categorize};
    top_rows_init(&top, options->limit, options->backward, env->control);
    int r = engine_scan(env, &q, options->backward ? PLAN_NEWEST_FIRST : PLAN_OLDEST_FIRST, &scan,
                        1, err);
    if (r == 0)
        r = take_rows(&top, ret, err);
    top_rows_deinit(&top);
    return r;
}

static int log_of_one(const struct query_env *env, const struct log_query *query,
                      const struct log_options *options, struct log_result *ret, struct err *err)
{
    struct pipeline *pipeline;
    int r = pipeline_new(&pipeline, query, NULL, NULL, env->control, err);
    if (r < 0)
        return r;
    log_result_init(ret);
    r = find_rows(env, query, pipeline, options, ret, err);
    pipeline_free(pipeline);
    return r;
}

static int log_of_several(const struct query_env *envs, size_t n_envs,
                          const struct log_query *query, const struct log_options *options,
                          struct log_result *ret, struct err *err)
{
    log_result_init(ret);
    ret->parts = mem_zalloc(n_envs, sizeof *ret->parts);
    for (; ret->n_parts < n_envs; ret->n_parts++) {
        struct log_result *one = &ret->parts[ret->n_parts];
        int r = log_of_one(&envs[ret->n_parts], query, options, one, err);
        if (r < 0) {
            log_result_deinit(one);
            return r;
        }
    }
    return log_merge(envs, options, ret, err);
}

int engine_log(const struct query_env *envs, size_t n_envs, const struct log_query *query,
               const struct log_options *options, struct log_result *ret, struct err *err)
{
    *ret = (struct log_result){0};
    if (options->limit == 0 || options->end_ns <= options->start_ns)
        return 0;
    int r = n_envs > 1 ? log_of_several(envs, n_envs, query, options, ret, err)
                       : log_of_one(envs, query, options, ret, err);
    if (r < 0)
        log_result_deinit(ret);
    return r;
}
