/* SPDX-License-Identifier: Apache-2.0 */
/* labels_index.h - places of names in a list that is too long to be scanned: a line of JSON may
 * have as many keys as it has bytes.
 * The list stays the caller's, who compares names: of a hash several places may be tried.
 * Threads: one at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str_view.h"

struct labels_slot {
    uint32_t hash, place; /* place + 1; 0: free */
};
struct labels_index {
    struct labels_slot *slots;
    size_t cap;  /* allocated */
    size_t size; /* in use, a power of two; the others are stale */
    size_t n;
};

void labels_index_deinit(struct labels_index *ix);
void labels_index_clear(struct labels_index *ix); /* keeps memory */
uint32_t labels_index_hash(struct str_view name);
/* The place must not be there yet. */
void labels_index_put(struct labels_index *ix, uint32_t hash, size_t place);
/* Begin with *at = hash; SIZE_MAX when there is no further place of that hash. */
size_t labels_index_next(const struct labels_index *ix, uint32_t hash, size_t *at);
