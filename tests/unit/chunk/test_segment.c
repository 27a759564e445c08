/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "chunk/directory.h"
#include "chunk/filter.h"
#include "chunk/tagged.h"
#include "segment_gen.h"

struct fixture {
    struct gen g;
    struct segment_writer *w;
    struct chunk_decoder *decoder;
    const struct part *decoded_part; /* what the decoder stands at */
    uint32_t decoded_chunk;
    struct buf file;
    struct str_view view; /* of the file, as the source needs it */
    struct segment *s;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->g.state = 4711;
    f->w = segment_writer_new();
    f->decoder = chunk_decoder_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    segment_close(f->s);
    segment_writer_free(f->w);
    chunk_decoder_free(f->decoder);
    buf_deinit(&f->file);
    arena_deinit(&f->g.a);
    free(f);
    return 0;
}

static void assert_ok(int r, const struct err *err)
{
    if (r != 0)
        fail_msg("%d: %s", r, err->text);
}

static void write_file(struct fixture *f, const struct sg_segment *s)
{
    struct err err = ERR_INIT;
    uint64_t bytes = 0;
    buf_clear(&f->file);
    assert_ok(sg_write(f->w, s, segment_sink_of_buf(&f->file), &bytes, &err), &err);
    assert_int_equal(bytes, f->file.len);
}

static int open_file(struct fixture *f, struct err *err)
{
    segment_close(f->s);
    f->s = NULL;
    f->view = buf_view(&f->file);
    struct segment_source source = segment_source_of_view(&f->view);
    return segment_open(&f->s, &source, err);
}

static void reopen(struct fixture *f)
{
    struct err err = ERR_INIT;
    assert_ok(open_file(f, &err), &err);
}

static struct part *open_part(struct fixture *f, uint32_t i)
{
    struct err err = ERR_INIT;
    struct part *p = NULL;
    assert_ok(part_open(&p, f->s, &f->s->parts[i], &err), &err);
    f->decoded_part = NULL;
    return p;
}

static const struct entry *decode_chunk(struct fixture *f, const struct part *p, uint32_t chunk)
{
    struct err err = ERR_INIT;
    struct part_source ps = part_source_of(&f->s->source, p);
    struct chunk_source source = chunk_source_of(&ps);
    const struct entry *v = NULL;
    if (f->decoded_part != p || f->decoded_chunk != chunk)
        chunk_decoder_set(f->decoder, &source, &p->chunks[chunk]);
    f->decoded_part = p;
    f->decoded_chunk = chunk;
    assert_ok(chunk_decoder_entries(f->decoder, &v, &err), &err);
    return v;
}

static void assert_same_entry(const struct entry *got, const struct entry *want)
{
    assert_int_equal(got->ts_ns, want->ts_ns);
    assert_true(sv_eq(got->line, want->line));
    assert_true(sv_eq(got->sm, want->sm));
}

/* The rows of a run are `want`, and what the directory says of them is true. */
static void check_run(struct fixture *f, const struct part *p, const struct segment_run *run,
                      const struct entry *want)
{
    const struct entry *v = decode_chunk(f, p, run->chunk);
    uint64_t line_bytes = 0, sm_bytes = 0;
    int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
    for (uint32_t i = 0; i < run->rows; i++) {
        const struct entry *e = &v[run->first_row + i];
        assert_same_entry(e, &want[i]);
        line_bytes += e->line.len;
        sm_bytes += e->sm.len;
        min_ns = e->ts_ns < min_ns ? e->ts_ns : min_ns;
        max_ns = e->ts_ns > max_ns ? e->ts_ns : max_ns;
    }
    assert_int_equal(run->line_bytes, line_bytes);
    assert_int_equal(run->sm_bytes, sm_bytes);
    assert_int_equal(run->min_ts_ns, min_ns);
    assert_int_equal(run->max_ts_ns, max_ns);
}

static void check_stream(struct fixture *f, const struct part *p, const struct segment_stream *s,
                         const struct sg_stream *want)
{
    uint32_t at = 0;
    assert_true(sv_eq(s->labels, want->labels));
    assert_int_equal(s->hash, labels_hash_encoded(want->labels));
    for (uint32_t i = 0; i < s->n_runs; i++) {
        const struct segment_run *run = &p->runs[s->first_run + i];
        assert_true(at + run->rows <= want->n);
        check_run(f, p, run, want->v + at);
        at += run->rows;
    }
    assert_int_equal(at, want->n);
}

