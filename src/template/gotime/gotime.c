/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds since 1970 to year, month and day and back, in the Gregorian calendar of all years. */
#include "template/gotime/gotime.h"

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
