/* SPDX-License-Identifier: Apache-2.0 */
/* Exact sums beside a slow reference: a count for each bit of the units, carried at the end and
 * written as a hexadecimal number, which strtod() rounds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/metric/exact_sum.h"

enum { N_BITS = 4600, MAX_VALUES = 300, FRACTION_BITS = 160 };

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Any finite double whose exponent lies within `spread` of the middle one; 0 and others too. */
static double any_double(int middle, int spread)
{
    if (rnd() % 16 == 0)
        return rnd() % 2 ? 0.0 : -0.0;
    double m = (double)(rnd() >> 11) * 0x1p-53 + (rnd() % 2 ? 1 : 0);
    double v = ldexp(m, middle + (int)(rnd() % (2 * (uint64_t)spread + 1)) - spread);
    return isfinite(v) ? (rnd() % 2 ? v : -v) : 1;
}

/* ---- the reference ---- */

struct bits {
    int64_t v[N_BITS]; /* how often 2^i */
};

/* |v| = m * 2^*ret_bit units. */
static uint64_t units_of(double v, int *ret_bit)
{
    int e;
    double m = frexp(fabs(v), &e);
    int bit = e - 53 + 1074;
    uint64_t whole = (uint64_t)ldexp(m, 53);
    for (; bit < 0; bit++)
        whole >>= 1; /* zeros: v is a whole number of units */
    *ret_bit = bit;
    return whole;
}

static void add_units(struct bits *b, double v, int64_t times)
{
    int bit;
    uint64_t m = units_of(v, &bit);
    for (int i = 0; i < 53; i++)
        if (m >> i & 1)
            b->v[bit + i] += v < 0 ? -times : times;
}

static void add_square(struct bits *b, double v)
{
    int bit;
    uint64_t m = units_of(v, &bit);
    for (int i = 0; i < 53; i++)
        for (int j = 0; j < 53; j++)
            b->v[2 * bit + i + j] += m >> i & m >> j & 1;
}

static void carry(struct bits *b)
{
    for (int i = 0; i + 1 < N_BITS; i++) {
        int64_t odd = b->v[i] & 1;
        b->v[i + 1] += (b->v[i] - odd) / 2;
        b->v[i] = odd;
    }
}

/* Leaves bits 0 and 1 of the absolute value. */
static bool make_absolute(struct bits *b)
{
    carry(b);
    bool negative = b->v[N_BITS - 1] < 0;
    for (int i = 0; negative && i < N_BITS; i++)
        b->v[i] = -b->v[i];
    carry(b);
    return negative;
}

/* The absolute value, rounded once: in [1, 2] times 2^*ret_exponent units. */
static double rounded(const struct bits *b, int *ret_exponent)
{
    int top = N_BITS - 1;
    while (top >= 0 && b->v[top] == 0)
        top--;
    *ret_exponent = top;
    if (top < 0)
        return 0;
    char text[N_BITS / 4 + 16] = "0x1.";
    size_t at = 4;
    for (int i = top - 1; i >= 0; i -= 4) {
        unsigned digit = 0;
        for (int j = 0; j < 4; j++)
            digit = digit * 2 + (i >= j ? (unsigned)b->v[i - j] : 0);
        at += (size_t)snprintf(text + at, sizeof text - at, "%x", digit);
    }
    return strtod(text, NULL);
}

static double slow_sum(const double *v, size_t n)
{
    struct bits b = {{0}};
    for (size_t i = 0; i < n; i++)
        add_units(&b, v[i], 1);
    bool negative = make_absolute(&b);
    int exponent;
    double sum = rounded(&b, &exponent);
    sum = ldexp(sum, exponent - 1074);
    return negative ? -sum : sum;
}

