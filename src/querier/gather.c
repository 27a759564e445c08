/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/gather.h"

#include "chunk/collapse.h"
#include "chunk/head.h"
#include "store/view.h"

struct stream_entries {
    struct entry *v;
    size_t n, cap;
};

struct gathering {
    const struct plan *p;
    struct arena arena; /* lines and metadata of stored entries */
    uint64_t charged_bytes;
    struct stream_entries *streams;
    struct chunk_decoder *decoder;
};

static void take(struct gathering *g, uint32_t stream, const struct entry *e)
{
    struct stream_entries *s = &g->streams[stream];
    s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n++] = *e;
}

static int take_run(struct gathering *g, uint32_t stream, const struct entry *v, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i].ts_ns < g->p->min_ts_ns || v[i].ts_ns > g->p->max_ts_ns)
            continue;
        struct entry e = {v[i].ts_ns, arena_copy(&g->arena, v[i].line),
                          arena_copy(&g->arena, v[i].sm)};
        take(g, stream, &e);
    }
    return query_charge_arena(g->p->run->control, &g->arena, &g->charged_bytes, err);
}

static int take_part(struct gathering *g, const struct plan_part *part, struct err *err)
{
    uint32_t at_chunk = UINT32_MAX;
    for (size_t i = 0; i < part->selected->n_runs; i++) {
        const struct index_selected_run *run = &part->selected->runs[i];
        const struct entry *entries;
        int r = query_check(g->p->run->control, err);
        if (r == 0 && run->run.chunk != at_chunk)
            chunk_decoder_set(g->decoder, &part->source, &part->part->chunks[run->run.chunk]);
        at_chunk = run->run.chunk;
        if (r == 0)
            r = chunk_decoder_entries(g->decoder, &entries, err);
        if (r == 0)
            r = take_run(g, g->p->rank_of_series[run->series], entries + run->run.first_row,
                         run->run.rows, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The newest comes first: what was appended is turned round. */
static void take_head(struct gathering *g, uint32_t stream, const struct head *h, uint64_t visible)
{
    struct stream_entries *s = &g->streams[stream];
    size_t from = s->n;
    struct head_iter it;
    struct entry e;
    head_iter_init(&it, h, g->p->streams[stream].head_idx, visible);
    while (head_iter_next(&it, &e, NULL))
        if (e.ts_ns >= g->p->min_ts_ns && e.ts_ns <= g->p->max_ts_ns)
            take(g, stream, &e);
    for (size_t a = from, b = s->n; a + 1 < b; a++, b--) {
        struct entry t = s->v[a];
        s->v[a] = s->v[b - 1];
        s->v[b - 1] = t;
    }
}

static int gather_all(struct gathering *g, struct err *err)
{
    const struct plan *p = g->p;
    for (size_t i = 0; i < p->n_parts; i++) {
        int r = take_part(g, &p->parts[i], err);
        if (r < 0)
            return r;
    }
    for (uint32_t s = 0; s < p->n_streams; s++)
        for (size_t h = 0; p->streams[s].head_idx != PLAN_NO_HEAD && h < p->view->n_heads; h++)
            take_head(g, s, p->view->heads[h]->head, p->view->visible[h]);
    return 0;
}

int gather(const struct plan *p, gather_fn *fn, void *ctx, struct err *err)
{
    struct gathering g = {.p = p,
                          .streams = mem_zalloc(p->n_streams, sizeof *g.streams),
                          .decoder = chunk_decoder_new()};
    int r = gather_all(&g, err);
    for (uint32_t s = 0; s < p->n_streams && r == 0; s++) {
        size_t n = entries_sort_collapse(g.streams[s].v, g.streams[s].n);
        r = fn(ctx, s, g.streams[s].v, n, err);
    }
    for (uint32_t s = 0; s < p->n_streams; s++)
        free(g.streams[s].v);
    free(g.streams);
    chunk_decoder_free(g.decoder);
    query_release(p->run->control, g.charged_bytes);
    arena_deinit(&g.arena);
    return r;
}