static void check_part(struct fixture *f, const struct segment_part *info,
                       const struct sg_part *want)
{
    struct part *p = open_part(f, (uint32_t)(info - f->s->parts));
    uint64_t rows = 0, line_bytes = 0, sm_bytes = 0;
    uint32_t stream = 0;
    assert_true(sv_eq(info->tenant, want->tenant));
    assert_int_equal(info->period_start_ns, want->start_ns);
    assert_int_equal(info->period_len_ns, want->len_ns);
    for (uint32_t i = 0; i < want->n_streams; i++) {
        const struct sg_stream *s = &want->streams[i];
        for (uint32_t k = 0; k < s->n; k++) {
            line_bytes += s->v[k].line.len;
            sm_bytes += s->v[k].sm.len;
            assert_true(s->v[k].ts_ns >= info->min_ts_ns && s->v[k].ts_ns <= info->max_ts_ns);
        }
        rows += s->n;
        if (s->n)
            check_stream(f, p, &p->streams[stream++], s);
    }
    assert_int_equal(stream, p->n_streams);
    assert_int_equal(info->n_streams, p->n_streams);
    assert_int_equal(info->rows, rows);
    assert_int_equal(info->line_bytes, line_bytes);
    assert_int_equal(info->sm_bytes, sm_bytes);
    part_close(p);
}

static uint32_t n_entries(const struct sg_part *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_streams; i++)
        n += p->streams[i].n;
    return n;
}

static void check_file(struct fixture *f, const struct sg_segment *want)
{
    uint32_t part = 0;
    reopen(f);
    for (uint32_t i = 0; i < want->n_parts; i++)
        if (n_entries(&want->parts[i])) {
            assert_true(part < f->s->n_parts);
            check_part(f, &f->s->parts[part++], &want->parts[i]);
        }
    assert_int_equal(part, f->s->n_parts);
    assert_memory_equal(f->s->header.installation, want->header.installation, SEGMENT_UUID_BYTES);
    assert_memory_equal(f->s->header.uuid, want->header.uuid, SEGMENT_UUID_BYTES);
    assert_int_equal(f->s->header.generation, want->header.generation);
    assert_int_equal(f->s->header.created_ns, want->header.created_ns);
    assert_int_equal(f->s->header.level, want->header.level);
}

static void test_what_went_in_comes_back_from_every_part_and_stream(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 60; round++) {
        struct sg_segment s = sg_segment(&f->g);
        write_file(f, &s);
        check_file(f, &s);
        arena_clear(&f->g.a);
    }
}

static void test_an_empty_segment_is_one(void **state)
{
    struct fixture *f = *state;
    struct sg_segment s = {.header.generation = 3};
    write_file(f, &s);
    check_file(f, &s);
    assert_int_equal(f->s->n_coverage, 2);
    assert_int_equal(f->s->n_replaced, 2);
}

static void test_parts_are_found_by_tenant_and_period(void **state)
{
    struct fixture *f = *state;
    struct sg_segment s;
    do
        s = sg_segment(&f->g);
    while (s.n_parts < 5);
    write_file(f, &s);
    reopen(f);
    for (uint32_t i = 0; i < s.n_parts; i++) {
        const struct sg_part *p = &s.parts[i];
        const struct segment_part *got = segment_find_part(f->s, p->tenant, p->start_ns);
        assert_int_equal(got != NULL, n_entries(p) > 0);
        if (got)
            assert_true(sv_eq(got->tenant, p->tenant) && got->period_start_ns == p->start_ns);
        assert_null(segment_find_part(f->s, p->tenant, p->start_ns + 1));
    }
    assert_null(segment_find_part(f->s, SV("tenant"), 0));
    assert_null(segment_find_part(f->s, SV("z"), 0));
}

/* ---- filters ---- */

static void check_filter_of_chunk(struct fixture *f, const struct part *p, uint32_t chunk,
                                  struct str_view filter)
{
    const struct chunk_meta *m = &p->chunks[chunk];
    const struct entry *v = decode_chunk(f, p, chunk);
    for (uint32_t row = 0; row < m->rows; row++) {
        struct filter_needle needle;
        filter_needle_init(&needle, v[row].line, row % 2);
        assert_true(filter_may_contain(filter, m->filter_bits, m->flags & CHUNK_ASCII, &needle));
        filter_needle_deinit(&needle);
    }
}

