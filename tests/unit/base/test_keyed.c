/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/keyed.h"

/* By key, equal ones in the order in which they came. */
static int by_key(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void check(size_t n, uint64_t mask, uint64_t *state)
{
    struct keyed *got = malloc((n + 1) * sizeof *got), *want = malloc((n + 1) * sizeof *want);
    for (size_t i = 0; i < n; i++)
        got[i] = want[i] = (struct keyed){draw(state) & mask, i};
    keyed_sort(got, n);
    qsort(want, n, sizeof *want, by_key);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].key, want[i].key);
        assert_int_equal(got[i].number, want[i].number);
    }
    free(got);
    free(want);
}

static void test_any_number_of_any_keys_comes_out_in_order_and_equal_ones_as_they_came(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 63, 64, 65, 66, 500, 20000};
    static const uint64_t masks[] = {0,          1,          0xff,       0x3f00,
                                     0xff0000ff, UINT64_MAX, 1ull << 63, 0xffff00000000ffff};
    uint64_t seed = 88172645463325252ull;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++)
            check(sizes[i], masks[m], &seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_any_number_of_any_keys_comes_out_in_order_and_equal_ones_as_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
