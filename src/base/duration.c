/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/go_quote.h"
#include "base/values.h"

static const int64_t MS = 1000000, SECOND = 1000000000;

struct unit {
    const char *name;
    int64_t ns;
};

/* In the order that the notation asks for. */
static const struct unit PROM_UNITS[] = {
    {"y", 365LL * 24 * 3600 * 1000000000},
    {"w", 7LL * 24 * 3600 * 1000000000},
    {"d", 24LL * 3600 * 1000000000},
    {"h", 3600LL * 1000000000},
    {"m", 60LL * 1000000000},
    {"s", 1000000000},
    {"ms", 1000000},
};
enum { N_PROM_UNITS = sizeof PROM_UNITS / sizeof PROM_UNITS[0] };

static const struct unit GO_UNITS[] = {
    {"ns", 1},           {"us", 1000},      {"\xc2\xb5s", 1000}, /* micro sign */
    {"\xce\xbcs", 1000},                                         /* Greek mu */
    {"ms", 1000000},     {"s", 1000000000}, {"m", 60LL * 1000000000}, {"h", 3600LL * 1000000000},
};
enum { N_GO_UNITS = sizeof GO_UNITS / sizeof GO_UNITS[0] };

enum { SHOWN_BYTES = 200 };

static int find_unit(const struct unit *units, int n, struct str_view name)
{
    for (int i = 0; i < n; i++)
        if (sv_eq(sv_of(units[i].name), name))
            return i;
    return -1;
}

/* "<what> <quoted part>[ in duration <quoted whole>]" */
static int fail(struct err *err, const char *what, struct str_view part, struct str_view whole)
{
    if (!err)
        return ERR_INVALID;
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, sv_of(what));
    go_quote(&b, sv_sub(part, 0, SHOWN_BYTES));
    if (whole.p) {
        buf_put(&b, SV(" in duration "));
        go_quote(&b, sv_sub(whole, 0, SHOWN_BYTES));
    }
    return err_set(err, ERR_INVALID, "%.*s", SV_ARG(buf_view(&b)));
}

static const struct str_view NO_WHOLE = {NULL, 0};

/* The digits at `*at`; false when there are none or they overflow. */
static bool read_whole(struct str_view text, size_t *at, uint64_t *ret)
{
    size_t from = *at;
    while (*at < text.len && ascii_is_digit(text.p[*at]))
        (*at)++;
    return sv_to_u64(sv_sub(text, from, *at - from), ret);
}

int duration_parse_prom(struct str_view text, int64_t *ret_ns, struct err *err)
{
    static const char NOT_VALID[] = "not a valid duration string: ";
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "empty duration string");
    if (sv_eq(text, SV("0"))) {
        *ret_ns = 0;
        return 0;
    }
    int64_t total = 0;
    int last_unit = -1;
    for (size_t at = 0; at < text.len;) {
        uint64_t v;
        if (!ascii_is_digit(text.p[at]) || !read_whole(text, &at, &v))
            return fail(err, NOT_VALID, text, NO_WHOLE);
        size_t unit_at = at;
        while (at < text.len && !ascii_is_digit(text.p[at]))
            at++;
        if (at == unit_at)
            return fail(err, NOT_VALID, text, NO_WHOLE);
        struct str_view name = sv_sub(text, unit_at, at - unit_at);
        int unit = find_unit(PROM_UNITS, N_PROM_UNITS, name);
        if (unit < 0)
            return fail(err, "unknown unit ", name, text);
        if (unit <= last_unit)
            return fail(err, NOT_VALID, text, NO_WHOLE);
        last_unit = unit;
        int64_t part;
        if (v > INT64_MAX || __builtin_mul_overflow((int64_t)v, PROM_UNITS[unit].ns, &part) ||
            __builtin_add_overflow(total, part, &total))
            return err_set(err, ERR_INVALID, "duration out of range");
    }
    *ret_ns = total;
    return 0;
}

/* One "<number><unit>" of Go's notation, in ns.  Returns false when it is not a number with a
 * known unit or overflows; *ret_unit is then the unit's text where that was the fault. */
