/* SPDX-License-Identifier: Apache-2.0 */
/* A time by one of Go's layouts: elements are replaced, all else is copied. */
#include <stdio.h>

#include "template/gotime/layout.h"

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

static void put_offset(struct buf *out, int32_t offset_s, enum gotime_element e)
{
    if (e >= E_Z_SHORT && e <= E_Z_COLON_SECONDS) {
        if (offset_s == 0) {
            buf_put(out, SV("Z"));
            return;
        }
        e = (enum gotime_element)(e - E_Z_SHORT + E_OFF_SHORT);
    }
    int s = offset_s < 0 ? -offset_s : offset_s;
    const char *colon = e == E_OFF_COLON || e == E_OFF_COLON_SECONDS ? ":" : "";
    buf_printf(out, "%c%02d", offset_s < 0 ? '-' : '+', s / 3600);
    if (e != E_OFF_SHORT)
        buf_printf(out, "%s%02d", colon, s / 60 % 60);
    if (e == E_OFF_SECONDS || e == E_OFF_COLON_SECONDS)
        buf_printf(out, "%s%02d", colon, s % 60);
}

/* The elements that are numbers; false for the others. */
static bool put_number(struct buf *out, const struct gotime_civil *c, enum gotime_element e)
{
    const struct {
        enum gotime_element e;
        const char *format;
        int value;
    } NUMBERS[] = {
        {E_NUM_MONTH, "%d", c->month},
        {E_ZERO_MONTH, "%02d", c->month},
        {E_DAY, "%d", c->day},
        {E_BLANK_DAY, "%2d", c->day},
        {E_ZERO_DAY, "%02d", c->day},
        {E_BLANK_YEARDAY, "%3d", c->yearday},
        {E_ZERO_YEARDAY, "%03d", c->yearday},
        {E_HOUR, "%02d", c->hour},
        {E_HOUR12, "%d", c->hour % 12 ? c->hour % 12 : 12},
        {E_ZERO_HOUR12, "%02d", c->hour % 12 ? c->hour % 12 : 12},
        {E_MINUTE, "%d", c->minute},
        {E_ZERO_MINUTE, "%02d", c->minute},
        {E_SECOND, "%d", c->second},
        {E_ZERO_SECOND, "%02d", c->second},
        {E_YEAR, "%02d", (int)(c->year < 0 ? -c->year : c->year) % 100},
    };
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (NUMBERS[i].e == e) {
            char text[16];
            int n = snprintf(text, sizeof text, NUMBERS[i].format, NUMBERS[i].value);
            buf_put_bytes(out, text, (size_t)n);
            return true;
        }
    return false;
}

static void put_zone_name(struct buf *out, const struct gotime *t)
{
    if (t->zone[0])
        buf_put(out, sv_of(t->zone));
    else
        put_offset(out, t->offset_s, t->offset_s % 3600 ? E_OFF : E_OFF_SHORT);
}

static void put_element(struct buf *out, const struct gotime *t, const struct gotime_civil *c,
                        enum gotime_element e, struct str_view layout)
{
    if (put_number(out, c, e))
        return;
    switch (e) {
    case E_LONG_MONTH:
        buf_put(out, sv_of(GOTIME_MONTHS[c->month - 1]));
        break;
    case E_MONTH:
        buf_put_bytes(out, GOTIME_MONTHS[c->month - 1], 3);
        break;
    case E_LONG_DAY:
        buf_put(out, sv_of(GOTIME_DAYS[c->weekday]));
        break;
    case E_WEEKDAY:
        buf_put_bytes(out, GOTIME_DAYS[c->weekday], 3);
        break;
    case E_LONG_YEAR:
        buf_printf(out, c->year < 0 ? "-%04lld" : "%04lld",
                   (long long)(c->year < 0 ? -c->year : c->year));
        break;
    case E_UPPER_PM:
        buf_put(out, c->hour >= 12 ? SV("PM") : SV("AM"));
        break;
    case E_LOWER_PM:
        buf_put(out, c->hour >= 12 ? SV("pm") : SV("am"));
        break;
    case E_ZONE_NAME:
        put_zone_name(out, t);
        break;
    case E_FRACTION_FIXED:
    case E_FRACTION_TRIMMED:
        put_fraction(out, t, layout, e == E_FRACTION_TRIMMED);
        break;
    default:
        put_offset(out, t->offset_s, e);
    }
}

void gotime_format(struct buf *out, struct gotime t, struct str_view layout)
{
    struct gotime_civil c = gotime_civil(t);
    while (layout.len) {
        enum gotime_element e = E_NONE;
        size_t n = gotime_element_at(layout, &e);
        if (n)
            put_element(out, &t, &c, e, sv_sub(layout, 0, n));
        else
            buf_put_u8(out, (uint8_t)layout.p[n++]);
        layout = sv_from(layout, n);
    }
}
