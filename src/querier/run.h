/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one parsed query over the recent and stored data of one tenant.
 * Promise: the result depends on the entries and the query alone: not on where entries lie, on
 * filters and statistics (use_filters), or on the number of workers; equal input, equal bits.
 * Each entry counts once, however many copies of it are stored.
 * Threads: the caller's thread waits; chunk tasks run on the pool in POOL_QUERY. */
#pragma once
#include "querier/control.h"
#include "querier/eval.h"
#include "querier/params.h"
#include "querier/querier.h"
#include "querier/series_set.h"
#include "wire/stats.h"

struct run {
    const struct querier_parts *parts;
    struct str_view tenant;
    const struct limits *limits;
    struct query_control *control; /* everything that is kept is charged here */
    struct query_stats *stats;     /* added to; exec and queue time are the caller's */
};

/* --- log queries ------------------------------------------------------------------------- */

struct log_options {
    int64_t start_ns, end_ns; /* start <= ts < end */
    uint64_t limit;           /* over all streams */
    bool backward;
    bool categorize; /* streams are told apart by stream labels alone; sm and parsed are filled */
};
struct log_row {
    int64_t ts_ns;
    uint32_t stream; /* in log_result.streams */
    struct str_view line;
    struct labels sm, parsed; /* categorize only */
};
/* What rows refer to lies in the arena or the set. */
struct log_result {
    struct arena arena;
    struct series_set streams; /* the label sets of the answer's streams */
    struct log_row *rows;      /* in iteration order: direction, then ties; owned */
    size_t n_rows, cap_rows;
};
int run_log(const struct run *run, const struct log_query *query, const struct log_options *options,
            struct log_result *ret, struct err *err);
/* Leaves out each row closer than the interval to the one before it that stays: what `interval`
 * does.  It comes after the limit, as in the recorded answers. */
void log_result_thin(struct log_result *r, int64_t interval_ns);
void log_result_deinit(struct log_result *r);

/* --- metric queries ---------------------------------------------------------------------- */

/* eval_free(*ret_eval) frees the result too; *ret_eval is NULL on failure. */
int run_metric(const struct run *run, const struct logql_expr *expr, const struct eval_grid *grid,
               const struct eval_options *options, struct eval **ret_eval,
               const struct eval_result **ret, struct err *err);
/* Over several tenants, see several.h: aggregations go over all of them.  The arena holds what the
 * eval borrows beyond expr. */
int run_metric_several(const struct run *runs, size_t n_runs, const struct logql_expr *expr,
                       const struct eval_grid *grid, const struct eval_options *options,
                       struct arena *arena, struct eval **ret_eval, const struct eval_result **ret,
                       struct err *err);
