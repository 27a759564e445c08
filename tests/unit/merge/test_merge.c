/* SPDX-License-Identifier: Apache-2.0 */
/* Random segments, merged, against all their entries put together naively. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "chunk/collapse.h"
#include "chunk/segment.h"
#include "merge/merge.h"
#include "merge/repeats.h"
#include "model/labels.h"

enum { MAX_SOURCES = 6, MAX_ENTRIES = 60000, PERIOD_NS = 1000000 };

struct row {
    unsigned tenant, stream, source;
    struct entry e;
};

struct world {
    uint64_t seed;
    struct arena arena;
    struct row *rows; /* by source, stream, time */
    size_t n_rows;
    struct buf files[MAX_SOURCES];
    struct str_view views[MAX_SOURCES];
    struct segment *segments[MAX_SOURCES];
    size_t n_sources;
    unsigned n_tenants, n_streams;
    struct buf merged;
};

static uint64_t next_random(struct world *w)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return w->seed;
}

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)(next_random(w) % n);
}

static struct str_view tenant_name(struct world *w, unsigned t)
{
    return arena_printf(&w->arena, "t%02u", t);
}

static struct str_view encode_label(struct world *w, const char *name, struct str_view value)
{
    struct label l = {sv_of(name), value};
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    labels_encode(&b, (struct labels){&l, 1});
    return arena_copy(&w->arena, buf_view(&b));
}

static struct str_view stream_labels_of(struct world *w, unsigned s)
{
    return encode_label(w, "app", arena_printf(&w->arena, "s%04u", s));
}

static int64_t period_of(int64_t ts_ns)
{
    return ts_ns / PERIOD_NS * PERIOD_NS;
}

/* ---- making ---- */

struct shape {
    unsigned n_sources, n_tenants, n_streams, n_rows, n_periods;
    unsigned line_bytes;     /* about */
    unsigned distinct_times; /* few: many ties */
    unsigned distinct_lines; /* few: many repeats */
    bool in_order;           /* later sources have later times */
    uint32_t chunk_rows;
};

static struct str_view random_line(struct world *w, const struct shape *s)
{
    unsigned id = below(w, s->distinct_lines);
    char *p = arena_alloc(&w->arena, s->line_bytes + 16);
    int n = snprintf(p, 16, "%u:", id);
    uint64_t x = id * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = (unsigned)n; i < s->line_bytes; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        p[i] = (char)('a' + (x >> 59));
    }
    return sv(p, s->line_bytes > (unsigned)n ? s->line_bytes : (unsigned)n);
}

static int by_place(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (period_of(x->e.ts_ns) != period_of(y->e.ts_ns))
        return period_of(x->e.ts_ns) < period_of(y->e.ts_ns) ? -1 : 1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->e.ts_ns != y->e.ts_ns)
        return x->e.ts_ns < y->e.ts_ns ? -1 : 1;
    return (x > y) - (x < y);
}

static void make_rows(struct world *w, const struct shape *s)
{
    w->n_tenants = s->n_tenants;
    w->n_streams = s->n_streams;
    w->n_sources = s->n_sources;
    w->rows = mem_zalloc(s->n_rows, sizeof *w->rows);
    for (; w->n_rows < s->n_rows; w->n_rows++) {
        struct row *r = &w->rows[w->n_rows];
        r->tenant = below(w, s->n_tenants);
        r->stream = below(w, s->n_streams);
        r->source = below(w, s->n_sources);
        unsigned time = below(w, s->distinct_times);
        if (s->in_order)
            time = time / s->n_sources + r->source * (s->distinct_times / s->n_sources);
        r->e.ts_ns = (int64_t)time * (PERIOD_NS * (int64_t)s->n_periods / s->distinct_times);
        r->e.line = random_line(w, s);
        unsigned sm = below(w, 6);
        if (sm < 3)
            r->e.sm = encode_label(w, "k", arena_printf(&w->arena, "v%u", sm));
    }
    qsort(w->rows, w->n_rows, sizeof *w->rows, by_place);
}

