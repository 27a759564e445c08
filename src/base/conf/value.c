/* SPDX-License-Identifier: Apache-2.0 */
/* The scalars of the configuration: text to value and back.  Nothing is guessed: a unit where none
 * belongs, or none where one belongs, is an error that shows the text. */
#include "base/conf/conf.h"

#include <ctype.h>
#include <math.h>

#include "base/clock.h"

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
    for (; i < text.len && isdigit((unsigned char)text.p[i]); i++)
        digits++;
    if (i < text.len && text.p[i] == '.')
        for (i++; i < text.len && isdigit((unsigned char)text.p[i]); i++)
            digits++;
    if (digits && i < text.len && (text.p[i] == 'e' || text.p[i] == 'E')) {
        i++;
        if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
            i++;
        size_t first = i;
        while (i < text.len && isdigit((unsigned char)text.p[i]))
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

struct unit {
    const char *name;
    int64_t ns;
};
/* The order in which Prometheus durations name them; longer names before their beginnings. */
static const struct unit units[] = {
    {"y", 365 * NS_PER_DAY}, {"w", 7 * NS_PER_DAY}, {"d", NS_PER_DAY}, {"h", NS_PER_HOUR},
    {"ms", NS_PER_MS},       {"m", NS_PER_MIN},     {"s", NS_PER_S},   {"us", NS_PER_US},
    {"µs", NS_PER_US},       {"μs", NS_PER_US},     {"ns", 1},
};
enum { N_UNITS = sizeof units / sizeof units[0] };

static const struct unit *unit_at(struct str_view text, size_t *ret_len)
{
    for (unsigned i = 0; i < N_UNITS; i++) {
        struct str_view name = sv_of(units[i].name);
        if (sv_starts_with(text, name)) {
            *ret_len = name.len;
            return &units[i];
        }
    }
    return NULL;
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

enum duration_style { GO_STYLE, PROM_STYLE };

static bool parse_terms(struct str_view text, enum duration_style style, int64_t *ret)
{
    int64_t sum = 0, last_unit_ns = INT64_MAX;
    while (text.len > 0) {
        size_t n = 0, n_dots = 0, unit_len = 0;
        while (n < text.len && (isdigit((unsigned char)text.p[n]) || text.p[n] == '.'))
            n_dots += text.p[n++] == '.';
        const struct unit *u = unit_at(sv_from(text, n), &unit_len);
        if (n == n_dots || n_dots > (style == GO_STYLE) || !u)
            return false;
        bool prom_only = u->ns >= NS_PER_DAY, go_only = u->ns < NS_PER_MS;
        if (style == GO_STYLE ? prom_only : go_only || u->ns >= last_unit_ns)
            return false;
        int64_t term;
        if (!scaled(sv_sub(text, 0, n), u->ns, &term) || __builtin_add_overflow(sum, term, &sum))
            return false;
        last_unit_ns = u->ns;
        text = sv_from(text, n + unit_len);
    }
    *ret = sum;
    return true;
}

static bool parse_go(struct str_view text, int64_t *ret)
{
    bool negative = text.len > 0 && text.p[0] == '-';
    if (text.len > 0 && (text.p[0] == '-' || text.p[0] == '+'))
        text = sv_from(text, 1);
    if (sv_eq(text, SV("0"))) {
        *ret = 0;
        return true;
    }
    if (text.len == 0 || !parse_terms(text, GO_STYLE, ret))
        return false;
    *ret = negative ? -*ret : *ret;
    return true;
}

int conf_parse_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (!parse_go(text, ret_ns))
        return err_set(err, ERR_INVALID, "'%.*s' is not a duration such as 1h30m, 15s or 250ms",
                       SV_ARG(shown(text)));
    return 0;
}

int conf_parse_prom_duration(struct str_view text, int64_t *ret_ns, struct err *err)
{
    if (text.len > 0 && parse_terms(text, PROM_STYLE, ret_ns))
        return 0;
    if (!parse_go(text, ret_ns))
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
    const char *hit = memchr(letters, tolower((unsigned char)unit.p[0]), 5);
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
    while (n < text.len && (isdigit((unsigned char)text.p[n]) || text.p[n] == '.'))
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

/* Up to nine decimals of v / unit, without trailing zeros. */
static void put_decimal(struct buf *out, uint64_t v, uint64_t unit)
{
    buf_printf(out, "%llu", (unsigned long long)(v / unit));
    uint64_t rest = v % unit;
    if (rest == 0)
        return;
    buf_put_u8(out, '.');
    while (rest) {
        rest *= 10;
        buf_put_u8(out, (uint8_t)('0' + rest / unit));
        rest %= unit;
    }
}

void conf_put_duration(struct buf *out, int64_t ns)
{
    uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_put_u8(out, '-');
    if (v >= (uint64_t)NS_PER_S) {
        uint64_t h = v / NS_PER_HOUR, m = v % NS_PER_HOUR / NS_PER_MIN;
        if (h)
            buf_printf(out, "%lluh", (unsigned long long)h);
        if (h || m)
            buf_printf(out, "%llum", (unsigned long long)m);
        put_decimal(out, v % NS_PER_MIN, NS_PER_S);
        buf_put(out, SV("s"));
    } else if (v == 0) {
        buf_put(out, SV("0s"));
    } else if (v >= (uint64_t)NS_PER_MS) {
        put_decimal(out, v, NS_PER_MS);
        buf_put(out, SV("ms"));
    } else if (v >= (uint64_t)NS_PER_US) {
        put_decimal(out, v, NS_PER_US);
        buf_put(out, SV("µs"));
    } else {
        buf_printf(out, "%lluns", (unsigned long long)v);
    }
}

void conf_put_prom_duration(struct buf *out, int64_t ns)
{
    if (ns < 0 || ns % NS_PER_MS != 0) {
        conf_put_duration(out, ns); /* cannot be said in whole milliseconds */
        return;
    }
    if (ns == 0)
        buf_put(out, SV("0s"));
    static const struct unit shown_units[] = {
        {"y", 365 * NS_PER_DAY}, {"w", 7 * NS_PER_DAY}, {"d", NS_PER_DAY}, {"h", NS_PER_HOUR},
        {"m", NS_PER_MIN},       {"s", NS_PER_S},       {"ms", NS_PER_MS},
    };
    for (unsigned i = 0; i < sizeof shown_units / sizeof shown_units[0]; i++) {
        const struct unit *u = &shown_units[i];
        /* Years and weeks only for what is nothing else: 30d and 31d, but 1w and 1y. */
        bool coarse = u->ns > NS_PER_DAY;
        if (ns < u->ns || (coarse && ns % u->ns != 0))
            continue;
        buf_printf(out, "%lld%s", (long long)(ns / u->ns), u->name);
        ns %= u->ns;
    }
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
