/* SPDX-License-Identifier: Apache-2.0 */
/* segment_gen.h - random segments with the entries they were made of: repeatable from a seed. */
#pragma once
#include "chunk/segment.h"
#include "gen.h"

enum { SG_PERIOD_NS = 1000000 };

struct sg_stream {
    struct str_view labels;
    struct entry *v;
    uint32_t n;
};
struct sg_part {
    struct str_view tenant;
    int64_t start_ns, len_ns;
    struct sg_stream *streams;
    uint32_t n_streams; /* those without entries included */
};
struct sg_segment {
    struct segment_header header;
    struct chunk_options options;
    struct sg_part *parts;
    uint32_t n_parts; /* those without entries included */
};

static inline struct str_view sg_labels(struct gen *g, uint32_t number)
{
    /* Sorted as encoded: equal first bytes, then the number. */
    struct label v[3] = {
        {SV("app"), arena_printf(&g->a, "svc-%06u", number)},
        {SV("env"), gen_below(g, 2) ? SV("prod") : SV("stage")},
        {SV("zone"), arena_printf(&g->a, "%u", gen_below(g, 5))},
    };
    return gen_labels(g, v, 1 + gen_below(g, 3));
}

static inline int sg_cmp_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

/* Some streams have few entries, some many; times inside the period, ascending. */
static inline struct sg_stream sg_stream(struct gen *g, const struct sg_part *p, uint32_t number)
{
    struct sg_stream s = {.labels = sg_labels(g, number)};
    s.n = gen_below(g, 4) ? gen_below(g, 9) : gen_below(g, 300);
    s.v = arena_zalloc(&g->a, s.n, sizeof *s.v);
    uint64_t width = p->len_ns ? (uint64_t)p->len_ns : UINT64_MAX;
    bool plain = gen_below(g, 3) == 0; /* a stream without metadata */
    for (uint32_t i = 0; i < s.n; i++) {
        int64_t ts_ns = (int64_t)((uint64_t)p->start_ns + gen_u64(g) % width);
        s.v[i] = (struct entry){ts_ns, gen_line(g), plain ? SV_EMPTY : gen_sm(g)};
    }
    qsort(s.v, s.n, sizeof *s.v, sg_cmp_entries);
    return s;
}

static inline struct sg_part sg_part(struct gen *g, uint32_t tenant, uint32_t period)
{
    struct sg_part p = {.tenant = arena_printf(&g->a, "tenant-%u", tenant),
                        .start_ns = ((int64_t)period - 2) * SG_PERIOD_NS,
                        .len_ns = SG_PERIOD_NS};
    if (tenant == 9) { /* a part without a period holds any time */
        p.start_ns = 0;
        p.len_ns = 0;
    }
    p.n_streams = gen_below(g, 3) ? gen_below(g, 6) : gen_below(g, 60);
    p.streams = arena_zalloc(&g->a, p.n_streams, sizeof *p.streams);
    for (uint32_t i = 0; i < p.n_streams; i++)
        p.streams[i] = sg_stream(g, &p, i * 7);
    return p;
}

static inline struct sg_segment sg_segment(struct gen *g)
{
    struct sg_segment s = {
        .header = {.generation = gen_u64(g), .created_ns = (int64_t)gen_u64(g), .level = 1},
        .options = {.target_raw_bytes = gen_below(g, 2) ? 0 : 1 + gen_below(g, 20000),
                    .max_rows = gen_below(g, 3) ? 0 : 1 + gen_below(g, 100),
                    .filter = gen_below(g, 3)},
    };
    for (int i = 0; i < SEGMENT_UUID_BYTES; i++) {
        s.header.installation[i] = (uint8_t)gen_u64(g);
        s.header.uuid[i] = (uint8_t)gen_u64(g);
    }
    s.parts = arena_zalloc(&g->a, 16, sizeof *s.parts);
    for (uint32_t tenant = 0; tenant < 10; tenant += 3)
        for (uint32_t period = 0; period < (tenant == 9 ? 1 : 4); period++)
            if (gen_below(g, 3) == 0)
                s.parts[s.n_parts++] = sg_part(g, tenant, period);
    return s;
}

static inline int sg_write_stream(struct segment_writer *w, const struct sg_stream *s,
                                  struct err *err)
{
    int r = segment_writer_stream(w, s->labels, err);
    for (uint32_t i = 0; i < s->n && r == 0; i++)
        r = segment_writer_add(w, &s->v[i], err);
    return r;
}

static inline int sg_write(struct segment_writer *w, const struct sg_segment *s,
                           struct segment_sink sink, uint64_t *ret_bytes, struct err *err)
{
    static const struct segment_coverage coverage[] = {
        {"source-of-batch", 10, 20}, {"source-of-batch", 21, 25}, {"another-source!", 0, 0}};
    static const uint8_t replaced[2][SEGMENT_UUID_BYTES] = {"first-replaced-", "then-replaced--"};
    int r = segment_writer_open(w, &s->header, &s->options, sink, err);
    for (uint32_t i = 0; i < s->n_parts && r == 0; i++) {
        const struct sg_part *p = &s->parts[i];
        r = segment_writer_part(w, p->tenant, p->start_ns, p->len_ns, err);
        for (uint32_t k = 0; k < p->n_streams && r == 0; k++)
            r = sg_write_stream(w, &p->streams[k], err);
    }
    if (r == 0)
        r = segment_writer_finish(w, coverage, 3, replaced, 2, ret_bytes, err);
    return r;
}