/* What a spill would write: each source sorted and collapsed. */
static void write_source(struct world *w, unsigned source, uint32_t chunk_rows)
{
    struct segment_writer *out = segment_writer_new();
    struct segment_header header = {.generation = source, .level = SEGMENT_LOCAL};
    struct chunk_options options = {.max_rows = chunk_rows, .filter = CHUNK_FILTER_ALWAYS};
    struct entry *v = mem_alloc((w->n_rows + 1) * sizeof *v);
    const struct row *before = NULL;
    assert_int_equal(
        segment_writer_open(out, &header, &options, segment_sink_of_buf(&w->files[source]), NULL),
        0);
    for (size_t from = 0, end; from < w->n_rows; from = end) {
        const struct row *r = &w->rows[from];
        size_t n = 0;
        for (end = from; end < w->n_rows && w->rows[end].source == r->source &&
                         w->rows[end].tenant == r->tenant && w->rows[end].stream == r->stream &&
                         period_of(w->rows[end].e.ts_ns) == period_of(r->e.ts_ns);
             end++)
            v[n++] = w->rows[end].e;
        if (r->source != source)
            continue;
        if (!before || before->tenant != r->tenant ||
            period_of(before->e.ts_ns) != period_of(r->e.ts_ns))
            assert_int_equal(segment_writer_part(out, tenant_name(w, r->tenant),
                                                 period_of(r->e.ts_ns), PERIOD_NS, NULL),
                             0);
        before = r;
        assert_int_equal(segment_writer_stream(out, stream_labels_of(w, r->stream), NULL), 0);
        n = entries_collapse(v, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(segment_writer_add(out, &v[i], NULL), 0);
    }
    uint64_t bytes;
    assert_int_equal(segment_writer_finish(out, NULL, 0, NULL, 0, &bytes, NULL), 0);
    segment_writer_free(out);
    free(v);
}

static void open_sources(struct world *w, uint32_t chunk_rows)
{
    for (unsigned s = 0; s < w->n_sources; s++) {
        write_source(w, s, chunk_rows);
        w->views[s] = buf_view(&w->files[s]);
        struct segment_source source = segment_source_of_view(&w->views[s]);
        assert_int_equal(segment_open(&w->segments[s], &source, NULL), 0);
    }
}

static void world_deinit(struct world *w)
{
    for (unsigned s = 0; s < w->n_sources; s++) {
        segment_close(w->segments[s]);
        buf_deinit(&w->files[s]);
    }
    buf_deinit(&w->merged);
    free(w->rows);
    arena_deinit(&w->arena);
}

/* ---- merging and comparing ---- */

static struct merge_counts merge_into(struct world *w, struct buf *out)
{
    struct merge *m = merge_new();
    struct segment_writer *writer = segment_writer_new();
    struct segment_header header = {.generation = 99, .level = SEGMENT_OBJECT};
    struct arena arena = ARENA_INIT;
    struct merge_tenant *tenants;
    struct err err = ERR_INIT;
    assert_int_equal(segment_writer_open(writer, &header, NULL, segment_sink_of_buf(out), NULL), 0);
    size_t n = merge_list_tenants(&arena, w->segments, w->n_sources, &tenants);
    for (size_t i = 0; i < n; i++)
        if (merge_write_tenant(m, w->segments, w->n_sources, tenants[i].name, writer, &err) < 0)
            fail_msg("%s", err.text);
    uint64_t bytes;
    assert_int_equal(segment_writer_finish(writer, NULL, 0, NULL, 0, &bytes, NULL), 0);
    struct merge_counts counts = merge_counts(m);
    assert_true(merge_peak_bytes(m) > 0);
    merge_free(m);
    segment_writer_free(writer);
    arena_deinit(&arena);
    return counts;
}

/* All rows of a stream of a part, in the order in which they stand. */
static size_t read_stream(const struct part *p, const struct part_source *place,
                          const struct segment_stream *st, struct chunk_decoder *d, struct world *w,
                          struct entry *out)
{
    struct chunk_source chunks = chunk_source_of(place);
    size_t n = 0;
    for (uint32_t r = 0; r < st->n_runs; r++) {
        const struct segment_run *run = &p->runs[st->first_run + r];
        const struct entry *e;
        chunk_decoder_set(d, &chunks, &p->chunks[run->chunk]);
        assert_int_equal(chunk_decoder_entries(d, &e, NULL), 0);
        for (uint32_t i = 0; i < run->rows; i++) {
            out[n] = e[run->first_row + i];
            out[n].line = arena_copy(&w->arena, out[n].line);
            out[n].sm = out[n].sm.len ? arena_copy(&w->arena, out[n].sm) : SV_EMPTY;
            n++;
        }
    }
    return n;
}

/* The stream's entries of all sources: in (time, source, order within it), each once. */
static size_t want_stream(const struct world *w, unsigned tenant, int64_t period_ns,
                          unsigned stream, struct entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_rows; i++)
        if (w->rows[i].tenant == tenant && w->rows[i].stream == stream &&
            period_of(w->rows[i].e.ts_ns) == period_ns)
            out[n++] = w->rows[i].e;
    return entries_sort_collapse(out, n);
}

