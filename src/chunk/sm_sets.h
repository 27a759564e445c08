/* SPDX-License-Identifier: Apache-2.0 */
/* sm_sets.h - the distinct metadata sets of the rows of a chunk in work.
 * Threads: one. */
#pragma once
#include "base/arena.h"
#include "chunk/sm.h"

struct sm_sets {
    struct str_view *sets; /* copies in `arena` */
    uint64_t *hashes;      /* depend on where this struct stands: it must not move */
    uint32_t n_sets;
    size_t cap_sets, cap_hashes;
    uint32_t *slots; /* set + 1, open addressing */
    uint32_t n_slots;
    struct arena arena;
};
#define SM_SETS_INIT ((struct sm_sets){0})
void sm_sets_deinit(struct sm_sets *s);
void sm_sets_clear(struct sm_sets *s);
uint64_t sm_sets_mem_bytes(const struct sm_sets *s);
/* The number of an equal set, which is copied when new; SM_EMPTY_SET for one without pairs. */
uint32_t sm_sets_add(struct sm_sets *s, struct str_view encoded);
