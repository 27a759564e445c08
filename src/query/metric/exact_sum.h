/* SPDX-License-Identifier: Apache-2.0 */
/* exact_sum.h - sums of doubles without rounding: what was added can be taken out again, and the
 * result is rounded once, when it is asked for.
 * Promise: the value depends on which numbers are in the sum, not on the order in which they came
 * and went.  It is the true sum rounded to nearest, ties to even, denormals included; beyond the
 * largest double it is an infinity.
 *
 * The sum is an integer in units of 2^-1074, the smallest double, kept in digits of 32 bits: a
 * Kulisch accumulator (U. Kulisch, "Computer Arithmetic and Validity", ch. 8), with 64 bits for
 * each digit so that carries may wait.  Squares are exact too, in units of 2^-2148.
 * A sum keeps only the digits that its numbers can reach: exact_span says which before the first
 * is added.  Infinities and NaNs are counted beside it.
 * Threads: one at a time per sum. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The places of the lowest bits of some finite numbers other than 0; min > max: there are none. */
struct exact_span {
    uint32_t min_bit, max_bit;
};
#define EXACT_SPAN_NONE ((struct exact_span){UINT32_MAX, 0})
/* Every finite double. */
#define EXACT_SPAN_ALL ((struct exact_span){0, 2045})
/* Widens s so that v is in it; 0, infinities and NaNs need no place. */
void exact_span_add(struct exact_span *s, double v);

enum exact_power { EXACT_VALUES = 1, EXACT_SQUARES = 2 };
enum { EXACT_MAX_DIGITS = 135 }; /* of squares of EXACT_SPAN_ALL; 68 do for values */

struct exact_sum {
    int64_t *digit;       /* borrowed */
    uint32_t first, n;    /* digit[0] counts units of 2^(32 * first) */
    uint32_t n_unsettled; /* additions since carries were last passed on */
    enum exact_power power;
    uint64_t n_nan, n_up, n_down; /* NaN, +Inf, -Inf */
};
/* Digits that up to 2^63 numbers of the span need. */
size_t exact_span_digits(const struct exact_span *s, enum exact_power power);
/* digits: exact_span_digits() of them, zeros; they outlive the sum. */
void exact_sum_init(struct exact_sum *s, const struct exact_span *span, enum exact_power power,
                    int64_t *digits);
void exact_sum_clear(struct exact_sum *s); /* to the sum of nothing; span and digits stay */
/* v, or its square; must be in the span unless it is 0, infinite or NaN. */
void exact_sum_add(struct exact_sum *s, double v);
void exact_sum_remove(struct exact_sum *s, double v); /* one that was added */

/* NaN with a NaN or infinities of both signs; else an infinity with one. */
double exact_sum_value(struct exact_sum *s);
/* The sum of n numbers / n, rounded once: finite whenever they all are, and never outside of them
 * (a denormal mean is rounded twice). */
double exact_sum_mean(struct exact_sum *s, uint64_t n);
/* The population variance of n numbers from their sum and the sum of their squares, of one span.
 * n * squares - sum^2 is formed exactly: what follows loses no digits, however close the numbers
 * lie together, and equal ones give 0.  Not negative; NaN when one of them is not finite. */
double exact_variance(struct exact_sum *values, struct exact_sum *squares, uint64_t n);