/* Bit by bit, FRACTION_BITS behind the point; a rest sets the last of them. */
static double slow_mean(const double *v, size_t n)
{
    struct bits b = {{0}}, quotient = {{0}};
    for (size_t i = 0; i < n; i++)
        add_units(&b, v[i], 1);
    bool negative = make_absolute(&b);
    uint64_t rest = 0;
    for (int i = N_BITS - 1; i >= 0; i--) {
        rest = rest * 2 + (i >= FRACTION_BITS ? (uint64_t)b.v[i - FRACTION_BITS] : 0);
        quotient.v[i] = rest >= n;
        rest -= rest >= n ? n : 0;
    }
    if (rest)
        quotient.v[0] = 1;
    int exponent;
    double mean = rounded(&quotient, &exponent);
    mean = ldexp(mean, exponent - FRACTION_BITS - 1074);
    return negative ? -mean : mean;
}

/* (n * squares - sum^2) / n^2 */
static double slow_variance(const double *v, size_t n)
{
    static struct bits sum, spread, squares;
    memset(&sum, 0, sizeof sum);
    memset(&spread, 0, sizeof spread);
    memset(&squares, 0, sizeof squares);
    for (size_t i = 0; i < n; i++) {
        add_units(&sum, v[i], 1);
        add_square(&squares, v[i]);
    }
    make_absolute(&sum);
    for (int i = 0; i < N_BITS; i++) {
        spread.v[i] += squares.v[i] * (int64_t)n;
        for (int j = 0; sum.v[i] && i + j < N_BITS; j++)
            spread.v[i + j] -= sum.v[j];
    }
    assert_false(make_absolute(&spread));
    int exponent;
    double d = rounded(&spread, &exponent);
    return ldexp(d / ((double)n * (double)n), exponent - 2148);
}

/* ---- the sums under test ---- */

struct both {
    struct exact_sum values, squares;
    int64_t value_digits[EXACT_MAX_DIGITS], square_digits[EXACT_MAX_DIGITS];
};

static void both_init(struct both *b, const double *v, size_t n)
{
    memset(b, 0, sizeof *b);
    struct exact_span span = EXACT_SPAN_NONE;
    for (size_t i = 0; i < n; i++)
        exact_span_add(&span, v[i]);
    assert_true(exact_span_digits(&span, EXACT_SQUARES) <= EXACT_MAX_DIGITS);
    exact_sum_init(&b->values, &span, EXACT_VALUES, b->value_digits);
    exact_sum_init(&b->squares, &span, EXACT_SQUARES, b->square_digits);
}

static void both_add(struct both *b, double v)
{
    exact_sum_add(&b->values, v);
    exact_sum_add(&b->squares, v);
}

static void both_remove(struct both *b, double v)
{
    exact_sum_remove(&b->values, v);
    exact_sum_remove(&b->squares, v);
}

static void assert_bits(double a, double b)
{
    if (isnan(a) && isnan(b))
        return;
    if (memcmp(&a, &b, sizeof a) != 0)
        fail_msg("%a is not %a", a, b);
}

static double sum_of(const double *v, size_t n)
{
    struct both b;
    both_init(&b, v, n);
    for (size_t i = 0; i < n; i++)
        both_add(&b, v[i]);
    return exact_sum_value(&b.values);
}

static double mean_of(const double *v, size_t n)
{
    struct both b;
    both_init(&b, v, n);
    for (size_t i = 0; i < n; i++)
        both_add(&b, v[i]);
    return exact_sum_mean(&b.values, n);
}

static double variance_of(const double *v, size_t n)
{
    struct both b;
    both_init(&b, v, n);
    for (size_t i = 0; i < n; i++)
        both_add(&b, v[i]);
    return exact_variance(&b.values, &b.squares, n);
}

/* ---- tests ---- */

static void test_sums_and_means_of_every_exponent_are_rounded_once(void **state)
{
    static const int SPREADS[] = {0, 3, 60, 1100};
    seed = 1;
    for (int round = 0; round < 4000; round++) {
        double v[MAX_VALUES];
        size_t n = 1 + rnd() % (round % 8 ? 12 : MAX_VALUES);
        int middle = (int)(rnd() % 2150) - 1100, spread = SPREADS[rnd() % 4];
        for (size_t i = 0; i < n; i++)
            v[i] = any_double(middle, spread);
        if (n > 4 && rnd() % 2) /* nearly all cancels */
            for (size_t i = 0; i + 1 < n / 2; i++)
                v[n - 1 - i] = -v[i];
        assert_bits(sum_of(v, n) + 0.0, slow_sum(v, n) + 0.0);
        assert_bits(mean_of(v, n) + 0.0, slow_mean(v, n) + 0.0);
    }
}

