/* SPDX-License-Identifier: Apache-2.0 */
#include "base/go_quote.h"
#include "emitted.h"
#include "lines/extract_expr.h"
#include "lines/logfmt.h"

static void expect(const char *line, struct logfmt_flags flags, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT};
    struct str_view details = SV_EMPTY;
    if (logfmt_parse(sv_of(line), flags, &a, collect_pair, &e, &details) == LINE_E_FAULT) {
        buf_put_u8(&e.text, '!');
        buf_put(&e.text, details);
    }
    expect_text(sv_of(line), buf_view(&e.text), want);
    buf_deinit(&e.text);
}

static const struct logfmt_flags PLAIN = {false, false}, STRICT = {true, false},
                                 KEEP = {false, true};
#define MIXED "lvl= lvl=warn lvl=err k.v=1 flag msg=\"a \\\"b\\\"\" x=y=z w=1"

static void test_pairs_are_parted_by_blanks_of_any_kind(void **state)
{
    expect("a=1 b=2\tc=3\x01"
           "d=4",
           PLAIN, "a=\"1\" b=\"2\" c=\"3\" d=\"4\"");
    expect("  a=1  ", PLAIN, "a=\"1\"");
    expect("", PLAIN, "");
    expect("just some words", PLAIN, "");
    expect(MIXED, PLAIN, "lvl=\"warn\" lvl=\"err\" k_v=\"1\" msg=\"a \\\"b\\\"\" w=\"1\"");
}

static void test_quoted_values_are_unescaped(void **state)
{
    expect("a=\"x y\" b=\"\\\"\\\\\\/\\'\\b\\f\\n\\r\\t\\u00e9\"", PLAIN,
           "a=\"x y\" b=\"\\\"\\\\/'\\b\\f\\n\\r\\t\xc3\xa9\"");
    expect("g=\"x\"y=2", PLAIN, "g=\"x\" y=\"2\"");
    expect("a=\"x=y\"", PLAIN, "a=\"x=y\"");
}

static void test_faults_skip_the_pair_and_say_nothing(void **state)
{
    expect("=x a=1", PLAIN, "a=\"1\"");
    expect("a\"b=1 c=2", PLAIN, "c=\"2\"");
    expect("a=b=c d=1", PLAIN, "d=\"1\"");
    expect("a=b\"c d=1", PLAIN, "d=\"1\"");
    expect("a=\"\\q\" d=1", PLAIN, "d=\"1\"");
    expect("a=\"never ends d=1", PLAIN, "");
    expect("k\xff=1 d=1", PLAIN, "d=\"1\"");
    expect("v=x\xffy", PLAIN, "v=\"x y\"");
}

static void test_empty_values_are_kept_only_when_asked(void **state)
{
    expect("a= b=\"\" c d=1", PLAIN, "d=\"1\"");
    expect("a= b=\"\" c d=1", KEEP, "a=\"\" b=\"\" c=\"\" d=\"1\"");
    expect(MIXED, KEEP,
           "lvl=\"\" lvl=\"warn\" lvl=\"err\" k_v=\"1\" flag=\"\" msg=\"a \\\"b\\\"\" w=\"1\"");
}

static void test_strict_stops_at_the_first_fault_and_says_where(void **state)
{
    expect("lvl=warn x=y=z w=1", STRICT,
           "lvl=\"warn\"!logfmt syntax error at pos 13 : unexpected '='");
    expect("=x", STRICT, "!logfmt syntax error at pos 1 : unexpected '='");
    expect("a=\"x", STRICT, "!logfmt syntax error at pos 5 : unterminated quoted value");
    expect("a=\"\\q\" b=1", STRICT, "!logfmt syntax error at pos 6 : invalid quoted value");
    expect("a=1 words are well", STRICT, "a=\"1\"");
}

static void test_keys_are_made_label_names(void **state)
{
    expect("k.v=1 9a=2 a-b=3 \xc3\xa9=4", PLAIN, "k_v=\"1\" _9a=\"2\" a_b=\"3\" _=\"4\"");
}

/* `wanted`: dst=key parted by blanks. */
static void expect_at(const char *line, bool strict, const char *wanted, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct logfmt_wanted v[8] = {{SV_EMPTY, SV_EMPTY}};
    size_t n = 0;
    for (struct str_view rest = sv_of(wanted); rest.len; n++) {
        struct str_view pair = sv_sub(rest, 0, sv_find_byte(rest, ' '));
        size_t eq = sv_find_byte(pair, '=');
        v[n] = (struct logfmt_wanted){sv_sub(pair, 0, eq), sv_from(pair, eq + 1)};
        rest = sv_from(rest, pair.len + 1);
    }
    struct str_view values[8], details = SV_EMPTY;
    int r = logfmt_extract(sv_of(line), strict, v, n, &a, values, &details);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_put_u8(&text, ' ');
        if (values[i].p)
            go_quote(&text, values[i]);
        else
            buf_put_u8(&text, '-');
    }
    if (r == LINE_E_FAULT)
        buf_put(&text, SV("!"));
    expect_text(sv_of(line), buf_view(&text), want);
}

static void test_with_expressions_the_last_occurrence_wins(void **state)
{
    expect_at("lvl=a lvl=b", false, "lv=lvl gone=gone", "\"b\" -");
    expect_at("k.x=1", false, "a=k_x", "\"1\"");
    expect_at("a=1 b=2", false, "x=a y=a b=zz", "\"1\" \"1\" \"2\"");
    expect_at("a= b", false, "x=a y=b", "\"\" \"\"");
    expect_at("a=1 =x a=2", true, "x=a", "\"1\"!");
    expect_at("a=1 =x a=2", false, "x=a", "\"2\"");
}

static void test_an_expression_is_one_key(void **state)
{
    struct str_view key;
    assert_int_equal(logfmt_key_parse(SV("status_2"), &key, NULL), 0);
    assert_int_equal(logfmt_key_parse(SV("\"odd key\""), &key, NULL), 0);
    assert_true(sv_eq(key, SV("odd key")));
    assert_true(logfmt_key_parse(SV("a.b"), &key, NULL) < 0);
    assert_true(logfmt_key_parse(SV(""), &key, NULL) < 0);
    assert_true(logfmt_key_parse(SV("9a"), &key, NULL) < 0);
    assert_true(logfmt_key_parse(SV("a b"), &key, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_parted_by_blanks_of_any_kind),
        cmocka_unit_test(test_quoted_values_are_unescaped),
        cmocka_unit_test(test_faults_skip_the_pair_and_say_nothing),
        cmocka_unit_test(test_empty_values_are_kept_only_when_asked),
        cmocka_unit_test(test_strict_stops_at_the_first_fault_and_says_where),
        cmocka_unit_test(test_keys_are_made_label_names),
        cmocka_unit_test(test_with_expressions_the_last_occurrence_wins),
        cmocka_unit_test(test_an_expression_is_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
