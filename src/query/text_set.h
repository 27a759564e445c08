/* SPDX-License-Identifier: Apache-2.0 */
/* text_set.h - texts, each once.  It charges nobody: who copies out of it does.
 * Threads: one at a time. */
#pragma once
#include <stdint.h>

#include "base/arena.h"

/* All zero is the empty set. */
struct text_set {
    const struct str_view **slots;
    size_t n, n_slots; /* a power of two, or 0 */
    struct arena arena;
};
void text_set_deinit(struct text_set *s);
/* Copies text when it is new. */
void text_set_add(struct text_set *s, struct str_view text);
/* Copied to the arena, in bytewise order. */
void text_set_sorted(const struct text_set *s, struct arena *a, struct str_view **ret,
                     size_t *ret_n);
