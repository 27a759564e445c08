/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/sm_sets.h"

#include <xxhash.h>

enum { FIRST_SLOTS = 256 };

void sm_sets_deinit(struct sm_sets *s)
{
    free(s->sets);
    free(s->hashes);
    free(s->slots);
    arena_deinit(&s->arena);
    *s = SM_SETS_INIT;
}

void sm_sets_clear(struct sm_sets *s)
{
    /* Many small chunks follow each other: the work is that of the sets, not of the table. */
    if (s->n_sets < s->n_slots / 8) {
        for (uint32_t i = 0; i < s->n_sets; i++) {
            uint32_t at = (uint32_t)s->hashes[i] & (s->n_slots - 1);
            for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1))
                s->slots[at] = 0;
        }
    } else if (s->n_slots) {
        memset(s->slots, 0, s->n_slots * sizeof *s->slots);
    }
    s->n_sets = 0;
    arena_clear(&s->arena);
}

uint64_t sm_sets_mem_bytes(const struct sm_sets *s)
{
    return s->arena.used_bytes + s->n_slots * sizeof *s->slots + s->cap_sets * sizeof *s->sets +
           s->cap_hashes * sizeof *s->hashes;
}

static void place(struct sm_sets *s, uint32_t set)
{
    uint32_t at = (uint32_t)s->hashes[set] & (s->n_slots - 1);
    while (s->slots[at])
        at = (at + 1) & (s->n_slots - 1);
    s->slots[at] = set + 1;
}

static void grow_slots(struct sm_sets *s)
{
    free(s->slots);
    s->n_slots = s->n_slots ? s->n_slots * 2 : FIRST_SLOTS;
    s->slots = mem_zalloc(s->n_slots, sizeof *s->slots);
    for (uint32_t i = 0; i < s->n_sets; i++)
        place(s, i);
}

uint32_t sm_sets_add(struct sm_sets *s, struct str_view encoded)
{
    if (encoded.len == 0 || (encoded.len == 1 && encoded.p[0] == 0))
        return SM_EMPTY_SET;
    if (s->n_sets && sv_eq(s->sets[s->n_sets - 1], encoded))
        return s->n_sets - 1;
    if ((s->n_sets + 1) * 2 > s->n_slots)
        grow_slots(s);
    /* An address as seed: who sends metadata must not know what collides. */
    uint64_t hash = XXH3_64bits_withSeed(encoded.p, encoded.len, (uintptr_t)s);
    uint32_t at = (uint32_t)hash & (s->n_slots - 1);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1)) {
        uint32_t set = s->slots[at] - 1;
        if (s->hashes[set] == hash && sv_eq(s->sets[set], encoded))
            return set;
    }
    s->sets = mem_grow(s->sets, &s->cap_sets, s->n_sets + 1, sizeof *s->sets);
    s->hashes = mem_grow(s->hashes, &s->cap_hashes, s->n_sets + 1, sizeof *s->hashes);
    s->sets[s->n_sets] = arena_copy(&s->arena, encoded);
    s->hashes[s->n_sets] = hash;
    s->slots[at] = s->n_sets + 1;
    return s->n_sets++;
}
