/* SPDX-License-Identifier: Apache-2.0 */
/* period.h - the stretches of time that segments' parts and the index's tables are cut by.
 * A period begins at a whole multiple of its length, counted from 1970 in UTC; the first one begins
 * where time does, INT64_MIN.  Lengths are above 0; two lengths may stand side by side.
 * Threads: pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct period {
    int64_t start_ns, length_ns;
};

/* Start of the period of that length that holds ts_ns. */
static inline int64_t period_start(int64_t ts_ns, int64_t length_ns)
{
    int64_t into = ts_ns % length_ns, start_ns;
    into += into < 0 ? length_ns : 0;
    return __builtin_sub_overflow(ts_ns, into, &start_ns) ? INT64_MIN : start_ns;
}
/* Its last nanosecond, cut to INT64_MAX. */
int64_t period_last_ns(struct period p);
/* By start, then length. */
int period_cmp(const struct period *a, const struct period *b);
/* Sorts them and drops repeats; returns how many stay. */
size_t periods_sort(struct period *v, size_t n);
