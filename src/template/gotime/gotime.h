/* SPDX-License-Identifier: Apache-2.0 */
/* gotime.h - an instant with its zone, and Go's reference-time layouts ("2006-01-02 15:04:05").
 * Years -290000 to 290000; the zero time is year 1.  Pure but for the zone tables of base/tz.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct tz;

struct gotime {
    int64_t sec; /* since 1970, UTC */
    int32_t nsec;
    int32_t offset_s;
    char zone[8]; /* "UTC", "CET", "" */
};

#define GOTIME_ZERO ((struct gotime){.sec = -62135596800, .zone = "UTC"})

struct gotime_civil {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int weekday, yearday;                 /* Sunday 0; January 1st is 1 */
};

struct gotime gotime_of_ns(int64_t ns, const struct tz *tz); /* NULL: UTC */
struct gotime gotime_in(struct gotime t, const struct tz *tz);
struct gotime_civil gotime_civil(struct gotime t);
int64_t gotime_days_of_civil(int64_t year, int month, int day); /* since 1970-01-01 */

void gotime_format(struct buf *out, struct gotime t, struct str_view layout);
/* Text that has no zone of its own is read in `tz`. */
bool gotime_parse(struct gotime *ret, struct str_view layout, struct str_view text,
                  const struct tz *tz);
extern const char *const GOTIME_MONTHS[12];
extern const char *const GOTIME_DAYS[7];
