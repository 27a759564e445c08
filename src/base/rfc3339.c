/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rfc3339.h"

#include "base/ascii.h"
#include "base/clock.h"

struct time_text {
    struct str_view s;
    bool bad;
};

static int64_t take_digits(struct time_text *in, size_t n)
{
    int64_t v = 0;
    if (in->s.len < n) {
        in->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!ascii_is_digit(in->s.p[i]))
            in->bad = true;
        v = v * 10 + (in->s.p[i] - '0');
    }
    in->s = sv_from(in->s, n);
    return v;
}

static bool take_char(struct time_text *in, char c)
{
    if (in->s.len == 0 || in->s.p[0] != c)
        return false;
    in->s = sv_from(in->s, 1);
    return true;
}

static void expect_char(struct time_text *in, char c)
{
    if (!take_char(in, c))
        in->bad = true;
}

static int64_t take_fraction(struct time_text *in)
{
    int64_t ns = 0, unit = NS_PER_S / 10;
    if (!take_char(in, '.') && !take_char(in, ','))
        return 0;
    size_t n = 0;
    for (; in->s.len > 0 && ascii_is_digit(in->s.p[0]); n++, unit /= 10) {
        ns += (in->s.p[0] - '0') * unit;
        in->s = sv_from(in->s, 1);
    }
    if (n == 0)
        in->bad = true;
    return ns;
}

/* Seconds east of UTC. */
static int64_t take_zone(struct time_text *in)
{
    if (take_char(in, 'Z'))
        return 0;
    int64_t sign = take_char(in, '-') ? -1 : 1;
    if (sign > 0)
        expect_char(in, '+');
    int64_t hours = take_digits(in, 2);
    expect_char(in, ':');
    int64_t minutes = take_digits(in, 2);
    if (hours > 23 || minutes > 59)
        in->bad = true;
    return sign * (hours * 3600 + minutes * 60);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01; month and day from 1, valid. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    return days + before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

bool rfc3339_parse(struct str_view text, int64_t *ret_ns)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct time_text in = {text, false};
    int64_t year = take_digits(&in, 4);
    expect_char(&in, '-');
    int64_t month = take_digits(&in, 2);
    expect_char(&in, '-');
    int64_t day = take_digits(&in, 2);
    expect_char(&in, 'T');
    int64_t hour = take_digits(&in, 2);
    expect_char(&in, ':');
    int64_t minute = take_digits(&in, 2);
    expect_char(&in, ':');
    int64_t second = take_digits(&in, 2);
    int64_t ns = take_fraction(&in);
    int64_t zone_s = take_zone(&in);
    if (in.bad || in.s.len > 0 || year < 1 || month < 1 || month > 12 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    if (day < 1 || day > month_days[month - 1] + (month == 2 && is_leap(year)))
        return false;
    int64_t s = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone_s;
    int64_t total;
    if (__builtin_mul_overflow(s, NS_PER_S, &total) || __builtin_add_overflow(total, ns, &total))
        return false;
    *ret_ns = total;
    return true;
}
