/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/chunk.h"
#include "gen.h"

/* A chunk in memory, as a source. */
static int pread_payload(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct buf *b = ctx;
    if (at > b->len || len > b->len - at)
        return err_set(err, ERR_CORRUPT, "read outside");
    memcpy(to, b->p + at, len);
    return 0;
}

struct fixture {
    struct gen g;
    struct chunk_builder *builder;
    struct chunk_decoder *decoder;
    struct chunk_meta meta;
    struct buf payload;
    struct entry *in;
    uint32_t rows;
    size_t cap;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->g.state = 7;
    f->builder = chunk_builder_new(NULL);
    f->decoder = chunk_decoder_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    chunk_builder_free(f->builder);
    chunk_decoder_free(f->decoder);
    arena_deinit(&f->g.a);
    buf_deinit(&f->payload);
    free(f->in);
    free(f);
    return 0;
}

static void add(struct fixture *f, int64_t ts_ns, struct str_view line, struct str_view sm)
{
    struct entry e = {ts_ns, line, sm};
    assert_false(chunk_builder_is_full(f->builder, &e));
    chunk_builder_add(f->builder, &e);
    f->in = mem_grow(f->in, &f->cap, f->rows + 1, sizeof *f->in);
    f->in[f->rows++] = e;
}

static void finish(struct fixture *f)
{
    struct chunk_encoded e;
    chunk_builder_finish(f->builder, &e);
    f->meta = e.meta;
    buf_clear(&f->payload);
    buf_put(&f->payload, e.payload);
    struct chunk_source source = {&f->payload, pread_payload};
    chunk_decoder_set(f->decoder, &source, &f->meta);
}

static void check_entries(struct fixture *f)
{
    const struct entry *got;
    struct err err = ERR_INIT;
    int r = chunk_decoder_entries(f->decoder, &got, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    assert_int_equal(f->meta.rows, f->rows);
    for (uint32_t i = 0; i < f->rows; i++) {
        assert_int_equal(got[i].ts_ns, f->in[i].ts_ns);
        assert_true(sv_eq(got[i].line, f->in[i].line));
        assert_true(sv_eq(got[i].sm, f->in[i].sm));
    }
}

static void start_over(struct fixture *f)
{
    f->rows = 0;
    arena_clear(&f->g.a);
}

static void test_random_rows_come_back_byte_for_byte(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 60; round++) {
        uint32_t rows = 1 + gen_below(&f->g, round % 10 == 0 ? 3000 : 40);
        for (uint32_t i = 0; i < rows; i++)
            add(f, (int64_t)(gen_u64(&f->g) >> 10), gen_line(&f->g), gen_sm(&f->g));
        finish(f);
        check_entries(f);
        start_over(f);
    }
}

static void test_a_single_empty_line_at_the_edge_of_time(void **state)
{
    struct fixture *f = *state;
    const int64_t times[] = {INT64_MIN, INT64_MAX, 0};
    for (int i = 0; i < 3; i++) {
        add(f, times[i], SV_EMPTY, SV_EMPTY);
        finish(f);
        assert_int_equal(f->meta.min_ts_ns, times[i]);
        assert_int_equal(f->meta.raw_bytes, 1);
        assert_true(f->payload.len < 20);
        check_entries(f);
        start_over(f);
    }
}

static void test_the_largest_number_of_rows_fits(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < CHUNK_MAX_ROWS; i++)
        add(f, 5, i % 2 ? SV("x") : SV_EMPTY, SV_EMPTY);
    struct entry one_more = {5, SV_EMPTY, SV_EMPTY};
    assert_true(chunk_builder_is_full(f->builder, &one_more));
    finish(f);
    check_entries(f);
    assert_true(f->payload.len < 4096);
}

static void test_a_huge_line_has_a_chunk_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct entry small = {1, SV("small"), SV_EMPTY};
    struct str_view huge = gen_bytes(&f->g, 1 << 20);
    add(f, 0, huge, SV_EMPTY);
    assert_true(chunk_builder_is_full(f->builder, &small));
    finish(f);
    assert_int_equal(f->meta.lin_codec, CHUNK_LIN_RAW);
    check_entries(f);
}

