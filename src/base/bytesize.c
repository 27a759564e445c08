/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/ascii.h"
#include "base/values.h"

/* What stands behind a size's number: "", B, k, kB, Ki, KiB. */
struct size_unit {
    int power; /* of 1000 or 1024: 0 for bytes, 1 for k */
    bool is_binary, has_b;
};

/* `letters` are the prefixes by power, in lower case: where the case matters all but k are capitals
 * in the text, and k may be one too. */
static bool read_unit(struct str_view text, bool any_case, const char *letters,
                      struct size_unit *ret)
{
    *ret = (struct size_unit){0};
    const char *hit = text.len ? memchr(letters, ascii_lower(text.p[0]), strlen(letters)) : NULL;
    if (hit) {
        if (!any_case && !ascii_is_upper(text.p[0]) && text.p[0] != 'k')
            return false;
        ret->power = (int)(hit - letters) + 1;
        text = sv_from(text, 1);
        ret->is_binary = text.len && (text.p[0] == 'i' || (any_case && text.p[0] == 'I'));
        text = sv_from(text, ret->is_binary);
    }
    ret->has_b = any_case ? sv_eq_nocase(text, SV("b")) : sv_eq(text, SV("B"));
    return ret->has_b || text.len == 0;
}

static double bytes_of(struct size_unit unit)
{
    double bytes = 1;
    for (int i = 0; i < unit.power; i++)
        bytes *= unit.is_binary ? 1024 : 1000;
    return bytes;
}

static const double TOO_LARGE = 18446744073709551616.0; /* 2^64 */

bool bytesize_parse_literal(struct str_view text, uint64_t *ret)
{
    size_t n = 0;
    while (n < text.len && (ascii_is_digit(text.p[n]) || text.p[n] == '.'))
        n++;
    double v;
    struct size_unit unit;
    if (number_parse(sv_sub(text, 0, n), &v, NULL) < 0 ||
        !read_unit(sv_from(text, n), false, "kmgtp", &unit))
        return false;
    v *= bytes_of(unit);
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
    double v;
    int r = number_parse(sv(digits, n_digits), &v, err);
    if (r < 0)
        return r;
    struct str_view name = sv_trim(sv_from(text, n));
    struct size_unit unit;
    if (!read_unit(name, true, "kmgtpe", &unit))
        return err_set(err, ERR_INVALID, "unhandled size name: %.*s", SV_ARG(sv_sub(name, 0, 200)));
    v *= bytes_of(unit);
    if (!(v < TOO_LARGE))
        return err_set(err, ERR_INVALID, "too large: %.*s", SV_ARG(sv_sub(text, 0, 200)));
    *ret = (uint64_t)v;
    return 0;
}

bool bytesize_parse_binary(struct str_view text, uint64_t *ret)
{
    size_t n = 0;
    while (n < text.len && (ascii_is_digit(text.p[n]) || text.p[n] == '.'))
        n++;
    struct str_view number = sv_sub(text, 0, n);
    size_t dot = sv_find_byte(number, '.');
    bool has_fraction = dot + 1 < n; /* "12." has none and is fine */
    uint64_t whole = 0, v;
    double fraction = 0;
    struct size_unit unit;
    if (dot + has_fraction == 0 || (dot > 0 && !sv_to_u64(sv_sub(number, 0, dot), &whole)) ||
        (has_fraction && number_parse(sv_from(number, dot), &fraction, NULL) < 0) ||
        !read_unit(sv_trim(sv_from(text, n)), true, "kmgtp", &unit) ||
        (unit.is_binary && !unit.has_b))
        return false;
    uint64_t scale = UINT64_C(1) << 10 * unit.power;
    if (__builtin_mul_overflow(whole, scale, &v) ||
        __builtin_add_overflow(v, (uint64_t)llround(fraction * (double)scale), &v) || v > INT64_MAX)
        return false;
    *ret = v;
    return true;
}
