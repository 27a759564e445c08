/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u64 words, each the bits of a double.  Property: the sum, the mean and the variance of the
 * first half are the same bits whether the rest was never there or was put in first and taken out
 * in the other order; a mean lies between the least and the greatest; no variance is negative. */
#include <assert.h>
#include <math.h>

#include "base/bytes.h"
#include "query/metric/exact_sum.h"

enum { MAX_VALUES = 256 };

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
    exact_sum_init(&b->values, &span, EXACT_VALUES, b->value_digits);
    exact_sum_init(&b->squares, &span, EXACT_SQUARES, b->square_digits);
}

static void put(struct both *b, double v)
{
    exact_sum_add(&b->values, v);
    exact_sum_add(&b->squares, v);
}

static void assert_same(double a, double b)
{
    assert((isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0);
}

static void check_bounds(const double *v, size_t n, struct both *b)
{
    double least = INFINITY, greatest = -INFINITY, mean = exact_sum_mean(&b->values, n);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            return;
        least = fmin(least, v[i]);
        greatest = fmax(greatest, v[i]);
    }
    assert(mean >= least && mean <= greatest);
    assert(exact_variance(&b->values, &b->squares, n) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    double v[MAX_VALUES];
    size_t n = len / sizeof *v < MAX_VALUES ? len / sizeof *v : MAX_VALUES, kept = (n + 1) / 2;
    if (n == 0)
        return 0;
    memcpy(v, data, n * sizeof *v);
    static struct both whole, half;
    both_init(&whole, v, n);
    both_init(&half, v, kept);
    for (size_t i = n; i-- > 0;)
        put(&whole, v[i]);
    for (size_t i = 0; i < kept; i++)
        put(&half, v[i]);
    for (size_t i = kept; i < n; i++) {
        exact_sum_remove(&whole.values, v[i]);
        exact_sum_remove(&whole.squares, v[i]);
    }
    assert_same(exact_sum_value(&whole.values), exact_sum_value(&half.values));
    assert_same(exact_sum_mean(&whole.values, kept), exact_sum_mean(&half.values, kept));
    assert_same(exact_variance(&whole.values, &whole.squares, kept),
                exact_variance(&half.values, &half.squares, kept));
    check_bounds(v, kept, &half);
    return 0;
}
