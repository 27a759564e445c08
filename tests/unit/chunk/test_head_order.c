/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/head_order.h"
#include "chunk/head_pages.h"
#include "gen.h"

/* The order says of each stream what following its back-pointers says. */
static void check(const struct head *h)
{
    struct head_order o;
    size_t total = 0;
    head_order_init(&o, h);
    for (uint32_t s = 0; s < head_max_stream(h) + 2; s++) {
        size_t n = head_order_count(&o, s);
        struct entry *v = mem_zalloc(n, sizeof *v), want;
        struct head_iter it;
        if (n)
            head_order_get(&o, s, v);
        head_iter_init(&it, h, s, UINT64_MAX);
        for (size_t i = n; i > 0; i--) {
            assert_true(head_iter_next(&it, &want, NULL));
            assert_int_equal(v[i - 1].ts_ns, want.ts_ns);
            assert_ptr_equal(v[i - 1].line.p, want.line.p);
            assert_int_equal(v[i - 1].line.len, want.line.len);
            assert_true(sv_eq(v[i - 1].sm, want.sm));
        }
        assert_false(head_iter_next(&it, &want, NULL));
        total += n;
        free(v);
    }
    assert_int_equal(total, head_n_entries(h));
    assert_true(head_order_mem_bytes(&o) >= total * 4);
    head_order_deinit(&o);
}

static void test_the_order_is_that_of_the_back_pointers(void **state)
{
    (void)state;
    struct gen g = {.state = 8};
    struct head_pages *pages = head_pages_new(NULL, 64 << 20); /* used pages hold old records */
    for (int round = 0; round < 12; round++) {
        struct head *h = head_new_in(pages);
        uint32_t n = gen_below(&g, 30000), streams = 1 + gen_below(&g, 3000);
        for (uint32_t i = 0; i < n; i++) {
            struct entry e = {(int64_t)gen_u64(&g), gen_line(&g), gen_sm(&g)};
            if (gen_below(&g, 2000) == 0) /* over a page, or just below one */
                e.line = gen_bytes(&g, (1 << 20) - 60 + gen_below(&g, 100));
            head_append(h, gen_below(&g, streams), &e);
        }
        check(h);
        head_free(h);
        arena_clear(&g.a);
    }
    head_pages_unref(pages);
    arena_deinit(&g.a);
}

static void test_a_head_without_entries_has_an_order(void **state)
{
    (void)state;
    struct head *h = head_new();
    check(h);
    head_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_is_that_of_the_back_pointers),
        cmocka_unit_test(test_a_head_without_entries_has_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