static void test_filters_know_every_line_of_their_chunk(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf all = BUF_INIT;
    CLEANUP(buf_deinit) struct buf one = BUF_INIT;
    uint32_t seen = 0;
    for (int round = 0; round < 20; round++) {
        struct sg_segment s = sg_segment(&f->g);
        s.options.filter = CHUNK_FILTER_ALWAYS;
        write_file(f, &s);
        reopen(f);
        for (uint32_t i = 0; i < f->s->n_parts; i++) {
            struct part *p = open_part(f, i);
            struct part_source ps = part_source_of(&f->s->source, p);
            buf_clear(&all);
            assert_int_equal(segment_read_filters(&ps, p, &all, NULL), 0);
            for (uint32_t c = 0; c < p->n_chunks; c++) {
                struct str_view filter = part_filter(p, buf_view(&all), c);
                buf_clear(&one);
                assert_int_equal(segment_read_filter(&ps, &p->chunks[c], &one, NULL), 0);
                assert_true(sv_eq(buf_view(&one), filter));
                if (filter.len)
                    check_filter_of_chunk(f, p, c, filter);
                seen += filter.len > 0;
            }
            part_close(p);
        }
        arena_clear(&f->g.a);
    }
    assert_true(seen > 20);
}

static void test_a_filter_is_switched_off_from_the_next_chunk_on(void **state)
{
    struct fixture *f = *state;
    struct segment_header h = {.generation = 1};
    struct chunk_options o = {.target_raw_bytes = 5000, .filter = CHUNK_FILTER_ALWAYS};
    uint64_t bytes;
    buf_clear(&f->file);
    segment_writer_open(f->w, &h, &o, segment_sink_of_buf(&f->file), NULL);
    for (int part = 0; part < 2; part++) {
        segment_writer_part(f->w, SV("t"), part, 0, NULL);
        segment_writer_stream(f->w, SV("\1\1a\1b"), NULL);
        for (int i = 0; i < 1000; i++) {
            struct entry e = {i, gen_line(&f->g), SV_EMPTY};
            if (part == 0 && i == 500)
                segment_writer_set_filter(f->w, CHUNK_FILTER_NEVER);
            assert_int_equal(segment_writer_add(f->w, &e, NULL), 0);
        }
    }
    assert_int_equal(segment_writer_finish(f->w, NULL, 0, NULL, 0, &bytes, NULL), 0);
    reopen(f);
    struct part *p = open_part(f, 0);
    assert_true(p->chunks[0].filter_bits > 0);
    assert_int_equal(p->chunks[p->n_chunks - 1].filter_bits, 0);
    part_close(p);
    p = open_part(f, 1); /* the next part begins with the segment's choice again */
    assert_true(p->chunks[0].filter_bits > 0);
    part_close(p);
}

/* ---- copying ---- */

/* Copies the chunks of a part that stands alone in `f->file`, then for each stream its runs, and
 * for every other stream new rows behind them. */
static void copy_part(struct fixture *f, const struct part *p, const struct sg_part *more)
{
    struct err err = ERR_INIT;
    CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
    CLEANUP(buf_deinit) struct buf filter = BUF_INIT;
    struct part_source ps = part_source_of(&f->s->source, p);
    uint32_t *to = mem_alloc(p->n_chunks * sizeof *to);
    for (uint32_t c = 0; c < p->n_chunks; c++) {
        buf_clear(&payload);
        buf_clear(&filter);
        assert_ok(segment_read_chunk(&ps, &p->chunks[c], &payload, &filter, &err), &err);
        assert_ok(segment_writer_copy_chunk(f->w, &p->chunks[c], buf_view(&payload),
                                            buf_view(&filter), &to[c], &err),
                  &err);
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct segment_stream *s = &p->streams[i];
        assert_ok(segment_writer_stream(f->w, s->labels, &err), &err);
        for (uint32_t k = 0; k < s->n_runs; k++) {
            struct segment_run run = p->runs[s->first_run + k];
            run.chunk = to[run.chunk];
            assert_ok(segment_writer_run(f->w, &run, &err), &err);
        }
        for (uint32_t k = 0; k < more->streams[i].n; k++)
            assert_ok(segment_writer_add(f->w, &more->streams[i].v[k], &err), &err);
    }
    free(to);
}

