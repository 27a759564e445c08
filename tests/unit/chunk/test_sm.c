/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zstd.h>

#include "chunk/chunk.h"
#include "chunk/sm_sets.h"
#include "gen.h"

struct fixture {
    struct gen g;
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    struct arena scratch, decoded;
    struct sm_sets sets;
    struct str_view *in; /* of each row */
    uint32_t *row_set;
    uint32_t rows;
    struct buf header, data;
    uint16_t levels;
    bool opaque;
};
enum { MAX_ROWS = 5000 };

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->g.state = 5;
    f->cctx = ZSTD_createCCtx();
    f->dctx = ZSTD_createDCtx();
    f->in = mem_zalloc(MAX_ROWS, sizeof *f->in);
    f->row_set = mem_zalloc(MAX_ROWS, sizeof *f->row_set);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ZSTD_freeCCtx(f->cctx);
    ZSTD_freeDCtx(f->dctx);
    arena_deinit(&f->scratch);
    arena_deinit(&f->decoded);
    arena_deinit(&f->g.a);
    sm_sets_deinit(&f->sets);
    buf_deinit(&f->header);
    buf_deinit(&f->data);
    free(f->in);
    free(f->row_set);
    free(f);
    return 0;
}

static void add(struct fixture *f, struct str_view sm)
{
    assert_true(f->rows < MAX_ROWS);
    f->in[f->rows] = sm;
    f->row_set[f->rows++] = sm_sets_add(&f->sets, sm);
}

static void add_pair(struct fixture *f, const char *name, struct str_view value)
{
    struct label l = {sv_of(name), value};
    add(f, gen_labels(&f->g, &l, 1));
}

static void encode(struct fixture *f)
{
    struct sm_rows rows = {f->row_set, f->rows, f->sets.sets, f->sets.n_sets};
    buf_clear(&f->header);
    buf_clear(&f->data);
    arena_clear(&f->scratch);
    arena_clear(&f->decoded);
    sm_encode(&rows, f->cctx, 1, &f->scratch, &f->header, &f->data, &f->levels, &f->opaque);
}

static void start_over(struct fixture *f)
{
    f->rows = 0;
    sm_sets_clear(&f->sets);
    arena_clear(&f->g.a);
}

static void decode_header(struct fixture *f, struct sm_header *h)
{
    struct err err = ERR_INIT;
    if (sm_decode_header(&f->decoded, buf_view(&f->header), f->rows, UINT32_MAX, h, &err) != 0)
        fail_msg("%s", err.text);
}

static void decode_column(struct fixture *f, const struct sm_key *key, struct sm_column *ret)
{
    struct err err = ERR_INIT;
    if (sm_decode_column(&f->decoded, buf_view(&f->data), key, f->rows, f->dctx, ret, &err) != 0)
        fail_msg("%s", err.text);
}

static struct str_view value_in(struct str_view sm, struct str_view name)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct labels l = {NULL, 0};
    if (sm.len)
        assert_int_equal(labels_decode(&a, sm, &l, NULL), 0);
    return labels_get(l, name);
}

/* Each column says of each row exactly what the row said. */
static void check_columns(struct fixture *f)
{
    struct sm_header h;
    decode_header(f, &h);
    assert_false(h.opaque);
    size_t n_pairs = 0, n_wanted = 0;
    for (uint32_t k = 0; k < h.n_keys; k++) {
        struct sm_column c;
        uint32_t present = 0;
        assert_ptr_equal(sm_header_find(&h, h.keys[k].name), &h.keys[k]);
        decode_column(f, &h.keys[k], &c);
        for (uint32_t row = 0; row < f->rows; row++) {
            struct str_view want = value_in(f->in[row], h.keys[k].name);
            assert_int_equal(c.row_value[row] != 0, want.p != NULL);
            if (want.p)
                assert_true(sv_eq(c.values[c.row_value[row] - 1], want));
            present += want.p != NULL;
        }
        assert_int_equal(present, h.keys[k].rows_present);
        assert_int_equal(h.keys[k].in_all_rows, present == f->rows);
        n_pairs += present;
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        struct reader in = reader_of(f->in[row]);
        n_wanted += f->in[row].len ? rd_varint(&in) : 0;
    }
    assert_int_equal(n_pairs, n_wanted);
}

static void test_columns_say_what_the_rows_said(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 100; round++) {
        uint32_t rows = 1 + gen_below(&f->g, round % 10 ? 60 : 3000);
        for (uint32_t i = 0; i < rows; i++)
            add(f, gen_below(&f->g, 5) ? gen_sm(&f->g) : SV_EMPTY);
        encode(f);
        if (f->sets.n_sets)
            check_columns(f);
        else
            assert_int_equal(f->header.len + f->data.len, 0);
        start_over(f);
    }
}

/* Around every size at which the form changes. */
static void test_any_number_of_values_round_trips(void **state)
{
    struct fixture *f = *state;
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 255, 256, 257, 900};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int form = 0; form < 4; form++) {
            for (uint32_t row = 0; row < 3600; row++) {
                uint32_t number = form == 0   ? row % counts[i]
                                  : form == 1 ? row * counts[i] / 3600
                                              : gen_below(&f->g, counts[i]);
                if (form == 3 && row % 3)
                    add(f, SV_EMPTY);
                else
                    add_pair(f, "key", arena_printf(&f->g.a, "%u", number));
            }
            encode(f);
            check_columns(f);
            struct sm_header h;
            decode_header(f, &h);
            enum sm_kind kind = counts[i] == 1 ? SM_CONST : counts[i] <= 256 ? SM_DICT : SM_PLAIN;
            if (form < 2) /* else chance may leave some values out */
                assert_int_equal(h.keys[0].kind, kind);
            start_over(f);
        }
}

