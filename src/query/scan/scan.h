/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - reads what a plan lists, for one log query or for the leaves of a metric query, on
 * several workers.
 * Promise: what reaches a query does not depend on the number of workers, on filters and
 * statistics, or on where entries lie; each entry reaches it once.
 * Threads: scan_run() uses the pool and returns when all workers are done. */
#pragma once
#include "query/metric/eval.h"
#include "query/plan/plan.h"
#include "query/rows/pipeline.h"
#include "query/scan/top_rows.h"
#include "query/scan/zone.h"

/* What is to be done with entries: one of top and leaf is set. */
struct scan_query {
    const struct pipeline *pipeline;
    struct time_span within; /* inside the plan's */
    struct top_rows *top;
    bool categorize; /* with top: see log_options */
    const struct eval_leaf *agg;
    struct range_leaf *leaf; /* filled */
};

/* One log query, or any number of leaves, over a plan that no worker shares with another scan.
 * Borrows all until it returns; what the query did is added to the env's statistics.
 * < 0: the first failure of any worker; then top and leaves hold some part of the answer. */
int scan_run(const struct plan *plan, const struct scan_query *queries, size_t n_queries,
             struct err *err);
