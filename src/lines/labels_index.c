/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing over hashes alone.  Clearing keeps the memory and touches none of it: a line of
 * thousands of keys may be followed by many of few, which are not indexed at all. */
#include "lines/labels_index.h"

#include "base/bytes.h"

enum { FIRST_SIZE = 256 };

void labels_index_deinit(struct labels_index *ix)
{
    free(ix->slots);
    *ix = (struct labels_index){0};
}

void labels_index_clear(struct labels_index *ix)
{
    ix->size = ix->n = 0;
}

uint32_t labels_index_hash(struct str_view name)
{
    uint64_t h = name.len;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.p[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static void put(struct labels_index *ix, struct labels_slot slot)
{
    size_t at = slot.hash;
    while (ix->slots[at & (ix->size - 1)].place)
        at++;
    ix->slots[at & (ix->size - 1)] = slot;
}

static void grow(struct labels_index *ix)
{
    struct labels_index bigger = {.size = ix->size ? 2 * ix->size : FIRST_SIZE, .n = ix->n};
    if (ix->size == 0 && ix->cap >= bigger.size) {
        memset(ix->slots, 0, bigger.size * sizeof *ix->slots);
        ix->size = bigger.size;
        return;
    }
    bigger.slots = mem_zalloc(bigger.size, sizeof *bigger.slots);
    bigger.cap = bigger.size;
    for (size_t i = 0; i < ix->size; i++)
        if (ix->slots[i].place)
            put(&bigger, ix->slots[i]);
    free(ix->slots);
    *ix = bigger;
}

void labels_index_put(struct labels_index *ix, uint32_t hash, size_t place)
{
    if (2 * (ix->n + 1) > ix->size)
        grow(ix);
    ix->n++;
    put(ix, (struct labels_slot){hash, (uint32_t)place + 1});
}

size_t labels_index_next(const struct labels_index *ix, uint32_t hash, size_t *at)
{
    while (ix->size) {
        const struct labels_slot *s = &ix->slots[(*at)++ & (ix->size - 1)];
        if (!s->place)
            break;
        if (s->hash == hash)
            return s->place - 1;
    }
    return SIZE_MAX;
}