static void compare(struct world *w, const struct buf *merged)
{
    struct str_view view = buf_view(merged);
    struct segment_source source = segment_source_of_view(&view);
    struct segment *s = NULL;
    struct chunk_decoder *d = chunk_decoder_new();
    struct entry *want = mem_alloc((w->n_rows + 1) * sizeof *want);
    struct entry *got = mem_alloc((w->n_rows * 2 + 1) * sizeof *got);
    size_t n_seen = 0;
    assert_int_equal(segment_open(&s, &source, NULL), 0);
    for (uint32_t i = 0; i < s->n_parts; i++) {
        struct part *p = NULL;
        assert_int_equal(part_open(&p, s, &s->parts[i], NULL), 0);
        struct part_source place = part_source_of(&s->source, p);
        unsigned tenant = 0, stream = 0;
        while (!sv_eq(tenant_name(w, tenant), s->parts[i].tenant))
            tenant++;
        for (uint32_t k = 0; k < p->n_streams; k++) {
            while (!sv_eq(stream_labels_of(w, stream), p->streams[k].labels))
                stream++;
            size_t n_got = read_stream(p, &place, &p->streams[k], d, w, got);
            size_t n_want = want_stream(w, tenant, s->parts[i].period_start_ns, stream, want);
            assert_int_equal(n_got, n_want);
            for (size_t e = 0; e < n_got; e++) {
                assert_int_equal(got[e].ts_ns, want[e].ts_ns);
                assert_true(sv_eq(got[e].line, want[e].line));
                assert_true(sv_eq(got[e].sm, want[e].sm));
            }
            n_seen += n_got;
        }
        part_close(p);
    }
    size_t n_all = 0;
    for (unsigned t = 0; t < w->n_tenants; t++)
        for (unsigned st = 0; st < w->n_streams; st++)
            for (int64_t period = 0; period < 8; period++)
                n_all += want_stream(w, t, period * PERIOD_NS, st, want);
    assert_int_equal(n_seen, n_all);
    segment_close(s);
    chunk_decoder_free(d);
    free(want);
    free(got);
}

static struct merge_counts run(uint64_t seed, const struct shape *shape)
{
    struct world w = {.seed = seed * 2654435761u + 1};
    make_rows(&w, shape);
    open_sources(&w, shape->chunk_rows);
    struct merge_counts counts = merge_into(&w, &w.merged);
    compare(&w, &w.merged);
    world_deinit(&w);
    return counts;
}

