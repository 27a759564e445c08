/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* A range of some segment's coverage. */
struct covering {
    struct lsn_range range;
    uint64_t max_last; /* of all ranges of the source up to this one */
    struct lineage_segment *by;
};

struct lineage {
    struct lineage_segment *v;
    size_t n;
    struct covering *covers; /* by source, first */
    size_t n_covers;
};

/* Of equal ones the object comes last, to live. */
static int cmp_age(const void *x, const void *y)
{
    const struct lineage_segment *a = x, *b = y;
    const struct segment_header *h = &a->segment->header, *k = &b->segment->header;
    if (h->level != k->level)
        return h->level < k->level ? -1 : 1;
    if (h->generation != k->generation)
        return h->generation < k->generation ? -1 : 1;
    int c = memcmp(h->uuid, k->uuid, UUID_BYTES);
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

static int cmp_covering(const void *x, const void *y)
{
    const struct lsn_range *a = &((const struct covering *)x)->range;
    const struct lsn_range *b = &((const struct covering *)y)->range;
    int c = uuid_cmp(a->source, b->source);
    return c ? c : (a->first > b->first) - (a->first < b->first);
}

static void gather_coverage(struct lineage *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->v[i].segment->n_coverage;
    l->covers = mem_alloc(n * sizeof *l->covers);
    for (size_t i = 0; i < l->n; i++) {
        const struct segment *s = l->v[i].segment;
        for (uint32_t k = 0; k < s->n_coverage; k++)
            l->covers[l->n_covers++] =
                (struct covering){.range = {uuid_of_bytes(s->coverage[k].source),
                                            s->coverage[k].first, s->coverage[k].last},
                                  .by = &l->v[i]};
    }
    if (n > 1)
        qsort(l->covers, n, sizeof *l->covers, cmp_covering);
    for (size_t i = 0; i < n; i++) {
        struct covering *c = &l->covers[i];
        c->max_last = c->range.last;
        if (i > 0 && uuid_eq(c[-1].range.source, c->range.source) && c[-1].max_last > c->max_last)
            c->max_last = c[-1].max_last;
    }
}

/* The first range behind those of this source that begin at or below `first`. */
static size_t covers_end(const struct lineage *l, const struct lsn_range *range)
{
    struct covering key = {.range = *range};
    size_t lo = 0, hi = l->n_covers;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_covering(&l->covers[mid], &key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool range_is_in(const struct segment_coverage *c, const struct segment *by)
{
    for (uint32_t i = 0; i < by->n_coverage; i++)
        if (memcmp(by->coverage[i].source, c->source, UUID_BYTES) == 0 &&
            by->coverage[i].first <= c->first && by->coverage[i].last >= c->last)
            return true;
    return false;
}

/* Ranges neither overlap nor touch within a segment, so each lies in one of the other's. */
static bool covers_all(const struct segment *by, const struct segment *s)
{
    for (uint32_t i = 0; i < s->n_coverage; i++)
        if (!range_is_in(&s->coverage[i], by))
            return false;
    return true;
}

/* Does a later segment that covers all batches of f have this part, too? */
static bool part_is_in_later(const struct lineage *l, const struct lineage_segment *f,
                             const struct segment_part *part)
{
    const struct segment_coverage *c = &f->segment->coverage[0];
    struct lsn_range first = {uuid_of_bytes(c->source), c->first, c->last};
    for (size_t i = covers_end(l, &first); i > 0; i--) {
        const struct covering *cover = &l->covers[i - 1];
        if (!uuid_eq(cover->range.source, first.source) || cover->max_last < first.last)
            return false;
        if (cover->by > f && cover->range.last >= first.last &&
            segment_find_part(cover->by->segment, part->tenant, part->period_start_ns) &&
            covers_all(cover->by->segment, f->segment))
            return true;
    }
    return false;
}

static bool is_in_later(const struct lineage *l, const struct lineage_segment *f)
{
    if (f->segment->n_coverage == 0)
        return false; /* nothing tells */
    for (uint32_t i = 0; i < f->segment->n_parts; i++)
        if (!part_is_in_later(l, f, &f->segment->parts[i]))
            return false;
    return true;
}

static int cmp_found_uuid(const void *x, const void *y)
{
    const struct lineage_segment *a = *(struct lineage_segment *const *)x,
                                 *b = *(struct lineage_segment *const *)y;
    return memcmp(a->segment->header.uuid, b->segment->header.uuid, UUID_BYTES);
}

/* Marks what others replace, and all but the last of copies of one segment. */
static void mark_listed(struct lineage *l)
{
    struct lineage_segment **by_uuid = mem_alloc(l->n * sizeof *by_uuid);
    for (size_t i = 0; i < l->n; i++) {
        by_uuid[i] = &l->v[i];
        if (i > 0 && cmp_found_uuid(&by_uuid[i - 1], &by_uuid[i]) == 0)
            l->v[i - 1].is_copy = true;
    }
    if (l->n > 1)
        qsort(by_uuid, l->n, sizeof *by_uuid, cmp_found_uuid);
    for (size_t i = 0; i < l->n; i++) {
        for (uint32_t k = 0; k < l->v[i].segment->n_replaced; k++) {
            struct segment wanted = {0};
            struct lineage_segment key = {.segment = &wanted}, *at = &key;
            memcpy(wanted.header.uuid, l->v[i].segment->replaced[k], UUID_BYTES);
            struct lineage_segment **hit =
                bsearch(&at, by_uuid, l->n, sizeof *by_uuid, cmp_found_uuid);
            if (hit && *hit < &l->v[i]) /* older: nothing replaces itself, even in a circle */
                (*hit)->is_listed = true;
        }
    }
    free(by_uuid);
}

void lineage_find(struct lineage_segment *v, size_t n)
{
    struct lineage l = {.v = v, .n = n};
    if (n > 1)
        qsort(v, n, sizeof *v, cmp_age);
    gather_coverage(&l);
    mark_listed(&l);
    for (size_t i = 0; i < n; i++)
        v[i].is_in_later = is_in_later(&l, &v[i]);
    free(l.covers);
}
