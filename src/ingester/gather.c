/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/gather.h"

#include "chunk/collapse.h"

void gather_deinit(struct gather *g)
{
    free(g->v);
    *g = GATHER_INIT;
}

void gather_stream(struct gather *g, const struct head *h, uint32_t stream,
                   const struct head_stream *stat)
{
    g->v = mem_grow(g->v, &g->cap, stat->n_entries, sizeof *g->v);
    /* Newest append first: filled from the end. */
    size_t at = stat->n_entries;
    struct head_iter it;
    uint64_t position;
    head_iter_init(&it, h, stream, head_end(h));
    while (at > 0 && head_iter_next(&it, &g->v[at - 1], &position))
        at--;
    g->n = stat->n_entries - at;
    if (at > 0)
        memmove(g->v, g->v + at, g->n * sizeof *g->v);
    g->n = stat->out_of_order ? entries_sort_collapse(g->v, g->n) : entries_collapse(g->v, g->n);
}
