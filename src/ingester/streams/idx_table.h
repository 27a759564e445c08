/* SPDX-License-Identifier: Apache-2.0 */
/* idx_table.h - hash -> numbers: open addressing, 8 bytes a slot, deletion without tombstones.
 * The owner keeps the things themselves and says which of the candidates is meant.
 * Threads: the owner's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct idx_slot {
    uint32_t hash, idx_plus_1; /* 0: empty */
};
struct idx_table {
    struct idx_slot *slots;
    size_t mask, n; /* mask: slots - 1; no slots: n == 0 */
};

typedef bool idx_equal_fn(const void *ctx, uint32_t idx);

static inline void idx_table_deinit(struct idx_table *t)
{
    free(t->slots);
    *t = (struct idx_table){0};
}

static inline void idx_table_place(struct idx_table *t, struct idx_slot slot)
{
    size_t at = slot.hash & t->mask;
    while (t->slots[at].idx_plus_1)
        at = (at + 1) & t->mask;
    t->slots[at] = slot;
}

static inline void idx_table_add(struct idx_table *t, uint32_t hash, uint32_t idx)
{
    size_t n_slots = t->slots ? t->mask + 1 : 0;
    if ((t->n + 1) * 4 > n_slots * 3) {
        struct idx_slot *old = t->slots;
        size_t grown = n_slots ? n_slots * 2 : 16;
        t->slots = mem_zalloc(grown, sizeof *t->slots);
        t->mask = grown - 1;
        for (size_t i = 0; i < n_slots; i++)
            if (old[i].idx_plus_1)
                idx_table_place(t, old[i]);
        free(old);
    }
    idx_table_place(t, (struct idx_slot){hash, idx + 1});
    t->n++;
}

/* UINT32_MAX: none. */
static inline uint32_t idx_table_find(const struct idx_table *t, uint32_t hash, idx_equal_fn *equal,
                                      const void *ctx)
{
    if (t->n == 0)
        return UINT32_MAX;
    for (size_t at = hash & t->mask; t->slots[at].idx_plus_1; at = (at + 1) & t->mask)
        if (t->slots[at].hash == hash && equal(ctx, t->slots[at].idx_plus_1 - 1))
            return t->slots[at].idx_plus_1 - 1;
    return UINT32_MAX;
}

/* It is there.  Later slots of the same run move up, so that no search ends too early. */
static inline void idx_table_remove(struct idx_table *t, uint32_t hash, uint32_t idx)
{
    size_t hole = hash & t->mask;
    while (t->slots[hole].idx_plus_1 != idx + 1)
        hole = (hole + 1) & t->mask;
    for (size_t at = (hole + 1) & t->mask; t->slots[at].idx_plus_1; at = (at + 1) & t->mask) {
        size_t home = t->slots[at].hash & t->mask;
        if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole] = (struct idx_slot){0};
    t->n--;
}
