/* SPDX-License-Identifier: Apache-2.0 */
/* Floats under the verbs of Go's fmt.  C's printf has most of them; %b, %x, the flag # and the
 * shortest digits are Go's own, as is where the sign stands before padding. */
#include <math.h>
#include <stdio.h>

#include "template/fmt.h"
#include "template/value.h"

enum {
    MANTISSA_BITS = 52,
    LEAST_EXPONENT = -1022,
    DIGITS_UNASKED = 6, /* after the point, where no precision is given */
    DIGITS_SHORTEST = -1,
    MOST_SIGNIFICANT = 800, /* no double has more digits that are not zero */
};

/* f = mantissa * 2^exponent, the hidden bit included. */
static uint64_t parts_of(double f, int *ret_exponent)
{
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint64_t mantissa = bits & ((1ull << MANTISSA_BITS) - 1);
    int biased = (int)(bits >> MANTISSA_BITS & 0x7ff);
    if (biased)
        mantissa |= 1ull << MANTISSA_BITS;
    *ret_exponent = (biased ? biased - 1 : 0) + LEAST_EXPONENT - MANTISSA_BITS;
    return mantissa;
}

static void put_binary(struct buf *out, double f)
{
    int exponent;
    uint64_t mantissa = parts_of(f, &exponent);
    buf_printf(out, "%llup%+d", (unsigned long long)mantissa, exponent);
}

/* To `n` hexadecimal digits behind the point, half to even. */
static uint64_t round_to(uint64_t mantissa, int n)
{
    int cut = MANTISSA_BITS - 4 * n;
    uint64_t unit = 1ull << cut, rest = mantissa & (unit - 1), half = unit / 2;
    mantissa -= rest;
    bool odd = mantissa & unit;
    return rest > half || (rest == half && odd) ? mantissa + unit : mantissa;
}

