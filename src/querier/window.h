/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - the value of each unwrapped range function over the samples of one window
 * (logql.md 4.3).  Pure. */
#pragma once
#include "logql/ast.h"
#include "querier/range_leaf.h"

struct window {
    const struct sample *v;   /* in time order */
    size_t n;                 /* at least 1 */
    int64_t start_ns, end_ns; /* (start, end] */
    int64_t range_ns;
};
/* scratch holds n doubles; quantiles alone use it. */
double window_value(enum range_op op, double param, const struct window *w, double *scratch);
/* rank q of n values, NaN standing first; moves them about. */
double quantile_of(double q, double *v, size_t n);
