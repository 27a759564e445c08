/* SPDX-License-Identifier: Apache-2.0 */
#include "model/lsn_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void lsn_set_deinit(struct lsn_set *s)
{
    free(s->v);
    *s = LSN_SET_INIT;
}

/* The first span that ends at `lsn` or later: the only ones that can touch what begins there. */
static size_t place_of(const struct lsn_set *s, uint64_t lsn)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->v[mid].end < lsn)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* v[from, to) becomes the n spans of `by`. */
static void replace(struct lsn_set *s, size_t from, size_t to, const struct lsn_span *by, size_t n)
{
    size_t n_after = s->n - to, n_new = from + n + n_after;
    s->v = mem_grow(s->v, &s->cap, n_new + 1, sizeof *s->v);
    memmove(s->v + from + n, s->v + to, n_after * sizeof *s->v);
    if (n)
        memcpy(s->v + from, by, n * sizeof *by);
    s->n = n_new;
}

void lsn_set_add(struct lsn_set *s, uint64_t first, uint64_t end)
{
    if (first >= end)
        return;
    struct lsn_span all = {first, end};
    size_t from = place_of(s, first), to = from;
    for (; to < s->n && s->v[to].first <= end; to++) {
        if (s->v[to].first < all.first)
            all.first = s->v[to].first;
        if (s->v[to].end > all.end)
            all.end = s->v[to].end;
    }
    replace(s, from, to, &all, 1);
}

void lsn_set_remove(struct lsn_set *s, uint64_t first, uint64_t end)
{
    if (first >= end)
        return;
    struct lsn_span kept[2];
    size_t n = 0, from = place_of(s, first), to = from;
    for (; to < s->n && s->v[to].first < end; to++) {
        if (s->v[to].first < first)
            kept[n++] =
                (struct lsn_span){s->v[to].first, s->v[to].end < first ? s->v[to].end : first};
        if (s->v[to].end > end)
            kept[n++] = (struct lsn_span){end, s->v[to].end};
    }
    if (to > from)
        replace(s, from, to, kept, n);
}

void lsn_set_remove_all(struct lsn_set *s, const struct lsn_set *others)
{
    for (size_t i = 0; i < others->n; i++)
        lsn_set_remove(s, others->v[i].first, others->v[i].end);
}

bool lsn_set_has(const struct lsn_set *s, uint64_t lsn)
{
    return lsn_set_reach(s, lsn) > lsn;
}

uint64_t lsn_set_reach(const struct lsn_set *s, uint64_t from)
{
    for (size_t i = place_of(s, from); i < s->n && s->v[i].first <= from; i++)
        if (s->v[i].end > from)
            return s->v[i].end;
    return from;
}

bool lsn_set_gap(const struct lsn_set *s, uint64_t first, uint64_t end, struct lsn_span *ret)
{
    uint64_t from = lsn_set_reach(s, first);
    if (from >= end)
        return false;
    size_t next = place_of(s, from);
    while (next < s->n && s->v[next].first <= from)
        next++;
    bool ends = next < s->n && s->v[next].first < end;
    *ret = (struct lsn_span){from, ends ? s->v[next].first : end};
    return true;
}