/* 0x1.8p+00: one bit before the point, as many digits as needed or asked for. */
static void put_hexadecimal(struct buf *out, double f, int precision, bool upper)
{
    int exponent;
    uint64_t mantissa = parts_of(f, &exponent);
    for (; mantissa && mantissa < 1ull << MANTISSA_BITS; exponent--)
        mantissa <<= 1;
    if (precision >= 0 && precision < MANTISSA_BITS / 4)
        mantissa = round_to(mantissa, precision);
    if (mantissa >= 2ull << MANTISSA_BITS) {
        mantissa >>= 1;
        exponent++;
    }
    exponent = mantissa ? exponent + MANTISSA_BITS : 0;
    buf_printf(out, upper ? "0X%d" : "0x%d", mantissa != 0);
    mantissa &= (1ull << MANTISSA_BITS) - 1;
    if (precision > 0 || (precision < 0 && mantissa))
        buf_put_u8(out, '.');
    for (int i = 0; precision < 0 ? mantissa != 0 : i < precision; i++) {
        unsigned digit = (unsigned)(mantissa >> (MANTISSA_BITS - 4));
        buf_put_u8(out, (uint8_t)(upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit]);
        mantissa = mantissa << 4 & ((1ull << MANTISSA_BITS) - 1);
    }
    buf_printf(out, upper ? "P%c%02d" : "p%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void put_as_c(struct buf *out, double f, char verb, int precision)
{
    char format[] = {'%', '.', '*', verb, 0};
    int n = snprintf(NULL, 0, format, precision, f);
    buf_reserve(out, (size_t)n + 1);
    snprintf(out->p + out->len, (size_t)n + 1, format, precision, f);
    out->len += (size_t)n;
}

/* Of a number that is finite and not negative. */
static void put_number(struct buf *out, double f, char verb, int precision)
{
    switch (verb) {
    case 'b':
        put_binary(out, f);
        break;
    case 'x':
    case 'X':
        put_hexadecimal(out, f, precision, verb == 'X');
        break;
    default:
        if (precision > MOST_SIGNIFICANT && (verb == 'g' || verb == 'G'))
            precision = MOST_SIGNIFICANT;
        if (precision >= 0) {
            put_as_c(out, f, verb, precision);
            break;
        }
        tv_put_float(out, f);
        for (size_t i = 0; verb == 'G' && i < out->len; i++)
            out->p[i] = out->p[i] == 'e' ? 'E' : out->p[i];
    }
}

static bool is_exponent(char c, char verb)
{
    bool hexadecimal = verb == 'x' || verb == 'X';
    return c == 'p' || c == 'P' || (!hexadecimal && (c == 'e' || c == 'E'));
}

/* The flag #: a point always, and the zeros that g leaves out. */
static void put_sharp(struct buf *out, struct str_view number, char verb, int precision)
{
    bool counts = verb == 'g' || verb == 'G' || verb == 'x', point = false, begun = false;
    int missing = !counts ? 0 : precision < 0 ? DIGITS_UNASKED : precision;
    size_t n = 0;
    for (; n < number.len && !is_exponent(number.p[n], verb); n++) {
        begun |= number.p[n] != '0' && number.p[n] != '.';
        missing -= begun && number.p[n] != '.';
        point |= number.p[n] == '.';
    }
    buf_put(out, sv_sub(number, 0, n));
    if (!point) {
        missing -= n == 1 && number.p[0] == '0'; /* the digit of 0 itself */
        buf_put_u8(out, '.');
    }
    buf_fill(out, '0', missing > 0 ? (size_t)missing : 0);
    buf_put(out, sv_from(number, n));
}

/* 0: the number prints without a sign. */
static char sign_of(const struct fmt_spec *sp, double f)
{
    if (isnan(f))
        return sp->plus ? '+' : sp->space ? ' ' : 0;
    if (signbit(f))
        return '-';
    return sp->plus ? '+' : sp->space ? ' ' : isinf(f) ? '+' : 0;
}

/* The sign stands before padding zeros. */
static void pad_number(struct fmt_out *out, const struct fmt_spec *sp, char sign,
                       struct str_view number)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct fmt_spec rest = *sp;
    if (sign && sp->zero && sp->has_width && (size_t)sp->width > number.len + 1) {
        buf_put_u8(out->text, (uint8_t)sign);
        rest.width--;
        fmt_pad(out, &rest, number);
        return;
    }
    if (sign)
        buf_put_u8(&text, (uint8_t)sign);
    buf_put(&text, number);
    fmt_pad(out, sp, buf_view(&text));
}

bool fmt_float(struct fmt_out *out, const struct fmt_spec *sp, double f)
{
    CLEANUP(buf_deinit) struct buf number = BUF_INIT, sharp = BUF_INIT;
    if (sp->verb == 0 || sp->verb > 127 || !strchr("vbeEfFgGxX", (int)sp->verb))
        return false;
    char verb = sp->verb == 'v' ? 'g' : sp->verb == 'F' ? 'f' : (char)sp->verb;
    int precision = sp->has_precision     ? sp->precision
                    : strchr("eEf", verb) ? DIGITS_UNASKED
                                          : DIGITS_SHORTEST;
    bool drops_zeros = (verb == 'g' || verb == 'G') && !sp->sharp;
    if (precision > 0 && !drops_zeros && !fmt_fits(out, (size_t)precision))
        return true;
    if (!isfinite(f)) {
        struct fmt_spec plain = *sp;
        plain.zero = false;
        pad_number(out, &plain, sign_of(sp, f), isnan(f) ? SV("NaN") : SV("Inf"));
        return true;
    }
    put_number(&number, fabs(f), verb, precision);
    if (sp->sharp && verb != 'b')
        put_sharp(&sharp, buf_view(&number), verb, precision);
    pad_number(out, sp, sign_of(sp, f), buf_view(sharp.len ? &sharp : &number));
    return true;
}
