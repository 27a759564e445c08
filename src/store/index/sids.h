/* SPDX-License-Identifier: Apache-2.0 */
/* sids.h - sets of series numbers.  A table numbers a tenant's series 0, 1, 2, ... as they come, so
 * the numbers are dense: in memory a set is one bit per series, which ANDs a million series in
 * microseconds.  On disk a posting holds the numbers that share their upper 16 bits, as the
 * smallest of list, bitmap and runs.  Its checksum goes on from `key_crc`, the CRC-32C of what it
 * stands under, so that a posting is one in its own place alone.  Bytes: docs/formats.md.
 * Threads: pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct sid_set {
    uint64_t *words;
    uint32_t n_sids; /* numbers 0 .. n_sids - 1 may be in it */
};
void sid_set_init(struct sid_set *s, uint32_t n_sids, bool full); /* all or none of them in it */
void sid_set_deinit(struct sid_set *s);
uint32_t sid_set_count(const struct sid_set *s);
/* In place; both of the same n_sids. */
void sid_set_and(struct sid_set *s, const struct sid_set *other);
void sid_set_and_not(struct sid_set *s, const struct sid_set *other);
/* Ascending; v holds sid_set_count() numbers. */
void sid_set_list(const struct sid_set *s, uint32_t *v);

static inline bool sid_set_has(const struct sid_set *s, uint32_t sid)
{
    return sid < s->n_sids && (s->words[sid >> 6] >> (sid & 63) & 1);
}
static inline void sid_set_add(struct sid_set *s, uint32_t sid)
{
    s->words[sid >> 6] |= UINT64_C(1) << (sid & 63);
}
static inline void sid_set_drop(struct sid_set *s, uint32_t sid)
{
    s->words[sid >> 6] &= ~(UINT64_C(1) << (sid & 63));
}

enum { POSTING_MAX = 65536 };
/* v ascending, each once, 1 <= n <= POSTING_MAX. */
void posting_encode(struct buf *out, uint32_t key_crc, const uint16_t *v, uint32_t n);
/* v has room for POSTING_MAX; gets at least one number, ascending. */
int posting_decode(struct str_view record, uint32_t key_crc, uint16_t *v, uint32_t *ret_n,
                   struct err *err);
/* Adds the numbers high << 16 | v to *to; one that is not below to->n_sids is ERR_CORRUPT. */
int posting_add_to(struct str_view record, uint32_t key_crc, uint32_t high, struct sid_set *to,
                   struct err *err);
/* 1 when one of these numbers is in s, else 0. */
int posting_meets(struct str_view record, uint32_t key_crc, uint32_t high, const struct sid_set *s,
                  struct err *err);
