/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"

static size_t u64_text(uint64_t v, char out[20])
{
    static const char pairs[201] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char text[20];
    size_t at = sizeof text;
    for (; v >= 100; v /= 100) {
        at -= 2;
        memcpy(text + at, pairs + v % 100 * 2, 2);
    }
    if (v >= 10) {
        at -= 2;
        memcpy(text + at, pairs + v * 2, 2);
    } else {
        text[--at] = (char)('0' + v);
    }
    memcpy(out, text + at, sizeof text - at);
    return sizeof text - at;
}

void num_put_u64(struct buf *out, uint64_t v)
{
    char text[20];
    buf_put_bytes(out, text, u64_text(v, text));
}

void num_put_i64(struct buf *out, int64_t v)
{
    if (v < 0)
        buf_put_u8(out, '-');
    num_put_u64(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* m / 10^decimals; the fraction ends in a digit other than 0. */
static size_t scaled_text(uint64_t m, unsigned decimals, char *out)
{
    char digits[20];
    size_t n = u64_text(m, digits), at = 0;
    if (n <= decimals) { /* 0.00ddd */
        out[at++] = '0';
        out[at++] = '.';
        for (size_t i = n; i < decimals; i++)
            out[at++] = '0';
        memcpy(out + at, digits, n);
        return at + n;
    }
    memcpy(out, digits, n - decimals);
    at = n - decimals;
    if (decimals > 0) {
        out[at++] = '.';
        memcpy(out + at, digits + n - decimals, decimals);
        at += decimals;
    }
    return at;
}

/* The quick way for what results mostly are: integers and few decimals.  m and 10^k are exact
 * doubles and division rounds correctly, so m / 10^k == v says that the decimal reads back as v;
 * below 2^53 no shorter decimal can. */
static size_t few_decimals_text(double v, char *out)
{
    static const double pow10[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    for (unsigned k = 0; k < sizeof pow10 / sizeof pow10[0]; k++) {
        double scaled = v * pow10[k];
        if (scaled >= 0x1p53)
            return 0;
        uint64_t m = (uint64_t)(scaled + 0.5);
        if ((double)m / pow10[k] == v)
            return scaled_text(m, k, out);
    }
    return 0;
}

int num_shortest(double v, char digits[NUM_SHORTEST_DIGITS], int *ret_exponent)
{
    char text[40];
    /* 15 digits are exact where a double has all its bits; below, fewer may do. */
    for (int precision = v < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    int n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    *ret_exponent = (int)strtol(p + 1, NULL, 10);
    return n;
}

static size_t shortest_text(double v, char *out)
{
    char digits[NUM_SHORTEST_DIGITS];
    int exponent, n = num_shortest(v, digits, &exponent);
    size_t at = 0;
    if (exponent < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = -1; i > exponent; i--)
            out[at++] = '0';
        memcpy(out + at, digits, (size_t)n);
        return at + (size_t)n;
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1)
            out[at++] = '.';
        out[at++] = i < n ? digits[i] : '0';
    }
    return at;
}

static size_t put_literal(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

size_t num_float_text(double v, char *out)
{
    if (isnan(v))
        return put_literal(out, "NaN");
    if (isinf(v))
        return put_literal(out, v > 0 ? "+Inf" : "-Inf");
    size_t at = 0;
    if (signbit(v)) {
        out[at++] = '-';
        v = -v;
    }
    if (v == 0) {
        out[at++] = '0';
        return at;
    }
    size_t n = few_decimals_text(v, out + at);
    return at + (n > 0 ? n : shortest_text(v, out + at));
}

void num_put_float(struct buf *out, double v)
{
    char text[NUM_FLOAT_BYTES];
    buf_put_bytes(out, text, num_float_text(v, text));
}

void num_put_seconds(struct buf *out, int64_t ns)
{
    int64_t ms = ns / NS_PER_MS;
    if (ns % NS_PER_MS < 0)
        ms--; /* towards the past, as the others */
    char text[32];
    size_t n = 0;
    if (ms < 0)
        buf_put_u8(out, '-');
    uint64_t m = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    unsigned decimals = 3;
    for (; decimals > 0 && m % 10 == 0; decimals--)
        m /= 10;
    n = scaled_text(m, decimals, text);
    buf_put_bytes(out, text, n);
}
