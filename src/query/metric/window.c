/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates of a minimum: the samples of the window that no later one in it is below, in time
 * order, so that their values rise and the first is the minimum; for a maximum the other way
 * round.  Of equal ones the earliest wins.  NaN is never a candidate.  At most one is noted per
 * sample that entered, so the notes fit into the marks of the samples. */
#include "query/metric/window.h"

#include <math.h>

#include "base/clock.h"
#include "query/metric/quantile.h"

/* A window of few samples is parted sooner than a rank is found; one that shares little with the
 * next is parted sooner than its samples are sorted and put in and taken out. */
#define RANKED_OVERLAP 8.0
#define RANKED_SAMPLES 12.0

static bool pays_to_rank(const struct window_kind *k, size_t n)
{
    double samples = (double)n * k->overlap / (double)k->n_steps;
    return k->op == RANGE_QUANTILE && k->overlap >= RANKED_OVERLAP && samples >= RANKED_SAMPLES &&
           n <= RANK_SET_MAX;
}

static bool has_sum(enum range_op op)
{
    return op == RANGE_RATE || op == RANGE_SUM || op == RANGE_AVG || op == RANGE_RATE_COUNTER ||
           op == RANGE_STDDEV || op == RANGE_STDVAR;
}

static bool has_squares(enum range_op op)
{
    return op == RANGE_STDDEV || op == RANGE_STDVAR;
}

void window_init(struct window *w, const struct window_kind *k, struct sample *v, size_t n)
{
    *w = (struct window){.v = v, .n = n, .span = EXACT_SPAN_NONE, .is_ranked = pays_to_rank(k, n)};
    if (w->is_ranked)
        w->state_bytes = rank_set_bytes(n);
    if (!has_sum(k->op))
        return;
    for (size_t i = 0; i < n; i++)
        exact_span_add(&w->span, v[i].value);
    size_t digits = exact_span_digits(&w->span, EXACT_VALUES);
    if (has_squares(k->op))
        digits += exact_span_digits(&w->span, EXACT_SQUARES);
    w->state_bytes = digits * sizeof *w->sum.digit;
}

void window_begin(struct window *w, const struct window_kind *k, void *state, struct keyed *spare)
{
    if (w->is_ranked)
        rank_set_init(&w->ranks, w->v, w->n, state, spare);
    if (has_sum(k->op))
        exact_sum_init(&w->sum, &w->span, EXACT_VALUES, state);
    if (has_squares(k->op))
        exact_sum_init(&w->squares, &w->span, EXACT_SQUARES, (int64_t *)state + w->sum.n);
}

/* ---- moving ---- */

/* Sample i and the one before it, both in the window. */
static bool is_reset(const struct window *w, size_t i)
{
    return w->v[i].value < w->v[i - 1].value;
}

static void offer(struct window *w, size_t i, double sign)
{
    double v = w->v[i].value * sign;
    if (isnan(v))
        return;
    while (w->end > w->first && v < w->v[w->v[w->end - 1].mark].value * sign)
        w->end--;
    w->v[w->end++].mark = i;
}

/* The samples from w->hi to hi. */
static void enter(struct window *w, const struct window_kind *k, size_t hi)
{
    switch (k->op) {
    case RANGE_STDDEV:
    case RANGE_STDVAR:
        for (size_t i = w->hi; i < hi; i++)
            exact_sum_add(&w->squares, w->v[i].value);
        /* fall through */
    case RANGE_RATE:
    case RANGE_SUM:
    case RANGE_AVG:
        for (size_t i = w->hi; i < hi; i++)
            exact_sum_add(&w->sum, w->v[i].value);
        break;
    case RANGE_RATE_COUNTER:
        for (size_t i = w->hi; i < hi; i++)
            if (i > w->lo && is_reset(w, i))
                exact_sum_add(&w->sum, w->v[i - 1].value);
        break;
    case RANGE_MIN:
    case RANGE_MAX:
        for (size_t i = w->hi; i < hi; i++)
            offer(w, i, k->op == RANGE_MIN ? 1 : -1);
        break;
    default:
        for (size_t i = w->hi; i < hi && w->is_ranked; i++)
            rank_set_put(&w->ranks, i);
        break;
    }
    w->hi = hi;
}

/* The samples from w->lo to lo. */
static void leave(struct window *w, const struct window_kind *k, size_t lo)
{
    switch (k->op) {
    case RANGE_STDDEV:
    case RANGE_STDVAR:
        for (size_t i = w->lo; i < lo; i++)
            exact_sum_remove(&w->squares, w->v[i].value);
        /* fall through */
    case RANGE_RATE:
    case RANGE_SUM:
    case RANGE_AVG:
        for (size_t i = w->lo; i < lo; i++)
            exact_sum_remove(&w->sum, w->v[i].value);
        break;
    case RANGE_RATE_COUNTER:
        for (size_t i = w->lo; i < lo; i++)
            if (i + 1 < w->hi && is_reset(w, i + 1))
                exact_sum_remove(&w->sum, w->v[i].value);
        break;
    case RANGE_MIN:
    case RANGE_MAX:
        while (w->first < w->end && w->v[w->first].mark < lo)
            w->first++;
        break;
    default:
        for (size_t i = w->lo; i < lo && w->is_ranked; i++)
            rank_set_take(&w->ranks, i);
        break;
    }
    w->lo = lo;
}