static void test_random_segments_merge_to_the_set_of_their_entries(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world r = {.seed = seed * 977};
        struct shape shape = {.n_sources = 1 + below(&r, MAX_SOURCES),
                              .n_tenants = 1 + below(&r, 4),
                              .n_streams = 1 + below(&r, 12),
                              .n_rows = 1 + below(&r, 1500),
                              .n_periods = 1 + below(&r, 3),
                              .line_bytes = 5 + below(&r, 40),
                              .distinct_times = below(&r, 2) ? 7 + below(&r, 30) : 50000,
                              .distinct_lines = below(&r, 2) ? 3 : 100000,
                              .in_order = below(&r, 2),
                              .chunk_rows = 1 + below(&r, 200)};
        run(seed, &shape);
    }
}

static void test_full_chunks_that_do_not_overlap_are_copied(void **state)
{
    struct shape shape = {.n_sources = 3,
                          .n_tenants = 1,
                          .n_streams = 2,
                          .n_rows = 3000,
                          .n_periods = 1,
                          .line_bytes = 2000,
                          .distinct_times = 100000,
                          .distinct_lines = 1000000,
                          .in_order = true};
    struct merge_counts c = run(7, &shape);
    assert_true(c.copied_chunks >= 6);
    assert_true(c.decoded_chunks <= 6);
    shape.in_order = false; /* now all overlap */
    c = run(7, &shape);
    assert_int_equal(c.copied_chunks, 0);
}

static void test_full_chunks_with_ties_at_their_borders_keep_order_and_sets(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct shape shape = {.n_sources = 3,
                              .n_tenants = 1,
                              .n_streams = 1 + (unsigned)(seed % 3),
                              .n_rows = 2500,
                              .n_periods = 1,
                              .line_bytes = 1200,
                              .distinct_times = seed % 2 ? 9 : 30,
                              .distinct_lines = seed % 4 < 2 ? 40 : 100000,
                              .in_order = seed % 3 != 0};
        run(seed, &shape);
    }
}

static void test_a_single_source_is_copied_chunk_by_chunk(void **state)
{
    struct shape shape = {.n_sources = 1,
                          .n_tenants = 3,
                          .n_streams = 5,
                          .n_rows = 500,
                          .n_periods = 2,
                          .line_bytes = 20,
                          .distinct_times = 1000,
                          .distinct_lines = 100000,
                          .chunk_rows = 30};
    struct merge_counts c = run(3, &shape);
    assert_int_equal(c.decoded_chunks, 0);
    assert_true(c.copied_chunks >= 6);
}

static void test_thousands_of_repeats_of_one_time_collapse(void **state)
{
    struct shape shape = {.n_sources = 4,
                          .n_tenants = 1,
                          .n_streams = 1,
                          .n_rows = 20000,
                          .n_periods = 1,
                          .line_bytes = 12,
                          .distinct_times = 1,
                          .distinct_lines = 6000};
    struct merge_counts c = run(11, &shape);
    assert_true(c.repeats > 4000);
}

static void test_a_damaged_source_is_an_error_not_a_result(void **state)
{
    struct shape shape = {.n_sources = 2,
                          .n_tenants = 1,
                          .n_streams = 3,
                          .n_rows = 300,
                          .n_periods = 1,
                          .line_bytes = 60,
                          .distinct_times = 500,
                          .distinct_lines = 100000};
    struct world w = {.seed = 5};
    make_rows(&w, &shape);
    open_sources(&w, 0);
    struct merge *m = merge_new();
    struct segment_writer *writer = segment_writer_new();
    struct segment_header header = {.level = SEGMENT_OBJECT};
    unsigned failed = 0;
    for (size_t at = 64; at < w.segments[0]->parts[0].offset + w.segments[0]->parts[0].bytes;
         at += 97) {
        struct err err = ERR_INIT;
        w.files[0].p[at] ^= 0x10;
        buf_clear(&w.merged);
        segment_writer_open(writer, &header, NULL, segment_sink_of_buf(&w.merged), NULL);
        int r = merge_write_tenant(m, w.segments, 2, SV("t00"), writer, &err);
        assert_true(r == 0 || r == ERR_CORRUPT); /* filters are made anew: theirs may be bad */
        failed += r < 0;
        w.files[0].p[at] ^= 0x10;
    }
    assert_true(failed > 20);
    buf_clear(&w.merged);
    merge_into(&w, &w.merged);
    compare(&w, &w.merged);
    merge_free(m);
    segment_writer_free(writer);
    world_deinit(&w);
}

