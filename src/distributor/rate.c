/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/rate.h"

#include <xxhash.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"

enum { N_SLOTS = 1024, SWEEP_FROM_TENANTS = 4096 };

struct bucket {
    struct bucket *next;
    double tokens;
    int64_t filled_ns;
    double rate_per_s, burst; /* of its last use */
    struct str_view tenant;   /* own memory, behind the struct */
};

struct rate_limiter {
    struct mutex mu;
    struct bucket *slots[N_SLOTS]; /* guarded by mu */
    size_t n_buckets, sweep_at;    /* guarded by mu */
};

struct rate_limiter *rate_limiter_new(void)
{
    struct rate_limiter *r = mem_zalloc(1, sizeof *r);
    mutex_init(&r->mu);
    r->sweep_at = SWEEP_FROM_TENANTS;
    return r;
}

void rate_limiter_free(struct rate_limiter *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < N_SLOTS; i++) {
        for (struct bucket *b = r->slots[i], *next; b; b = next) {
            next = b->next;
            free(b);
        }
    }
    mutex_deinit(&r->mu);
    free(r);
}

static void fill(struct bucket *b, int64_t now_ns)
{
    double passed_s = (double)(now_ns - b->filled_ns) / (double)NS_PER_S;
    if (passed_s > 0) {
        b->tokens += passed_s * b->rate_per_s;
        b->filled_ns = now_ns;
    }
    if (b->tokens > b->burst)
        b->tokens = b->burst;
}

/* A full bucket knows nothing that a new one would not. */
static void sweep(struct rate_limiter *r, int64_t now_ns)
{
    for (size_t i = 0; i < N_SLOTS; i++) {
        for (struct bucket **at = &r->slots[i]; *at;) {
            struct bucket *b = *at;
            fill(b, now_ns);
            if (b->tokens < b->burst) {
                at = &b->next;
                continue;
            }
            *at = b->next;
            free(b);
            r->n_buckets--;
        }
    }
    r->sweep_at = r->n_buckets < SWEEP_FROM_TENANTS / 2 ? SWEEP_FROM_TENANTS : 2 * r->n_buckets;
}

static struct bucket *bucket_of(struct rate_limiter *r, struct str_view tenant, double burst,
                                int64_t now_ns)
{
    struct bucket **slot = &r->slots[XXH3_64bits(tenant.p, tenant.len) % N_SLOTS];
    for (struct bucket *b = *slot; b; b = b->next)
        if (sv_eq(b->tenant, tenant))
            return b;
    if (r->n_buckets >= r->sweep_at)
        sweep(r, now_ns);
    struct bucket *b = mem_zalloc(1, sizeof *b + tenant.len);
    char *name = (char *)(b + 1);
    memcpy(name, tenant.p, tenant.len);
    b->tenant = sv(name, tenant.len);
    b->tokens = burst;
    b->filled_ns = now_ns;
    b->next = *slot;
    *slot = b;
    r->n_buckets++;
    return b;
}

bool rate_limiter_take(struct rate_limiter *r, struct str_view tenant, double rate_per_s,
                       double burst, double n, int64_t now_mono_ns)
{
    MUTEX_GUARD(&r->mu);
    struct bucket *b = bucket_of(r, tenant, burst, now_mono_ns);
    b->rate_per_s = rate_per_s;
    b->burst = burst;
    fill(b, now_mono_ns);
    if (n > b->tokens)
        return false;
    b->tokens -= n;
    return true;
}
