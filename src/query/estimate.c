/* SPDX-License-Identifier: Apache-2.0 */
#include "query/estimate.h"

#include "query/several.h"

struct estimate {
    const struct query_env *envs;
    size_t n_envs;
    struct time_span at;
    struct index_stats sum;
};

/* a - b, or the end of time that it lies beyond. */
static int64_t earlier(int64_t a, int64_t b)
{
    int64_t v;
    return __builtin_sub_overflow(a, b, &v) ? (b > 0 ? INT64_MIN : INT64_MAX) : v;
}

static int add_selector(void *ctx, const struct log_query *log, const struct range_agg *range,
                        struct err *err)
{
    struct estimate *e = ctx;
    struct selection_query q = {log->matchers, log->n_matchers, e->at};
    if (range) {
        q.within.min_ns = earlier(earlier(q.within.min_ns, range->offset_ns), range->range_ns);
        q.within.max_ns = earlier(q.within.max_ns, range->offset_ns);
    }
    return several_stats(e->envs, e->n_envs, &q, &e->sum, err);
}

int query_estimate(const struct query_env *envs, size_t n_envs, const struct logql_expr *expr,
                   struct time_span at, uint64_t *add_bytes, struct err *err)
{
    struct estimate e = {.envs = envs, .n_envs = n_envs, .at = at};
    int r = logql_each_selector(expr, add_selector, &e, err);
    if (r == 0)
        *add_bytes += e.sum.n_bytes;
    return r;
}