/* want = the entries of `a` then those of `b`, stream by stream. */
static struct sg_part joined(struct gen *g, const struct sg_part *a, const struct sg_part *b)
{
    struct sg_part p = *a;
    p.streams = arena_zalloc(&g->a, p.n_streams, sizeof *p.streams);
    for (uint32_t i = 0; i < p.n_streams; i++) {
        struct sg_stream *s = &p.streams[i], *x = &a->streams[i], *y = &b->streams[i];
        s->labels = x->labels;
        s->n = x->n + y->n;
        s->v = arena_alloc(&g->a, s->n * sizeof *s->v);
        memcpy(s->v, x->v, x->n * sizeof *s->v);
        memcpy(s->v + x->n, y->v, y->n * sizeof *s->v);
    }
    return p;
}

static void test_copied_chunks_and_new_rows_stand_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    for (int round = 0; round < 40; round++) {
        struct sg_segment s = sg_segment(&f->g);
        s.n_parts = 1;
        s.parts[0] = sg_part(&f->g, 1, 1);
        struct sg_part *a = &s.parts[0], b = *a;
        b.streams = arena_zalloc(&f->g.a, a->n_streams, sizeof *b.streams);
        for (uint32_t i = 0; i < a->n_streams; i++) {
            do
                a->streams[i] = sg_stream(&f->g, a, i);
            while (a->streams[i].n == 0);
            b.streams[i] = sg_stream(&f->g, a, i);
        }
        if (a->n_streams == 0)
            continue;
        write_file(f, &s);
        reopen(f);
        struct part *p = open_part(f, 0);
        CLEANUP(buf_deinit) struct buf out = BUF_INIT;
        uint64_t bytes;
        assert_ok(segment_writer_open(f->w, &s.header, NULL, segment_sink_of_buf(&out), &err),
                  &err);
        assert_ok(segment_writer_part(f->w, a->tenant, a->start_ns, a->len_ns, &err), &err);
        copy_part(f, p, &b);
        assert_ok(segment_writer_finish(f->w, NULL, 0, NULL, 0, &bytes, &err), &err);
        part_close(p);
        s.parts[0] = joined(&f->g, a, &b);
        buf_clear(&f->file);
        buf_put(&f->file, buf_view(&out));
        check_file(f, &s);
        arena_clear(&f->g.a);
    }
}

static void test_a_part_is_readable_wherever_it_stands(void **state)
{
    struct fixture *f = *state;
    struct sg_segment s;
    do
        s = sg_segment(&f->g);
    while (s.n_parts < 2 || !n_entries(&s.parts[0]) || !n_entries(&s.parts[1]));
    write_file(f, &s);
    reopen(f);
    struct part *p = open_part(f, 1);
    struct str_view bytes = sv_sub(f->view, p->info.offset, p->info.bytes);
    struct segment_source alone = segment_source_of_view(&bytes);
    struct part_source ps = {&alone, 0, bytes.len};
    struct chunk_source source = chunk_source_of(&ps);
    const struct entry *v;
    chunk_decoder_set(f->decoder, &source, &p->chunks[0]);
    assert_int_equal(chunk_decoder_entries(f->decoder, &v, NULL), 0);
    part_close(p);
}

/* ---- footer ---- */

static void assert_range(const struct segment_coverage *c, const char *source, uint64_t first,
                         uint64_t last)
{
    assert_memory_equal(c->source, source, SEGMENT_UUID_BYTES);
    assert_int_equal(c->first, first);
    assert_int_equal(c->last, last);
}

