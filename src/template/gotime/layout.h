/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - the elements of Go's layouts; private to this folder.
 * The reference time is Mon Jan 2 15:04:05 -0700 MST 2006. */
#pragma once
#include "base/ascii.h"
#include "template/gotime/gotime.h"

enum gotime_element {
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

/* The element that `s` begins with; its length, or 0 where the first byte is plain text. */
size_t gotime_element_at(struct str_view s, enum gotime_element *ret);
/* The same for .000 and ,999 alone. */
size_t gotime_fraction_length(struct str_view s, enum gotime_element *ret);
