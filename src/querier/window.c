/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/window.h"

#include <math.h>

#include "base/clock.h"

static double sum(const struct window *w)
{
    double s = 0;
    for (size_t i = 0; i < w->n; i++)
        s += w->v[i].value;
    return s;
}

/* An infinite mean stays what it is for finite values; a running mean cannot overflow. */
static double mean(const struct window *w)
{
    double m = 0;
    for (size_t i = 0; i < w->n; i++) {
        double v = w->v[i].value, n = (double)(i + 1);
        if (isinf(m) && (isinf(v) ? (m > 0) == (v > 0) : !isnan(v)))
            continue;
        m += v / n - m / n;
    }
    return m;
}

static double smallest(const struct window *w)
{
    double m = w->v[0].value;
    for (size_t i = 1; i < w->n; i++)
        if (w->v[i].value < m || isnan(m))
            m = w->v[i].value;
    return m;
}

static double largest(const struct window *w)
{
    double m = w->v[0].value;
    for (size_t i = 1; i < w->n; i++)
        if (w->v[i].value > m || isnan(m))
            m = w->v[i].value;
    return m;
}

static double variance(const struct window *w)
{
    double m = 0, squares = 0;
    for (size_t i = 0; i < w->n; i++) {
        double d = w->v[i].value - m;
        m += d / (double)(i + 1);
        squares += d * (w->v[i].value - m);
    }
    return squares / (double)w->n;
}

/* NaN stands before all numbers. */
static bool before(double x, double y)
{
    return x < y || (isnan(x) && !isnan(y));
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

/* Parts v[lo..hi] around a pivot: what is before it, equal to it, after it.  Equal ones lie in
 * [*ret_from, *ret_to). */
static void part_around(double *v, size_t lo, size_t hi, double pivot, size_t *ret_from,
                        size_t *ret_to)
{
    size_t from = lo, to = hi + 1;
    for (size_t i = lo; i < to;) {
        if (before(v[i], pivot))
            swap(&v[i++], &v[from++]);
        else if (before(pivot, v[i]))
            swap(&v[i], &v[--to]);
        else
            i++;
    }
    *ret_from = from;
    *ret_to = to;
}

/* Puts the k-th value in its place, smaller ones before it, larger ones behind: expected linear
 * time, pivots being drawn. */
static void select_kth(double *v, size_t n, size_t k)
{
    uint64_t state = n * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (size_t lo = 0, hi = n - 1; lo < hi;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        size_t from, to;
        part_around(v, lo, hi, v[lo + state % (hi - lo + 1)], &from, &to);
        if (k >= from && k < to)
            return;
        if (k < from)
            hi = from - 1;
        else
            lo = to;
    }
}

static double smallest_of(const double *v, size_t n)
{
    double m = v[0];
    for (size_t i = 1; i < n; i++)
        if (before(v[i], m))
            m = v[i];
    return m;
}

double quantile_of(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    double rank = q * (double)(n - 1);
    size_t below = (size_t)rank;
    double weight = rank - floor(rank);
    select_kth(v, n, below);
    double above = below + 1 < n ? smallest_of(v + below + 1, n - below - 1) : v[below];
    return v[below] * (1 - weight) + above * weight;
}

static double quantile(double q, const struct window *w, double *scratch)
{
    for (size_t i = 0; i < w->n; i++)
        scratch[i] = w->v[i].value;
    return quantile_of(q, scratch, w->n);
}

/* Extrapolates to the window's ends unless the samples stop clearly before them. */
static double counter_rate(const struct window *w)
{
    if (w->n < 2)
        return 0;
    const struct sample *first = &w->v[0], *last = &w->v[w->n - 1];
    double increase = last->value - first->value;
    for (size_t i = 1; i < w->n; i++)
        if (w->v[i].value < w->v[i - 1].value)
            increase += w->v[i - 1].value;
    double span = (double)(last->ts_ns - first->ts_ns) / NS_PER_S;
    double average = span / (double)(w->n - 1);
    double threshold = average * 1.1;
    double to_start = (double)(first->ts_ns - w->start_ns) / NS_PER_S;
    double to_end = (double)(w->end_ns - last->ts_ns) / NS_PER_S;
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
    return increase * factor / ((double)w->range_ns / NS_PER_S);
}

double window_value(enum range_op op, double param, const struct window *w, double *scratch)
{
    switch (op) {
    case RANGE_RATE:
        return sum(w) / ((double)w->range_ns / NS_PER_S);
    case RANGE_RATE_COUNTER:
        return counter_rate(w);
    case RANGE_SUM:
        return sum(w);
    case RANGE_AVG:
        return mean(w);
    case RANGE_MIN:
        return smallest(w);
    case RANGE_MAX:
        return largest(w);
    case RANGE_STDVAR:
        return variance(w);
    case RANGE_STDDEV:
        return sqrt(variance(w));
    case RANGE_QUANTILE:
        return quantile(param, w, scratch);
    case RANGE_FIRST:
        return w->v[0].value;
    case RANGE_LAST:
        return w->v[w->n - 1].value;
    default: /* those without unwrap never come here */
        return (double)w->n;
    }
}
