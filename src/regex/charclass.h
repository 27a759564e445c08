/* SPDX-License-Identifier: Apache-2.0 */
/* charclass.h - sets of runes: built from ranges, tables and case folding, then shared.
 * A finished set is interned: equal sets of one pool are the same pointer. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "regex/unicode.h"

struct rune_set {
    const struct rune_range *r; /* ascending, apart, never touching */
    uint32_t n;
    uint32_t id; /* counts up from 0 in its pool */
};

struct set_builder {
    struct rune_range *r;
    size_t n, cap;
    size_t clean_n; /* of the last tidy: the next one comes after it has doubled */
};

struct set_pool {
    struct arena *arena; /* sets live here */
    struct rune_set **slots;
    size_t n_slots; /* power of two, or 0 */
    struct rune_set **by_id;
    size_t n_sets, cap_sets;
    const struct rune_set **tables[2]; /* [fold][table]: closed under folding or not, lazily */
    size_t work;                       /* ranges handled so far; the parser limits it */
    struct set_builder spare;
};

void set_builder_deinit(struct set_builder *b);
void set_builder_add(struct set_builder *b, uint32_t lo, uint32_t hi);
/* With everything that simple case folding makes equal. */
void set_builder_add_fold(struct set_builder *b, uint32_t lo, uint32_t hi);
void set_builder_add_ranges(struct set_builder *b, const struct rune_range *r, size_t n);
/* All that the n ranges (ascending, apart) leave out. */
void set_builder_add_others(struct set_builder *b, const struct rune_range *r, size_t n);
/* Sorts and joins what it holds. */
void set_builder_tidy(struct set_builder *b);

void set_pool_init(struct set_pool *pool, struct arena *arena);
void set_pool_deinit(struct set_pool *pool);
/* The set of what b holds, negated or not; tidies b. */
const struct rune_set *set_pool_intern(struct set_pool *pool, struct set_builder *b, bool negated);
/* A Unicode table, closed under case folding where asked. */
const struct rune_set *set_pool_table(struct set_pool *pool, const struct unicode_table *table,
                                      bool fold);

bool rune_set_has(const struct rune_set *set, uint32_t rune);

/* \d \s \w (by that letter) and [:alpha:] (by that word): ranges, or NULL. */
const struct rune_range *class_of_escape(char letter, size_t *ret_n);
const struct rune_range *class_of_posix(struct str_view name, size_t *ret_n);
