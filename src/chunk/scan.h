/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - whole-chunk line filters: narrow a selection of rows by searching the line blob.
 * A dense selection is searched as one text (hit to row by galloping); a sparse one, a needle with
 * a \n, or a regex over a chunk whose lines hold \n, line by line.  The result is the same.
 * Threads: pure; a selection belongs to its owner. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str_view.h"
#include "chunk/chunk.h"
#include "regex/regex.h"
#include "regex/substr.h"

struct row_set {
    uint64_t *bits; /* owned; bit r & 63 of word r >> 6; bits past n_rows are 0 */
    uint32_t n_rows;
    size_t cap_words;
};
#define ROW_SET_INIT ((struct row_set){NULL, 0, 0})
void row_set_deinit(struct row_set *s);
void row_set_reset(struct row_set *s, uint32_t n_rows); /* none selected; keeps memory */
void row_set_add_range(struct row_set *s, uint32_t first, uint32_t n);
uint32_t row_set_count(const struct row_set *s); /* selected ones */
/* First selected row >= from, or UINT32_MAX. */
uint32_t row_set_next(const struct row_set *s, uint32_t from);
/* Last selected row <= from, or UINT32_MAX. */
uint32_t row_set_prev(const struct row_set *s, uint32_t from);
void row_set_and(struct row_set *s, const struct row_set *other); /* same n_rows */
void row_set_or(struct row_set *s, const struct row_set *other);
void row_set_subtract(struct row_set *s, const struct row_set *other);
void row_set_copy(struct row_set *to, const struct row_set *from);
static inline bool row_set_has(const struct row_set *s, uint32_t row)
{
    return s->bits[row >> 6] >> (row & 63) & 1;
}
static inline void row_set_add(struct row_set *s, uint32_t row)
{
    s->bits[row >> 6] |= UINT64_C(1) << (row & 63);
}
static inline void row_set_remove(struct row_set *s, uint32_t row)
{
    s->bits[row >> 6] &= ~(UINT64_C(1) << (row & 63));
}

/* Keeps of the selected rows those with from_ns <= ts < to_ns. */
void scan_time(const int64_t *ts_ns, int64_t from_ns, int64_t to_ns, struct row_set *rows);

enum scan_keep { SCAN_KEEP_MATCHING, SCAN_KEEP_OTHERS };

/* Lines that contain at least one of the needles (n >= 1); each must be initialised. */
void scan_contains(const struct chunk_lines *lines, const struct substr_needle *needles, size_t n,
                   enum scan_keep keep, struct row_set *rows);
/* chunk_has_newline: flag CHUNK_NEWLINE of the chunk. */
void scan_regex(const struct chunk_lines *lines, bool chunk_has_newline, const struct regex *re,
                struct regex_scratch *scratch, enum scan_keep keep, struct row_set *rows);
/* Any test of a line. */
typedef bool scan_line_fn(void *ctx, struct str_view line);
void scan_each(const struct chunk_lines *lines, scan_line_fn *test, void *ctx, enum scan_keep keep,
               struct row_set *rows);
/* The row that holds byte `at` of the blob, knowing it is >= from_row. */
uint32_t scan_row_of(const struct chunk_lines *lines, uint32_t from_row, size_t at);
