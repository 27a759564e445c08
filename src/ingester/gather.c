/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/gather.h"

#include "chunk/collapse.h"

void gather_deinit(struct gather *g)
{
    free(g->v);
    head_order_deinit(&g->order);
    *g = GATHER_INIT;
}

uint64_t gather_mem_bytes(const struct gather *g)
{
    return g->cap * sizeof *g->v + head_order_mem_bytes(&g->order);
}

void gather_stream(struct gather *g, const struct head *h, uint32_t stream,
                   const struct head_stream *stat)
{
    if (g->order.h != h) {
        head_order_deinit(&g->order);
        head_order_init(&g->order, h);
    }
    g->n = head_order_count(&g->order, stream);
    g->v = mem_grow(g->v, &g->cap, g->n, sizeof *g->v);
    if (g->n > 0)
        head_order_get(&g->order, stream, g->v);
    g->n = stat->out_of_order ? entries_sort_collapse(g->v, g->n) : entries_collapse(g->v, g->n);
}
