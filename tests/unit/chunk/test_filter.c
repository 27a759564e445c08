/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/filter.h"
#include "gen.h"

struct fixture {
    struct gen g;
    struct filter_builder builder;
    struct buf blob, filter;
    uint32_t n_bits;
    bool ascii;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    f->g.state = 31337;
    filter_builder_init(&f->builder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    filter_builder_deinit(&f->builder);
    buf_deinit(&f->blob);
    buf_deinit(&f->filter);
    arena_deinit(&f->g.a);
    free(f);
    return 0;
}

static void build(struct fixture *f)
{
    buf_clear(&f->filter);
    f->n_bits = filter_build(&f->builder, buf_view(&f->blob), &f->filter);
    assert_int_equal(f->filter.len, (f->n_bits + 7) / 8);
    CLEANUP(buf_deinit) struct buf same = BUF_INIT;
    assert_int_equal(filter_build_portable(&f->builder, buf_view(&f->blob), &same), f->n_bits);
    assert_true(sv_eq(buf_view(&same), buf_view(&f->filter)));
    if (f->n_bits)
        assert_true(filter_bits_valid(f->n_bits));
    f->ascii = true;
    for (size_t i = 0; i < f->blob.len; i++)
        f->ascii &= (uint8_t)f->blob.p[i] < 0x80;
}

static bool may_contain(const struct fixture *f, struct str_view needle, bool fold)
{
    struct filter_needle n;
    filter_needle_init(&n, needle, fold);
    bool may = filter_may_contain(buf_view(&f->filter), f->n_bits, f->ascii, &n);
    filter_needle_deinit(&n);
    return may;
}

/* A piece of the text as a search without case may spell it: ASCII letters in any case, and the
 * Kelvin sign and the long s as the letters they fold to. */
static struct str_view respelt(struct gen *g, struct str_view text)
{
    char *to = arena_alloc(&g->a, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (text.len - i >= 3 && memcmp(text.p + i, "\xe2\x84\xaa", 3) == 0) {
            c = 'k';
            i += 2;
        } else if (text.len - i >= 2 && memcmp(text.p + i, "\xc5\xbf", 2) == 0) {
            c = 's';
            i += 1;
        }
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        to[n++] = letter && gen_below(g, 2) ? (char)(c ^ 0x20) : c;
    }
    return sv(to, n);
}

static void test_no_piece_of_the_text_is_ever_denied(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 40; round++) {
        buf_clear(&f->blob);
        uint32_t lines = 20 + gen_below(&f->g, 2000);
        while (lines--) {
            struct str_view line = gen_line(&f->g);
            bool skip = round % 2 && line.len && memchr(line.p, 0xc3, line.len);
            buf_put(&f->blob, skip ? SV("plain") : line);
            if (round % 4 == 2 && gen_below(&f->g, 10) == 0)
                buf_put(&f->blob, SV(" \xe2\x84\xaa"
                                     "elvin mi\xc5\xbf"
                                     "take "));
            buf_put_u8(&f->blob, '\n');
        }
        build(f);
        for (int k = 0; k < 3000 && f->n_bits; k++) {
            size_t at = gen_below(&f->g, (uint32_t)f->blob.len);
            struct str_view piece = sv_sub(buf_view(&f->blob), at, gen_below(&f->g, 40));
            assert_true(may_contain(f, piece, false));
            assert_true(may_contain(f, respelt(&f->g, piece), true));
        }
        arena_clear(&f->g.a);
    }
}

static void test_every_size_near_the_cap_keeps_the_promise(void **state)
{
    struct fixture *f = *state;
    uint32_t none = 0, some = 0;
    for (size_t len = 2048; len < 700000; len += len / 9) {
        buf_clear(&f->blob);
        buf_put(&f->blob, gen_bytes(&f->g, len));
        build(f);
        none += f->n_bits == 0;
        some += f->n_bits > 0;
        for (size_t at = 0; at + 5 <= len && f->n_bits; at += 7)
            assert_true(may_contain(f, sv(f->blob.p + at, 5), false));
        arena_clear(&f->g.a);
    }
    assert_true(none >= 2 && some >= 40);
}

static void test_a_blob_too_short_or_too_varied_has_no_filter(void **state)
{
    struct fixture *f = *state;
    buf_put(&f->blob, gen_bytes(&f->g, 2047));
    build(f);
    assert_int_equal(f->n_bits, 0);
    buf_clear(&f->blob);
    buf_put(&f->blob, gen_bytes(&f->g, 800000));
    build(f);
    assert_int_equal(f->n_bits, 0);
}

