/* SPDX-License-Identifier: Apache-2.0 */
#include "query/metric/quantile.h"

#include <math.h>
#include <string.h>

#define SIGN_BIT (UINT64_C(1) << 63)

uint64_t value_key(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    if (isnan(v))
        return 0;
    return b & SIGN_BIT ? ~b : b | SIGN_BIT;
}

double value_of_key(uint64_t key)
{
    uint64_t b = key & SIGN_BIT ? key ^ SIGN_BIT : ~key;
    double v;
    memcpy(&v, &b, sizeof v);
    return key ? v : NAN;
}

bool quantile_find(double q, size_t n, struct quantile_place *ret)
{
    if (isnan(q) || q < 0 || q > 1) {
        *ret = (struct quantile_place){.value = isnan(q) ? NAN : q < 0 ? -INFINITY : INFINITY};
        return false;
    }
    double rank = q * (double)(n - 1);
    size_t below = (size_t)rank;
    *ret = (struct quantile_place){
        .below = below, .above = below + 1 < n ? below + 1 : below, .weight = rank - floor(rank)};
    return true;
}

double quantile_between(const struct quantile_place *at, double below, double above)
{
    double v = below * (1 - at->weight) + above * at->weight;
    return isnan(v) ? NAN : v; /* one NaN for all */
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

/* Parts v[lo..hi] around a pivot: what is before it, equal to it, after it.  Equal ones lie in
 * [*ret_from, *ret_to). */
static void part_around(uint64_t *v, size_t lo, size_t hi, uint64_t pivot, size_t *ret_from,
                        size_t *ret_to)
{
    size_t from = lo, to = hi + 1;
    for (size_t i = lo; i < to;) {
        if (v[i] < pivot)
            swap(&v[i++], &v[from++]);
        else if (pivot < v[i])
            swap(&v[i], &v[--to]);
        else
            i++;
    }
    *ret_from = from;
    *ret_to = to;
}

/* Puts the k-th key in its place, smaller ones before it, larger ones behind: expected linear
 * time, pivots being drawn. */
static void select_kth(uint64_t *v, size_t n, size_t k)
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

static uint64_t smallest_of(const uint64_t *v, size_t n)
{
    uint64_t m = v[0];
    for (size_t i = 1; i < n; i++)
        m = v[i] < m ? v[i] : m;
    return m;
}

void keys_pick(uint64_t *keys, size_t n, const struct quantile_place *at, double *ret_below,
               double *ret_above)
{
    select_kth(keys, n, at->below);
    uint64_t below = keys[at->below];
    uint64_t above = at->above > at->below ? smallest_of(keys + at->above, n - at->above) : below;
    *ret_below = value_of_key(below);
    *ret_above = value_of_key(above);
}
