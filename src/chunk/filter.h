/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - which 5-byte sequences occur in a chunk's lines: a bitmap that may only say "no".
 * Each byte c of the text counts as c | 0x20 where c & 0x40, so one filter serves searches with
 * and without case.  Bytes and hash: docs/formats.md.
 *
 * When a "no" is exact (the caller's duty):
 * - the needle must occur in the line as it was stored: only filters that stand before any stage
 *   that changes the line; |= and |~ (by literals every match contains), never != or !~;
 * - needles under 5 bytes say nothing;
 * - `fold` needles: sequences with a byte >= 0x80 are never used, those with k or s only where the
 *   chunk is pure ASCII (U+212A and U+017F fold to k and s).
 * Threads: a needle is immutable after init and may be shared. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str_view.h"

enum { FILTER_GRAM_BYTES = 5, FILTER_MAX_BITS = 15 << 14 };

struct filter_needle {
    uint32_t *slots;     /* owned; in [0, FILTER_MAX_BITS) */
    size_t n_slots;      /* all usable where the chunk is ASCII (or the needle has no fold) */
    size_t n_safe_slots; /* the first so many are usable anywhere */
};
/* fold: the search ignores case. */
void filter_needle_init(struct filter_needle *n, struct str_view needle, bool fold);
void filter_needle_deinit(struct filter_needle *n);
/* False only when no line of the chunk can contain the needle.  `filter` holds (n_bits + 7) / 8
 * bytes and n_bits > 0 divides FILTER_MAX_BITS (filter_bits_valid). */
bool filter_may_contain(struct str_view filter, uint32_t n_bits, bool chunk_is_ascii,
                        const struct filter_needle *needle);
bool filter_bits_valid(uint32_t n_bits); /* a size that filter_build() makes */

/* Working memory of a builder: FILTER_MAX_BITS bytes and slack. */
struct filter_builder {
    uint8_t *map; /* owned */
};
void filter_builder_init(struct filter_builder *b);
void filter_builder_deinit(struct filter_builder *b);
/* Appends the filter of all bytes of `blob`; returns its size in bits, 0 (nothing appended) when
 * the blob is too short to gain from one or too varied for the largest size. */
uint32_t filter_build(struct filter_builder *b, struct str_view blob, struct buf *out);
/* The same without vector instructions: for tests. */
uint32_t filter_build_portable(struct filter_builder *b, struct str_view blob, struct buf *out);
