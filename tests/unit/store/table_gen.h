/* SPDX-License-Identifier: Apache-2.0 */
/* A small table with every kind of record: two tenants, three segments, labels short and long, some
 * that share a hash; and the sum of all answers that it gives. */
#pragma once
#include "base/crc32c.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "store/index/index.h"
#include "store/index/table.h"
#include "store/view.h"

enum { GEN_TENANTS = 2, GEN_SEGMENTS = 3, GEN_SERIES = 24, GEN_PERIOD_NS = 1000 };

struct table_gen {
    struct arena arena;
    struct views *views;
    struct view *view; /* of all segments */
    struct live_segment *live[GEN_SEGMENTS];
    struct str_view labels[GEN_SERIES];
};

/* Label sets with one `group` have one hash: see test_index.c. */
static inline struct str_view gen_colliding(struct arena *a, char group, uint64_t n)
{
    const uint64_t p1 = UINT64_C(11400714785074694791), p2 = UINT64_C(14029467366897019727);
    uint64_t inverse = 1, lane[2];
    for (int i = 0; i < 6; i++)
        inverse *= 2 - p2 * inverse;
    for (int i = 0; i < 2; i++) {
        uint64_t v = p2 + (i ? n : 0) * p2;
        lane[i] = (v << 31 | v >> 33) * p1;
    }
    char *value = arena_alloc(a, 60);
    memset(value, group, 60);
    st_le64(value + 4, n);
    st_le64(value + 36, (lane[0] - lane[1]) * inverse);
    return sv(value, 60);
}

static inline struct str_view gen_labels(struct arena *a, unsigned i)
{
    struct label v[4] = {
        {SV("id"), i % 6 == 5 ? gen_colliding(a, 'c', i) : arena_printf(a, "%u", i)}};
    size_t n = 1;
    if (i % 6 != 5)
        v[n++] = (struct label){SV("app"), arena_printf(a, "app-%u", i % 4)};
    if (i % 5 == 1) /* cut, and equal as far as the key shows them */
        v[n++] = (struct label){SV("long"), arena_printf(a, "%0420u", i)};
    if (i % 7 == 2)
        v[n++] = (struct label){arena_printf(a, "n%0410u", i % 2), SV("x")};
    labels_sort(v, n, NULL);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    labels_encode(&b, (struct labels){v, n});
    return arena_copy(a, buf_view(&b));
}

static inline struct uuid gen_uuid(unsigned segment)
{
    struct uuid u = {{0x40, (uint8_t)segment}};
    return u;
}

static inline struct str_view gen_tenant(unsigned t)
{
    return t ? SV("tenant-b") : SV("fake");
}

static inline void gen_init(struct table_gen *g)
{
    *g = (struct table_gen){.views = views_new()};
    static const struct period period = {0, GEN_PERIOD_NS};
    for (unsigned i = 0; i < GEN_SERIES; i++)
        g->labels[i] = gen_labels(&g->arena, i);
    for (unsigned s = 0; s < GEN_SEGMENTS; s++) {
        struct lsn_range c = {.first = s, .last = s};
        struct segment_info info = {.uuid = gen_uuid(s),
                                    .key = arena_printf(&g->arena, "segment-%u", s),
                                    .max_ts_ns = GEN_PERIOD_NS - 1,
                                    .n_parts = GEN_TENANTS,
                                    .periods = &period,
                                    .n_periods = 1,
                                    .coverage = &c,
                                    .n_coverage = 1};
        g->live[s] = live_segment_new(&info, NULL, NULL);
    }
    struct views_change change = {.add = g->live, .n_add = GEN_SEGMENTS};
    views_apply(g->views, &change);
    g->view = view_pin(g->views);
}

static inline void gen_deinit(struct table_gen *g)
{
    view_unpin(g->view);
    views_free(g->views);
    for (unsigned s = 0; s < GEN_SEGMENTS; s++)
        live_segment_unref(g->live[s]);
    arena_deinit(&g->arena);
}

/* Every tenant has in segment s the series from 2 s on that s does not divide. */
static inline int gen_add(struct table_gen *g, struct index *ix, unsigned segment, struct err *err)
{
    struct index_part parts[GEN_TENANTS];
    struct index_part_series series[GEN_TENANTS][GEN_SERIES];
    struct segment_run runs[GEN_TENANTS][GEN_SERIES];
    for (unsigned t = 0; t < GEN_TENANTS; t++) {
        size_t n = 0;
        for (unsigned i = 2 * segment; i < GEN_SERIES - 4 * t; i++) {
            if (segment > 0 && i % (segment + 2) == 0)
                continue;
            runs[t][n] = (struct segment_run){.chunk = i / 5,
                                              .first_row = i,
                                              .rows = 1 + i,
                                              .line_bytes = 100 + i,
                                              .min_ts_ns = (int64_t)i,
                                              .max_ts_ns = (int64_t)(i * 2 + segment)};
            series[t][n] = (struct index_part_series){.labels = g->labels[i],
                                                      .hash = labels_hash_encoded(g->labels[i]),
                                                      .runs = &runs[t][n],
                                                      .n_runs = 1};
            n++;
        }
        parts[t] = (struct index_part){.part_no = t,
                                       .tenant = gen_tenant(t),
                                       .period_length_ns = GEN_PERIOD_NS,
                                       .max_ts_ns = GEN_PERIOD_NS - 1,
                                       .series = series[t],
                                       .n_series = n};
    }
    return index_add_segment(ix, gen_uuid(segment), parts, GEN_TENANTS, err);
}