static void test_coverage_comes_back_sorted_and_joined(void **state)
{
    struct fixture *f = *state;
    static const struct segment_coverage given[] = {
        {"bbbbbbbbbbbbbbb", 100, 200},      {"aaaaaaaaaaaaaaa", 7, 9},
        {"bbbbbbbbbbbbbbb", 150, 160},      {"bbbbbbbbbbbbbbb", 201, 300},
        {"bbbbbbbbbbbbbbb", 302, 302},      {"aaaaaaaaaaaaaaa", 0, 6},
        {"ccccccccccccccc", 5, UINT64_MAX}, {"ccccccccccccccc", 9, 10},
        {"ccccccccccccccc", 0, 1}};
    static const uint8_t replaced[1][SEGMENT_UUID_BYTES] = {"replacedreplace"};
    struct segment_header h = {0};
    uint64_t bytes;
    segment_writer_open(f->w, &h, NULL, segment_sink_of_buf(&f->file), NULL);
    assert_int_equal(
        segment_writer_finish(f->w, given, sizeof given / sizeof *given, replaced, 1, &bytes, NULL),
        0);
    reopen(f);
    const struct segment_coverage *c = f->s->coverage;
    assert_int_equal(f->s->n_coverage, 5);
    assert_range(&c[0], "aaaaaaaaaaaaaaa", 0, 9);
    assert_range(&c[1], "bbbbbbbbbbbbbbb", 100, 300);
    assert_range(&c[2], "bbbbbbbbbbbbbbb", 302, 302);
    assert_range(&c[3], "ccccccccccccccc", 0, 1);
    assert_range(&c[4], "ccccccccccccccc", 5, UINT64_MAX);
    assert_int_equal(f->s->n_replaced, 1);
    assert_memory_equal(f->s->replaced[0], replaced[0], SEGMENT_UUID_BYTES);
}

/* ---- damage ---- */

/* A checksum of all that can be read: header, parts, runs, chunks, rows, filters. */
static int read_all(struct fixture *f, uint32_t *ret_crc, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    CLEANUP(buf_deinit) struct buf filters = BUF_INIT;
    int r = open_file(f, err);
    if (r < 0)
        return r;
    buf_put_bytes(&b, &f->s->header, sizeof f->s->header);
    buf_put_bytes(&b, f->s->coverage, f->s->n_coverage * sizeof *f->s->coverage);
    buf_put_bytes(&b, f->s->replaced, f->s->n_replaced * sizeof *f->s->replaced);
    for (uint32_t i = 0; i < f->s->n_parts; i++) {
        struct part *p = NULL;
        r = part_open(&p, f->s, &f->s->parts[i], err);
        if (r < 0)
            return r;
        struct part_source ps = part_source_of(&f->s->source, p);
        struct chunk_source source = chunk_source_of(&ps);
        buf_put(&b, p->info.tenant);
        buf_put_bytes(&b, p->runs, p->n_runs * sizeof *p->runs);
        buf_put_bytes(&b, p->chunks, p->n_chunks * sizeof *p->chunks);
        for (uint32_t k = 0; k < p->n_streams; k++)
            buf_put(&b, p->streams[k].labels);
        for (uint32_t k = 0; k < p->n_sm_keys; k++)
            buf_put(&b, p->sm_keys[k].name);
        buf_clear(&filters);
        r = segment_read_filters(&ps, p, &filters, err);
        buf_put(&b, buf_view(&filters));
        for (uint32_t c = 0; c < p->n_chunks && r == 0; c++) {
            const struct entry *v;
            chunk_decoder_set(f->decoder, &source, &p->chunks[c]);
            r = chunk_decoder_entries(f->decoder, &v, err);
            for (uint32_t row = 0; r == 0 && row < p->chunks[c].rows; row++) {
                buf_put_le64(&b, (uint64_t)v[row].ts_ns);
                buf_put(&b, v[row].line);
                buf_put(&b, v[row].sm);
            }
        }
        part_close(p);
        if (r < 0)
            return r;
    }
    *ret_crc = crc32c(buf_view(&b));
    return 0;
}

/* A few thousand bytes with some of everything. */
static void write_small_file(struct fixture *f)
{
    struct sg_segment s = {.n_parts = 3, .options = {.filter = CHUNK_FILTER_ALWAYS}};
    arena_clear(&f->g.a);
    s.parts = arena_zalloc(&f->g.a, s.n_parts, sizeof *s.parts);
    for (uint32_t i = 0; i < s.n_parts; i++) {
        struct sg_part *p = &s.parts[i];
        *p = (struct sg_part){.tenant = arena_printf(&f->g.a, "t%u", i / 2),
                              .start_ns = i * SG_PERIOD_NS,
                              .len_ns = SG_PERIOD_NS,
                              .n_streams = 2};
        p->streams = arena_zalloc(&f->g.a, 2, sizeof *p->streams);
        for (uint32_t k = 0; k < 2; k++) {
            do
                p->streams[k] = sg_stream(&f->g, p, k);
            while (p->streams[k].n == 0);
            if (p->streams[k].n > 9)
                p->streams[k].n = i == 0 ? 60 : 9;
        }
    }
    s.parts[0].streams[0].v[0].line = gen_bytes(&f->g, 2100); /* gives its chunk a filter */
    write_file(f, &s);
}

