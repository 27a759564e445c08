/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"

static const uint64_t edges[] = {0,
                                 1,
                                 127,
                                 128,
                                 16383,
                                 16384,
                                 UINT32_MAX,
                                 UINT64_C(1) << 32,
                                 INT64_MAX,
                                 UINT64_C(1) << 63,
                                 UINT64_MAX - 1,
                                 UINT64_MAX};
enum { N_EDGES = sizeof edges / sizeof edges[0] };

static void test_what_is_put_is_read(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    for (size_t i = 0; i < N_EDGES; i++) {
        buf_put_varint(&b, edges[i]);
        buf_put_varint(&b, zigzag((int64_t)edges[i]));
        buf_put_u8(&b, (uint8_t)edges[i]);
        buf_put_le16(&b, (uint16_t)edges[i]);
        buf_put_le32(&b, (uint32_t)edges[i]);
        buf_put_le64(&b, edges[i]);
        buf_put_str(&b, SV("a\0b"));
    }
    struct reader r = reader_of(buf_view(&b));
    for (size_t i = 0; i < N_EDGES; i++) {
        assert_int_equal(rd_varint(&r), edges[i]);
        assert_int_equal(unzigzag(rd_varint(&r)), (int64_t)edges[i]);
        assert_int_equal(rd_u8(&r), (uint8_t)edges[i]);
        assert_int_equal(rd_le16(&r), (uint16_t)edges[i]);
        assert_int_equal(rd_le32(&r), (uint32_t)edges[i]);
        assert_int_equal(rd_le64(&r), edges[i]);
        assert_true(sv_eq(rd_str(&r, 3), SV("a\0b")));
    }
    assert_true(reader_done(&r) && !r.bad);
}

static void test_small_numbers_take_one_byte_and_large_ones_ten(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put_varint(&b, 127);
    assert_int_equal(b.len, 1);
    buf_put_varint(&b, UINT64_MAX);
    assert_int_equal(b.len, 11);
    assert_int_equal(zigzag(-1), 1);
    assert_int_equal(zigzag(1), 2);
    assert_int_equal(zigzag(INT64_MIN), UINT64_MAX);
}

/* Every prefix of a good record reads as bad, and never past its end. */
static void test_a_cut_record_is_bad_at_every_length(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put_varint(&b, 300);
    buf_put_le32(&b, 7);
    buf_put_str(&b, SV("hello"));
    buf_put_le64(&b, 9);
    for (size_t len = 0; len <= b.len; len++) {
        char *exact = mem_alloc(len);
        memcpy(exact, b.p, len);
        struct reader r = reader_of(sv(exact, len));
        rd_varint(&r);
        rd_le32(&r);
        rd_str(&r, 100);
        uint64_t last = rd_le64(&r);
        assert_int_equal(r.bad, len < b.len);
        assert_int_equal(last, len < b.len ? 0 : 9);
        assert_int_equal(reader_left(&r), 0);
        free(exact);
    }
}

static void test_after_the_first_failure_everything_is_empty(void **state)
{
    struct reader r = reader_of(SV("abcdef"));
    rd_bytes(&r, 7);
    assert_true(r.bad && reader_done(&r));
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_varint(&r), 0);
    assert_int_equal(rd_bytes(&r, 1).len, 0);
    assert_int_equal(reader_left(&r), 0);
}

static void test_lengths_that_wrap_are_bad(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put_varint(&b, UINT64_MAX);
    buf_put(&b, SV("rest"));
    struct reader r = reader_of(buf_view(&b));
    assert_int_equal(rd_str(&r, UINT64_MAX).len, 0);
    assert_true(r.bad);
}

