/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/cover.h"

#include <string.h>

#include "base/arena.h"
#include "store/coverage.h"
#include "wal/wal.h"

void cover_init(struct cover *c, struct uuid source)
{
    *c = (struct cover){.source = source};
    mutex_init(&c->mu);
}

void cover_deinit(struct cover *c)
{
    lsn_set_deinit(&c->covered);
    lsn_set_deinit(&c->holes);
    mutex_deinit(&c->mu);
}

void cover_add(struct cover *c, const struct segment_info *v, size_t n)
{
    MUTEX_GUARD(&c->mu);
    coverage_of(v, n, c->source, &c->covered);
}

void cover_add_hole(struct cover *c, struct lsn_span hole)
{
    MUTEX_GUARD(&c->mu);
    lsn_set_add(&c->holes, hole.first, hole.end);
}

size_t cover_n_holes(struct cover *c)
{
    MUTEX_GUARD(&c->mu);
    return c->holes.n;
}

struct lsn_set cover_copy(struct cover *c)
{
    struct lsn_set copy = LSN_SET_INIT;
    MUTEX_GUARD(&c->mu);
    for (size_t i = 0; i < c->covered.n; i++)
        lsn_set_add(&copy, c->covered.v[i].first, c->covered.v[i].end);
    return copy;
}

struct segment_coverage *cover_claim(struct cover *c, uint64_t first_lsn, uint64_t end_lsn,
                                     struct arena *arena, size_t *ret_n)
{
    struct lsn_set own = LSN_SET_INIT;
    lsn_set_add(&own, first_lsn, end_lsn);
    mutex_lock(&c->mu);
    lsn_set_remove_all(&own, &c->covered);
    lsn_set_remove_all(&own, &c->holes);
    mutex_unlock(&c->mu);
    struct segment_coverage *v = ARENA_ARRAY(arena, struct segment_coverage, own.n);
    for (size_t i = 0; i < own.n; i++) {
        v[i] = (struct segment_coverage){.first = own.v[i].first, .last = own.v[i].end - 1};
        memcpy(v[i].source, c->source.b, UUID_BYTES);
    }
    *ret_n = own.n;
    lsn_set_deinit(&own);
    return v;
}

uint64_t cover_reach_with(struct cover *c, const struct segment_info *info)
{
    struct lsn_set all = cover_copy(c);
    coverage_of(info, 1, c->source, &all);
    uint64_t reach = lsn_set_reach(&all, 0);
    lsn_set_deinit(&all);
    return reach;
}

void cover_recycle(struct cover *c, struct wal *wal)
{
    struct lsn_set covered = cover_copy(c);
    wal_covered(wal, &covered);
    lsn_set_deinit(&covered);
}

void cover_describe(struct cover *c, struct buf *out)
{
    enum { SHOWN = 10 };
    MUTEX_GUARD(&c->mu);
    for (size_t i = 0; i < c->holes.n && i < SHOWN; i++)
        buf_printf(out,
                   "the log could not give back LSNs %llu to %llu, which were acknowledged and are "
                   "in no segment: see operations.md, \"Harm\"\n",
                   (unsigned long long)c->holes.v[i].first,
                   (unsigned long long)c->holes.v[i].end - 1);
    if (c->holes.n > SHOWN)
        buf_printf(out, "and %zu more\n", c->holes.n - SHOWN);
}