static void test_flags_tell_what_the_lines_hold(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        unsigned flags;
    } cases[] = {
        {"plain", CHUNK_ASCII | CHUNK_UTF8},
        {"caf\xc3\xa9", CHUNK_UTF8},
        {"bad \xc3", 0},
        {"a\nb", CHUNK_ASCII | CHUNK_UTF8 | CHUNK_NEWLINE},
        {"a\\b", CHUNK_ASCII | CHUNK_UTF8 | CHUNK_BACKSLASH},
        {"\x1b[0m", CHUNK_ASCII | CHUNK_UTF8 | CHUNK_ESCAPE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int padding = 0; padding < 40; padding += 13) {
            for (int k = 0; k < padding; k++)
                add(f, k, SV("0123456789"), SV_EMPTY);
            add(f, 99, sv_of(cases[i].line), SV_EMPTY);
            finish(f);
            assert_int_equal(f->meta.flags, cases[i].flags);
            start_over(f);
        }
}

static void test_columns_decode_alone_and_read_only_themselves(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 500; i++)
        add(f, i * 1000, gen_line(&f->g), gen_sm(&f->g));
    finish(f);
    const int64_t *ts;
    assert_int_equal(chunk_decoder_ts(f->decoder, &ts, NULL), 0);
    assert_int_equal(ts[499], 499000);
    struct chunk_counts *c = chunk_decoder_counts(f->decoder);
    assert_int_equal(c->read_bytes[CHUNK_TS], f->meta.section_bytes[CHUNK_TS]);
    assert_int_equal(c->read_bytes[CHUNK_LIN] + c->decoded_bytes[CHUNK_LIN], 0);
    const uint32_t *start;
    assert_int_equal(chunk_decoder_starts(f->decoder, &start, NULL), 0);
    assert_int_equal(start[500], f->meta.raw_bytes);
    assert_int_equal(c->read_bytes[CHUNK_LIN], 0);
    const struct sm_header *h;
    assert_int_equal(chunk_decoder_sm_header(f->decoder, &h, NULL), 0);
    const struct sm_key *level = sm_header_find(h, SV("detected_level"));
    assert_int_equal(level->kind, SM_DICT);
    assert_int_equal(level->n_values, 4);
    assert_int_equal(sm_header_find(h, SV("trace_id"))->kind, SM_PLAIN);
    assert_null(sm_header_find(h, SV("nope")));
    assert_int_equal(c->read_bytes[CHUNK_SMD], 0);
}

static void test_one_metadata_column_is_what_the_rows_had(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 700; i++)
        add(f, i, SV("l"), gen_sm(&f->g));
    finish(f);
    static const char *const names[] = {"detected_level", "pod", "trace_id", "absent"};
    for (int k = 0; k < 4; k++) {
        struct sm_column col;
        assert_int_equal(chunk_decoder_sm_column(f->decoder, sv_of(names[k]), &col, NULL), 0);
        for (uint32_t i = 0; i < f->rows; i++) {
            CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
            struct labels l = {NULL, 0};
            if (f->in[i].sm.len)
                assert_int_equal(labels_decode(&a, f->in[i].sm, &l, NULL), 0);
            struct str_view want = labels_get(l, sv_of(names[k]));
            uint32_t value = col.values ? col.row_value[i] : 0;
            assert_int_equal(value != 0, want.p != NULL && want.len > 0);
            if (value)
                assert_true(sv_eq(col.values[value - 1], want));
        }
    }
}

static void test_level_mask_names_exactly_the_levels_present(void **state)
{
    struct fixture *f = *state;
    add(f, 1, SV("a"), SV("\1\016detected_level\4info"));
    add(f, 2, SV("b"), SV("\1\016detected_level\5error"));
    finish(f);
    assert_int_equal(f->meta.level_mask, 1 << CHUNK_LEVEL_INFO | 1 << CHUNK_LEVEL_ERROR);
    add(f, 1, SV("a"), SV("\1\016detected_level\3odd"));
    add(f, 2, SV("b"), SV_EMPTY);
    finish(f);
    assert_int_equal(f->meta.level_mask, 1 << CHUNK_LEVEL_OTHER | 1 << CHUNK_LEVEL_ABSENT);
    add(f, 2, SV("b"), SV_EMPTY);
    finish(f);
    assert_int_equal(f->meta.level_mask, 1 << CHUNK_LEVEL_ABSENT);
}

static void test_a_level_on_every_row_costs_almost_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4000; i++)
        add(f, i, SV("l"), SV("\1\016detected_level\4info"));
    finish(f);
    assert_true(f->meta.section_bytes[CHUNK_SMH] < 32);
    assert_int_equal(f->meta.section_bytes[CHUNK_SMD], 0);
    check_entries(f);
    start_over(f);
    for (int i = 0; i < 4000; i++)
        add(f, i, SV("l"),
            gen_below(&f->g, 20) ? SV("\1\016detected_level\4info")
                                 : SV("\1\016detected_level\5error"));
    finish(f);
    assert_true(f->meta.section_bytes[CHUNK_SMD] <= 501);
    check_entries(f);
}

