/* SPDX-License-Identifier: Apache-2.0 */
/* A double is m * 2^bit units, m < 2^53; its square m^2 * 2^(2 bit) units of squares, m^2 < 2^106.
 * Each addition changes a digit by less than 2^32, so that 2^31 - 2 of them fit into one that was
 * settled (below 2^32); carries are passed on after SETTLE_AFTER.
 * Digits above the highest that a number reaches: 2^63 numbers need 63 bits more. */
#include "query/metric/exact_sum.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { DIGIT_BITS = 32, UNIT_EXPONENT = -1074, SETTLE_AFTER = 1 << 30 };
/* From the digit in which a number begins: 31 bits of shift, 53 or 106 of its own, 63 of a sum. */
enum { VALUE_DIGITS = 5, SQUARE_DIGITS = 7 };
enum { MEAN_DIGITS = 5 };
/* Of n * squares: two digits of n more. */
enum { SPREAD_DIGITS = EXACT_MAX_DIGITS + 5 };

struct parts {
    uint64_t m;   /* 0 for 0, infinities and NaN */
    uint32_t bit; /* place of its lowest bit */
    bool negative, is_finite;
};

static inline struct parts parts_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    uint32_t e = b >> 52 & 0x7ff;
    uint64_t m = b & ((UINT64_C(1) << 52) - 1);
    if (e == 0x7ff)
        return (struct parts){.is_finite = false};
    return (struct parts){e ? m | UINT64_C(1) << 52 : m, e ? e - 1 : 0, b >> 63, true};
}

void exact_span_add(struct exact_span *s, double v)
{
    struct parts p = parts_of(v);
    if (p.m == 0)
        return;
    s->min_bit = p.bit < s->min_bit ? p.bit : s->min_bit;
    s->max_bit = p.bit > s->max_bit ? p.bit : s->max_bit;
}

static uint32_t first_digit(const struct exact_span *s, enum exact_power power)
{
    return s->min_bit > s->max_bit ? 0 : s->min_bit * power / DIGIT_BITS;
}

size_t exact_span_digits(const struct exact_span *s, enum exact_power power)
{
    if (s->min_bit > s->max_bit)
        return 0;
    uint32_t more = power == EXACT_SQUARES ? SQUARE_DIGITS : VALUE_DIGITS;
    return s->max_bit * power / DIGIT_BITS + more - first_digit(s, power);
}

void exact_sum_init(struct exact_sum *s, const struct exact_span *span, enum exact_power power,
                    int64_t *digits)
{
    *s = (struct exact_sum){.digit = digits,
                            .first = first_digit(span, power),
                            .n = (uint32_t)exact_span_digits(span, power),
                            .power = power};
}

void exact_sum_clear(struct exact_sum *s)
{
    if (s->n)
        memset(s->digit, 0, s->n * sizeof *s->digit);
    s->n_unsettled = 0;
    s->n_nan = s->n_up = s->n_down = 0;
}

/* Leaves each digit in [0, 2^32) but the highest, which has the sign. */
static void settle(struct exact_sum *s)
{
    for (uint32_t i = 0; i + 1 < s->n; i++) {
        s->digit[i + 1] += s->digit[i] >> DIGIT_BITS;
        s->digit[i] &= UINT32_MAX;
    }
    s->n_unsettled = 0;
}

static inline int64_t signed_digit(uint64_t digit, int64_t sign)
{
    return ((int64_t)(digit & UINT32_MAX) ^ sign) - sign;
}

/* sign is 0, or -1 for the negative of it. */
static inline void put_value(struct exact_sum *s, struct parts p, int64_t sign)
{
    assert(p.bit / DIGIT_BITS >= s->first && p.bit / DIGIT_BITS + 2 - s->first < s->n);
    int64_t *d = s->digit + (p.bit / DIGIT_BITS - s->first);
    unsigned __int128 m = (unsigned __int128)p.m << p.bit % DIGIT_BITS;
    d[0] += signed_digit((uint64_t)m, sign);
    d[1] += signed_digit((uint64_t)(m >> 32), sign);
    d[2] += signed_digit((uint64_t)(m >> 64), sign);
}

