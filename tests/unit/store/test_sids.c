/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "store/sids.h"

static uint16_t in[POSTING_MAX], out[POSTING_MAX];

static void check_round_trip(uint32_t n, size_t max_bytes)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    posting_encode(&b, in, n);
    assert_true(b.len <= max_bytes);
    uint32_t got = 0;
    struct err err = ERR_INIT;
    assert_int_equal(posting_decode(buf_view(&b), out, &got, &err), 0);
    assert_int_equal(got, n);
    assert_memory_equal(in, out, n * sizeof *in);
}

static void test_every_density_of_posting_comes_back(void **state)
{
    uint64_t seed = 7;
    for (unsigned step = 1; step < 9000; step = step * 2 + 1) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < POSTING_MAX; i++)
            if (next_random(&seed) % step == 0)
                in[n++] = (uint16_t)i;
        if (n)
            check_round_trip(n, 8 + 8192);
    }
}

static void test_a_full_posting_takes_one_run(void **state)
{
    for (uint32_t i = 0; i < POSTING_MAX; i++)
        in[i] = (uint16_t)i;
    check_round_trip(POSTING_MAX, 8 + 4);
}

static void test_one_number_takes_ten_bytes(void **state)
{
    in[0] = 65535;
    check_round_trip(1, 10);
}

static void test_a_flipped_bit_of_a_posting_is_noticed(void **state)
{
    uint64_t seed = 3;
    for (uint32_t i = 0; i < 300; i++)
        in[i] = (uint16_t)(i * 7);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    posting_encode(&b, in, 300);
    for (int i = 0; i < 2000; i++) {
        size_t bit = next_random(&seed) % (b.len * 8);
        if (bit / 8 >= 1 && bit / 8 < 4)
            continue; /* reserved bytes */
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        uint32_t n = 0;
        int r = posting_decode(buf_view(&b), out, &n, NULL);
        if (bit / 8 != 0)
            assert_true(r < 0);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_sets_combine_as_sets(void **state)
{
    uint64_t seed = 11;
    for (uint32_t n = 0; n < 200; n += 13) {
        struct sid_set a, b, full;
        sid_set_init(&a, n, false);
        sid_set_init(&b, n, false);
        sid_set_init(&full, n, true);
        assert_int_equal(sid_set_count(&full), n);
        bool in_a[200] = {0}, in_b[200] = {0};
        for (uint32_t i = 0; i < n; i++) {
            if ((in_a[i] = next_random(&seed) & 1))
                sid_set_add(&a, i);
            if ((in_b[i] = next_random(&seed) & 1))
                sid_set_add(&b, i);
        }
        sid_set_and_not(&full, &a);
        sid_set_and(&a, &b);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(sid_set_has(&a, i), in_a[i] && in_b[i]);
            assert_int_equal(sid_set_has(&full, i), !in_a[i]);
        }
        uint32_t list[200], n_list = sid_set_count(&a);
        sid_set_list(&a, list);
        for (uint32_t i = 0; i < n_list; i++)
            assert_true(sid_set_has(&a, list[i]) && (i == 0 || list[i] > list[i - 1]));
        assert_false(sid_set_has(&a, n));
        sid_set_deinit(&a);
        sid_set_deinit(&b);
        sid_set_deinit(&full);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_density_of_posting_comes_back),
        cmocka_unit_test(test_a_full_posting_takes_one_run),
        cmocka_unit_test(test_one_number_takes_ten_bytes),
        cmocka_unit_test(test_a_flipped_bit_of_a_posting_is_noticed),
        cmocka_unit_test(test_sets_combine_as_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