/* --- all answers ------------------------------------------------------------------------ */

struct gen_sum {
    struct index *ix;
    struct index_query q;
    struct arena a;
    uint32_t crc;
    int failed; /* the first failure */
};

static inline void gen_put(struct gen_sum *s, const void *p, size_t len)
{
    s->crc = crc32c_extend(s->crc, sv(p, len));
}

static inline int gen_cmp_series(const void *x, const void *y)
{
    return sv_cmp(((const struct index_series *)x)->labels,
                  ((const struct index_series *)y)->labels);
}

/* What selects the same is the same, whatever the numbers. */
static inline void gen_sum_selection(struct gen_sum *s)
{
    struct index_selection sel;
    int r = index_select(s->ix, &s->q, &s->a, &sel, NULL);
    if (r < 0) {
        s->failed = r;
        return;
    }
    gen_put(s, &sel.n_parts_seen, sizeof sel.n_parts_seen);
    for (size_t i = 0; i < sel.n_parts; i++) {
        uint32_t runs = 0;
        for (size_t k = 0; k < sel.parts[i].n_runs; k++) {
            const struct index_selected_run *run = &sel.parts[i].runs[k];
            const struct index_series *of = &sel.series[run->series];
            uint32_t one = crc32c_extend(crc32c(of->labels), sv((const char *)&of->hash, 8));
            const uint64_t fields[] = {run->run.chunk,
                                       run->run.first_row,
                                       run->run.rows,
                                       run->run.line_bytes,
                                       run->run.sm_bytes,
                                       (uint64_t)run->run.min_ts_ns,
                                       (uint64_t)run->run.max_ts_ns};
            runs += crc32c_extend(one, sv((const char *)fields, sizeof fields));
        }
        gen_put(s, &runs, sizeof runs);
        gen_put(s, &sel.parts[i].part_no, sizeof sel.parts[i].part_no);
        gen_put(s, &sel.parts[i].segment_order, sizeof sel.parts[i].segment_order);
        gen_put(s, &sel.parts[i].min_ts_ns, sizeof(int64_t));
        gen_put(s, &sel.parts[i].max_ts_ns, sizeof(int64_t));
    }
}

static inline void gen_sum_series(struct gen_sum *s)
{
    struct index_series *v;
    size_t n = 0;
    int r = index_series(s->ix, &s->q, &s->a, &v, &n, NULL);
    if (r < 0)
        s->failed = r;
    if (n > 1)
        qsort(v, n, sizeof *v, gen_cmp_series);
    for (size_t i = 0; i < n; i++)
        gen_put(s, v[i].labels.p, v[i].labels.len);
}

static inline void gen_sum_names(struct gen_sum *s)
{
    struct index_names names = {0}, values = {0};
    int r = index_label_names(s->ix, &s->q, &s->a, &names, NULL);
    for (size_t i = 0; i < names.n && r == 0; i++) {
        gen_put(s, names.v[i].p, names.v[i].len);
        r = index_label_values(s->ix, &s->q, names.v[i], &s->a, &values, NULL);
        for (size_t k = 0; k < values.n && r == 0; k++)
            gen_put(s, values.v[k].p, values.v[k].len);
    }
    if (r < 0)
        s->failed = r;
}

static inline void gen_sum_matcher(struct gen_sum *s, struct str_view name, enum match_op op,
                                   struct str_view value)
{
    struct matcher m = {.name = name, .op = op, .value = value};
    if (matcher_compile(&m, NULL) < 0)
        abort();
    s->q.matchers = &m;
    s->q.n_matchers = 1;
    gen_sum_selection(s);
    gen_sum_series(s);
    matcher_deinit(&m);
    s->q.n_matchers = 0;
}

/* 0 and the sum, or the first failure. */
static inline int gen_answers(struct table_gen *g, struct index *ix, const struct view *view,
                              uint32_t *ret)
{
    struct gen_sum s = {.ix = ix};
    for (unsigned t = 0; t < GEN_TENANTS && !s.failed; t++) {
        s.q =
            (struct index_query){.view = view, .tenant = gen_tenant(t), .max_ts_ns = GEN_PERIOD_NS};
        gen_sum_selection(&s);
        gen_sum_series(&s);
        gen_sum_names(&s);
        for (unsigned i = 0; i < GEN_SERIES && !s.failed; i++) {
            struct labels l;
            labels_decode(&s.a, g->labels[i], &l, NULL);
            for (size_t k = 0; k < l.n; k++)
                gen_sum_matcher(&s, l.v[k].name, k % 2 ? MATCH_EQ : MATCH_NE, l.v[k].value);
        }
        gen_sum_matcher(&s, SV("app"), MATCH_RE, SV(".*[12]"));
        gen_sum_matcher(&s, SV("long"), MATCH_NRE, SV(".+"));
    }
    arena_deinit(&s.a);
    *ret = s.crc;
    return s.failed;
}