static void test_damage_at_any_byte_is_seen_or_harmless(void **state)
{
    struct fixture *f = *state;
    write_small_file(f);
    uint32_t good, crc;
    assert_int_equal(read_all(f, &good, NULL), 0);
    size_t n_harmless = 0;
    for (size_t at = 0; at < f->file.len; at++)
        for (int k = 0; k < 2; k++) {
            char before = f->file.p[at];
            f->file.p[at] ^= k ? (char)0xff : (char)(1 << gen_below(&f->g, 8));
            int r = read_all(f, &crc, NULL);
            assert_true(r == 0 || r == ERR_CORRUPT || r == ERR_UNSUPPORTED);
            if (r == 0) {
                assert_int_equal(crc, good);
                n_harmless++;
            }
            f->file.p[at] = before;
        }
    assert_true(n_harmless < 200); /* padding, and nothing else */
}

static void test_a_file_cut_short_or_grown_is_refused(void **state)
{
    struct fixture *f = *state;
    write_small_file(f);
    uint32_t crc;
    size_t len = f->file.len;
    for (f->file.len = 0; f->file.len < len; f->file.len++)
        assert_int_equal(read_all(f, &crc, NULL), ERR_CORRUPT);
    buf_put_u8(&f->file, 0);
    assert_int_equal(read_all(f, &crc, NULL), ERR_CORRUPT);
}

static void test_a_newer_major_version_is_named(void **state)
{
    struct fixture *f = *state;
    write_small_file(f);
    struct err err = ERR_INIT;
    f->file.p[8] = 2;
    assert_int_equal(open_file(f, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "version 2"));
    f->file.p[8] = 1;
    f->file.p[f->file.len - SEGMENT_TRAILER_BYTES + 24] = 2;
    assert_int_equal(open_file(f, &err), ERR_UNSUPPORTED);
}

static void test_sections_of_later_minor_versions_are_skipped(void **state)
{
    struct fixture *f = *state;
    write_small_file(f);
    uint32_t want, got;
    assert_int_equal(read_all(f, &want, NULL), 0);
    struct segment_trailer t;
    struct err err = ERR_INIT;
    struct str_view end = sv_from(buf_view(&f->file), f->file.len - SEGMENT_TRAILER_BYTES);
    assert_ok(segment_trailer_decode(end, &t, &err), &err);
    size_t good_len = t.footer_at + t.footer_bytes;
    for (int must_know = 0; must_know < 2; must_know++) {
        f->file.len = good_len;
        ZSTD_CCtx *cctx = ZSTD_createCCtx();
        uint8_t type = must_know ? 0xf0 : 0x70;
        assert_int_equal(tagged_put(&f->file, type, SV("of the future"), cctx, 1, &err), 0);
        ZSTD_freeCCtx(cctx);
        t.footer_bytes = (uint32_t)(f->file.len - t.footer_at);
        t.footer_crc = crc32c(sv_from(buf_view(&f->file), t.footer_at));
        t.file_bytes = f->file.len + SEGMENT_TRAILER_BYTES;
        segment_trailer_encode(&f->file, &t);
        int r = read_all(f, &got, &err);
        assert_int_equal(r, must_know ? ERR_UNSUPPORTED : 0);
    }
    assert_int_equal(got, want);
}

/* ---- the writer's own checks ---- */

static void begin(struct fixture *f)
{
    struct segment_header h = {0};
    buf_clear(&f->file);
    assert_int_equal(segment_writer_open(f->w, &h, NULL, segment_sink_of_buf(&f->file), NULL), 0);
    assert_int_equal(segment_writer_part(f->w, SV("m"), 100, 50, NULL), 0);
    assert_int_equal(segment_writer_stream(f->w, SV("\1\1a\1b"), NULL), 0);
}

