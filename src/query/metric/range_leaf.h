/* SPDX-License-Identifier: Apache-2.0 */
/* range_leaf.h - the entries of one range aggregation, gathered per output series, and its value
 * at each step.
 * Entries without a value of their own (count_over_time, rate, bytes_*, absent_over_time) become
 * differences on the grid of steps: an entry raises the count where it enters windows and lowers
 * it where it leaves, so that cost does not grow with the overlap of windows, and whole runs can
 * be added from metadata.  Unwrapped entries are kept as samples in time order, along which windows
 * move (window.h).  Gathering is range_leaf.c, evaluation range_value.c.
 * Promise: the same entries give the same bits, in whatever order and by whichever workers they
 * came. Threads: one at a time per leaf; workers fill leaves of their own, range_leaf_merge()
 * joins. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/control.h"
#include "logql/ast.h"
#include "model/series_set.h"
#include "query/metric/window.h"

/* Evaluation instants: start_ns + k * step_ns, k < n. */
struct eval_grid {
    int64_t start_ns, step_ns;
    size_t n;
};
static inline int64_t eval_grid_at(const struct eval_grid *g, size_t k)
{
    /* Modulo 2^64, since k steps alone may not fit where their sum does. */
    return (int64_t)((uint64_t)g->start_ns + (uint64_t)k * (uint64_t)g->step_ns);
}
struct eval_grid eval_grid_of(int64_t start_ns, int64_t end_ns, int64_t step_ns);

struct leaf_series {
    /* counts */
    int64_t **pages; /* differences, by step / page_steps; NULL: all zero */
    /* samples */
    struct sample *samples;
    size_t n_samples, cap_samples;
    /* evaluation */
    int64_t count, bytes; /* in the window */
};

struct range_leaf {
    struct eval_grid grid;
    enum range_op op;
    double param;
    int64_t range_ns, offset_ns;
    bool unwraps;
    struct query_control *control; /* NULL: unbounded */
    struct series_set set;         /* numbers as the entries came */
    struct leaf_series *series;
    size_t n_series, cap_series;
    struct arena pages;     /* of all series */
    size_t page_steps;      /* counts, then bytes where the function wants them */
    size_t n_pages;         /* per series */
    uint64_t charged_bytes; /* of set, series and pages */
    /* The first entry in a window that still carried an error. */
    bool has_error;
    int64_t error_ts_ns;
    struct buf error_text;
    /* evaluation */
    uint32_t *order; /* series by labels */
    struct window_kind kind;
    struct window *windows; /* per series, where it unwraps */
    void *window_state;     /* of all windows */
    uint64_t charged_eval_bytes;
};

/* Borrows control (NULL: unbounded), to which all that it holds is charged until deinit.
 * The calls below that can fail do so for want of memory for the query, and leave the leaf fit for
 * range_leaf_deinit() alone. */
void range_leaf_init(struct range_leaf *l, const struct range_agg *agg,
                     const struct eval_grid *grid, struct query_control *control);
void range_leaf_deinit(struct range_leaf *l);
static inline bool range_leaf_wants_bytes(const struct range_leaf *l)
{
    return l->op == RANGE_BYTES || l->op == RANGE_BYTES_RATE;
}

/* Steps [*ret_first, *ret_last] whose window holds ts; false when none does. */
bool range_leaf_steps(const struct range_leaf *l, int64_t ts_ns, size_t *ret_first,
                      size_t *ret_last);
/* Times min..max, both included, that some window may hold; false when there is none. */
bool range_leaf_bounds(const struct range_leaf *l, int64_t *ret_min_ns, int64_t *ret_max_ns);
/* Whether all times of min..max lie in the same windows, so that they count as one. */
bool range_leaf_same_steps(const struct range_leaf *l, int64_t min_ns, int64_t max_ns);
/* The times around one that lie in the same windows: those of steps first..last, or of none. */
struct leaf_cell {
    int64_t min_ns, max_ns; /* both included */
    size_t first, last;
    bool any;
};
struct leaf_cell range_leaf_cell(const struct range_leaf *l, int64_t ts_ns);

/* The number of that output series; labels are copied when they are new. */
int range_leaf_series(struct range_leaf *l, struct labels labels, uint32_t *ret, struct err *err);
/* n entries with `bytes` line bytes, all in the windows of ts. */
int range_leaf_count(struct range_leaf *l, uint32_t series, int64_t ts_ns, uint64_t n,
                     uint64_t bytes, struct err *err);
/* The same, all in a cell. */
int range_leaf_count_in(struct range_leaf *l, uint32_t series, const struct leaf_cell *cell,
                        uint64_t n, uint64_t bytes, struct err *err);
/* One unwrapped value.  `order` ranks samples of one series and time: rank of the stream, then
 * arrival. */
int range_leaf_sample(struct range_leaf *l, uint32_t series, int64_t ts_ns, uint64_t order,
                      double value, struct err *err);
/* An entry that carries an error although it must not; `labels` with the error labels. */
void range_leaf_error(struct range_leaf *l, int64_t ts_ns, struct str_view error,
                      struct labels labels);
/* Puts the samples in order; done by finish too, but a worker can do its own. */
int range_leaf_sort(struct range_leaf *l, struct err *err);
/* Adds all of `from`, a leaf of the same aggregation, grid and control, which is left empty. */
int range_leaf_merge(struct range_leaf *l, struct range_leaf *from, struct err *err);
/* The same for one of several tenants: its series get their tenant's label. */
int range_leaf_merge_tenant(struct range_leaf *l, struct range_leaf *from, struct str_view tenant,
                            struct err *err);

/* Sorts; then values step by step, k rising from 0 without gaps.  ERR_INVALID when an error entry
 * was seen, with its text. */
int range_leaf_finish(struct range_leaf *l, struct err *err);
/* Calls per series with a value, in label order. */
typedef void range_value_fn(void *ctx, uint32_t series, double value);
void range_leaf_step(struct range_leaf *l, size_t k, range_value_fn *fn, void *ctx);
