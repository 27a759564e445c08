/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/bitpack.h"
#include "chunk/ts.h"
#include "gen.h"

static size_t check_round_trip(const int64_t *ts, uint32_t rows, enum ts_unit expected_unit)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    enum ts_unit unit;
    ts_encode(&b, ts, rows, &unit);
    assert_int_equal(unit, expected_unit);
    int64_t *got = mem_alloc(rows * sizeof *got);
    assert_int_equal(ts_decode(buf_view(&b), got, rows, NULL), 0);
    assert_memory_equal(got, ts, rows * sizeof *got);
    free(got);
    return b.len;
}

static void test_extreme_times_come_back(void **state)
{
    const int64_t ts[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    check_round_trip(ts, 8, TS_NS);
    for (uint32_t i = 0; i < 8; i++)
        check_round_trip(ts + i, 1, ts[i] == 0 ? TS_S : TS_NS);
}

static void test_the_coarsest_unit_is_found(void **state)
{
    const int64_t seconds[] = {5000000000, 7000000000, -1000000000};
    const int64_t millis[] = {5001000000, 7000000000};
    const int64_t micros[] = {5001000000, 7000001000};
    check_round_trip(seconds, 3, TS_S);
    check_round_trip(millis, 2, TS_MS);
    check_round_trip(micros, 2, TS_US);
}

static void test_regular_and_equal_times_cost_almost_nothing(void **state)
{
    static int64_t ts[60000];
    for (uint32_t i = 0; i < 60000; i++)
        ts[i] = INT64_C(1700000000000000000) + (int64_t)i * 15000000000;
    assert_true(check_round_trip(ts, 60000, TS_S) < 60000 / 128 * 2 + 40);
    for (uint32_t i = 0; i < 60000; i++)
        ts[i] = 12345;
    assert_true(check_round_trip(ts, 60000, TS_NS) < 60000 / 128 * 2 + 40);
}

static void test_runs_of_other_streams_only_cost_their_steps_back(void **state)
{
    static int64_t ts[20000];
    struct gen g = {.state = 1};
    for (uint32_t i = 0; i < 20000; i++)
        ts[i] = i % 100 == 0 ? INT64_C(1700000000000000000)
                             : ts[i - 1] + (int64_t)gen_below(&g, 1 << 16);
    assert_true(check_round_trip(ts, 20000, TS_NS) < 20000 * 2 + 200 * 8 + 157 * 4 + 40);
}

static void test_random_times_of_every_length_come_back(void **state)
{
    struct gen g = {.state = 2};
    int64_t ts[700];
    for (int round = 0; round < 400; round++) {
        uint32_t rows = 1 + gen_below(&g, 700);
        unsigned bits = gen_below(&g, 65);
        for (uint32_t i = 0; i < rows; i++) {
            ts[i] = (int64_t)(bits ? gen_u64(&g) >> (64 - bits) : 0);
            if (gen_below(&g, 50) == 0)
                ts[i] = (int64_t)gen_u64(&g);
        }
        ts[0] |= 1; /* keeps the unit at 1 ns */
        check_round_trip(ts, rows, TS_NS);
    }
}

static void test_any_cut_or_longer_section_is_refused(void **state)
{
    int64_t ts[300], got[300];
    struct gen g = {.state = 3};
    for (int i = 0; i < 300; i++)
        ts[i] = (int64_t)(gen_u64(&g) >> 20);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    enum ts_unit unit;
    ts_encode(&b, ts, 300, &unit);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(ts_decode(sv(b.p, len), got, 300, NULL), ERR_CORRUPT);
    buf_put_u8(&b, 0);
    assert_int_equal(ts_decode(buf_view(&b), got, 300, NULL), ERR_CORRUPT);
}

static void test_every_width_packs_and_unpacks(void **state)
{
    struct gen g = {.state = 4};
    for (unsigned width = 0; width <= 64; width++)
        for (size_t n = 1; n <= BITPACK_GROUP; n += 9) {
            uint64_t v[BITPACK_GROUP], got[BITPACK_GROUP];
            for (size_t i = 0; i < n; i++)
                v[i] = width ? gen_u64(&g) >> (64 - width) : 0;
            CLEANUP(buf_deinit) struct buf b = BUF_INIT;
            bitpack_put(&b, v, n, width);
            assert_int_equal(b.len, bitpack_bytes(n, width));
            bitpack_get(b.p, b.len, got, n, width);
            assert_memory_equal(got, v, n * sizeof *v);
            memset(buf_add(&b, 16), 0xff, 16);
            bitpack_get(b.p, b.len, got, n, width);
            assert_memory_equal(got, v, n * sizeof *v);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extreme_times_come_back),
        cmocka_unit_test(test_the_coarsest_unit_is_found),
        cmocka_unit_test(test_regular_and_equal_times_cost_almost_nothing),
        cmocka_unit_test(test_runs_of_other_streams_only_cost_their_steps_back),
        cmocka_unit_test(test_random_times_of_every_length_come_back),
        cmocka_unit_test(test_any_cut_or_longer_section_is_refused),
        cmocka_unit_test(test_every_width_packs_and_unpacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
