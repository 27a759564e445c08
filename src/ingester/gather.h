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

/* The period before the first whole one begins where time does. */
static inline int64_t period_start(int64_t ts_ns, int64_t length_ns)
{
    int64_t into = ts_ns % length_ns, start_ns;
    into += into < 0 ? length_ns : 0;
    return __builtin_sub_overflow(ts_ns, into, &start_ns) ? INT64_MIN : start_ns;
}
