/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/streams/pairs.h"

#include <assert.h>
#include <xxhash.h>

void pairs_init(struct pair_table *ps)
{
    *ps = (struct pair_table){.blocks = mem_zalloc(PAIRS_MAX_BLOCKS, sizeof(struct label_pair *))};
}

void pairs_deinit(struct pair_table *ps)
{
    for (uint32_t i = 0; i < ps->n; i++)
        free(pairs_get(ps, i)->bytes);
    for (uint32_t i = 0; i < PAIRS_MAX_BLOCKS && ps->blocks; i++)
        free(ps->blocks[i]);
    free(ps->blocks);
    free(ps->free_list);
    idx_table_deinit(&ps->table);
    *ps = (struct pair_table){0};
}

struct wanted_pair {
    const struct pair_table *ps;
    struct str_view encoded;
};

static bool same_pair(const void *ctx, uint32_t idx)
{
    const struct wanted_pair *w = ctx;
    return sv_eq(pair_encoded(pairs_get(w->ps, idx)), w->encoded);
}

static uint32_t hash_of(struct str_view encoded)
{
    return (uint32_t)XXH64(encoded.p, encoded.len, 0);
}

static uint32_t take_number(struct pair_table *ps)
{
    if (ps->n_free)
        return ps->free_list[--ps->n_free];
    assert(ps->n < PAIRS_PER_BLOCK * PAIRS_MAX_BLOCKS);
    struct label_pair **block = &ps->blocks[ps->n / PAIRS_PER_BLOCK];
    if (!*block) {
        *block = mem_zalloc(PAIRS_PER_BLOCK, sizeof **block);
        ps->mem_bytes += PAIRS_PER_BLOCK * sizeof **block;
    }
    return ps->n++;
}

uint32_t pairs_ref(struct pair_table *ps, struct str_view encoded, struct str_view name,
                   struct str_view value)
{
    struct wanted_pair w = {ps, encoded};
    uint32_t hash = hash_of(encoded);
    uint32_t idx = idx_table_find(&ps->table, hash, same_pair, &w);
    if (idx != UINT32_MAX) {
        pairs_get(ps, idx)->refs++;
        return idx;
    }
    idx = take_number(ps);
    struct label_pair *p = pairs_get(ps, idx);
    *p = (struct label_pair){.bytes = mem_alloc(encoded.len),
                             .len = (uint32_t)encoded.len,
                             .refs = 1,
                             .hash = hash,
                             .name_at = (uint32_t)(name.p - encoded.p),
                             .name_len = (uint32_t)name.len,
                             .value_at = (uint32_t)(encoded.len - value.len)};
    memcpy(p->bytes, encoded.p, encoded.len);
    ps->mem_bytes += encoded.len;
    idx_table_add(&ps->table, hash, idx);
    return idx;
}

void pairs_unref(struct pair_table *ps, uint32_t idx)
{
    struct label_pair *p = pairs_get(ps, idx);
    assert(p->refs > 0);
    if (--p->refs > 0)
        return;
    idx_table_remove(&ps->table, p->hash, idx);
    ps->mem_bytes -= p->len;
    free(p->bytes);
    *p = (struct label_pair){0};
    ps->free_list = mem_grow(ps->free_list, &ps->cap_free, ps->n_free + 1, sizeof *ps->free_list);
    ps->free_list[ps->n_free++] = idx;
}

uint32_t pairs_find(const struct pair_table *ps, struct str_view name, struct str_view value)
{
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT;
    buf_put_str(&encoded, name);
    buf_put_str(&encoded, value);
    struct wanted_pair w = {ps, buf_view(&encoded)};
    return idx_table_find(&ps->table, hash_of(w.encoded), same_pair, &w);
}