static bool read_go_part(struct str_view text, size_t *at, uint64_t *ret_ns,
                         struct str_view *ret_unit)
{
    size_t from = *at;
    uint64_t whole = 0, fraction = 0;
    double scale = 1;
    bool any = false;
    if (from < text.len && ascii_is_digit(text.p[from])) {
        any = true;
        if (!read_whole(text, at, &whole) || whole > (uint64_t)1 << 63)
            return false;
    }
    if (*at < text.len && text.p[*at] == '.') {
        for ((*at)++; *at < text.len && ascii_is_digit(text.p[*at]); (*at)++) {
            any = true;
            if (fraction <= (INT64_MAX - 9) / 10) { /* digits beyond that change nothing */
                fraction = fraction * 10 + (uint64_t)(text.p[*at] - '0');
                scale *= 10;
            }
        }
    }
    if (!any)
        return false;
    size_t unit_at = *at;
    while (*at < text.len && text.p[*at] != '.' && !ascii_is_digit(text.p[*at]))
        (*at)++;
    *ret_unit = sv_sub(text, unit_at, *at - unit_at);
    int unit = find_unit(GO_UNITS, N_GO_UNITS, *ret_unit);
    if (unit < 0)
        return false;
    ret_unit->p = NULL;
    uint64_t unit_ns = (uint64_t)GO_UNITS[unit].ns;
    if (whole > ((uint64_t)1 << 63) / unit_ns)
        return false;
    *ret_ns = whole * unit_ns + (uint64_t)((double)fraction * ((double)unit_ns / scale));
    return *ret_ns <= (uint64_t)1 << 63;
}

int duration_parse_go(struct str_view text, int64_t *ret_ns, struct err *err)
{
    static const char INVALID[] = "time: invalid duration ";
    size_t at = 0;
    bool negative = false;
    if (text.len && (text.p[0] == '-' || text.p[0] == '+')) {
        negative = text.p[0] == '-';
        at = 1;
    }
    if (sv_eq(sv_from(text, at), SV("0"))) {
        *ret_ns = 0;
        return 0;
    }
    if (at == text.len)
        return fail(err, INVALID, text, NO_WHOLE);
    uint64_t total = 0;
    while (at < text.len) {
        uint64_t part;
        struct str_view unit = NO_WHOLE;
        if (!read_go_part(text, &at, &part, &unit)) {
            if (!unit.p)
                return fail(err, INVALID, text, NO_WHOLE);
            if (unit.len == 0)
                return fail(err, "time: missing unit in duration ", text, NO_WHOLE);
            return fail(err, "time: unknown unit ", unit, text);
        }
        total += part; /* both at most 2^63: no wrap before this test */
        if (total > (uint64_t)1 << 63)
            return fail(err, INVALID, text, NO_WHOLE);
    }
    if (!negative && total > INT64_MAX)
        return fail(err, INVALID, text, NO_WHOLE);
    *ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return 0;
}

void buf_put_duration_prom(struct buf *out, int64_t ns)
{
    int64_t left = ns / MS * MS;
    if (left <= 0) {
        buf_put(out, SV("0s"));
        return;
    }
    for (int i = 0; i < N_PROM_UNITS; i++) {
        bool only_exact = i < 2; /* years and weeks only where nothing remains */
        int64_t n = left / PROM_UNITS[i].ns;
        if (n == 0 || (only_exact && left % PROM_UNITS[i].ns != 0))
            continue;
        buf_printf(out, "%lld%s", (long long)n, PROM_UNITS[i].name);
        left -= n * PROM_UNITS[i].ns;
    }
}

/* v / 10^digits with the zeros at the end of the fraction left out. */
static void put_fraction(struct buf *out, uint64_t v, unsigned digits)
{
    uint64_t pow10 = 1;
    for (unsigned i = 0; i < digits; i++)
        pow10 *= 10;
    buf_printf(out, "%llu", (unsigned long long)(v / pow10));
    uint64_t fraction = v % pow10;
    if (fraction == 0)
        return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    buf_printf(out, ".%0*llu", (int)digits, (unsigned long long)fraction);
}

void buf_put_duration_go(struct buf *out, int64_t ns)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (u == 0) {
        buf_put(out, SV("0s"));
        return;
    }
    if (ns < 0)
        buf_put_u8(out, '-');
    if (u < (uint64_t)SECOND) {
        unsigned digits = u < 1000 ? 0 : u < 1000000 ? 3 : 6;
        put_fraction(out, u, digits);
        buf_put(out, digits == 0 ? SV("ns") : digits == 3 ? SV("\xc2\xb5s") : SV("ms"));
        return;
    }
    uint64_t minutes = u / 60000000000ULL, rest = u % 60000000000ULL;
    if (minutes >= 60)
        buf_printf(out, "%lluh", (unsigned long long)(minutes / 60));
    if (minutes > 0)
        buf_printf(out, "%llum", (unsigned long long)(minutes % 60));
    put_fraction(out, rest, 9);
    buf_put_u8(out, 's');
}
