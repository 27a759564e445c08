/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "model/lsn_set.h"

enum { N = 48 };

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void check_form(const struct lsn_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->v[i].first < s->v[i].end);
        assert_true(i == 0 || s->v[i - 1].end < s->v[i].first);
    }
}

/* Against a plain array of bools. */
static void check_same(const struct lsn_set *s, const bool *want)
{
    check_form(s);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t reach = i;
        while (reach < N && want[reach])
            reach++;
        assert_int_equal(lsn_set_has(s, i), want[i]);
        assert_int_equal(lsn_set_reach(s, i), reach);
        for (uint64_t end = i; end <= N; end++) {
            struct lsn_span gap, expect = {i, i};
            while (expect.first < end && want[expect.first])
                expect.first++;
            expect.end = expect.first;
            while (expect.end < end && !want[expect.end])
                expect.end++;
            bool any = lsn_set_gap(s, i, end, &gap);
            assert_int_equal(any, expect.first < end);
            if (any) {
                assert_int_equal(gap.first, expect.first);
                assert_int_equal(gap.end, expect.end);
            }
        }
    }
}

static void test_a_set_is_what_a_list_of_its_members_is(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 60; round++) {
        struct lsn_set s = LSN_SET_INIT;
        bool want[N] = {false};
        for (int step = 0; step < 12; step++) {
            uint64_t first = next(&seed) % N, end = first + next(&seed) % 10;
            bool add = next(&seed) % 3 != 0;
            end = end > N ? N : end;
            (add ? lsn_set_add : lsn_set_remove)(&s, first, end);
            for (uint64_t i = first; i < end; i++)
                want[i] = add;
            check_same(&s, want);
        }
        lsn_set_deinit(&s);
    }
}

static void test_ends_of_the_number_range(void **state)
{
    (void)state;
    struct lsn_set s = LSN_SET_INIT;
    struct lsn_span gap;
    lsn_set_add(&s, 0, UINT64_MAX);
    assert_false(lsn_set_gap(&s, 0, UINT64_MAX, &gap));
    lsn_set_remove(&s, 5, 6);
    assert_true(lsn_set_gap(&s, 0, UINT64_MAX, &gap));
    assert_int_equal(gap.first, 5);
    assert_int_equal(gap.end, 6);
    assert_int_equal(lsn_set_reach(&s, 6), UINT64_MAX);
    lsn_set_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_is_what_a_list_of_its_members_is),
        cmocka_unit_test(test_ends_of_the_number_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
