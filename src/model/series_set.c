/* SPDX-License-Identifier: Apache-2.0 */
/* Sets made by a pipeline may hold empty values, which labels_decode() refuses; what stands here
 * was encoded by us, so it is unpacked without doubt. */
#include "model/series_set.h"

void series_set_init(struct series_set *s)
{
    *s = (struct series_set){0};
}

void series_set_deinit(struct series_set *s)
{
    if (!s)
        return;
    arena_deinit(&s->arena);
    free(s->v);
    free(s->slots);
    buf_deinit(&s->scratch);
    *s = (struct series_set){0};
}

static void grow_slots(struct series_set *s)
{
    size_t n = s->n_slots ? s->n_slots * 2 : 64;
    uint32_t *slots = mem_zalloc(n, sizeof *slots);
    for (size_t i = 0; i < s->n; i++) {
        size_t at = s->v[i].hash & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(s->slots);
    s->slots = slots;
    s->n_slots = n;
}

/* The number of the set, or UINT32_MAX and *ret_at is its free slot. */
static uint32_t find(struct series_set *s, struct str_view encoded, uint64_t hash, size_t *ret_at)
{
    if ((s->n + 1) * 2 > s->n_slots)
        grow_slots(s);
    size_t at = hash & (s->n_slots - 1);
    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1)) {
        const struct interned *i = &s->v[s->slots[at] - 1];
        if (i->hash == hash && sv_eq(i->encoded, encoded))
            return s->slots[at] - 1;
    }
    *ret_at = at;
    return UINT32_MAX;
}

struct labels labels_unpack(struct arena *a, struct str_view encoded)
{
    struct reader in = reader_of(encoded);
    size_t n = rd_varint(&in);
    struct label *v = arena_alloc(a, n * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i].name = rd_bytes(&in, rd_varint(&in));
        v[i].value = rd_bytes(&in, rd_varint(&in));
    }
    return (struct labels){v, n};
}

uint32_t series_set_add_encoded(struct series_set *s, struct str_view encoded)
{
    uint64_t hash = labels_hash_encoded(encoded);
    size_t at;
    uint32_t id = find(s, encoded, hash, &at);
    if (id != UINT32_MAX)
        return id;
    s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    struct interned *i = &s->v[s->n];
    *i = (struct interned){.hash = hash, .encoded = arena_copy(&s->arena, encoded)};
    i->labels = labels_unpack(&s->arena, i->encoded);
    s->slots[at] = (uint32_t)s->n + 1;
    return (uint32_t)s->n++;
}

uint32_t series_set_add(struct series_set *s, struct labels l)
{
    buf_clear(&s->scratch);
    labels_encode(&s->scratch, l);
    return series_set_add_encoded(s, buf_view(&s->scratch));
}
