/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query/plan/overlap.h"

static const struct time_span always = {INT64_MIN, INT64_MAX};

static size_t find(struct overlap_finder *f, size_t n, const struct time_span *v)
{
    *f = OVERLAP_FINDER_INIT;
    overlap_find(f, v, n, always);
    return f->n;
}

static void assert_zone(const struct overlap_finder *f, size_t i, int64_t min, int64_t max,
                        uint32_t n)
{
    assert_true(f->v[i].at.min_ns == min && f->v[i].at.max_ns == max);
    assert_int_equal(f->v[i].n_spans, n);
}

static void test_spans_that_follow_each_other_have_no_zone(void **state)
{
    struct overlap_finder f;
    assert_int_equal(find(&f, 3, (struct time_span[]){{1, 5}, {6, 6}, {7, 9}}), 0);
    assert_int_equal(find(&f, 2, (struct time_span[]){{7, 9}, {1, 6}}), 0);
    overlap_finder_deinit(&f);
}

static void test_one_shared_instant_is_a_zone(void **state)
{
    struct overlap_finder f;
    assert_int_equal(find(&f, 2, (struct time_span[]){{1, 5}, {5, 9}}), 1);
    assert_zone(&f, 0, 5, 5, 2);
    overlap_finder_deinit(&f);
}

static void test_a_zone_is_covered_by_the_same_spans_from_end_to_end(void **state)
{
    struct overlap_finder f;
    size_t first;
    assert_int_equal(find(&f, 3, (struct time_span[]){{0, 30}, {10, 20}, {15, 40}}), 3);
    assert_zone(&f, 0, 10, 14, 2);
    assert_zone(&f, 1, 15, 20, 3);
    assert_zone(&f, 2, 21, 30, 2);
    assert_int_equal(overlap_zones_in(&f, (struct time_span){10, 20}, &first), 2);
    assert_int_equal(first, 0);
    assert_int_equal(overlap_zones_in(&f, (struct time_span){15, 40}, &first), 2);
    assert_int_equal(first, 1);
    overlap_finder_deinit(&f);
}

static void test_the_ends_of_time_do_not_overflow(void **state)
{
    struct overlap_finder f;
    assert_int_equal(
        find(&f, 2, (struct time_span[]){{INT64_MIN, INT64_MAX}, {INT64_MIN, INT64_MAX}}), 1);
    assert_zone(&f, 0, INT64_MIN, INT64_MAX, 2);
    overlap_finder_deinit(&f);
}

static void test_zones_outside_the_query_are_left_out(void **state)
{
    struct overlap_finder f = OVERLAP_FINDER_INIT;
    struct time_span v[] = {{0, 10}, {5, 30}, {20, 40}};
    overlap_find(&f, v, 3, (struct time_span){11, 25});
    assert_int_equal(f.n, 1);
    assert_zone(&f, 0, 20, 30, 2);
    overlap_finder_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_that_follow_each_other_have_no_zone),
        cmocka_unit_test(test_one_shared_instant_is_a_zone),
        cmocka_unit_test(test_a_zone_is_covered_by_the_same_spans_from_end_to_end),
        cmocka_unit_test(test_the_ends_of_time_do_not_overflow),
        cmocka_unit_test(test_zones_outside_the_query_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