static void test_varints_of_more_than_64_bits_are_bad(void **state)
{
    static const struct {
        struct str_view bytes;
        bool ok;
    } cases[] = {
        {SV("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true},
        {SV("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), false},
        {SV("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), false},
        {SV("\x80\x00"), true}, /* longer than needed is not wrong */
        {SV("\x80"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader r = reader_of(cases[i].bytes);
        rd_varint(&r);
        assert_int_equal(!r.bad, cases[i].ok);
    }
}

static void test_a_string_over_its_limit_is_bad(void **state)
{
    struct reader r = reader_of(SV("\x05hello"));
    rd_str(&r, 4);
    assert_true(r.bad);
}

static void test_a_buffer_keeps_what_it_held_when_it_grows(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%d,", i);
    assert_true(sv_starts_with(buf_view(&b), SV("0,1,2,3,")));
    assert_true(sv_ends_with(buf_view(&b), SV(",9998,9999,")));
    size_t cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.cap, cap);
    assert_true(sv_eq(buf_view(&b), SV("")));
}

static void test_padding_fills_with_zeros(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_pad_to(&b, 8);
    assert_int_equal(b.len, 0);
    buf_put(&b, SV("abc"));
    buf_pad_to(&b, 8);
    assert_true(sv_eq(buf_view(&b), SV("abc\0\0\0\0\0")));
    buf_pad_to(&b, 8);
    assert_int_equal(b.len, 8);
}

static void test_arena_pieces_are_apart_and_aligned(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    enum { N = 3000 };
    unsigned char *pieces[N];
    size_t lens[N];
    for (size_t i = 0; i < N; i++) {
        lens[i] = i % 97 == 0 ? 70000 : i % 301;
        pieces[i] = arena_alloc(&a, lens[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i & 0xff), lens[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < lens[i]; k++)
            assert_int_equal(pieces[i][k], i & 0xff);
}

static void test_an_arena_counts_what_it_took(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    size_t asked = 0;
    for (size_t i = 0; i < 2000; i++) {
        size_t n = i % 50 == 0 ? 100000 : 64;
        arena_alloc(&a, n);
        asked += n;
    }
    assert_in_range(a.used_bytes, asked, asked + asked / 4 + (512 << 10));
}

static void test_arrays_in_an_arena_grow_and_keep_what_they_hold(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    uint32_t *v = NULL;
    size_t cap = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        v = arena_grow(&a, v, &cap, i + 1, sizeof *v);
        assert_true(cap > i);
        v[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(v[i], i);
    assert_ptr_equal(arena_grow(&a, v, &cap, 1, sizeof *v), v);
    v = arena_grow(&a, v, &cap, 5 * cap, sizeof *v);
    assert_true(cap >= 5 * 1000 && v[999] == 999);
}

static void test_a_cleared_arena_is_used_again(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 100; i++)
            arena_copy(&a, SV("some text that is copied"));
        arena_clear(&a);
        assert_true(a.used_bytes <= 300 << 10);
    }
    arena_alloc(&a, 8 << 20);
    arena_clear(&a);
    arena_clear(&a);
    assert_true(a.used_bytes <= 300 << 10);
}

static void test_a_large_piece_leaves_the_current_block_in_use(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    char *first = arena_alloc(&a, 16);
    arena_alloc(&a, 1 << 20);
    char *second = arena_alloc(&a, 16);
    assert_ptr_equal(second, first + 16);
}

static void test_copies_end_in_a_nul(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view v = arena_copy(&a, sv("abc!", 3));
    assert_string_equal(v.p, "abc");
    assert_string_equal(arena_copy(&a, SV_EMPTY).p, "");
    assert_true(sv_eq(arena_printf(&a, "%d-%s", 7, "x"), SV("7-x")));
    unsigned char *zeros = arena_zalloc(&a, 3, 100);
    for (int i = 0; i < 300; i++)
        assert_int_equal(zeros[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_read),
        cmocka_unit_test(test_small_numbers_take_one_byte_and_large_ones_ten),
        cmocka_unit_test(test_a_cut_record_is_bad_at_every_length),
        cmocka_unit_test(test_after_the_first_failure_everything_is_empty),
        cmocka_unit_test(test_lengths_that_wrap_are_bad),
        cmocka_unit_test(test_varints_of_more_than_64_bits_are_bad),
        cmocka_unit_test(test_a_string_over_its_limit_is_bad),
        cmocka_unit_test(test_a_buffer_keeps_what_it_held_when_it_grows),
        cmocka_unit_test(test_padding_fills_with_zeros),
        cmocka_unit_test(test_arena_pieces_are_apart_and_aligned),
        cmocka_unit_test(test_an_arena_counts_what_it_took),
        cmocka_unit_test(test_arrays_in_an_arena_grow_and_keep_what_they_hold),
        cmocka_unit_test(test_a_cleared_arena_is_used_again),
        cmocka_unit_test(test_a_large_piece_leaves_the_current_block_in_use),
        cmocka_unit_test(test_copies_end_in_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
