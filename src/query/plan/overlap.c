/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a stream's strands, from thousands of segments perhaps, and where two or more of
 * them share time.
 *
 * A zone ends wherever a span begins or ends, so that the set of spans is the same all over it, and
 * a span covers a zone whole or not at all.  That is why zones are as short as they can be, and not
 * as long: how many shares a zone waits for is then a number known beforehand, a strand knows its
 * zones as a range of neighbours, and what waits in memory is no more than what really overlaps.  n
 * spans have at most 2n - 1 zones, however many pairs of them overlap.
 *
 * The way: starts and ends are sorted each for itself and walked together, counting how many spans
 * are open; between two changes with two or more open there is a zone.  Which spans they are is not
 * kept: overlap_zones_in() finds a span's zones by its times.
 *
 * Times are whole and both ends belong to a span, so a span is over one nanosecond after its end:
 * entries of equal time are never parted by the border of two zones.  That one nanosecond may have
 * no int64_t, hence the wider arithmetic.
 *
 * Nearly always there is nothing to find: strands come in the order in which they were written,
 * each begins after the one before has ended, and one pass sees it without sorting. */
#include "query/plan/overlap.h"

#include "base/bytes.h"

void overlap_finder_deinit(struct overlap_finder *f)
{
    free(f->starts);
    free(f->ends);
    free(f->v);
    *f = OVERLAP_FINDER_INIT;
}

/* The usual case: each strand begins after the one before has ended. */
static bool follow_each_other(const struct time_span *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (v[i].min_ns <= v[i - 1].max_ns)
            return false;
    return true;
}

static int by_value(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

static void add_zone(struct overlap_finder *f, __int128 from, __int128 to, size_t depth,
                     struct time_span within)
{
    if (depth < 2 || to < within.min_ns || from > within.max_ns)
        return;
    f->v = mem_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
    f->v[f->n++] = (struct overlap_zone){{(int64_t)from, (int64_t)to}, (uint32_t)depth};
}

/* Walks over the times at which a span begins or has just ended. */
static void sweep(struct overlap_finder *f, size_t n, struct time_span within)
{
    size_t depth = 0, started = 0, ended = 0;
    __int128 since = 0;
    while (ended < n) {
        __int128 end = (__int128)f->ends[ended] + 1, at = end;
        if (started < n && f->starts[started] < at)
            at = f->starts[started];
        add_zone(f, since, at - 1, depth, within);
        for (; started < n && f->starts[started] == at; started++)
            depth++;
        for (; ended < n && (__int128)f->ends[ended] + 1 == at; ended++)
            depth--;
        since = at;
    }
}

void overlap_find(struct overlap_finder *f, const struct time_span *spans, size_t n,
                  struct time_span within)
{
    f->n = 0;
    if (n < 2 || follow_each_other(spans, n))
        return;
    f->starts = mem_grow(f->starts, &f->cap_starts, n, sizeof *f->starts);
    f->ends = mem_grow(f->ends, &f->cap_ends, n, sizeof *f->ends);
    for (size_t i = 0; i < n; i++) {
        f->starts[i] = spans[i].min_ns;
        f->ends[i] = spans[i].max_ns;
    }
    qsort(f->starts, n, sizeof *f->starts, by_value);
    qsort(f->ends, n, sizeof *f->ends, by_value);
    sweep(f, n, within);
}

size_t overlap_zones_in(const struct overlap_finder *f, struct time_span span, size_t *ret_first)
{
    size_t lo = 0, hi = f->n;
    while (lo < hi) { /* the first zone that ends at or after the span's start */
        size_t mid = lo + (hi - lo) / 2;
        if (f->v[mid].at.max_ns < span.min_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_first = lo;
    while (hi < f->n && f->v[hi].at.min_ns <= span.max_ns)
        hi++;
    return hi - lo;
}