static void test_the_writer_refuses_what_a_reader_could_not_use(void **state)
{
    struct fixture *f = *state;
    struct entry inside = {100, SV("x"), SV_EMPTY}, before = {99, SV("x"), SV_EMPTY};
    struct entry after = {150, SV("x"), SV_EMPTY};
    struct segment_run run = {.chunk = 0, .rows = 1, .min_ts_ns = 100, .max_ts_ns = 100};
    uint64_t bytes;
    begin(f);
    assert_int_equal(segment_writer_add(f->w, &before, NULL), ERR_INVALID);
    assert_int_equal(segment_writer_add(f->w, &inside, NULL), ERR_INVALID); /* until reopened */
    assert_int_equal(segment_writer_finish(f->w, NULL, 0, NULL, 0, &bytes, NULL), ERR_INVALID);
    begin(f);
    assert_int_equal(segment_writer_add(f->w, &after, NULL), ERR_INVALID);
    begin(f);
    assert_int_equal(segment_writer_stream(f->w, SV("\1\1a\1b"), NULL), ERR_INVALID);
    begin(f);
    assert_int_equal(segment_writer_add(f->w, &inside, NULL), 0);
    assert_int_equal(segment_writer_run(f->w, &run, NULL), ERR_INVALID); /* not yet a chunk */
    begin(f);
    assert_int_equal(segment_writer_part(f->w, SV("m"), 100, 50, NULL), 0); /* it was empty */
    assert_int_equal(segment_writer_stream(f->w, SV("\1\1a\1b"), NULL), 0);
    assert_int_equal(segment_writer_add(f->w, &inside, NULL), 0);
    assert_int_equal(segment_writer_part(f->w, SV("m"), 100, 50, NULL), ERR_INVALID);
    begin(f);
    assert_int_equal(segment_writer_add(f->w, &inside, NULL), 0);
    assert_int_equal(segment_writer_part(f->w, SV("a"), 100, 50, NULL), ERR_INVALID);
}

static void test_a_run_outside_its_chunk_is_refused(void **state)
{
    struct fixture *f = *state;
    struct chunk_builder *b = chunk_builder_new(NULL);
    static const struct segment_run bad[] = {
        {.first_row = 1, .rows = 2, .min_ts_ns = 110, .max_ts_ns = 120},
        {.first_row = 2, .rows = 1, .min_ts_ns = 110, .max_ts_ns = 120},
        {.rows = 0, .min_ts_ns = 110, .max_ts_ns = 120},
        {.rows = 2, .min_ts_ns = 109, .max_ts_ns = 120},
        {.rows = 2, .min_ts_ns = 110, .max_ts_ns = 121},
        {.rows = 2, .min_ts_ns = 120, .max_ts_ns = 110},
        {.rows = 2, .min_ts_ns = 110, .max_ts_ns = 120, .line_bytes = 99},
        {.rows = 2, .min_ts_ns = 110, .max_ts_ns = 120, .sm_bytes = 1},
        {.chunk = 1, .rows = 2, .min_ts_ns = 110, .max_ts_ns = 120},
        {.rows = 2, .min_ts_ns = 110, .max_ts_ns = 120, .line_bytes = 2}, /* good */
    };
    enum { N = sizeof bad / sizeof *bad };
    for (int i = 0; i < N; i++) {
        chunk_builder_add(b, &(struct entry){110, SV("x"), SV_EMPTY});
        chunk_builder_add(b, &(struct entry){120, SV("y"), SV_EMPTY});
        struct chunk_encoded e;
        chunk_builder_finish(b, &e);
        uint32_t chunk;
        begin(f);
        assert_int_equal(
            segment_writer_copy_chunk(f->w, &e.meta, e.payload, e.filter, &chunk, NULL), 0);
        assert_int_equal(segment_writer_run(f->w, &bad[i], NULL), i == N - 1 ? 0 : ERR_INVALID);
    }
    chunk_builder_free(b);
}

static int refuse_after(void *ctx, struct str_view data, struct err *err)
{
    int64_t *left = ctx;
    *left -= (int64_t)data.len;
    return *left < 0 ? err_set(err, ERR_CORRUPT, "disk full") : 0;
}

static void test_a_failing_sink_ends_the_segment_but_not_the_writer(void **state)
{
    struct fixture *f = *state;
    struct sg_segment s;
    do
        s = sg_segment(&f->g);
    while (s.n_parts < 2);
    for (int64_t room = 0; room < 4000; room += 100) {
        int64_t left = room;
        uint64_t bytes;
        struct segment_sink sink = {&left, refuse_after};
        assert_int_equal(sg_write(f->w, &s, sink, &bytes, NULL), ERR_CORRUPT);
    }
    write_file(f, &s);
    check_file(f, &s);
}

