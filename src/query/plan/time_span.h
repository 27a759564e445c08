/* SPDX-License-Identifier: Apache-2.0 */
/* time_span.h - times from min_ns to max_ns, nanoseconds since 1970, both ends included.  Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct time_span {
    int64_t min_ns, max_ns;
};

static inline bool span_holds(struct time_span s, int64_t ts_ns)
{
    return ts_ns >= s.min_ns && ts_ns <= s.max_ns;
}
static inline bool spans_touch(struct time_span a, struct time_span b)
{
    return a.min_ns <= b.max_ns && b.min_ns <= a.max_ns;
}
/* The shortest that holds both. */
static inline struct time_span span_hull(struct time_span a, struct time_span b)
{
    return (struct time_span){a.min_ns < b.min_ns ? a.min_ns : b.min_ns,
                              a.max_ns > b.max_ns ? a.max_ns : b.max_ns};
}
