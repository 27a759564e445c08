/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/go_quote.h"
#include "base/values.h"

/* A double is decided by its first 768 significant decimal digits and whether anything follows. */
enum { MAX_SIGNIFICANT = 800 };

struct scanned {
    char digits[MAX_SIGNIFICANT + 2]; /* significant ones, the zeros before them left out */
    size_t n;
    long long exponent; /* of the digit after the last kept one: decimal, or in bits for hex */
    bool hex, any_digit, has_exponent;
};

static int fail(struct err *err, struct str_view text, const char *why)
{
    if (!err)
        return ERR_INVALID;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    go_quote(&b, sv_sub(text, 0, 200));
    return err_set(err, ERR_INVALID, "strconv.ParseFloat: parsing %.*s: %s", SV_ARG(buf_view(&b)),
                   why);
}

static bool is_digit_of(char c, bool hex)
{
    return ascii_digit_value(c, hex ? 16 : 10) >= 0;
}

/* Underscores stand between digits, or between the base prefix and a digit. */
static bool underscores_fit(struct str_view text)
{
    bool hex = text.len >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
    char before = hex ? '0' : '^';
    for (size_t i = hex ? 2 : 0; i < text.len; i++) {
        char c = text.p[i];
        bool digit = is_digit_of(c, hex);
        if (c == '_' ? before != '0' : !digit && before == '_')
            return false;
        before = digit ? '0' : c;
    }
    return before != '_';
}

static void keep_digit(struct scanned *s, char c, bool after_point)
{
    int step = s->hex ? 4 : 1;
    if (s->n == 0 && c == '0') {
        s->exponent -= after_point ? step : 0;
        return;
    }
    if (s->n < MAX_SIGNIFICANT) {
        s->digits[s->n++] = c;
        s->exponent -= after_point ? step : 0;
        return;
    }
    if (c != '0' && s->digits[MAX_SIGNIFICANT - 1] == '0')
        s->digits[MAX_SIGNIFICANT - 1] = '1'; /* something follows: only that it does counts */
    s->exponent += after_point ? 0 : step;
}

static size_t scan_mantissa(struct scanned *s, struct str_view text)
{
    bool point = false;
    size_t i = s->hex ? 2 : 0;
    for (; i < text.len; i++) {
        char c = text.p[i];
        if (c == '_')
            continue;
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit_of(c, s->hex))
            break;
        s->any_digit = true;
        keep_digit(s, c, point);
    }
    return i;
}

/* Mantissa and exponent of an unsigned number that fills `text`. */
static bool scan(struct scanned *s, struct str_view text)
{
    s->hex = text.len >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
    size_t i = scan_mantissa(s, text);
    if (!s->any_digit)
        return false;
    if (i < text.len && (text.p[i] | 0x20) == (s->hex ? 'p' : 'e')) {
        s->has_exponent = true;
        i++;
        bool negative = i < text.len && text.p[i] == '-';
        if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
            i++;
        if (i == text.len || !ascii_is_digit(text.p[i]))
            return false;
        long long e = 0;
        for (; i < text.len && (text.p[i] == '_' || ascii_is_digit(text.p[i])); i++)
            if (text.p[i] != '_' && e < 1000000000)
                e = e * 10 + (text.p[i] - '0');
        s->exponent += negative ? -e : e;
    }
    if (i != text.len || (s->hex && !s->has_exponent))
        return false;
    return memchr(text.p, '_', text.len) == NULL || underscores_fit(text);
}

static bool parse_special(struct str_view text, bool is_signed, double *ret)
{
    if (sv_eq_nocase(text, SV("inf")) || sv_eq_nocase(text, SV("infinity")))
        *ret = INFINITY;
    else if (!is_signed && sv_eq_nocase(text, SV("nan")))
        *ret = NAN;
    else
        return false;
    return true;
}

static double value_of(struct scanned *s)
{
    static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (s->n == 0)
        return 0;
    if (!s->hex && s->n <= 15 && s->exponent >= -22 && s->exponent <= 22) {
        uint64_t m = 0; /* both operands exact, so one correctly rounded operation decides */
        for (size_t i = 0; i < s->n; i++)
            m = m * 10 + (uint64_t)(s->digits[i] - '0');
        return s->exponent < 0 ? (double)m / POW10[-s->exponent] : (double)m * POW10[s->exponent];
    }
    char text[MAX_SIGNIFICANT + 40];
    snprintf(text, sizeof text, "%s%.*s%c%lld", s->hex ? "0x" : "", (int)s->n, s->digits,
             s->hex ? 'p' : 'e', s->exponent);
    return strtod(text, NULL);
}

int number_parse(struct str_view text, double *ret, struct err *err)
{
    struct str_view body = text;
    bool negative = false, is_signed = false;
    if (body.len && (body.p[0] == '-' || body.p[0] == '+')) {
        is_signed = true;
        negative = body.p[0] == '-';
        body = sv_from(body, 1);
    }
    double v;
    if (!parse_special(body, is_signed, &v)) {
        struct scanned s;
        s.n = 0;
        s.exponent = 0;
        s.any_digit = s.has_exponent = false;
        if (!scan(&s, body))
            return fail(err, text, "invalid syntax");
        v = value_of(&s);
        if (isinf(v))
            return fail(err, text, "value out of range");
    }
    *ret = negative ? -v : v;
    return 0;
}
