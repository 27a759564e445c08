/* SPDX-License-Identifier: Apache-2.0 */
/* eval.h - a metric expression, step by step, over range aggregations that others fill.
 *     eval_new(); for each leaf: fill eval_leaf(e, i)->leaf; eval_run(); eval_free().
 * The tree is laid out as a list in post-order, so that no depth of it needs a stack.  Label sets
 * are numbers of one series_set; what an operator makes of a label set is computed once and kept.
 * Order is fixed by label order at the leaves, so equal input gives equal bits.
 * Threads: one at a time. */
#pragma once
#include "query/metric/range_leaf.h"
#include "query/rows/label_need.h"

struct eval_leaf {
    const struct range_agg *agg;
    struct label_need need;
    struct range_leaf leaf;
};

struct eval_point {
    uint32_t step;
    double value;
};
struct eval_series {
    struct labels labels; /* borrow the eval */
    struct eval_point *points;
    size_t n_points, cap_points;
};
struct eval_result {
    bool is_scalar; /* one series without labels */
    bool partial;   /* series were left out: over the limit */
    struct eval_series *series;
    size_t n_series;
};
struct eval_options {
    uint64_t max_series; /* 0: any number */
    bool partial;        /* keep max_series of them instead of failing */
    bool is_instant;
};

struct eval;
/* Borrows expr and control (NULL: unbounded).  ERR_INVALID where the expression cannot be
 * evaluated, with a text for the client; then *ret is not set. */
int eval_new(struct eval **ret, const struct logql_expr *expr, const struct eval_grid *grid,
             struct query_control *control, const struct eval_options *options, struct err *err);
void eval_free(struct eval *e); /* its leaves and its result too; NULL is fine */
size_t eval_n_leaves(const struct eval *e);
/* Stays where it is until eval_free(); leaves may be filled on different threads. */
struct eval_leaf *eval_leaf(struct eval *e, size_t i);
/* Once, when all leaves are filled.  The result lives as long as e.  ERR_INVALID: a row carried an
 * error, or series do not match; ERR_OVER_BUDGET: too many series, or no memory for the query. */
int eval_run(struct eval *e, const struct eval_result **ret, struct err *err);