/* As if no sample had been in it. */
static void empty(struct window *w, size_t at)
{
    exact_sum_clear(&w->sum);
    exact_sum_clear(&w->squares);
    w->first = w->end = 0;
    w->lo = w->hi = at;
}

static void shift(struct window *w, const struct window_kind *k, size_t lo, size_t hi)
{
    size_t gone = lo < w->hi ? lo : w->hi; /* those that leave end here */
    /* Where more leave than stay it is cheaper to begin anew; ranks have no cheap beginning. */
    if (gone - w->lo > w->hi - gone && !w->is_ranked)
        empty(w, lo);
    else
        leave(w, k, gone);
    if (w->lo < lo)
        w->lo = w->hi = lo; /* some were in no window */
    enter(w, k, hi);
    w->is_known = false;
}

bool window_move(struct window *w, const struct window_kind *k, int64_t start_ns, int64_t end_ns)
{
    size_t lo = w->lo, hi = w->hi;
    while (hi < w->n && w->v[hi].ts_ns <= end_ns)
        hi++;
    while (lo < hi && w->v[lo].ts_ns <= start_ns)
        lo++;
    if (lo > w->lo || hi > w->hi)
        shift(w, k, lo, hi);
    return lo < hi;
}

/* ---- values ---- */

static double chosen(const struct window *w)
{
    return w->first < w->end ? w->v[w->v[w->first].mark].value : NAN;
}

static double quantile(const struct window *w, const struct window_kind *k)
{
    size_t n = w->hi - w->lo;
    double below, above;
    struct quantile_place at;
    if (!quantile_find(k->param, n, &at))
        return at.value;
    if (w->is_ranked) {
        below = rank_set_kth(&w->ranks, at.below);
        above = at.above > at.below ? rank_set_kth(&w->ranks, at.above) : below;
    } else {
        for (size_t i = 0; i < n; i++)
            k->keys[i] = value_key(w->v[w->lo + i].value);
        keys_pick(k->keys, n, &at, &below, &above);
    }
    return quantile_between(&at, below, above);
}

/* Last minus first plus what resets lost. */
static double increase_of(struct window *w)
{
    double first = w->v[w->lo].value, last = w->v[w->hi - 1].value;
    exact_sum_add(&w->sum, last);
    exact_sum_add(&w->sum, -first);
    double increase = exact_sum_value(&w->sum);
    exact_sum_remove(&w->sum, last);
    exact_sum_remove(&w->sum, -first);
    return increase;
}

/* Extrapolates to the window's ends unless the samples stop clearly before them. */
static double counter_rate(struct window *w, const struct window_kind *k, int64_t start_ns,
                           int64_t end_ns)
{
    size_t n = w->hi - w->lo;
    if (n < 2)
        return 0;
    const struct sample *first = &w->v[w->lo], *last = &w->v[w->hi - 1];
    if (!w->is_known)
        w->known = increase_of(w);
    w->is_known = true;
    double increase = w->known;
    double span = (double)(last->ts_ns - first->ts_ns) / NS_PER_S;
    double average = span / (double)(n - 1);
    double threshold = average * 1.1;
    double to_start = (double)(first->ts_ns - start_ns) / NS_PER_S;
    double to_end = (double)(end_ns - last->ts_ns) / NS_PER_S;
    if (to_start >= threshold)
        to_start = average / 2;
    if (increase > 0 && first->value >= 0) {
        double to_zero = span * (first->value / increase);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = average / 2;
    double factor = (span + to_start + to_end) / span;
    return increase * factor / ((double)k->range_ns / NS_PER_S);
}

static double value_of(struct window *w, const struct window_kind *k)
{
    size_t n = w->hi - w->lo;
    switch (k->op) {
    case RANGE_RATE:
        return exact_sum_value(&w->sum) / ((double)k->range_ns / NS_PER_S);
    case RANGE_SUM:
        return exact_sum_value(&w->sum);
    case RANGE_AVG:
        return exact_sum_mean(&w->sum, n);
    case RANGE_MIN:
    case RANGE_MAX:
        return chosen(w);
    case RANGE_STDVAR:
        return exact_variance(&w->sum, &w->squares, n);
    case RANGE_STDDEV:
        return sqrt(exact_variance(&w->sum, &w->squares, n));
    case RANGE_QUANTILE:
        return quantile(w, k);
    case RANGE_FIRST:
        return w->v[w->lo].value;
    case RANGE_LAST:
        return w->v[w->hi - 1].value;
    default: /* those without unwrap never come here */
        return (double)n;
    }
}

double window_value(struct window *w, const struct window_kind *k, int64_t start_ns, int64_t end_ns)
{
    if (k->op == RANGE_RATE_COUNTER)
        return counter_rate(w, k, start_ns, end_ns);
    if (!w->is_known)
        w->known = value_of(w, k);
    w->is_known = true;
    return w->known;
}
