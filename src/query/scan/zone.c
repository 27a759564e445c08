/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan/zone.h"

#include "base/bytes.h"
#include "chunk/collapse.h"

int zone_share_new(struct zone_share **ret, uint64_t arrival, const struct entry *v, size_t n,
                   bool bare, struct query_control *control, struct err *err)
{
    uint64_t text_bytes = 0;
    for (size_t i = 0; i < n; i++)
        text_bytes += v[i].sm.len + (bare ? 0 : v[i].line.len);
    uint64_t bytes = sizeof(struct zone_share) + n * sizeof(struct entry) + text_bytes;
    int r = query_charge(control, bytes, err);
    if (r < 0)
        return r;
    struct zone_share *s = mem_alloc(bytes);
    *s = (struct zone_share){.arrival = arrival, .mem_bytes = bytes, .n = n, .bare = bare};
    char *to = (char *)(s->v + n);
    for (size_t i = 0; i < n; i++) {
        s->v[i] = v[i];
        if (!bare && v[i].line.len) {
            s->v[i].line.p = memcpy(to, v[i].line.p, v[i].line.len);
            to += v[i].line.len;
        }
        if (v[i].sm.len) {
            s->v[i].sm.p = memcpy(to, v[i].sm.p, v[i].sm.len);
            to += v[i].sm.len;
        }
    }
    *ret = s;
    return 0;
}

void zone_share_free(struct zone_share *s, struct query_control *control)
{
    while (s) {
        struct zone_share *next = s->next;
        query_release(control, s->mem_bytes);
        free(s);
        s = next;
    }
}

void zone_init(struct zone *z, uint32_t n_strands)
{
    atomic_init(&z->shares, NULL);
    atomic_init(&z->n_missing, n_strands);
    z->needs_lines = false;
}

void zone_add(struct zone *z, struct zone_share *take_share)
{
    take_share->next = atomic_load_explicit(&z->shares, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&z->shares, &take_share->next, take_share,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

bool zone_arrive(struct zone *z)
{
    return atomic_fetch_sub_explicit(&z->n_missing, 1, memory_order_acq_rel) == 1;
}

/* ---- collapse ---- */

static int by_arrival(const void *x, const void *y)
{
    const struct zone_share *a = *(struct zone_share *const *)x;
    const struct zone_share *b = *(struct zone_share *const *)y;
    return (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

/* Shares of rising arrival one after the other: a stable sort by time then gives the order. */
static size_t lay_out(struct zone_share *const *shares, size_t n_shares, struct entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_shares; i++) {
        memcpy(out + n, shares[i]->v, shares[i]->n * sizeof *out);
        n += shares[i]->n;
    }
    return n;
}

/* Where lines are missing, line.p names the share instead. */
static int by_time_length_share(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    if (a->line.len != b->line.len)
        return a->line.len < b->line.len ? -1 : 1;
    return (a->line.p > b->line.p) - (a->line.p < b->line.p);
}

/* Two entries of one time and length may be repeats, unless they stand in one strand. */
static bool in_doubt(struct zone_share *const *shares, size_t n_shares, struct entry *v, size_t n)
{
    for (size_t i = 0, at = 0; i < n_shares; i++)
        for (size_t k = 0; k < shares[i]->n; k++)
            v[at++].line.p = (const char *)shares[i];
    qsort(v, n, sizeof *v, by_time_length_share);
    for (size_t i = 1; i < n; i++)
        if (v[i].ts_ns == v[i - 1].ts_ns && v[i].line.len == v[i - 1].line.len &&
            v[i].line.p != v[i - 1].line.p)
            return true;
    return false;
}

static int join_shares(struct zone_share **shares, size_t n_shares, struct zone *z,
                       struct zone_entries *ret, struct query_control *control, struct err *err)
{
    size_t n = 0;
    bool bare = false;
    for (size_t i = 0; i < n_shares; i++) {
        n += shares[i]->n;
        bare |= shares[i]->bare;
    }
    int r = query_charge(control, n * sizeof *ret->v, err);
    if (r < 0)
        return r;
    ret->charged_bytes = n * sizeof *ret->v;
    ret->v = mem_alloc(ret->charged_bytes);
    qsort(shares, n_shares, sizeof(void *), by_arrival);
    ret->n = lay_out(shares, n_shares, ret->v);
    if (n_shares < 2)
        return 0; /* a strand holds no repeats */
    if (bare) {
        z->needs_lines = in_doubt(shares, n_shares, ret->v, ret->n);
        if (z->needs_lines)
            ret->n = 0;
        return 0;
    }
    ret->n = entries_sort_collapse(ret->v, n);
    ret->n_repeats = n - ret->n;
    return 0;
}

int zone_collapse(struct zone *z, struct zone_entries *ret, struct query_control *control,
                  struct err *err)
{
    *ret = (struct zone_entries){.shares = atomic_exchange(&z->shares, NULL)};
    size_t n_shares = 0;
    for (struct zone_share *s = ret->shares; s; s = s->next)
        n_shares++;
    if (n_shares == 0)
        return 0;
    struct zone_share **shares = mem_alloc(n_shares * sizeof(void *));
    n_shares = 0;
    for (struct zone_share *s = ret->shares; s; s = s->next)
        shares[n_shares++] = s;
    int r = join_shares(shares, n_shares, z, ret, control, err);
    free(shares);
    return r;
}

void zone_entries_deinit(struct zone_entries *e, struct query_control *control)
{
    zone_share_free(e->shares, control);
    query_release(control, e->charged_bytes);
    free(e->v);
    *e = (struct zone_entries){0};
}
