/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/sm_normalise.h"

static void test_names_become_words_with_single_underscores(void **state)
{
    static const char *const cases[][2] = {
        {"trace_id", "trace_id"},
        {"a.b-c", "a_b_c"},
        {"a..b", "a_b"},
        {"a__b", "a_b"},
        {"_a", "_a"},
        {"a_", "a_"},
        {"1x", "key_1x"},
        {"9", "key_9"},
        {"__x__", "__x__"},
        {"__a.b__", "__a_b__"},
        {"__x", "_x"},
        {"x__", "x_"},
        {"A", "A"},
        {"\xc3\xa9t\xc3\xa9", "_t_"},
        {"a b\tc", "a_b_c"},
        {"http.request.header", "http_request_header"},
        {"a/", "a_"},
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str_view got;
        struct err err = ERR_INIT;
        if (sm_normalise_name(&a, sv_of(cases[i][0]), &got, &err) < 0)
            fail_msg("%s", err.text);
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        buf_put(&text, got);
        buf_put_u8(&text, 0);
        assert_string_equal(text.p, cases[i][1]);
    }
}

static void test_names_of_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"", "_", "__", "...", "____", "_____", "\xc3\xa9", "- -"};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str_view got;
        struct err err = ERR_INIT;
        assert_int_equal(sm_normalise_name(&a, sv_of(bad[i]), &got, &err), ERR_INVALID);
        assert_true(err.text[0]);
    }
}

static void test_bytes_that_are_not_utf8_become_blanks_in_values(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    assert_true(sv_eq(sm_normalise_value(&a, SV("plain")), SV("plain")));
    assert_true(sv_eq(sm_normalise_value(&a, SV("gr\xc3\xbc\xc3\x9f")), SV("gr\xc3\xbc\xc3\x9f")));
    assert_true(sv_eq(sm_normalise_value(&a, SV("a\xff\xfe"
                                                "b")),
                      SV("a  b")));
    assert_true(sv_eq(sm_normalise_value(&a, SV("\xef\xbf\xbd")), SV(" ")));
    assert_true(sv_eq(sm_normalise_value(&a, SV("x\xe2\x82")), SV("x  ")));
    assert_true(sv_eq(sm_normalise_value(&a, SV("a\0b")), SV("a\0b")));
}

static void test_pairs_are_sorted_unique_and_not_empty(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct label v[] = {{SV("z"), SV("1")},
                        {SV("a.b"), SV("first")},
                        {SV("m"), SV("")},
                        {SV("a-b"), SV("last")},
                        {SV("b"), SV("2")}};
    size_t n = 5;
    assert_int_equal(sm_normalise(&a, v, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_true(sv_eq(v[0].name, SV("a_b")) && sv_eq(v[0].value, SV("last")));
    assert_true(sv_eq(v[1].name, SV("b")) && sv_eq(v[2].name, SV("z")));
    struct label bad[] = {{SV("ok"), SV("1")}, {SV("..."), SV("2")}};
    n = 2;
    assert_int_equal(sm_normalise(&a, bad, &n, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_become_words_with_single_underscores),
        cmocka_unit_test(test_names_of_nothing_are_refused),
        cmocka_unit_test(test_bytes_that_are_not_utf8_become_blanks_in_values),
        cmocka_unit_test(test_pairs_are_sorted_unique_and_not_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
