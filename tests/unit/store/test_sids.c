/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include "base/crc32c.h"
#include "store/index/sids.h"

enum { KEY = 12345 }; /* a CRC of what it stands under */
static uint16_t in[POSTING_MAX], out[POSTING_MAX];

static void check_round_trip(uint32_t n, size_t max_bytes)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    posting_encode(&b, KEY, in, n);
    assert_true(b.len <= max_bytes);
    uint32_t got = 0;
    struct err err = ERR_INIT;
    assert_int_equal(posting_decode(buf_view(&b), KEY, out, &got, &err), 0);
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
    posting_encode(&b, KEY, in, 300);
    for (int i = 0; i < 2000; i++) {
        size_t bit = next_random(&seed) % (b.len * 8);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        uint32_t n = 0;
        int r = posting_decode(buf_view(&b), KEY, out, &n, NULL);
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

/* Adding to a set and asking whether it meets one are the same with and without the list. */
static void test_postings_act_on_sets_as_their_lists_do(void **state)
{
    uint64_t seed = 5;
    for (unsigned round = 0; round < 400; round++) {
        uint32_t n = 0, step = 1 + (uint32_t)(next_random(&seed) % (round % 2 ? 20 : 5000));
        uint32_t run = 1 + (uint32_t)(next_random(&seed) % 50);
        for (uint32_t i = 0; i < POSTING_MAX; i++)
            if (next_random(&seed) % step == 0)
                for (uint32_t end = i + (round % 3 ? 1 : run); i < end && i < POSTING_MAX; i++)
                    in[n++] = (uint16_t)i;
        if (n == 0)
            continue;
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        posting_encode(&b, KEY, in, n);
        uint32_t high = (uint32_t)(next_random(&seed) % 3);
        /* Just large enough, too small by one, or anything. */
        uint32_t needed = (high << 16) + in[n - 1] + 1;
        uint32_t n_sids = needed + (uint32_t)(next_random(&seed) % 3) - 1;
        if (next_random(&seed) % 4 == 0)
            n_sids = (uint32_t)(next_random(&seed) % (4 << 16));
        struct sid_set to, other;
        sid_set_init(&to, n_sids, false);
        sid_set_init(&other, n_sids, false);
        int r = posting_add_to(buf_view(&b), KEY, high, &to, NULL);
        assert_int_equal(r, n_sids >= needed ? 0 : ERR_CORRUPT);
        for (uint32_t i = 0; r == 0 && i < n; i++)
            assert_true(sid_set_has(&to, high << 16 | in[i]));
        if (r == 0)
            assert_int_equal(sid_set_count(&to), n);
        bool meets = false;
        for (unsigned k = 0; k < 3 && n_sids > 0; k++) {
            uint32_t sid = (uint32_t)(next_random(&seed) % n_sids);
            if (next_random(&seed) % 2 && (high << 16) + in[n / 2] < n_sids)
                sid = (high << 16) + in[n / 2];
            sid_set_add(&other, sid);
            for (uint32_t i = 0; i < n; i++)
                meets |= sid == (high << 16) + in[i];
        }
        assert_int_equal(posting_meets(buf_view(&b), KEY, high, &other, NULL), meets);
        sid_set_deinit(&to);
        sid_set_deinit(&other);
    }
}

/* A checksum says nothing of what stands below it. */
static void test_a_posting_of_wrong_shape_is_refused_by_all(void **state)
{
    struct sid_set set;
    sid_set_init(&set, 1 << 17, true);
    static const size_t lens[] = {0, 1, 2, 3, 4, 5, 6, 8191, 8192, 8193};
    for (unsigned kind = 0; kind < 6; kind++) {
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
            CLEANUP(buf_deinit) struct buf b = BUF_INIT;
            buf_fill(&b, 0, 8);
            buf_fill(&b, '\x11', lens[i]);
            b.p[0] = (char)kind;
            st_le32(b.p + 4, crc32c_extend(crc32c_extend(KEY, sv(b.p, 4)), sv(b.p + 8, lens[i])));
            bool shape = (kind == 1 && lens[i] % 2 == 0) || (kind == 2 && lens[i] == 8192) ||
                         (kind == 3 && lens[i] % 4 == 0);
            uint32_t n;
            int r = posting_decode(buf_view(&b), KEY, out, &n, NULL);
            assert_true(shape && lens[i] > 0 ? r == 0 || lens[i] > 2 : r < 0);
            r = posting_add_to(buf_view(&b), KEY, 0, &set, NULL);
            assert_int_equal(r == 0, shape && lens[i] > 0);
            r = posting_meets(buf_view(&b), KEY, 0, &set, NULL);
            assert_int_equal(r >= 0, shape && lens[i] > 0);
        }
    }
    sid_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_density_of_posting_comes_back),
        cmocka_unit_test(test_a_full_posting_takes_one_run),
        cmocka_unit_test(test_one_number_takes_ten_bytes),
        cmocka_unit_test(test_a_flipped_bit_of_a_posting_is_noticed),
        cmocka_unit_test(test_sets_combine_as_sets),
        cmocka_unit_test(test_postings_act_on_sets_as_their_lists_do),
        cmocka_unit_test(test_a_posting_of_wrong_shape_is_refused_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
