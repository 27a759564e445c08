/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/name_list.h"

static void test_a_list_has_the_names_that_stand_in_it(void **state)
{
    const struct str_view v[] = {SV("b"), SV(""), SV("ab")};
    const struct name_list names = {v, 3};
    assert_true(name_list_has(names, SV("ab")) && name_list_has(names, SV("")));
    assert_false(name_list_has(names, SV("a")) || name_list_has((struct name_list){0}, SV("")));
}

static void test_sorting_leaves_each_name_once(void **state)
{
    struct str_view v[] = {SV("b"), SV("a"), SV("b"), SV(""), SV("a"), SV("")};
    struct str_view duplicate;
    assert_true(names_duplicate((struct name_list){v, 6}, &duplicate));
    assert_int_equal(names_sort_unique(v, 6), 3);
    assert_true(sv_eq(v[0], SV("")) && sv_eq(v[1], SV("a")) && sv_eq(v[2], SV("b")));
    assert_false(names_duplicate((struct name_list){v, 3}, &duplicate));
    assert_int_equal(names_sort_unique(v, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_has_the_names_that_stand_in_it),
        cmocka_unit_test(test_sorting_leaves_each_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
