/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/query_estimate.h"

#include <stdio.h>

#include "querier/lookup.h"
#include "querier/query_limits.h"

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
        .parts = e->ask->parts,
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
    int r = query_each_log(expr, add_selector, &e, err);
    if (r == 0)
        *add_bytes += e.n_bytes;
    return r;
}

enum { SIZE_TEXT_BYTES = 32 };

/* "1.5 GiB": one decimal below ten. */
static const char *size_text(uint64_t bytes, char *to)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    unsigned u = 0;
    for (; v >= 1024 && u < 6; u++)
        v /= 1024;
    snprintf(to, SIZE_TEXT_BYTES, "%.*f %s", v < 10 && u > 0, v, units[u]);
    return to;
}

int query_estimate_check(uint64_t n_bytes, uint64_t limit_bytes, struct err *err)
{
    char got[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    if (n_bytes <= limit_bytes)
        return 0;
    return err_set(err, ERR_INVALID,
                   "the query would read too many bytes (query: %s, limit: %s); consider adding "
                   "more specific stream selectors or reduce the time range of the query "
                   "(max_query_bytes_read)",
                   size_text(n_bytes, got), size_text(limit_bytes, most));
}