static inline void put_square(struct exact_sum *s, struct parts p, int64_t sign)
{
    uint32_t bit = p.bit * 2, shift = bit % DIGIT_BITS;
    assert(bit / DIGIT_BITS >= s->first && bit / DIGIT_BITS + 4 - s->first < s->n);
    int64_t *d = s->digit + (bit / DIGIT_BITS - s->first);
    unsigned __int128 m = (unsigned __int128)p.m * p.m;
    unsigned __int128 low = (unsigned __int128)(uint64_t)m << shift;
    unsigned __int128 high = ((unsigned __int128)(uint64_t)(m >> 64) << shift) + (low >> 64);
    d[0] += signed_digit((uint64_t)low, sign);
    d[1] += signed_digit((uint64_t)low >> 32, sign);
    d[2] += signed_digit((uint64_t)high, sign);
    d[3] += signed_digit((uint64_t)(high >> 32), sign);
    d[4] += signed_digit((uint64_t)(high >> 64), sign);
}

static void count_odd(struct exact_sum *s, double v, uint64_t by)
{
    if (isnan(v))
        s->n_nan += by;
    else if (v > 0 || s->power == EXACT_SQUARES)
        s->n_up += by;
    else
        s->n_down += by;
}

static inline void put(struct exact_sum *s, double v, bool remove)
{
    struct parts p = parts_of(v);
    if (!p.is_finite) {
        count_odd(s, v, remove ? UINT64_MAX : 1);
        return;
    }
    if (p.m == 0)
        return;
    if (s->power == EXACT_SQUARES)
        put_square(s, p, -(int64_t)remove);
    else
        put_value(s, p, -(int64_t)(remove != p.negative));
    if (++s->n_unsettled == SETTLE_AFTER)
        settle(s);
}

void exact_sum_add(struct exact_sum *s, double v)
{
    put(s, v, false);
}

void exact_sum_remove(struct exact_sum *s, double v)
{
    put(s, v, true);
}

/* ---- rounding ---- */

/* The absolute value, digit by digit; true when it was negative. */
static bool magnitude(struct exact_sum *s, uint32_t *ret)
{
    ret[0] = 0;
    if (s->n == 0)
        return false;
    settle(s);
    assert(s->digit[s->n - 1] >= INT32_MIN && s->digit[s->n - 1] <= INT32_MAX);
    bool negative = s->digit[s->n - 1] < 0;
    uint64_t carry = negative;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t digit = (uint32_t)s->digit[i];
        carry += negative ? (uint32_t)~digit : digit;
        ret[i] = (uint32_t)carry;
        carry >>= DIGIT_BITS;
    }
    return negative;
}

static size_t significant(const uint32_t *digit, size_t n)
{
    while (n && digit[n - 1] == 0)
        n--;
    return n;
}

/* n digits rounded to 53 bits: *ret_exponent and what it scales, 0 or in [2^63, 2^64].  64 leading
 * bits, the lowest of them standing for all that follow, round like the whole. */
static double leading(const uint32_t *digit, size_t n, int *ret_exponent)
{
    *ret_exponent = 0;
    n = significant(digit, n);
    if (n == 0)
        return 0;
    unsigned __int128 x = (unsigned __int128)digit[n - 1] << 96;
    x |= n > 1 ? (unsigned __int128)digit[n - 2] << 64 : 0;
    x |= n > 2 ? (unsigned __int128)digit[n - 3] << 32 : 0;
    int shift = __builtin_clz(digit[n - 1]);
    x <<= shift;
    bool more = (uint64_t)x != 0;
    for (size_t i = 3; i < n && !more; i++)
        more = digit[n - 1 - i] != 0;
    *ret_exponent = (int)(n * DIGIT_BITS) - shift - 64;
    return (double)((uint64_t)(x >> 64) | more);
}

static bool is_odd(const struct exact_sum *s)
{
    return s->n_nan || s->n_up || s->n_down;
}

static double odd_value(const struct exact_sum *s)
{
    if (s->n_nan || (s->n_up && s->n_down))
        return NAN;
    return s->n_up ? INFINITY : -INFINITY;
}

