/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/values.h"

/* 1000^n for "" and B, 1024^n for i.  Index into "kmgtpe" + 1. */
static bool multiplier(struct str_view unit, bool any_case, double *ret)
{
    static const char LITERAL[] = "kMGTP", LOOSE[] = "kmgtpe";
    if (unit.len == 0 || (any_case ? sv_eq_nocase(unit, SV("b")) : sv_eq(unit, SV("B")))) {
        *ret = 1;
        return true;
    }
    char first = unit.p[0];
    if (any_case)
        first = (char)ascii_lower(first);
    else if (first == 'K')
        first = 'k';
    const char *set = any_case ? LOOSE : LITERAL;
    const char *hit = first ? strchr(set, first) : NULL;
    if (!hit)
        return false;
    struct str_view tail = sv_from(unit, 1);
    double base = 1000;
    if (tail.len && (tail.p[0] == 'i' || (any_case && tail.p[0] == 'I'))) {
        base = 1024;
        tail = sv_from(tail, 1);
    }
    if (tail.len && !(any_case ? sv_eq_nocase(tail, SV("b")) : sv_eq(tail, SV("B"))))
        return false;
    *ret = 1;
    for (long n = hit - set; n >= 0; n--)
        *ret *= base;
    return true;
}

static const double TOO_LARGE = 18446744073709551616.0; /* 2^64 */

bool bytesize_parse_literal(struct str_view text, uint64_t *ret)
{
    size_t n = 0;
    while (n < text.len && (ascii_is_digit(text.p[n]) || text.p[n] == '.'))
        n++;
    double v, by;
    if (number_parse(sv_sub(text, 0, n), &v, NULL) < 0 || !multiplier(sv_from(text, n), false, &by))
        return false;
    v *= by;
    if (!(v < TOO_LARGE))
        return false;
    *ret = (uint64_t)v;
    return true;
}

int bytesize_parse(struct str_view text, uint64_t *ret, struct err *err)
{
    enum { DIGITS_MAX = 512 };
    char digits[DIGITS_MAX];
    size_t n = 0, n_digits = 0;
    for (; n < text.len; n++) {
        char c = text.p[n];
        if (c == ',')
            continue;
        if (!(ascii_is_digit(c) || c == '.'))
            break;
        if (n_digits == DIGITS_MAX)
            return err_set(err, ERR_INVALID, "byte size of more than %d digits", DIGITS_MAX);
        digits[n_digits++] = c;
    }
    double v, by;
    int r = number_parse(sv(digits, n_digits), &v, err);
    if (r < 0)
        return r;
    struct str_view unit = sv_trim(sv_from(text, n));
    if (!multiplier(unit, true, &by))
        return err_set(err, ERR_INVALID, "unhandled size name: %.*s", SV_ARG(sv_sub(unit, 0, 200)));
    v *= by;
    if (!(v < TOO_LARGE))
        return err_set(err, ERR_INVALID, "too large: %.*s", SV_ARG(sv_sub(text, 0, 200)));
    *ret = (uint64_t)v;
    return 0;
}
