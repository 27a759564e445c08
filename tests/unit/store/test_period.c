/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#include "store/period.h"

#define DAY INT64_C(86400000000000)

static void test_a_period_holds_its_start_and_its_last_nanosecond(void **state)
{
    (void)state;
    for (int64_t day = -3; day <= 3; day++) {
        struct period p = {day * DAY, DAY};
        int64_t last = period_last_ns(p);
        assert_true(last == p.start_ns + DAY - 1);
        assert_true(period_start(p.start_ns, DAY) == p.start_ns);
        assert_true(period_start(last, DAY) == p.start_ns);
        assert_true(period_start(last + 1, DAY) == p.start_ns + DAY);
        assert_true(period_start(p.start_ns - 1, DAY) == p.start_ns - DAY);
    }
}

static void test_the_ends_of_time_are_in_periods_that_are_cut(void **state)
{
    (void)state;
    int64_t first = period_start(INT64_MIN, DAY), last = period_start(INT64_MAX, DAY);
    assert_true(first == INT64_MIN);
    int64_t end = period_last_ns((struct period){first, DAY});
    assert_true(end > INT64_MIN && end < INT64_MIN + DAY);
    assert_true(period_start(end, DAY) == INT64_MIN);
    assert_true(period_start(end + 1, DAY) == end + 1);
    assert_true(period_last_ns((struct period){last, DAY}) == INT64_MAX);
    /* A length that divides all of time cuts nothing. */
    int64_t half = INT64_C(1) << 62;
    assert_true(period_last_ns((struct period){INT64_MIN, half}) == INT64_MIN + half - 1);
}

static void test_sorting_drops_repeats_and_keeps_other_lengths(void **state)
{
    (void)state;
    struct period v[] = {{DAY, DAY}, {0, DAY}, {DAY, DAY}, {0, DAY / 2}, {-DAY, DAY}, {0, DAY}};
    assert_int_equal(periods_sort(v, 6), 4);
    struct period want[] = {{-DAY, DAY}, {0, DAY / 2}, {0, DAY}, {DAY, DAY}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(period_cmp(&v[i], &want[i]), 0);
    assert_int_equal(periods_sort(v, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_period_holds_its_start_and_its_last_nanosecond),
        cmocka_unit_test(test_the_ends_of_time_are_in_periods_that_are_cut),
        cmocka_unit_test(test_sorting_drops_repeats_and_keeps_other_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
