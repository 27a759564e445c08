/* SPDX-License-Identifier: Apache-2.0 */
/* dfa_impl.h - a dfa from inside; only dfa*.c include it.
 * Rows of the table: one entry per class, then one for the end of the text, then one that is never
 * filled: bytes that need a look (non-ASCII ones, and \n in a block) are sent there, so that the
 * inner loop has a single test.  An entry is the offset of the next row, or one of the marks. */
#pragma once
#include "regex/dfa.h"

enum {
    MARK_UNKNOWN = 0,
    MARK_DEAD = 1,
    MARK_MATCH = 2,
    FIRST_ROW = 3,
};

struct inst_set {
    uint32_t *dense, *sparse;
    size_t n;
};

struct dfa {
    uint32_t *rows;
    size_t n_states, max_states, cap_rows;
    uint32_t stride, end_column, look_column;
    struct state *states;
    size_t cap_states;
    uint32_t *pool;
    size_t n_pool, cap_pool;
    uint32_t *slots; /* hash table of state number + 1 */
    size_t n_slots;
    uint32_t start;    /* row or mark; MARK_UNKNOWN: not made yet */
    size_t generation; /* counts how often the table was emptied */
    uint32_t column[256], line_column[256];
    struct inst_set from, to;
    uint32_t *stack;
    size_t cap_stack;
    size_t read_bytes; /* since the table was emptied */
    bool useless;
    unsigned matched_lately; /* up to MATCHED_MOST */
};

/* Where a text begins: a row, or a mark; MARK_UNKNOWN: given up. */
uint32_t dfa_start_row(struct dfa *d, const struct prog *p);
/* Where `row` leads on a class or the end.  The rows that the caller knows are gone when
 * d->generation has changed.  MARK_UNKNOWN: given up. */
uint32_t dfa_row_after(struct dfa *d, const struct prog *p, uint32_t row, uint32_t column);
