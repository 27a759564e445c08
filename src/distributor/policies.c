/* SPDX-License-Identifier: Apache-2.0 */
#include "distributor/policies.h"

#include <stdatomic.h>

#include "base/thread.h"

enum { N_SLOTS = 256 };

struct policies {
    struct mutex mu; /* one maker at a time */
    _Atomic(struct kept_policy *) slots[N_SLOTS];
};

struct policies *policies_new(void)
{
    struct policies *p = mem_zalloc(1, sizeof *p);
    mutex_init(&p->mu);
    return p;
}

void policies_free(struct policies *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < N_SLOTS; i++) {
        for (struct kept_policy *k = atomic_load(&p->slots[i]), *next; k; k = next) {
            next = k->next;
            arena_deinit(&k->arena);
            free(k);
        }
    }
    mutex_deinit(&p->mu);
    free(p);
}

static struct kept_policy *find(struct policies *p, uint64_t limits_id)
{
    struct kept_policy *k =
        atomic_load_explicit(&p->slots[limits_id % N_SLOTS], memory_order_acquire);
    while (k && k->limits_id != limits_id)
        k = k->next;
    return k;
}

static struct kept_policy *make(const struct limits *limits)
{
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT;
    struct kept_policy *k = mem_zalloc(1, sizeof *k);
    k->limits_id = limits->id;
    push_policy_of_limits(limits, &k->arena, &k->policy);
    push_policy_encode(&encoded, &k->policy);
    k->encoded = arena_copy(&k->arena, buf_view(&encoded));
    return k;
}

const struct kept_policy *policies_get(struct policies *p, const struct limits *limits)
{
    struct kept_policy *k = find(p, limits->id);
    if (k)
        return k;
    MUTEX_GUARD(&p->mu);
    k = find(p, limits->id);
    if (!k) {
        k = make(limits);
        k->next = atomic_load(&p->slots[limits->id % N_SLOTS]);
        atomic_store_explicit(&p->slots[limits->id % N_SLOTS], k, memory_order_release);
    }
    return k;
}
