/* SPDX-License-Identifier: Apache-2.0 */
/* unicode.h - the Unicode facts a regex needs: categories, scripts, simple case folding, and
 * UTF-8 read the way Go reads it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str_view.h"

enum { RUNE_MAX = 0x10ffff, RUNE_BAD = 0xfffd };

struct rune_range {
    uint32_t lo, hi; /* both included */
};

struct unicode_table {
    const char *name;
    const struct rune_range *ranges; /* ascending, apart */
    size_t n;
};
extern const struct unicode_table unicode_tables[]; /* by name */
extern const size_t n_unicode_tables;

/* Runes that simple case folding makes equal form a ring; lone runes are not listed. */
struct unicode_fold {
    uint32_t rune, next;
};
extern const struct unicode_fold unicode_folds[]; /* by rune */
extern const size_t n_unicode_folds;

/* A general category ("Lu", "L") or script ("Greek"), case counts; NULL when there is none. */
const struct unicode_table *unicode_find(struct str_view name);
/* Index of the first entry of unicode_folds whose rune is >= r. */
size_t unicode_fold_from(uint32_t r);
/* Whether the rune is of the table with that name. */
bool unicode_in(uint32_t rune, struct str_view name);
/* What Go's lexers take for part of a name: a letter or a decimal digit of any script, or `_`. */
bool unicode_is_word(uint32_t rune);
/* The next rune of r's ring, r itself when alone. */
uint32_t unicode_fold_next(uint32_t r);

/* Reads one rune; returns its width (0 at the end).  An invalid byte is RUNE_BAD, width 1. */
unsigned rune_decode(const char *p, size_t len, uint32_t *ret_rune);
/* Reads the rune that ends at p + len, by the same rules as seen from the front. */
unsigned rune_decode_last(const char *p, size_t len, uint32_t *ret_rune);
/* Writes 1 to 4 bytes, returns how many. */
unsigned rune_encode(uint32_t rune, char *to);
