/* SPDX-License-Identifier: Apache-2.0 */
/* series_set.h - label sets, each once, known by a small number.
 * Promise: equal sets get equal numbers; numbers count up from 0 and never change.
 * Threads: one at a time. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "model/labels.h"

struct interned {
    struct labels labels;
    struct str_view encoded;
    uint64_t hash;
};

struct series_set {
    struct arena arena;
    struct interned *v;
    size_t n, cap;
    uint32_t *slots; /* number + 1, 0 is free */
    size_t n_slots;
    struct buf scratch;
};
void series_set_init(struct series_set *s);
void series_set_deinit(struct series_set *s);
/* labels sorted and unique; copied when new. */
uint32_t series_set_add(struct series_set *s, struct labels l);
/* The same from the encoded form, which must be well formed. */
uint32_t series_set_add_encoded(struct series_set *s, struct str_view encoded);
/* Views into `encoded`, which we encoded ourselves; the array lies in the arena.  Unlike
 * labels_decode() it takes empty values, which a pipeline may make. */
struct labels labels_unpack(struct arena *a, struct str_view encoded);
/* Everything it holds, for budgets. */
static inline uint64_t series_set_bytes(const struct series_set *s)
{
    return s->arena.used_bytes + s->cap * sizeof *s->v + s->n_slots * sizeof *s->slots;
}
static inline struct labels series_set_labels(const struct series_set *s, uint32_t id)
{
    return s->v[id].labels;
}
