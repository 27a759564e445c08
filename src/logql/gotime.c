/* SPDX-License-Identifier: Apache-2.0 */
#include "logql/gotime.h"

#include <stdio.h>

#include "base/tz.h"

enum { DAY_S = 86400 };

const char *const GOTIME_MONTHS[12] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
const char *const GOTIME_DAYS[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday"};

/* Days are counted in 400-year cycles that begin on March 1st, so that the leap day comes last. */
int64_t gotime_days_of_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t cycle = (year >= 0 ? year : year - 399) / 400;
    int64_t of_cycle = year - cycle * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return cycle * 146097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - 719468;
}

struct gotime_civil gotime_civil(struct gotime t)
{
    int64_t local = t.sec + t.offset_s;
    int64_t days = local / DAY_S - (local % DAY_S < 0);
    int64_t of_day = local - days * DAY_S;
    int64_t z = days + 719468;
    int64_t cycle = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doc = z - cycle * 146097;
    int64_t yoc = (doc - doc / 1460 + doc / 36524 - doc / 146096) / 365;
    int64_t doy = doc - (365 * yoc + yoc / 4 - yoc / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct gotime_civil c = {
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .hour = (int)(of_day / 3600),
        .minute = (int)(of_day / 60 % 60),
        .second = (int)(of_day % 60),
        .weekday = (int)(((days + 4) % 7 + 7) % 7),
    };
    c.year = yoc + cycle * 400 + (c.month <= 2);
    c.yearday = (int)(days - gotime_days_of_civil(c.year, 1, 1) + 1);
    return c;
}

struct gotime gotime_in(struct gotime t, const struct tz *tz)
{
    tz_at(tz, t.sec, &t.offset_s, t.zone);
    return t;
}

struct gotime gotime_of_ns(int64_t ns, const struct tz *tz)
{
    int64_t sec = ns / 1000000000 - (ns % 1000000000 < 0);
    return gotime_in((struct gotime){.sec = sec, .nsec = (int32_t)(ns - sec * 1000000000)}, tz);
}

/* --- layouts: the reference time is Mon Jan 2 15:04:05 -0700 MST 2006 --- */

enum element {
    E_NONE,
    E_LONG_MONTH,
    E_MONTH,
    E_NUM_MONTH,
    E_ZERO_MONTH,
    E_LONG_DAY,
    E_WEEKDAY,
    E_DAY,
    E_BLANK_DAY,
    E_ZERO_DAY,
    E_BLANK_YEARDAY,
    E_ZERO_YEARDAY,
    E_HOUR,
    E_HOUR12,
    E_ZERO_HOUR12,
    E_MINUTE,
    E_ZERO_MINUTE,
    E_SECOND,
    E_ZERO_SECOND,
    E_LONG_YEAR,
    E_YEAR,
    E_UPPER_PM,
    E_LOWER_PM,
    E_ZONE_NAME,
    E_Z_SHORT,
    E_Z,
    E_Z_COLON,
    E_Z_SECONDS,
    E_Z_COLON_SECONDS, /* Z07 Z0700 Z07:00 ... */
    E_OFF_SHORT,
    E_OFF,
    E_OFF_COLON,
    E_OFF_SECONDS,
    E_OFF_COLON_SECONDS,
    E_FRACTION_FIXED,
    E_FRACTION_TRIMMED,
};

/* Longest first where one begins another. */
static const struct {
    const char *text;
    enum element e;
} ELEMENTS[] = {
    {"January", E_LONG_MONTH},
    {"Jan", E_MONTH},
    {"Monday", E_LONG_DAY},
    {"Mon", E_WEEKDAY},
    {"MST", E_ZONE_NAME},
    {"2006", E_LONG_YEAR},
    {"01", E_ZERO_MONTH},
    {"002", E_ZERO_YEARDAY},
    {"02", E_ZERO_DAY},
    {"03", E_ZERO_HOUR12},
    {"04", E_ZERO_MINUTE},
    {"05", E_ZERO_SECOND},
    {"06", E_YEAR},
    {"15", E_HOUR},
    {"1", E_NUM_MONTH},
    {"2", E_DAY},
    {"__2", E_BLANK_YEARDAY},
    {"_2006", E_NONE},
    {"_2", E_BLANK_DAY},
    {"3", E_HOUR12},
    {"4", E_MINUTE},
    {"5", E_SECOND},
    {"PM", E_UPPER_PM},
    {"pm", E_LOWER_PM},
    {"Z07:00:00", E_Z_COLON_SECONDS},
    {"Z070000", E_Z_SECONDS},
    {"Z07:00", E_Z_COLON},
    {"Z0700", E_Z},
    {"Z07", E_Z_SHORT},
    {"-07:00:00", E_OFF_COLON_SECONDS},
    {"-070000", E_OFF_SECONDS},
    {"-07:00", E_OFF_COLON},
    {"-0700", E_OFF},
    {"-07", E_OFF_SHORT},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* .000 or ,999: a fraction, when no digit follows. */
static size_t fraction_length(struct str_view s, enum element *ret)
{
    if (s.len < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9'))
        return 0;
    size_t n = 1;
    while (n < s.len && s.p[n] == s.p[1])
        n++;
    if (n < s.len && is_digit(s.p[n]))
        return 0;
    *ret = s.p[1] == '0' ? E_FRACTION_FIXED : E_FRACTION_TRIMMED;
    return n;
}

/* The element that `s` begins with; its length, or 0 where the first byte is plain text. */
static size_t element_at(struct str_view s, enum element *ret)
{
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++) {
        struct str_view text = sv_of(ELEMENTS[i].text);
        if (!sv_starts_with(s, text))
            continue;
        if (ELEMENTS[i].e == E_MONTH && s.len > 3 && s.p[3] >= 'a' && s.p[3] <= 'z')
            return 0; /* "January" was tried before: another word */
        if (ELEMENTS[i].e == E_NONE) {
            *ret = E_NONE; /* "_2006": the underscore is text */
            return 0;
        }
        *ret = ELEMENTS[i].e;
        return text.len;
    }
    return fraction_length(s, ret);
}

static void put_fraction(struct buf *out, const struct gotime *t, struct str_view layout, bool trim)
{
    char digits[10];
    snprintf(digits, sizeof digits, "%09d", (int)t->nsec);
    size_t n = layout.len - 1 < 9 ? layout.len - 1 : 9;
    while (trim && n && digits[n - 1] == '0')
        n--;
    if (n == 0)
        return;
    buf_put_u8(out, (uint8_t)layout.p[0]);
    buf_put_bytes(out, digits, n);
}

static void put_offset(struct buf *out, int32_t offset_s, enum element e)
{
    if (e >= E_Z_SHORT && e <= E_Z_COLON_SECONDS) {
        if (offset_s == 0) {
            buf_put(out, SV("Z"));
            return;
        }
        e = (enum element)(e - E_Z_SHORT + E_OFF_SHORT);
    }
    int s = offset_s < 0 ? -offset_s : offset_s;
    const char *colon = e == E_OFF_COLON || e == E_OFF_COLON_SECONDS ? ":" : "";
    buf_printf(out, "%c%02d", offset_s < 0 ? '-' : '+', s / 3600);
    if (e != E_OFF_SHORT)
        buf_printf(out, "%s%02d", colon, s / 60 % 60);
    if (e == E_OFF_SECONDS || e == E_OFF_COLON_SECONDS)
        buf_printf(out, "%s%02d", colon, s % 60);
}

static void put_element(struct buf *out, const struct gotime *t, const struct gotime_civil *c,
                        enum element e, struct str_view layout)
{
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (e) {
    case E_LONG_MONTH:
        buf_printf(out, "%s", GOTIME_MONTHS[c->month - 1]);
        break;
    case E_MONTH:
        buf_printf(out, "%.3s", GOTIME_MONTHS[c->month - 1]);
        break;
    case E_NUM_MONTH:
        buf_printf(out, "%d", c->month);
        break;
    case E_ZERO_MONTH:
        buf_printf(out, "%02d", c->month);
        break;
    case E_LONG_DAY:
        buf_printf(out, "%s", GOTIME_DAYS[c->weekday]);
        break;
    case E_WEEKDAY:
        buf_printf(out, "%.3s", GOTIME_DAYS[c->weekday]);
        break;
    case E_DAY:
        buf_printf(out, "%d", c->day);
        break;
    case E_BLANK_DAY:
        buf_printf(out, "%2d", c->day);
        break;
    case E_ZERO_DAY:
        buf_printf(out, "%02d", c->day);
        break;
    case E_BLANK_YEARDAY:
        buf_printf(out, "%3d", c->yearday);
        break;
    case E_ZERO_YEARDAY:
        buf_printf(out, "%03d", c->yearday);
        break;
    case E_HOUR:
        buf_printf(out, "%02d", c->hour);
        break;
    case E_HOUR12:
        buf_printf(out, "%d", hour12);
        break;
    case E_ZERO_HOUR12:
        buf_printf(out, "%02d", hour12);
        break;
    case E_MINUTE:
        buf_printf(out, "%d", c->minute);
        break;
    case E_ZERO_MINUTE:
        buf_printf(out, "%02d", c->minute);
        break;
    case E_SECOND:
        buf_printf(out, "%d", c->second);
        break;
    case E_ZERO_SECOND:
        buf_printf(out, "%02d", c->second);
        break;
    case E_LONG_YEAR:
        buf_printf(out, c->year < 0 ? "-%04lld" : "%04lld",
                   (long long)(c->year < 0 ? -c->year : c->year));
        break;
    case E_YEAR:
        buf_printf(out, "%02d", (int)(c->year < 0 ? -c->year : c->year) % 100);
        break;
    case E_UPPER_PM:
        buf_put(out, c->hour >= 12 ? SV("PM") : SV("AM"));
        break;
    case E_LOWER_PM:
        buf_put(out, c->hour >= 12 ? SV("pm") : SV("am"));
        break;
    case E_ZONE_NAME:
        if (t->zone[0])
            buf_printf(out, "%s", t->zone);
        else
            put_offset(out, t->offset_s, t->offset_s % 3600 ? E_OFF : E_OFF_SHORT);
        break;
    case E_FRACTION_FIXED:
        put_fraction(out, t, layout, false);
        break;
    case E_FRACTION_TRIMMED:
        put_fraction(out, t, layout, true);
        break;
    default:
        put_offset(out, t->offset_s, e);
    }
}

void gotime_format(struct buf *out, struct gotime t, struct str_view layout)
{
    struct gotime_civil c = gotime_civil(t);
    while (layout.len) {
        enum element e = E_NONE;
        size_t n = element_at(layout, &e);
        if (n)
            put_element(out, &t, &c, e, sv_sub(layout, 0, n));
        else
            buf_put_u8(out, (uint8_t)layout.p[n++]);
        layout = sv_from(layout, n);
    }
}

/* --- parsing --- */

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
    for (; n < most && n < p->text.len && is_digit(p->text.p[n]); n++)
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
    for (; n < most && n < p->text.len && is_digit(p->text.p[n]); n++, scale /= 10)
        p->nsec += (p->text.p[n] - '0') * scale;
    p->bad |= n == 0;
    p->text = sv_from(p->text, n);
}

static void take_offset(struct parse *p, enum element e)
{
    if (e >= E_Z_SHORT && e <= E_Z_COLON_SECONDS) {
        if (p->text.len && p->text.p[0] == 'Z') {
            p->text = sv_from(p->text, 1);
            p->has_offset = true;
            memcpy(p->zone, "UTC", 4);
            return;
        }
        e = (enum element)(e - E_Z_SHORT + E_OFF_SHORT);
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
    while (n < p->text.len && n < 5 && p->text.p[n] >= 'A' && p->text.p[n] <= 'Z')
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
    enum element e = E_NONE;
    bool fraction_follows =
        p->text.len >= 2 && (p->text.p[0] == '.' || p->text.p[0] == ',') && is_digit(p->text.p[1]);
    if (fraction_follows && !fraction_length(layout_after, &e))
        take_fraction(p, 9); /* Go reads a fraction that the layout does not name */
}

static void take_element(struct parse *p, enum element e, struct str_view layout,
                         struct str_view layout_after)
{
    switch (e) {
    case E_LONG_MONTH:
        p->month = take_name(p, GOTIME_MONTHS, 12, 0) + 1;
        break;
    case E_MONTH:
        p->month = take_name(p, GOTIME_MONTHS, 12, 3) + 1;
        break;
    case E_NUM_MONTH:
        p->month = take_number(p, 1, 2);
        break;
    case E_ZERO_MONTH:
        p->month = take_number(p, 2, 2);
        break;
    case E_LONG_DAY:
        take_name(p, GOTIME_DAYS, 7, 0);
        break;
    case E_WEEKDAY:
        take_name(p, GOTIME_DAYS, 7, 3);
        break;
    case E_BLANK_DAY:
        skip_blanks(p);
        p->day = take_number(p, 1, 2);
        break;
    case E_DAY:
        p->day = take_number(p, 1, 2);
        break;
    case E_ZERO_DAY:
        p->day = take_number(p, 2, 2);
        break;
    case E_BLANK_YEARDAY:
        skip_blanks(p);
        p->yearday = take_number(p, 1, 3);
        break;
    case E_ZERO_YEARDAY:
        p->yearday = take_number(p, 3, 3);
        break;
    case E_HOUR:
        p->hour = take_number(p, 2, 2);
        break;
    case E_HOUR12:
        p->hour = take_number(p, 1, 2);
        break;
    case E_ZERO_HOUR12:
        p->hour = take_number(p, 2, 2);
        break;
    case E_MINUTE:
        p->minute = take_number(p, 1, 2);
        break;
    case E_ZERO_MINUTE:
        p->minute = take_number(p, 2, 2);
        break;
    case E_SECOND:
        take_seconds(p, layout_after, 1);
        break;
    case E_ZERO_SECOND:
        take_seconds(p, layout_after, 2);
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
        p->pm_set = true;
        p->pm = p->text.len && (p->text.p[0] == 'P' || p->text.p[0] == 'p');
        p->bad |= !(p->text.len >= 2 && (p->text.p[1] | 0x20) == 'm');
        p->text = sv_from(p->text, 2);
        break;
    case E_ZONE_NAME:
        take_zone_name(p);
        break;
    case E_FRACTION_FIXED:
        p->bad |= !(p->text.len && (p->text.p[0] == '.' || p->text.p[0] == ','));
        take_fraction(p, layout.len - 1);
        break;
    case E_FRACTION_TRIMMED:
        if (p->text.len >= 2 && (p->text.p[0] == '.' || p->text.p[0] == ',') &&
            is_digit(p->text.p[1]))
            take_fraction(p, 9);
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
    struct gotime t = {.sec = days * DAY_S + p->hour * 3600 + p->minute * 60 + p->second,
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
        enum element e = E_NONE;
        size_t n = element_at(layout, &e);
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
