/* SPDX-License-Identifier: Apache-2.0 */
/* lsn_set.h - a set of LSNs as ranges: what segments cover, what the log must hold, what is lost.
 * Ranges are half open, [first, end); touching ones are one.  A set holds some hundred ranges at
 * most where nothing is damaged, so it is a sorted array.
 * Threads: pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lsn_span {
    uint64_t first, end; /* first < end */
};
struct lsn_set {
    struct lsn_span *v; /* owned; ascending, not touching */
    size_t n, cap;
};
#define LSN_SET_INIT ((struct lsn_set){NULL, 0, 0})
void lsn_set_deinit(struct lsn_set *s);
/* No-op where first >= end. */
void lsn_set_add(struct lsn_set *s, uint64_t first, uint64_t end);
void lsn_set_remove(struct lsn_set *s, uint64_t first, uint64_t end);
void lsn_set_remove_all(struct lsn_set *s, const struct lsn_set *others);
bool lsn_set_has(const struct lsn_set *s, uint64_t lsn);
/* How far the set goes on from `from` without a gap: `from` itself where that is not in it. */
uint64_t lsn_set_reach(const struct lsn_set *s, uint64_t from);
/* The first stretch of [first, end) that is not in the set; false: all of it is. */
bool lsn_set_gap(const struct lsn_set *s, uint64_t first, uint64_t end, struct lsn_span *ret);
