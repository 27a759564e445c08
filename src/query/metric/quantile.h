/* SPDX-License-Identifier: Apache-2.0 */
/* quantile.h - where a quantile lies among n values, and how to find it there.  Values stand in
 * the order of their keys: NaN (all alike) first, -0 before 0.  Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that sorts as the value does, and back. */
uint64_t value_key(double v);
double value_of_key(uint64_t key);

struct quantile_place {
    size_t below, above; /* the two values between which it lies, counted from 0 */
    double weight;       /* of the one above */
    double value;        /* where no value is needed */
};
/* Rank q * (n - 1); false when q alone decides (a NaN, below 0, above 1): ret->value.  n > 0. */
bool quantile_find(double q, size_t n, struct quantile_place *ret);
/* The two values of a place, in expected linear time; moves the keys about. */
void keys_pick(uint64_t *keys, size_t n, const struct quantile_place *at, double *ret_below,
               double *ret_above);
/* The value between the two that were picked. */
double quantile_between(const struct quantile_place *at, double below, double above);