/* ---- repeats ---- */

static void test_repeats_are_known_for_any_number_of_entries(void **state)
{
    struct repeats r;
    char text[32];
    repeats_init(&r);
    for (unsigned round = 0; round < 3; round++) {
        unsigned n = round == 0 ? 7 : round == 1 ? 9 : 10000;
        repeats_clear(&r);
        for (unsigned pass = 0; pass < 2; pass++)
            for (unsigned i = 0; i < n; i++) {
                int len = snprintf(text, sizeof text, "%u", i);
                struct entry e = {.ts_ns = 5, .line = sv(text, (size_t)len)};
                assert_int_equal(repeats_add(&r, &e), pass == 0);
            }
    }
    struct entry empty = {.ts_ns = 6}, with_sm = {.ts_ns = 6, .sm = SV("x")};
    assert_true(repeats_add(&r, &empty));
    assert_true(repeats_add(&r, &with_sm));
    assert_false(repeats_add(&r, &empty));
    repeats_deinit(&r);
}

/* ---- choosing ---- */

static void test_a_merge_takes_the_oldest_up_to_its_bounds(void **state)
{
    struct merge_candidate v[64];
    for (unsigned i = 0; i < 64; i++)
        v[i] = (struct merge_candidate){10, 100};
    assert_int_equal(merge_choose(v, 64, 1000), MERGE_MAX_SOURCES);
    assert_int_equal(merge_choose(v, 5, 1000), 5);
    assert_int_equal(merge_choose(v, 64, 35), 3);
    assert_int_equal(merge_choose(v, 64, 1), 1);
    v[2].n_streams = MERGE_MAX_STREAMS;
    assert_int_equal(merge_choose(v, 64, 1000), 2);
    assert_int_equal(merge_choose(v + 2, 62, 1000), 1);
}

static void test_large_tenants_get_objects_of_their_own_small_ones_share(void **state)
{
    struct merge_tenant v[] = {
        {SV("a"), 10, 0}, {SV("b"), 25, 0}, {SV("c"), 24, 0}, {SV("d"), 24, 0},
        {SV("e"), 24, 0}, {SV("f"), 24, 0}, {SV("g"), 24, 0}, {SV("h"), 90, 0},
    };
    assert_int_equal(merge_plan_objects(v, 8, 100), 4);
    assert_int_equal(v[0].object, 0);
    assert_int_equal(v[1].object, 1);
    assert_int_equal(v[2].object, 0);
    assert_int_equal(v[5].object, 0);
    assert_int_equal(v[6].object, 2); /* the shared one has passed the size */
    assert_int_equal(v[7].object, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_segments_merge_to_the_set_of_their_entries),
        cmocka_unit_test(test_full_chunks_that_do_not_overlap_are_copied),
        cmocka_unit_test(test_full_chunks_with_ties_at_their_borders_keep_order_and_sets),
        cmocka_unit_test(test_a_single_source_is_copied_chunk_by_chunk),
        cmocka_unit_test(test_thousands_of_repeats_of_one_time_collapse),
        cmocka_unit_test(test_a_damaged_source_is_an_error_not_a_result),
        cmocka_unit_test(test_repeats_are_known_for_any_number_of_entries),
        cmocka_unit_test(test_a_merge_takes_the_oldest_up_to_its_bounds),
        cmocka_unit_test(test_large_tenants_get_objects_of_their_own_small_ones_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