static void test_long_values_are_not_held_in_the_clear(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        add_pair(f, "k", i % 2 ? SV("a") : gen_bytes(&f->g, SM_MAX_DICT_BYTES));
    add_pair(f, "k", gen_bytes(&f->g, 70000)); /* lengths of three bytes */
    encode(f);
    check_columns(f);
    assert_true(f->header.len < 30);
}

static void test_levels_are_those_of_the_rows(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {"trace", "debug",    "info",  "warn",
                                         "error", "critical", "fatal", "unknown"};
    for (int i = 0; i < 8; i++) {
        add_pair(f, "detected_level", sv_of(values[i]));
        encode(f);
        assert_int_equal(f->levels, 1 << (CHUNK_LEVEL_TRACE + i));
        add_pair(f, "level", SV("info"));
        encode(f);
        assert_int_equal(f->levels, 1 << (CHUNK_LEVEL_TRACE + i) | 1 << CHUNK_LEVEL_ABSENT);
        start_over(f);
    }
    add_pair(f, "detected_level", SV("INFO"));
    encode(f);
    assert_int_equal(f->levels, 1 << CHUNK_LEVEL_OTHER);
    start_over(f);
    add_pair(f, "other", SV("error"));
    encode(f);
    assert_int_equal(f->levels, 1 << CHUNK_LEVEL_ABSENT);
}

static void test_rows_that_are_no_encoding_are_kept_whole(void **state)
{
    struct fixture *f = *state;
    static const struct str_view odd[] = {
        {"\1\0\1v", 4},        /* a name of no bytes */
        {"\x81\0\1k\1v", 6},   /* a longer varint than needed */
        {"\2\1z\1v\1a\1v", 9}, /* not sorted */
        {"\2\1a\1v\1a\1w", 9}, /* a name twice */
        {"\1\1k\0", 4},        /* an empty value */
        {"\1\1k\1vx", 6},      /* bytes behind it */
        {"\2\1k\1v", 5},       /* cut short */
        {"\0\0", 2},           /* nothing, and more */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 10},
        {"x", 1},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        add(f, SV("\1\1k\1v"));
        add(f, odd[i]);
        add(f, SV_EMPTY);
        encode(f);
        assert_true(f->opaque);
        assert_int_equal(f->levels, 0);
        struct sm_header h;
        const uint32_t *start;
        struct str_view bytes;
        decode_header(f, &h);
        assert_true(h.opaque);
        assert_int_equal(sm_decode_opaque(&f->decoded, buf_view(&f->data), &h, f->rows, f->dctx,
                                          &start, &bytes, NULL),
                         0);
        for (uint32_t row = 0; row < f->rows; row++)
            assert_true(sv_eq(sv_sub(bytes, start[row], start[row + 1] - start[row]), f->in[row]));
        start_over(f);
    }
}

static void test_damaged_bytes_are_refused_or_decode_within_bounds(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++)
        add(f, gen_sm(&f->g));
    encode(f);
    size_t n = f->header.len + f->data.len;
    for (int round = 0; round < 20000; round++) {
        size_t at = gen_below(&f->g, (uint32_t)n);
        char *byte = at < f->header.len ? f->header.p + at : f->data.p + at - f->header.len;
        char before = *byte;
        *byte = (char)gen_u64(&f->g);
        struct sm_header h;
        struct sm_column c;
        arena_clear(&f->decoded);
        int r = sm_decode_header(&f->decoded, buf_view(&f->header), f->rows, 1 << 20, &h, NULL);
        for (uint32_t k = 0; r == 0 && k < h.n_keys; k++) {
            if (sm_decode_column(&f->decoded, buf_view(&f->data), &h.keys[k], f->rows, f->dctx, &c,
                                 NULL) != 0)
                continue;
            for (uint32_t row = 0; row < f->rows; row++)
                assert_true(c.row_value[row] <= c.n_values);
        }
        *byte = before;
    }
}

static void test_sets_are_numbered_once_each(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 50; round++) {
        uint32_t n = 1 + gen_below(&f->g, round % 5 ? 40 : 4000);
        for (uint32_t i = 0; i < n; i++)
            add_pair(f, "k", arena_printf(&f->g.a, "%u", gen_below(&f->g, n)));
        for (uint32_t i = 0; i < n; i++)
            assert_true(sv_eq(f->sets.sets[f->row_set[i]], f->in[i]));
        for (uint32_t i = 0; i < f->sets.n_sets; i++)
            assert_int_equal(sm_sets_add(&f->sets, f->sets.sets[i]), i);
        assert_int_equal(sm_sets_add(&f->sets, SV_EMPTY), SM_EMPTY_SET);
        assert_int_equal(sm_sets_add(&f->sets, SV("\0")), SM_EMPTY_SET);
        start_over(f);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_columns_say_what_the_rows_said),
        WITH_FIXTURE(test_any_number_of_values_round_trips),
        WITH_FIXTURE(test_long_values_are_not_held_in_the_clear),
        WITH_FIXTURE(test_levels_are_those_of_the_rows),
        WITH_FIXTURE(test_rows_that_are_no_encoding_are_kept_whole),
        WITH_FIXTURE(test_damaged_bytes_are_refused_or_decode_within_bounds),
        WITH_FIXTURE(test_sets_are_numbered_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