/* ---- size ---- */

static void test_many_streams_of_one_row_share_chunks(void **state)
{
    struct fixture *f = *state;
    enum { N = 20000 };
    struct sg_segment s = {.n_parts = 1};
    s.parts = arena_zalloc(&f->g.a, 1, sizeof *s.parts);
    s.parts[0] = (struct sg_part){.tenant = SV("t"), .n_streams = N};
    s.parts[0].streams = arena_zalloc(&f->g.a, N, sizeof *s.parts[0].streams);
    for (uint32_t i = 0; i < N; i++) {
        struct sg_stream *x = &s.parts[0].streams[i];
        x->labels = sg_labels(&f->g, i);
        x->n = 1;
        x->v = ARENA_NEW(&f->g.a, struct entry);
        *x->v = (struct entry){(int64_t)(gen_u64(&f->g) >> 30), SV("the same line"), SV_EMPTY};
    }
    write_file(f, &s);
    reopen(f);
    assert_int_equal(f->s->parts[0].n_chunks, 1);
    assert_true(f->file.len < N * 30);
    struct part *p = open_part(f, 0);
    const struct entry *v = decode_chunk(f, p, 0);
    for (uint32_t i = 0; i < N; i++) {
        assert_true(sv_eq(p->streams[i].labels, s.parts[0].streams[i].labels));
        assert_same_entry(&v[p->runs[i].first_row], s.parts[0].streams[i].v);
    }
    part_close(p);
}

static void test_metadata_names_are_counted_by_chunk(void **state)
{
    struct fixture *f = *state;
    struct segment_header h = {0};
    struct chunk_options o = {.max_rows = 10};
    uint64_t bytes;
    segment_writer_open(f->w, &h, &o, segment_sink_of_buf(&f->file), NULL);
    segment_writer_part(f->w, SV("t"), 0, 0, NULL);
    segment_writer_stream(f->w, SV("\1\1a\1b"), NULL);
    for (int i = 0; i < 1000; i++) {
        struct label l[2] = {{SV("all"), SV("v")}, {arena_printf(&f->g.a, "k%d", i / 20), SV("v")}};
        struct entry e = {i, SV("x"), gen_labels(&f->g, l, 2)};
        assert_int_equal(segment_writer_add(f->w, &e, NULL), 0);
    }
    assert_int_equal(segment_writer_finish(f->w, NULL, 0, NULL, 0, &bytes, NULL), 0);
    reopen(f);
    struct part *p = open_part(f, 0);
    assert_int_equal(p->n_sm_keys, 51);
    assert_int_equal(p->sm_keys[0].n_chunks, 100);
    for (uint32_t i = 1; i < 51; i++) {
        assert_true(sv_cmp(p->sm_keys[i - 1].name, p->sm_keys[i].name) < 0);
        assert_int_equal(p->sm_keys[i].n_chunks, 2);
    }
    part_close(p);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_what_went_in_comes_back_from_every_part_and_stream),
        WITH_FIXTURE(test_an_empty_segment_is_one),
        WITH_FIXTURE(test_parts_are_found_by_tenant_and_period),
        WITH_FIXTURE(test_filters_know_every_line_of_their_chunk),
        WITH_FIXTURE(test_a_filter_is_switched_off_from_the_next_chunk_on),
        WITH_FIXTURE(test_copied_chunks_and_new_rows_stand_side_by_side),
        WITH_FIXTURE(test_a_part_is_readable_wherever_it_stands),
        WITH_FIXTURE(test_coverage_comes_back_sorted_and_joined),
        WITH_FIXTURE(test_damage_at_any_byte_is_seen_or_harmless),
        WITH_FIXTURE(test_a_file_cut_short_or_grown_is_refused),
        WITH_FIXTURE(test_a_newer_major_version_is_named),
        WITH_FIXTURE(test_sections_of_later_minor_versions_are_skipped),
        WITH_FIXTURE(test_the_writer_refuses_what_a_reader_could_not_use),
        WITH_FIXTURE(test_a_run_outside_its_chunk_is_refused),
        WITH_FIXTURE(test_a_failing_sink_ends_the_segment_but_not_the_writer),
        WITH_FIXTURE(test_many_streams_of_one_row_share_chunks),
        WITH_FIXTURE(test_metadata_names_are_counted_by_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
