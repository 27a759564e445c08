/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/tenant.h"

static const struct tenant_policy on = {true, {"fake", 4}}, off = {false, {"fake", 4}};

static void assert_one(const struct tenant_policy *p, const char *header, const char *want)
{
    struct str_view id;
    struct err err = ERR_INIT;
    struct str_view h = header ? sv_of(header) : (struct str_view){NULL, 0};
    if (tenant_one(p, h, &id, &err) < 0)
        fail_msg("%s: %s", header, err.text);
    assert_true(sv_eq(id, sv_of(want)));
}

static void assert_fails(const char *header, int code, const char *text)
{
    struct str_view id;
    struct err err = ERR_INIT;
    struct str_view h = header ? sv_of(header) : (struct str_view){NULL, 0};
    assert_int_equal(tenant_one(&on, h, &id, &err), code);
    assert_string_equal(err.text, text);
}

static void test_without_authentication_everyone_is_one_tenant(void **state)
{
    assert_one(&off, NULL, "fake");
    assert_one(&off, "team-a", "fake");
    assert_one(&off, "a|b", "fake");
    assert_one(&off, "\xff bad", "fake");
}

static void test_a_missing_tenant_is_unauthorised(void **state)
{
    assert_fails(NULL, ERR_UNAUTHORISED, "no org id");
    assert_fails("", ERR_UNAUTHORISED, "no org id");
    assert_fails("  ", ERR_UNAUTHORISED, "no org id");
    assert_fails("|", ERR_UNAUTHORISED, "no org id");
    assert_fails(":meta", ERR_UNAUTHORISED, "no org id");
}

static void test_ids_have_their_characters_and_length(void **state)
{
    char longest[152];
    memset(longest, 'a', sizeof longest);
    longest[150] = 0;
    assert_one(&on, "team-a", "team-a");
    assert_one(&on, "aZ09!-_.*'()", "aZ09!-_.*'()");
    assert_one(&on, longest, longest);
    assert_one(&on, "team-a:k=v", "team-a");
    assert_one(&on, "...", "...");
    longest[150] = 'a';
    longest[151] = 0;
    assert_fails(longest, ERR_INVALID, "tenant ID is too long: max 150 characters");
    assert_fails("a b", ERR_INVALID, "tenant ID 'a b' contains unsupported character ' '");
    assert_fails("a/b", ERR_INVALID, "tenant ID 'a/b' contains unsupported character '/'");
    assert_fails("\xc3\xa9", ERR_INVALID,
                 "tenant ID '\xc3\xa9' contains unsupported character '\xc3\xa9'");
    assert_fails(".", ERR_INVALID, "tenant ID is '.' or '..'");
    assert_fails("..", ERR_INVALID, "tenant ID is '.' or '..'");
}

static void test_several_ids_are_sorted_once_each(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct str_view *ids;
    size_t n;
    assert_int_equal(tenant_many(&on, SV("c|a|b|a|"), &a, &ids, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_true(sv_eq(ids[0], SV("a")) && sv_eq(ids[1], SV("b")) && sv_eq(ids[2], SV("c")));
    assert_fails("a|b", ERR_INVALID, "multiple org IDs present");
    assert_one(&on, "a|a", "a");
    assert_fails("a|b/c", ERR_INVALID, "tenant ID 'b/c' contains unsupported character '/'");
    CLEANUP(buf_deinit) struct buf many = BUF_INIT;
    for (int i = 0; i < TENANT_MAX_IDS + 1; i++)
        buf_printf(&many, "t%d|", i);
    assert_int_equal(tenant_many(&on, buf_view(&many), &a, &ids, &n, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_authentication_everyone_is_one_tenant),
        cmocka_unit_test(test_a_missing_tenant_is_unauthorised),
        cmocka_unit_test(test_ids_have_their_characters_and_length),
        cmocka_unit_test(test_several_ids_are_sorted_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
