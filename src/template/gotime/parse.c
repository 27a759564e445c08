/* SPDX-License-Identifier: Apache-2.0 */
/* A text by one of Go's layouts to a time, as leniently as Go reads: a fraction of a second may
 * stand there unasked, and the name of a zone decides nothing.  Without an offset in the text that
 * of the caller's zone holds. */
#include <stdio.h>

#include "base/ascii.h"
#include "template/gotime/layout.h"

struct parse {
    struct str_view text;
    int64_t year;
    int month, day, yearday, hour, minute, second, nsec;
    int32_t offset_s;
    bool pm_set, pm, has_offset;
    char zone[8];
    bool bad;
};

/* Digits in number `least` to `most`. */
static int take_number(struct parse *p, size_t least, size_t most)
{
    int v = 0;
    size_t n = 0;
    for (; n < most && n < p->text.len && ascii_is_digit(p->text.p[n]); n++)
        v = v * 10 + (p->text.p[n] - '0');
    if (n < least)
        p->bad = true;
    p->text = sv_from(p->text, n);
    return v;
}

/* Index of the name that the text begins with. */
static int take_name(struct parse *p, const char *const *names, size_t n, size_t cut)
{
    for (size_t i = 0; i < n; i++) {
        struct str_view name = sv_of(names[i]);
        if (cut)
            name.len = cut;
        if (sv_eq_nocase(sv_sub(p->text, 0, name.len), name)) {
            p->text = sv_from(p->text, name.len);
            return (int)i;
        }
    }
    p->bad = true;
    return 0;
}

static void take_fraction(struct parse *p, size_t most)
{
    p->text = sv_from(p->text, 1);
    int scale = 100000000;
    size_t n = 0;
    for (; n < most && n < p->text.len && ascii_is_digit(p->text.p[n]); n++, scale /= 10)
        p->nsec += (p->text.p[n] - '0') * scale;
    p->bad |= n == 0;
    p->text = sv_from(p->text, n);
}

static void take_offset(struct parse *p, enum gotime_element e)
{
    if (e >= E_Z_SHORT && e <= E_Z_COLON_SECONDS) {
        if (p->text.len && p->text.p[0] == 'Z') {
            p->text = sv_from(p->text, 1);
            p->has_offset = true;
            memcpy(p->zone, "UTC", 4);
            return;
        }
        e = (enum gotime_element)(e - E_Z_SHORT + E_OFF_SHORT);
    }
    char sign = p->text.len ? p->text.p[0] : ' ';
    if (sign != '+' && sign != '-') {
        p->bad = true;
        return;
    }
    p->text = sv_from(p->text, 1);
    bool colon = e == E_OFF_COLON || e == E_OFF_COLON_SECONDS;
    int parts = e == E_OFF_SHORT ? 1 : e == E_OFF_SECONDS || e == E_OFF_COLON_SECONDS ? 3 : 2;
    int32_t s = 0;
    for (int i = 0, unit = 3600; i < parts; i++, unit /= 60) {
        if (i && colon) {
            p->bad |= !(p->text.len && p->text.p[0] == ':');
            p->text = sv_from(p->text, 1);
        }
        s += take_number(p, 2, 2) * unit;
    }
    p->has_offset = true;
    p->offset_s = sign == '-' ? -s : s;
}

static void take_zone_name(struct parse *p)
{
    size_t n = 0;
    while (n < p->text.len && n < 5 && ascii_is_upper(p->text.p[n]))
        n++;
    p->bad |= n < 3;
    snprintf(p->zone, sizeof p->zone, "%.*s", (int)n, p->text.p);
    p->text = sv_from(p->text, n);
}

static void skip_blanks(struct parse *p)
{
    while (p->text.len && p->text.p[0] == ' ')
        p->text = sv_from(p->text, 1);
}

static void take_seconds(struct parse *p, struct str_view layout_after, size_t least)
{
    p->second = take_number(p, least, 2);
    enum gotime_element e = E_NONE;
    bool fraction_follows = p->text.len >= 2 && (p->text.p[0] == '.' || p->text.p[0] == ',') &&
                            ascii_is_digit(p->text.p[1]);
    if (fraction_follows && !gotime_fraction_length(layout_after, &e))
        take_fraction(p, 9); /* Go reads a fraction that the layout does not name */
}