static void test_metadata_that_is_no_encoding_is_kept_as_it_is(void **state)
{
    struct fixture *f = *state;
    add(f, 1, SV("a"), SV("\1\1k\1v"));
    add(f, 2, SV("b"), SV("\2\1k\1v"));       /* cut short */
    add(f, 3, SV("c"), SV("\2\1z\1v\1a\1v")); /* not sorted */
    add(f, 4, SV("d"), SV("\x81\0\1k\1v"));   /* a longer varint than needed */
    add(f, 5, SV("e"), SV_EMPTY);
    finish(f);
    assert_true(f->meta.flags & CHUNK_UNKNOWN_LEVEL);
    struct sm_column col;
    assert_int_equal(chunk_decoder_sm_column(f->decoder, SV("k"), &col, NULL), 0);
    assert_true(sv_eq(col.values[col.row_value[0] - 1], SV("v")));
    assert_int_equal(col.row_value[4], 0);
    check_entries(f);
}

static void test_more_keys_than_columns_are_kept_whole(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < SM_MAX_KEYS + 5; i++) {
        struct label l = {arena_printf(&f->g.a, "key%d", i), SV("v")};
        add(f, i, SV("x"), gen_labels(&f->g, &l, 1));
    }
    finish(f);
    check_entries(f);
}

static void test_every_flipped_bit_is_detected(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 30; i++)
        add(f, i * 77, gen_line(&f->g), gen_sm(&f->g));
    finish(f);
    struct chunk_source source = {&f->payload, pread_payload};
    const struct entry *got;
    for (size_t bit = 0; bit < f->payload.len * 8; bit++) {
        f->payload.p[bit / 8] ^= (char)(1 << bit % 8);
        chunk_decoder_set(f->decoder, &source, &f->meta);
        assert_int_equal(chunk_decoder_entries(f->decoder, &got, NULL), ERR_CORRUPT);
        f->payload.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    chunk_decoder_set(f->decoder, &source, &f->meta);
    check_entries(f);
}

static void test_an_unknown_line_codec_is_named(void **state)
{
    struct fixture *f = *state;
    add(f, 1, SV("a"), SV_EMPTY);
    finish(f);
    f->meta.lin_codec = CHUNK_LIN_TEMPLATE;
    struct chunk_source source = {&f->payload, pread_payload};
    chunk_decoder_set(f->decoder, &source, &f->meta);
    struct chunk_lines lines;
    assert_int_equal(chunk_decoder_lines(f->decoder, &lines, NULL), ERR_UNSUPPORTED);
}

static void test_hostile_descriptions_are_refused_before_memory_is_taken(void **state)
{
    struct fixture *f = *state;
    add(f, 1, SV("a"), SV_EMPTY);
    finish(f);
    struct chunk_source source = {&f->payload, pread_payload};
    const struct entry *got;
    struct chunk_meta good = f->meta, m;
    uint32_t *fields[] = {&m.rows, &m.raw_bytes, &m.sm_bytes, &m.section_bytes[CHUNK_LIN],
                          &m.section_bytes[CHUNK_SMD]};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        m = good;
        *fields[i] = UINT32_MAX;
        chunk_decoder_set(f->decoder, &source, &m);
        assert_int_equal(chunk_decoder_entries(f->decoder, &got, NULL), ERR_CORRUPT);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_random_rows_come_back_byte_for_byte),
        WITH_FIXTURE(test_a_single_empty_line_at_the_edge_of_time),
        WITH_FIXTURE(test_the_largest_number_of_rows_fits),
        WITH_FIXTURE(test_a_huge_line_has_a_chunk_of_its_own),
        WITH_FIXTURE(test_flags_tell_what_the_lines_hold),
        WITH_FIXTURE(test_columns_decode_alone_and_read_only_themselves),
        WITH_FIXTURE(test_one_metadata_column_is_what_the_rows_had),
        WITH_FIXTURE(test_level_mask_names_exactly_the_levels_present),
        WITH_FIXTURE(test_a_level_on_every_row_costs_almost_nothing),
        WITH_FIXTURE(test_metadata_that_is_no_encoding_is_kept_as_it_is),
        WITH_FIXTURE(test_more_keys_than_columns_are_kept_whole),
        WITH_FIXTURE(test_every_flipped_bit_is_detected),
        WITH_FIXTURE(test_an_unknown_line_codec_is_named),
        WITH_FIXTURE(test_hostile_descriptions_are_refused_before_memory_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
