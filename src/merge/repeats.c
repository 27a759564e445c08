/* SPDX-License-Identifier: Apache-2.0 */
#include "merge/repeats.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/uuid.h"

enum { LIST_MAX = 8, KEEP_MAX = 4096 };

void repeats_init(struct repeats *r)
{
    struct uuid random = uuid_new();
    *r = (struct repeats){.key = ld_le64(random.b) ^ ld_le64(random.b + 8)};
    r->cap = LIST_MAX;
    r->seen = mem_zalloc(r->cap, sizeof *r->seen);
}

void repeats_deinit(struct repeats *r)
{
    free(r->seen);
    r->seen = NULL;
}

uint64_t repeats_mem_bytes(const struct repeats *r)
{
    return r->cap * sizeof *r->seen;
}

void repeats_clear(struct repeats *r)
{
    if (r->cap > KEEP_MAX) {
        free(r->seen);
        r->cap = LIST_MAX;
        r->seen = mem_zalloc(r->cap, sizeof *r->seen);
    }
    r->n = 0;
    r->hashed = false;
}

static struct text_hash hash_of(const struct repeats *r, const struct entry *e)
{
    XXH128_hash_t line = XXH3_128bits_withSeed(e->line.p, e->line.len, r->key);
    struct text_hash h = {line.low64, line.high64};
    if (e->sm.len) {
        XXH128_hash_t sm = XXH3_128bits_withSeed(e->sm.p, e->sm.len, r->key ^ line.low64);
        h.low ^= sm.low64;
        h.high ^= sm.high64 + e->line.len;
    }
    if (h.low == 0 && h.high == 0)
        h.low = 1;
    return h;
}

static bool same(struct text_hash a, struct text_hash b)
{
    return a.low == b.low && a.high == b.high;
}

static bool place(struct text_hash *slots, size_t n_slots, struct text_hash h)
{
    size_t at = h.low & (n_slots - 1);
    for (; slots[at].low || slots[at].high; at = (at + 1) & (n_slots - 1))
        if (same(slots[at], h))
            return false;
    slots[at] = h;
    return true;
}

/* A list becomes a table, a table over half full a larger one. */
static void grow(struct repeats *r)
{
    size_t n_slots = r->hashed ? 2 * r->cap : 4 * LIST_MAX, n_old = r->hashed ? r->cap : r->n;
    struct text_hash *to = mem_zalloc(n_slots, sizeof *to);
    for (size_t i = 0; i < n_old; i++)
        if (r->seen[i].low || r->seen[i].high)
            place(to, n_slots, r->seen[i]);
    free(r->seen);
    r->seen = to;
    r->cap = n_slots;
    r->hashed = true;
}

static bool add_to_list(struct repeats *r, struct text_hash h)
{
    for (size_t i = 0; i < r->n; i++)
        if (same(r->seen[i], h))
            return false;
    r->seen[r->n++] = h;
    return true;
}

bool repeats_add(struct repeats *r, const struct entry *e)
{
    if (r->n > 0 && e->ts_ns != r->ts_ns)
        repeats_clear(r);
    r->ts_ns = e->ts_ns;
    struct text_hash h = hash_of(r, e);
    if (!r->hashed && r->n < LIST_MAX)
        return add_to_list(r, h);
    if (!r->hashed || r->n >= r->cap / 2)
        grow(r);
    bool added = place(r->seen, r->cap, h);
    r->n += added;
    return added;
}
