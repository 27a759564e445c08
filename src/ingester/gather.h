/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h - a stream's entries of a frozen head, in (time, arrival) order, each once.
 * Threads: one; the head takes no appends. */
#pragma once
#include "chunk/head_order.h"
#include "model/entry.h"

struct gather {
    struct entry *v; /* borrow the head's pages */
    size_t n, cap;
    struct head_order order; /* of the head asked last */
};
#define GATHER_INIT ((struct gather){0})
void gather_deinit(struct gather *g);
uint64_t gather_mem_bytes(const struct gather *g);
/* Replaces what it held. */
void gather_stream(struct gather *g, const struct head *h, uint32_t stream,
                   const struct head_stream *stat);