static void test_variances_lose_nothing(void **state)
{
    static const int SPREADS[] = {0, 3, 60, 1100};
    seed = 2;
    for (int round = 0; round < 300; round++) {
        double v[MAX_VALUES];
        size_t n = 1 + rnd() % (round % 8 ? 12 : MAX_VALUES);
        int middle = (int)(rnd() % 2150) - 1100, spread = SPREADS[rnd() % 4];
        double base = rnd() % 2 ? any_double(middle + 30, 1) : 0;
        for (size_t i = 0; i < n; i++) {
            v[i] = base + any_double(middle, spread);
            v[i] = isfinite(v[i]) ? v[i] : 1;
        }
        assert_bits(variance_of(v, n), slow_variance(v, n));
    }
}

static void test_what_was_taken_out_leaves_no_trace(void **state)
{
    seed = 3;
    for (int round = 0; round < 500; round++) {
        double v[MAX_VALUES];
        size_t n = 2 + rnd() % 100, kept = 1 + rnd() % (n - 1);
        int spread = rnd() % 2 ? 1100 : 4;
        for (size_t i = 0; i < n; i++)
            v[i] = rnd() % 20 ? any_double(0, spread) : rnd() % 2 ? INFINITY : -NAN;
        struct both b;
        both_init(&b, v, n);
        for (size_t i = n; i-- > 0;) {
            both_add(&b, v[i]);
            if (i % 3 == 0)
                exact_sum_value(&b.values); /* asking changes nothing */
        }
        for (size_t i = kept; i < n; i++)
            both_remove(&b, v[i]);
        assert_bits(exact_sum_value(&b.values), sum_of(v, kept));
        assert_bits(exact_sum_mean(&b.values, kept), mean_of(v, kept));
        assert_bits(exact_variance(&b.values, &b.squares, kept), variance_of(v, kept));
        exact_sum_clear(&b.values);
        assert_bits(exact_sum_value(&b.values), 0);
    }
}

static void test_ties_go_to_the_even_neighbour_unless_something_follows(void **state)
{
    assert_bits(sum_of((double[]){1, 0x1p-53}, 2), 1);
    assert_bits(sum_of((double[]){1 + 0x1p-52, 0x1p-53}, 2), 1 + 0x1p-51);
    assert_bits(sum_of((double[]){1, 0x1p-53, 0x1p-1074}, 3), 1 + 0x1p-52);
    assert_bits(sum_of((double[]){1, 0x1p-53, -0x1p-1074}, 3), 1);
    assert_bits(sum_of((double[]){-1, -0x1p-53, -0x1p-1074}, 3), -(1 + 0x1p-52));
    assert_bits(sum_of((double[]){0x1p-1074, 0x1p-1074, 0x1p-1022}, 3), 0x1p-1022 + 0x1p-1073);
}

static void test_a_sum_overflows_only_at_its_end(void **state)
{
    assert_bits(sum_of((double[]){DBL_MAX, DBL_MAX}, 2), INFINITY);
    assert_bits(sum_of((double[]){-DBL_MAX, -DBL_MAX}, 2), -INFINITY);
    assert_bits(sum_of((double[]){DBL_MAX, DBL_MAX, -DBL_MAX}, 3), DBL_MAX);
    assert_bits(sum_of((double[]){DBL_MAX, 0x1p969}, 2), DBL_MAX);
    assert_bits(sum_of((double[]){DBL_MAX, 0x1p970}, 2), INFINITY);
    assert_bits(mean_of((double[]){1e308, 1e308}, 2), 1e308);
    assert_bits(mean_of((double[]){-DBL_MAX, -DBL_MAX, -DBL_MAX}, 3), -DBL_MAX);
}

