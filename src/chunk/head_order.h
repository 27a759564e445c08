/* SPDX-License-Identifier: Apache-2.0 */
/* head_order.h - the entries of a frozen head, stream by stream in order of arrival.
 * Following back-pointers waits for memory at each entry; here one pass over the pages notes where
 * entries are, and a stream's entries are then fetched several at a time.
 * Threads: one; the head takes no appends. */
#pragma once
#include "chunk/head.h"

struct head_order {
    const struct head *h;
    uint32_t *first; /* of stream s: at[first[s]] to at[first[s + 1]] */
    uint32_t *at;    /* position / 8 of each entry */
    uint32_t n_streams;
    size_t n_entries;
};
void head_order_init(struct head_order *o, const struct head *h);
void head_order_deinit(struct head_order *o);
uint64_t head_order_mem_bytes(const struct head_order *o);
/* Entries of the stream; 0 for one that the head does not know. */
size_t head_order_count(const struct head_order *o, uint32_t stream);
/* Fills that many, oldest arrival first; they borrow the pages. */
void head_order_get(const struct head_order *o, uint32_t stream, struct entry *ret);
