/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk/collapse.h"
#include "gen.h"

static struct entry random_entry(struct gen *g, uint32_t times, uint32_t texts)
{
    struct entry e = {(int64_t)gen_below(g, times) - 3,
                      arena_printf(&g->a, "line %u", gen_below(g, texts)), SV_EMPTY};
    if (gen_below(g, 3) == 0)
        e.sm = arena_printf(&g->a, "sm %u", gen_below(g, 3));
    return e;
}

static bool same(const struct entry *a, const struct entry *b)
{
    return a->ts_ns == b->ts_ns && sv_eq(a->line, b->line) && sv_eq(a->sm, b->sm);
}

/* Insertion sort, then every entry against all before it. */
static size_t slow_sort_collapse(struct entry *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && v[k - 1].ts_ns > v[k].ts_ns; k--) {
            struct entry t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool repeated = false;
        for (size_t k = 0; k < kept && !repeated; k++)
            repeated = same(&v[k], &v[i]);
        if (!repeated)
            v[kept++] = v[i];
    }
    return kept;
}

/* Views are compared by address: of equal entries the earlier one must stay. */
static void check(struct gen *g, size_t n, uint32_t times, uint32_t texts, uint32_t disorder)
{
    struct entry *v = mem_zalloc(n, sizeof *v), *want = mem_zalloc(n, sizeof *want);
    for (size_t i = 0; i < n; i++) {
        v[i] = random_entry(g, times, texts);
        if (disorder && gen_below(g, disorder))
            v[i].ts_ns = (int64_t)(i * times / n);
    }
    memcpy(want, v, n * sizeof *v);
    size_t n_want = slow_sort_collapse(want, n);
    assert_int_equal(entries_sort_collapse(v, n), n_want);
    for (size_t i = 0; i < n_want; i++) {
        assert_ptr_equal(v[i].line.p, want[i].line.p);
        assert_true(same(&v[i], &want[i]));
    }
    assert_int_equal(entries_collapse(v, n_want), n_want);
    free(v);
    free(want);
}

static void test_sorting_and_collapsing_equal_the_slow_way(void **state)
{
    (void)state;
    struct gen g = {.state = 12};
    for (int round = 0; round < 400; round++) {
        check(&g, gen_below(&g, 100), 1 + gen_below(&g, 20), 1 + gen_below(&g, 30), round % 12);
        arena_clear(&g.a);
    }
    check(&g, 2000, 1, 500, 0); /* one time, many texts: the hash table */
    check(&g, 2000, 3, 5000, 0);
    check(&g, 2000, 2000, 1, 50);
    arena_deinit(&g.a);
}

static void test_entries_that_differ_in_one_part_all_stay(void **state)
{
    (void)state;
    struct entry v[] = {
        {1, SV("a"), SV("x")},  {1, SV("a"), SV("y")}, {1, SV("b"), SV("x")},
        {1, SV("a"), SV_EMPTY}, {2, SV("a"), SV("x")},
    };
    assert_int_equal(entries_sort_collapse(v, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorting_and_collapsing_equal_the_slow_way),
        cmocka_unit_test(test_entries_that_differ_in_one_part_all_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
