/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.h - each name=value of the live streams once, counted.
 * A pair keeps its number and address while it is referenced.
 * Threads: the owner's lock; what a reference protects may be read without it. */
#pragma once
#include "base/str_view.h"
#include "ingester/streams/idx_table.h"

struct label_pair {
    char *bytes; /* encoded as in a label set: varint-length name, varint-length value */
    uint32_t len, refs, hash;
    uint32_t name_at, name_len, value_at;
};

enum { PAIRS_PER_BLOCK = 4096, PAIRS_MAX_BLOCKS = 16384 };
struct pair_table {
    struct label_pair **blocks; /* PAIRS_MAX_BLOCKS, most of them NULL */
    uint32_t n;                 /* numbers given so far */
    uint32_t *free_list;
    size_t n_free, cap_free;
    struct idx_table table;
    uint64_t mem_bytes;
};
void pairs_init(struct pair_table *ps);
void pairs_deinit(struct pair_table *ps);
/* One more reference; added when new.  encoded: exactly one pair, of that name and value. */
uint32_t pairs_ref(struct pair_table *ps, struct str_view encoded, struct str_view name,
                   struct str_view value);
void pairs_unref(struct pair_table *ps, uint32_t idx);
/* UINT32_MAX: no stream has it. */
uint32_t pairs_find(const struct pair_table *ps, struct str_view name, struct str_view value);

static inline struct label_pair *pairs_get(const struct pair_table *ps, uint32_t idx)
{
    return &ps->blocks[idx / PAIRS_PER_BLOCK][idx % PAIRS_PER_BLOCK];
}
static inline struct str_view pair_encoded(const struct label_pair *p)
{
    return (struct str_view){p->bytes, p->len};
}
static inline struct str_view pair_name(const struct label_pair *p)
{
    return (struct str_view){p->bytes + p->name_at, p->name_len};
}
static inline struct str_view pair_value(const struct label_pair *p)
{
    return (struct str_view){p->bytes + p->value_at, p->len - p->value_at};
}