/* Scaling is exact: what comes out as a denormal is a whole number of units and lost no bits. */
double exact_sum_value(struct exact_sum *s)
{
    if (is_odd(s))
        return odd_value(s);
    uint32_t digit[EXACT_MAX_DIGITS];
    bool negative = magnitude(s, digit);
    int exponent;
    double v = leading(digit, s->n, &exponent);
    exponent += (int)s->first * DIGIT_BITS + UNIT_EXPONENT;
    return ldexp(negative ? -v : v, exponent);
}

/* digit[0 .. n) /= by; true when something is left over. */
static bool divide(uint32_t *digit, size_t n, uint64_t by)
{
    unsigned __int128 rest = 0;
    for (size_t i = n; i-- > 0;) {
        rest = rest << DIGIT_BITS | digit[i];
        digit[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    return rest != 0;
}

/* Rounded once, so that the mean of equal numbers is that number.  The quotient by 64 bits has 65
 * at least, when it is made of MEAN_DIGITS: a rest then only matters in that it is one. */
double exact_sum_mean(struct exact_sum *s, uint64_t n)
{
    if (is_odd(s))
        return odd_value(s);
    uint32_t digit[MEAN_DIGITS + EXACT_MAX_DIGITS] = {0};
    bool negative = magnitude(s, digit + MEAN_DIGITS);
    size_t used = significant(digit + MEAN_DIGITS, s->n);
    size_t more = used < MEAN_DIGITS ? MEAN_DIGITS - used : 0; /* behind the point */
    uint32_t *from = digit + MEAN_DIGITS - more;
    if (divide(from, used + more, n))
        from[0] |= 1;
    int exponent;
    double v = leading(from, used + more, &exponent);
    exponent += ((int)s->first - (int)more) * DIGIT_BITS + UNIT_EXPONENT;
    return ldexp(negative ? -v : v, exponent);
}

/* ---- variance ---- */

/* to[0 .. 2n) = a^2 */
static void square(const uint32_t *a, size_t n, uint32_t *to)
{
    memset(to, 0, 2 * n * sizeof *to);
    n = significant(a, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t carry = 0;
        if (a[i] == 0)
            continue;
        for (size_t j = 0; j < n; j++) {
            carry += (uint64_t)a[i] * a[j] + to[i + j];
            to[i + j] = (uint32_t)carry;
            carry >>= DIGIT_BITS;
        }
        to[i + n] = (uint32_t)carry;
    }
}

/* to[0 .. n + 2) = a * factor */
static void multiply(const uint32_t *a, size_t n, uint64_t factor, uint32_t *to)
{
    unsigned __int128 carry = 0;
    for (size_t i = 0; i < n + 2; i++) {
        carry += i < n ? (unsigned __int128)factor * a[i] : 0;
        to[i] = (uint32_t)carry;
        carry >>= DIGIT_BITS;
    }
}

/* a -= b, which is not above it. */
static void subtract(uint32_t *a, const uint32_t *b, size_t n)
{
    int64_t borrow = 0;
    for (size_t i = 0; i < n; i++) {
        borrow += (int64_t)a[i] - b[i];
        a[i] = (uint32_t)borrow;
        borrow >>= DIGIT_BITS;
    }
    assert(borrow == 0); /* (sum)^2 <= n * (sum of squares) */
}

double exact_variance(struct exact_sum *values, struct exact_sum *squares, uint64_t n)
{
    if (is_odd(values))
        return NAN;
    uint32_t digit[EXACT_MAX_DIGITS], sum2[SPREAD_DIGITS], spread[SPREAD_DIGITS] = {0};
    magnitude(values, digit);
    square(digit, values->n, sum2);
    magnitude(squares, digit);
    uint32_t above = squares->first - 2 * values->first; /* half a digit of values, 0 or 1 */
    multiply(digit, squares->n, n, spread + above);
    subtract(spread, sum2, 2 * values->n);
    int exponent;
    double v = leading(spread, above + squares->n + 2, &exponent);
    exponent += 2 * (int)values->first * DIGIT_BITS + 2 * UNIT_EXPONENT;
    return ldexp(v / ((double)n * (double)n), exponent);
}
