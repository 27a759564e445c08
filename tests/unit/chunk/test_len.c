/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zstd.h>

#include "chunk/bitpack.h"
#include "chunk/len.h"
#include "gen.h"

enum { MAX_ROWS = 3000 };

struct fixture {
    struct gen g;
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    struct buf out, scratch;
    uint32_t lens[MAX_ROWS], start[MAX_ROWS + 1];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->cctx = ZSTD_createCCtx();
    f->dctx = ZSTD_createDCtx();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ZSTD_freeCCtx(f->cctx);
    ZSTD_freeDCtx(f->dctx);
    buf_deinit(&f->out);
    buf_deinit(&f->scratch);
    free(f);
    return 0;
}

static uint64_t encode(struct fixture *f, uint32_t rows, uint32_t gap)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < rows; i++)
        total += f->lens[i] + (uint64_t)gap;
    buf_clear(&f->out);
    len_encode(&f->out, f->lens, rows, f->cctx, 1, &f->scratch);
    return total;
}

static int decode(struct fixture *f, struct str_view section, uint32_t rows, uint32_t gap,
                  uint64_t total)
{
    return len_decode(section, f->start, rows, gap, total, f->dctx, &f->scratch, NULL);
}

static void test_lengths_of_any_width_come_back_as_starts(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 800; round++) {
        uint32_t rows = 1 + gen_below(&f->g, round % 8 ? 60 : MAX_ROWS), gap = gen_below(&f->g, 2);
        unsigned bits = gen_below(&f->g, 20);
        for (uint32_t i = 0; i < rows; i++)
            f->lens[i] = (uint32_t)gen_u64(&f->g) & ((1u << bits) - 1);
        if (round % 10 == 0)
            f->lens[gen_below(&f->g, rows)] = 1u << (16 + gen_below(&f->g, 15));
        uint64_t total = encode(f, rows, gap), at = 0;
        assert_int_equal(decode(f, buf_view(&f->out), rows, gap, total), 0);
        for (uint32_t i = 0; i < rows; i++) {
            assert_int_equal(f->start[i], at);
            at += f->lens[i] + (uint64_t)gap;
        }
        assert_int_equal(f->start[rows], total);
        assert_int_equal(decode(f, buf_view(&f->out), rows, gap, total + 1), ERR_CORRUPT);
        if (gap)
            assert_int_equal(decode(f, buf_view(&f->out), rows + 1, gap, total), ERR_CORRUPT);
        assert_int_equal(decode(f, sv_sub(buf_view(&f->out), 0, f->out.len - 1), rows, gap, total),
                         ERR_CORRUPT);
    }
}

static void test_equal_lengths_take_a_few_bytes(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < MAX_ROWS; i++)
        f->lens[i] = 70000;
    encode(f, MAX_ROWS, 1);
    assert_int_equal(f->out.len, 4);
}

static void test_a_sum_over_32_bits_is_refused(void **state)
{
    struct fixture *f = *state;
    f->lens[0] = f->lens[1] = UINT32_MAX;
    uint64_t total = encode(f, 2, 1);
    assert_int_equal(decode(f, buf_view(&f->out), 2, 1, total), ERR_CORRUPT);
}

static void test_unknown_codecs_and_widths_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(decode(f, SV(""), 1, 1, 1), ERR_CORRUPT);
    assert_int_equal(decode(f, SV("\7\1a"), 1, 1, 98), ERR_UNSUPPORTED);
    assert_int_equal(decode(f, SV("\1\0"), 1, 1, 1), ERR_CORRUPT);
    assert_int_equal(decode(f, SV("\1\5abcde"), 1, 1, 98), ERR_CORRUPT);
}

static void test_bits_of_every_width_come_back(void **state)
{
    struct fixture *f = *state;
    uint64_t v[BITPACK_GROUP], got[BITPACK_GROUP];
    for (unsigned width = 0; width <= 64; width++)
        for (size_t n = 1; n <= BITPACK_GROUP; n += n < 10 ? 1 : 59) {
            uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
            for (size_t i = 0; i < n; i++)
                v[i] = gen_u64(&f->g); /* what lies above the width is cut */
            buf_clear(&f->out);
            bitpack_put(&f->out, v, n, width);
            assert_int_equal(f->out.len, bitpack_bytes(n, width));
            buf_fill(&f->out, (char)0xff, 16);
            for (size_t more = 0; more <= 16; more += 16) {
                size_t readable = bitpack_bytes(n, width) + more;
                char *exact = mem_alloc(readable); /* ASan sees a byte too many */
                memcpy(exact, f->out.p, readable);
                bitpack_get(exact, readable, got, n, width);
                free(exact);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(got[i], v[i] & mask);
            }
        }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_lengths_of_any_width_come_back_as_starts),
        WITH_FIXTURE(test_equal_lengths_take_a_few_bytes),
        WITH_FIXTURE(test_a_sum_over_32_bits_is_refused),
        WITH_FIXTURE(test_unknown_codecs_and_widths_are_refused),
        WITH_FIXTURE(test_bits_of_every_width_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
