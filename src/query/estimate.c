/* SPDX-License-Identifier: Apache-2.0 */
#include "query/estimate.h"

#include "logql/ast.h"
#include "query/lookup.h"

struct estimate {
    const struct estimate_ask *ask;
    uint64_t n_bytes;
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
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct lookup_ask ask = {
        .source = e->ask->source,
        .tenant = e->ask->tenant,
        .matchers = log->matchers,
        .n_matchers = log->n_matchers,
        .min_ts_ns = e->ask->start_ns,
        .max_ts_ns = e->ask->end_ns,
        .control = e->ask->control,
        .arena = &arena,
    };
    if (range) {
        ask.min_ts_ns = earlier(earlier(ask.min_ts_ns, range->offset_ns), range->range_ns);
        ask.max_ts_ns = earlier(ask.max_ts_ns, range->offset_ns);
    }
    struct lookup l;
    struct index_stats stats;
    int r = lookup_open(&l, &ask, err);
    if (r == 0)
        r = lookup_stats(&l, &stats, err);
    lookup_close(&l);
    if (r == 0)
        e->n_bytes += stats.n_bytes;
    return r;
}

int query_estimate(const struct estimate_ask *ask, const struct logql_expr *expr,
                   uint64_t *add_bytes, struct err *err)
{
    struct estimate e = {.ask = ask};
    int r = logql_each_selector(expr, add_selector, &e, err);
    if (r == 0)
        *add_bytes += e.n_bytes;
    return r;
}