/* The elements that are numbers and nothing else; false for the others. */
static bool take_numbered(struct parse *p, enum gotime_element e)
{
    const struct {
        enum gotime_element e;
        size_t least, most;
        int *ret;
    } NUMBERS[] = {
        {E_NUM_MONTH, 1, 2, &p->month},
        {E_ZERO_MONTH, 2, 2, &p->month},
        {E_DAY, 1, 2, &p->day},
        {E_BLANK_DAY, 1, 2, &p->day},
        {E_ZERO_DAY, 2, 2, &p->day},
        {E_BLANK_YEARDAY, 1, 3, &p->yearday},
        {E_ZERO_YEARDAY, 3, 3, &p->yearday},
        {E_HOUR, 2, 2, &p->hour},
        {E_HOUR12, 1, 2, &p->hour},
        {E_ZERO_HOUR12, 2, 2, &p->hour},
        {E_MINUTE, 1, 2, &p->minute},
        {E_ZERO_MINUTE, 2, 2, &p->minute},
    };
    if (e == E_BLANK_DAY || e == E_BLANK_YEARDAY)
        skip_blanks(p);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (NUMBERS[i].e == e) {
            *NUMBERS[i].ret = take_number(p, NUMBERS[i].least, NUMBERS[i].most);
            return true;
        }
    return false;
}

static void take_pm(struct parse *p)
{
    p->pm_set = true;
    p->pm = p->text.len && (p->text.p[0] == 'P' || p->text.p[0] == 'p');
    p->bad |= !(p->text.len >= 2 && (p->text.p[1] | 0x20) == 'm');
    p->text = sv_from(p->text, 2);
}

/* A trimmed fraction may be missing. */
static void take_named_fraction(struct parse *p, bool trimmed, struct str_view layout)
{
    bool begins = p->text.len && (p->text.p[0] == '.' || p->text.p[0] == ',');
    if (trimmed && !(begins && p->text.len >= 2 && ascii_is_digit(p->text.p[1])))
        return;
    p->bad |= !begins;
    take_fraction(p, trimmed ? 9 : layout.len - 1);
}

static void take_element(struct parse *p, enum gotime_element e, struct str_view layout,
                         struct str_view layout_after)
{
    if (take_numbered(p, e))
        return;
    switch (e) {
    case E_LONG_MONTH:
    case E_MONTH:
        p->month = take_name(p, GOTIME_MONTHS, 12, e == E_MONTH ? 3 : 0) + 1;
        break;
    case E_LONG_DAY:
    case E_WEEKDAY:
        take_name(p, GOTIME_DAYS, 7, e == E_WEEKDAY ? 3 : 0);
        break;
    case E_SECOND:
    case E_ZERO_SECOND:
        take_seconds(p, layout_after, e == E_SECOND ? 1 : 2);
        break;
    case E_LONG_YEAR:
        p->year = take_number(p, 4, 4);
        break;
    case E_YEAR:
        p->year = take_number(p, 2, 2);
        p->year += p->year >= 69 ? 1900 : 2000;
        break;
    case E_UPPER_PM:
    case E_LOWER_PM:
        take_pm(p);
        break;
    case E_ZONE_NAME:
        take_zone_name(p);
        break;
    case E_FRACTION_FIXED:
    case E_FRACTION_TRIMMED:
        take_named_fraction(p, e == E_FRACTION_TRIMMED, layout);
        break;
    default:
        take_offset(p, e);
    }
}

static int days_in(int64_t year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && leap);
}

static bool parse_finish(struct parse *p, const struct tz *tz, struct gotime *ret)
{
    if (p->pm_set && p->pm && p->hour < 12)
        p->hour += 12;
    else if (p->pm_set && !p->pm && p->hour == 12)
        p->hour = 0;
    if (p->bad || p->text.len || p->month < 1 || p->month > 12 || p->day < 1 ||
        p->day > days_in(p->year, p->month) || p->hour > 23 || p->minute > 59 || p->second > 59)
        return false;
    int64_t days = gotime_days_of_civil(p->year, p->month, p->day);
    if (p->yearday)
        days = gotime_days_of_civil(p->year, 1, 1) + p->yearday - 1;
    struct gotime t = {.sec = days * 86400 + p->hour * 3600 + p->minute * 60 + p->second,
                       .nsec = p->nsec};
    if (p->has_offset) {
        t.sec -= p->offset_s;
        t.offset_s = p->offset_s;
        memcpy(t.zone, p->zone, sizeof t.zone);
    } else {
        /* The offset that holds at that local time: try the one an hour's guess away. */
        struct gotime guess = gotime_in(t, tz);
        t.sec -= guess.offset_s;
        t = gotime_in(t, tz);
        if (t.offset_s != guess.offset_s) {
            t.sec += guess.offset_s - t.offset_s;
            t = gotime_in(t, tz);
        }
    }
    *ret = t;
    return true;
}

bool gotime_parse(struct gotime *ret, struct str_view layout, struct str_view text,
                  const struct tz *tz)
{
    struct parse p = {.text = text, .month = 1, .day = 1};
    while (layout.len && !p.bad) {
        enum gotime_element e = E_NONE;
        size_t n = gotime_element_at(layout, &e);
        if (n) {
            take_element(&p, e, sv_sub(layout, 0, n), sv_from(layout, n));
        } else {
            n = 1;
            p.bad = !(p.text.len && p.text.p[0] == layout.p[0]);
            p.text = sv_from(p.text, 1);
        }
        layout = sv_from(layout, n);
    }
    return parse_finish(&p, tz, ret);
}