static void test_equal_numbers_have_their_mean_and_no_variance(void **state)
{
    double v[MAX_VALUES];
    seed = 4;
    for (int round = 0; round < 200; round++) {
        double x = any_double((int)(rnd() % 1800) - 900, 3);
        for (size_t i = 0; i < MAX_VALUES; i++)
            v[i] = x;
        size_t n = 1 + rnd() % MAX_VALUES;
        assert_bits(mean_of(v, n) + 0.0, x + 0.0);
        assert_bits(variance_of(v, n), 0);
    }
}

static void test_infinities_and_nan_keep_their_rules(void **state)
{
    assert_bits(sum_of((double[]){1, INFINITY, -DBL_MAX}, 3), INFINITY);
    assert_bits(mean_of((double[]){1, -INFINITY, -INFINITY}, 3), -INFINITY);
    assert_true(isnan(sum_of((double[]){INFINITY, -INFINITY}, 2)));
    assert_true(isnan(mean_of((double[]){INFINITY, NAN}, 2)));
    assert_true(isnan(variance_of((double[]){INFINITY, 1}, 2)));
    assert_true(isnan(variance_of((double[]){NAN, 1}, 2)));
    assert_bits(sum_of((double[]){-0.0, 0.0}, 2), 0);
    assert_bits(variance_of((double[]){0, 0}, 2), 0);
}

/* 2^30 additions of the longest digits just fit before carries are passed on. */
static void test_carries_are_passed_on_before_a_digit_overflows(void **state)
{
    double v[] = {DBL_MAX, -DBL_MAX, 0x1.fffffffffffffp0};
    struct both b;
    both_init(&b, v, 3);
    double most = 0;
    b.values.n_unsettled = (1u << 30) - 4;
    for (uint32_t i = 0; i < b.values.n; i++)
        b.values.digit[i] = i + 1 < b.values.n ? ((int64_t)1 << 62) - 1 : 0;
    for (int i = 0; i < 8; i++)
        both_add(&b, v[2]);
    assert_true(b.values.n_unsettled < 8);
    for (uint32_t i = 0; i + 1 < b.values.n; i++)
        most = fmax(most, (double)b.values.digit[i]);
    assert_true(most < 0x1p36);
}

static double welford(const double *v, size_t n)
{
    double m = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double d = v[i] - m;
        m += d / (double)(i + 1);
        squares += d * (v[i] - m);
    }
    return squares / (double)n;
}

/* Whole numbers: n * squares - sum^2 fits into 128 bits once the base is taken off. */
static void test_a_variance_is_nearer_than_a_running_one(void **state)
{
    seed = 5;
    double worst = 0, worst_running = 0;
    for (int round = 0; round < 300; round++) {
        double v[MAX_VALUES], base = round % 2 ? 1e9 : 0;
        __int128 sum = 0, squares = 0;
        for (size_t i = 0; i < MAX_VALUES; i++) {
            int64_t x = (int64_t)(rnd() % 7) - 3;
            v[i] = base * 1e6 + (double)x;
            sum += x;
            squares += x * x;
        }
        double n = MAX_VALUES;
        double truth = (double)(squares * MAX_VALUES - sum * sum) / (n * n);
        worst = fmax(worst, fabs(variance_of(v, MAX_VALUES) / truth - 1));
        worst_running = fmax(worst_running, fabs(welford(v, MAX_VALUES) / truth - 1));
    }
    assert_true(worst == 0);
    assert_true(worst_running > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_and_means_of_every_exponent_are_rounded_once),
        cmocka_unit_test(test_variances_lose_nothing),
        cmocka_unit_test(test_what_was_taken_out_leaves_no_trace),
        cmocka_unit_test(test_ties_go_to_the_even_neighbour_unless_something_follows),
        cmocka_unit_test(test_a_sum_overflows_only_at_its_end),
        cmocka_unit_test(test_equal_numbers_have_their_mean_and_no_variance),
        cmocka_unit_test(test_infinities_and_nan_keep_their_rules),
        cmocka_unit_test(test_carries_are_passed_on_before_a_digit_overflows),
        cmocka_unit_test(test_a_variance_is_nearer_than_a_running_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