static void test_bits_are_set_up_to_the_wanted_load(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 4096; len < 300000; len *= 2) {
        buf_clear(&f->blob);
        buf_put(&f->blob, gen_bytes(&f->g, len));
        build(f);
        uint32_t set = 0;
        for (size_t i = 0; i < f->filter.len; i++)
            set += (uint32_t)__builtin_popcount((uint8_t)f->filter.p[i]);
        double load = (double)set / f->n_bits;
        assert_true(load > 0.6 && load < 0.84);
        arena_clear(&f->g.a);
    }
}

static void test_long_needles_that_are_absent_are_denied(void **state)
{
    struct fixture *f = *state;
    uint32_t denied = 0;
    for (int i = 0; i < 4000; i++) {
        buf_put(&f->blob, gen_line(&f->g));
        buf_put_u8(&f->blob, '\n');
    }
    build(f);
    for (int i = 0; i < 1000; i++) {
        struct str_view id =
            arena_printf(&f->g.a, "%016llx%016llx", (unsigned long long)gen_u64(&f->g),
                         (unsigned long long)gen_u64(&f->g));
        denied += !may_contain(f, id, i % 2);
    }
    assert_true(denied > 980);
}

static void test_short_needles_say_nothing(void **state)
{
    struct fixture *f = *state;
    buf_fill(&f->blob, 'a', 5000);
    build(f);
    assert_true(may_contain(f, SV(""), false));
    assert_true(may_contain(f, SV("zzzz"), false));
    assert_false(may_contain(f, SV("zzzzz"), false));
    assert_true(may_contain(f, SV("AAAAAA"), false)); /* one filter serves both */
}

static void test_without_case_k_and_s_count_only_in_ascii_chunks(void **state)
{
    struct fixture *f = *state;
    struct filter_needle n;
    buf_fill(&f->blob, 'a', 5000);
    build(f);
    filter_needle_init(&n, SV("risky"), true);
    assert_false(filter_may_contain(buf_view(&f->filter), f->n_bits, true, &n));
    assert_true(filter_may_contain(buf_view(&f->filter), f->n_bits, false, &n));
    filter_needle_deinit(&n);
    filter_needle_init(&n, SV("risky"), false);
    assert_false(filter_may_contain(buf_view(&f->filter), f->n_bits, false, &n));
    filter_needle_deinit(&n);
    filter_needle_init(&n, SV("h\xc3\xa9llo"), true); /* E with an accent in either case */
    assert_true(filter_may_contain(buf_view(&f->filter), f->n_bits, true, &n));
    filter_needle_deinit(&n);
}

/* The hash is part of the format: these numbers come from docs/formats.md, not from the code. */
static void test_slots_are_those_of_the_format(void **state)
{
    static const struct {
        const char *gram;
        uint32_t slot;
    } cases[] = {{"hello", 58998},
                 {"HELLO", 58998},
                 {"00000", 44752},
                 {"a b\tc", 118246},
                 {"\xff\xfe\x80"
                  "zZ",
                  162113},
                 {"{\"a\":", 84771}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct filter_needle n;
        filter_needle_init(&n, sv_of(cases[i].gram), false);
        assert_int_equal(n.n_slots, 1);
        assert_int_equal(n.slots[0], cases[i].slot);
        filter_needle_deinit(&n);
    }
}

static void test_a_filter_of_a_wrong_size_denies_nothing(void **state)
{
    struct fixture *f = *state;
    buf_fill(&f->blob, 'a', 5000);
    build(f);
    struct filter_needle n;
    filter_needle_init(&n, SV("zzzzz"), false);
    assert_true(filter_may_contain(SV_EMPTY, f->n_bits, true, &n));
    assert_true(filter_may_contain(buf_view(&f->filter), 7, true, &n));
    assert_true(filter_may_contain(buf_view(&f->filter), 0, true, &n));
    filter_needle_deinit(&n);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_no_piece_of_the_text_is_ever_denied),
        WITH_FIXTURE(test_every_size_near_the_cap_keeps_the_promise),
        WITH_FIXTURE(test_a_blob_too_short_or_too_varied_has_no_filter),
        WITH_FIXTURE(test_bits_are_set_up_to_the_wanted_load),
        WITH_FIXTURE(test_long_needles_that_are_absent_are_denied),
        WITH_FIXTURE(test_short_needles_say_nothing),
        WITH_FIXTURE(test_without_case_k_and_s_count_only_in_ascii_chunks),
        WITH_FIXTURE(test_slots_are_those_of_the_format),
        WITH_FIXTURE(test_a_filter_of_a_wrong_size_denies_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
