/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - the value of each unwrapped range function (logql.md 4.3) over a window that moves
 * along the samples of one series.
 * A move takes out the samples that leave and puts in those that enter, so that each sample is
 * touched twice, however many windows hold it.
 * Promise: a value depends on the samples in the window alone, not on how it came there: sums are
 * exact (exact_sum.h), everything else is chosen among the samples.
 * Threads: one at a time per window; windows of one kind share its keys. */
#pragma once
#include <stdbool.h>

#include "logql/ast.h"
#include "query/metric/exact_sum.h"
#include "query/metric/rank_set.h"

struct window_kind {
    enum range_op op;
    double param; /* of quantiles */
    int64_t range_ns;
    double overlap; /* how many steps' windows hold a sample */
    size_t n_steps;
    uint64_t *keys; /* of quantiles without ranks: room for the fullest window of any series */
};

struct window {
    struct sample *v; /* borrowed, in time order; marks are ours */
    size_t n, lo, hi; /* [lo, hi) are in the window */
    size_t state_bytes;
    bool is_known;  /* since it last moved */
    double known;   /* its value; of rate_counter the increase */
    bool is_ranked; /* a quantile by ranks; else the keys of each window are parted anew */
    struct exact_span span;
    struct exact_sum sum;     /* of values; of rate_counter: what was lost at resets */
    struct exact_sum squares; /* of stddev and stdvar */
    size_t first, end; /* of min and max: v[first .. end).mark are candidates, see window.c */
    struct rank_set ranks;
};
/* A window before the first sample; says what state it needs. */
void window_init(struct window *w, const struct window_kind *k, struct sample *v, size_t n);
/* state: state_bytes zeros, 8-byte aligned, which outlive it.  spare: n keys, where is_ranked. */
void window_begin(struct window *w, const struct window_kind *k, void *state, struct keyed *spare);
/* To (start_ns, end_ns], neither going back; false when no sample is in it. */
bool window_move(struct window *w, const struct window_kind *k, int64_t start_ns, int64_t end_ns);
/* Of the window that it was moved to and that holds a sample. */
double window_value(struct window *w, const struct window_kind *k, int64_t start_ns,
                    int64_t end_ns);
