/* SPDX-License-Identifier: Apache-2.0 */
#include "base/control.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/values.h"

void query_control_deinit(struct query_control *c)
{
    uint64_t used = atomic_exchange(&c->used_bytes, 0);
    if (c->ledger && used)
        ledger_release(c->ledger, LEDGER_QUERIES, used);
}

static int too_late(const struct query_control *c, struct err *err)
{
    CLEANUP(buf_deinit) struct buf limit = BUF_INIT;
    buf_put_duration_prom(&limit, c->timeout_ns);
    return err_set(err, ERR_TIMEOUT,
                   "request timed out, decrease the duration of the request or add more label "
                   "matchers (exact match preferred) to reduce the amount of data processed: it "
                   "took more than %.*s (limits_config.query_timeout)",
                   SV_ARG(buf_view(&limit)));
}

int query_check(struct query_control *c, struct err *err)
{
    if (atomic_load_explicit(&c->stopped, memory_order_relaxed))
        return err_set(err, ERR_CANCELLED, "the query was stopped");
    if (c->client_gone && c->client_gone(c->client))
        return err_set(err, ERR_CANCELLED, "the request was cancelled by the client");
    return clock_mono_ns() > c->deadline_mono_ns ? too_late(c, err) : 0;
}

int query_charge(struct query_control *c, uint64_t bytes, struct err *err)
{
    if (bytes == 0)
        return 0;
    uint64_t used = atomic_fetch_add(&c->used_bytes, bytes) + bytes;
    if (c->max_bytes && used > c->max_bytes) {
        atomic_fetch_sub(&c->used_bytes, bytes);
        return err_set(err, ERR_OVER_BUDGET,
                       "the query needs more than %llu bytes of memory (querier.max_query_memory): "
                       "shorten its range, add matchers, or aggregate to fewer series",
                       (unsigned long long)c->max_bytes);
    }
    if (c->ledger && !ledger_try_charge(c->ledger, LEDGER_QUERIES, bytes)) {
        atomic_fetch_sub(&c->used_bytes, bytes);
        return err_set(err, ERR_UNAVAILABLE,
                       "no memory for this query now: the server holds %llu of %llu bytes",
                       (unsigned long long)ledger_used(c->ledger),
                       (unsigned long long)c->ledger->ceiling_bytes);
    }
    return 0;
}

void query_release(struct query_control *c, uint64_t bytes)
{
    if (bytes == 0)
        return;
    atomic_fetch_sub(&c->used_bytes, bytes);
    if (c->ledger)
        ledger_release(c->ledger, LEDGER_QUERIES, bytes);
}

enum { MIN_ELEMENTS = 8 };

int query_grow(struct query_control *c, void *pointer, size_t *cap, size_t n, size_t elem_bytes,
               struct err *err)
{
    if (n <= *cap)
        return 0;
    size_t to = n > 2 * *cap ? n : 2 * *cap;
    if (to < MIN_ELEMENTS)
        to = MIN_ELEMENTS;
    int r = c ? query_charge(c, (to - *cap) * elem_bytes, err) : 0;
    if (r < 0)
        return r;
    void *p;
    memcpy(&p, pointer, sizeof p); /* of whatever type it is */
    p = mem_realloc(p, to * elem_bytes);
    memcpy(pointer, &p, sizeof p);
    *cap = to;
    return 0;
}

int query_charge_arena(struct query_control *c, const struct arena *a, uint64_t *seen,
                       struct err *err)
{
    if (a->used_bytes <= *seen)
        return 0;
    int r = query_charge(c, a->used_bytes - *seen, err);
    if (r == 0)
        *seen = a->used_bytes;
    return r;
}
