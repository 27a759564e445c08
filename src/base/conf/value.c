/* SPDX-License-Identifier: Apache-2.0 */
/* The scalars of the configuration: text to value and back.  Nothing is guessed: a unit where none
 * belongs, or none where one belongs, is an error that shows the text. */
#include "base/conf/conf.h"

#include <math.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/values.h"

enum { SHOWN_BYTES = 80 };

static struct str_view shown(struct str_view text)
{
    return sv_sub(text, 0, SHOWN_BYTES);
}

int conf_parse_bool(struct str_view text, bool *ret, struct err *err)
{
    static const char *const yes[] = {"true", "1", "t", "yes", "on"};
    static const char *const no[] = {"false", "0", "f", "no", "off"};
    for (unsigned i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        bool is_yes = sv_eq_nocase(text, sv_of(yes[i]));
        if (is_yes || sv_eq_nocase(text, sv_of(no[i]))) {
            *ret = is_yes;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "'%.*s' is not true or false", SV_ARG(shown(text)));
}

int conf_parse_int(struct str_view text, int64_t *ret, struct err *err)
{
    struct str_view digits = text;
    if (digits.len > 1 && digits.p[0] == '+')
        digits = sv_from(digits, 1);
    if (!sv_to_i64(digits, ret))
        return err_set(err, ERR_INVALID, "'%.*s' is not a whole number", SV_ARG(shown(text)));
    return 0;
}

int conf_parse_uint(struct str_view text, uint64_t *ret, struct err *err)
{
    if (!sv_to_u64(text, ret))
        return err_set(err, ERR_INVALID, "'%.*s' is not a whole number of 0 or more",
                       SV_ARG(shown(text)));
    return 0;
}

/* Decimal digits with one optional point and exponent: strtod() takes more than we want. */
static bool is_decimal(struct str_view text)
{
    size_t i = 0, digits = 0;
    if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
        i++;
    for (; i < text.len && ascii_is_digit(text.p[i]); i++)
        digits++;
    if (i < text.len && text.p[i] == '.')
        for (i++; i < text.len && ascii_is_digit(text.p[i]); i++)
            digits++;
    if (digits && i < text.len && (text.p[i] == 'e' || text.p[i] == 'E')) {
        i++;
        if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
            i++;
        size_t first = i;
        while (i < text.len && ascii_is_digit(text.p[i]))
            i++;
        digits = i > first ? digits : 0;
    }
    return digits > 0 && i == text.len && text.len < 64;
}

int conf_parse_float(struct str_view text, double *ret, struct err *err)
{
    char copy[64];
    if (is_decimal(text)) {
        memcpy(copy, text.p, text.len);
        copy[text.len] = '\0';
        double v = strtod(copy, NULL);
        if (isfinite(v)) {
            *ret = v;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "'%.*s' is not a number", SV_ARG(shown(text)));
}

/* "12" or "1.5" at the start of text, times unit; false when it does not fit 63 bits. */
static bool scaled(struct str_view number, int64_t unit_ns, int64_t *ret)
{
    size_t dot = sv_find_byte(number, '.');
    uint64_t whole = 0;
    int64_t v;
    if (dot > 0 && !sv_to_u64(sv_sub(number, 0, dot), &whole))
        return false;
    if (whole > INT64_MAX || __builtin_mul_overflow((int64_t)whole, unit_ns, &v))
        return false;
    double fraction = 0, place = 0.1;
    for (size_t i = dot + 1; i < number.len; i++, place /= 10)
        fraction += place * (number.p[i] - '0');
    return !__builtin_add_overflow(v, (int64_t)llround(fraction * (double)unit_ns), ret);
}

int conf_parse_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (duration_parse_go(text, ret_ns, NULL) < 0)
        return err_set(err, ERR_INVALID, "'%.*s' is not a duration such as 1h30m, 15s or 250ms",
                       SV_ARG(shown(text)));
    return 0;
}

int conf_parse_prom_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (duration_parse_prom(text, ret_ns, NULL) < 0 && duration_parse_go(text, ret_ns, NULL) < 0)
        return err_set(err, ERR_INVALID, "'%.*s' is not a duration such as 30d, 1h30m or 250ms",
                       SV_ARG(shown(text)));
    return 0;
}

static bool size_shift(struct str_view unit, unsigned *ret)
{
    static const char letters[] = "kmgtp";
    if (unit.len == 0 || sv_eq_nocase(unit, SV("b"))) {
        *ret = 0;
        return true;
    }
    const char *hit = memchr(letters, ascii_lower(unit.p[0]), 5);
    struct str_view rest = sv_from(unit, 1);
    if (!hit || (rest.len && !sv_eq_nocase(rest, SV("b")) && !sv_eq_nocase(rest, SV("ib"))))
        return false;
    *ret = 10 * (unsigned)(hit - letters + 1);
    return true;
}

int conf_parse_size(struct str_view text, uint64_t *ret_bytes, struct err *err)
{
    size_t n = 0, n_dots = 0;
    unsigned shift = 0;
    while (n < text.len && (ascii_is_digit(text.p[n]) || text.p[n] == '.'))
        n_dots += text.p[n++] == '.';
    struct str_view unit = sv_trim(sv_from(text, n));
    int64_t v;
    if (n == n_dots || n_dots > 1 || !size_shift(unit, &shift) ||
        !scaled(sv_sub(text, 0, n), INT64_C(1) << shift, &v))
        return err_set(err, ERR_INVALID, "'%.*s' is not a size such as 256KB, 1.5MB or 100",
                       SV_ARG(shown(text)));
    *ret_bytes = (uint64_t)v;
    return 0;
}

void conf_put_prom_duration(struct buf *out, int64_t ns)
{
    if (ns < 0 || ns % NS_PER_MS != 0)
        buf_put_duration_go(out, ns); /* cannot be said in whole milliseconds */
    else
        buf_put_duration_prom(out, ns);
}

void conf_put_size(struct buf *out, uint64_t bytes)
{
    static const char letters[] = "KMGTP";
    int unit = -1;
    while (bytes && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    buf_printf(out, "%llu", (unsigned long long)bytes);
    if (unit >= 0)
        buf_put_u8(out, (uint8_t)letters[unit]);
    buf_put_u8(out, 'B');
}
