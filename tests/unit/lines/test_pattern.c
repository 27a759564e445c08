/* SPDX-License-Identifier: Apache-2.0 */
#include "emitted.h"
#include "lines/pattern.h"

static void expect(const char *pattern, const char *line, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT};
    struct err err = ERR_INIT;
    struct pattern p;
    if (pattern_parse(&a, sv_of(pattern), PATTERN_EXTRACT, &p, &err) < 0)
        fail_msg("%s: %s", pattern, err.text);
    pattern_extract(&p, sv_of(line), collect_pair, &e);
    expect_text(sv_of(line), buf_view(&e.text), want);
    buf_deinit(&e.text);
}

static void test_captures_take_the_text_up_to_the_next_literal(void **state)
{
    expect("<a>-<b>:<c>", "x-y:z:w", "a=\"x\" b=\"y\" c=\"z:w\"");
    expect("<verb> <path> <_> <code>", "GET /a HTTP 200", "verb=\"GET\" path=\"/a\" code=\"200\"");
    expect("[<_>] <<lvl>> <msg>", "[t] <warn> it is", "lvl=\"warn\" msg=\"it is\"");
    expect("<a>", "all of it", "a=\"all of it\"");
    expect("<a>;", "x;rest", "a=\"x\"");
    expect("<a> <b>", " y", "a=\"\" b=\"y\"");
    expect("<a>/<b>", "x/", "a=\"x\" b=\"\"");
}

static void test_a_missing_literal_gives_the_rest_and_ends_it(void **state)
{
    expect("<a>-<b>:<c>", "x-y", "a=\"x\" b=\"y\"");
    expect("<a>-<b>:<c>", "xy", "a=\"xy\"");
}

static void test_a_leading_literal_starts_the_line(void **state)
{
    expect("id=<id> <_> ms=<ms>", "xid=7 foo ms=12", "");
    expect("id=<id> <_> ms=<ms>", "id=7 foo ms=12", "id=\"7\" ms=\"12\"");
    expect("<a>", "", "");
}

static void test_what_is_no_name_in_angle_brackets_is_text(void **state)
{
    expect("<1x> <a>", "<1x> y", "a=\"y\"");
    expect("<a-b> <> <c>", "<a-b> <> z", "c=\"z\"");
}

static void test_broken_patterns_are_refused(void **state)
{
    static const struct {
        const char *pattern;
        enum pattern_use use;
        const char *says;
    } rows[] = {
        {"", PATTERN_EXTRACT, NULL},
        {"<_>", PATTERN_EXTRACT, "at least one capture is required"},
        {"text", PATTERN_EXTRACT, "at least one capture is required"},
        {"<a><b>", PATTERN_EXTRACT, "found consecutive capture '<a><b>': invalid expression"},
        {"<a> <a>", PATTERN_EXTRACT, NULL},
        {"<x>", PATTERN_FILTER, "named captures are not allowed: found '<x>'"},
        {"<_><_>", PATTERN_FILTER, NULL},
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pattern p;
        struct err err = ERR_INIT;
        if (pattern_parse(&a, sv_of(rows[i].pattern), rows[i].use, &p, &err) == 0)
            fail_msg("'%s' was accepted", rows[i].pattern);
        if (rows[i].says)
            expect_text(sv_of(rows[i].pattern), sv_of(err.text), rows[i].says);
    }
}

static void test_a_filter_tests_the_line(void **state)
{
    static const struct {
        const char *pattern, *line;
        bool kept;
    } rows[] = {
        {"", "", true},
        {"", "x", false},
        {"<_>", "", false},
        {"<_>", "x", true},
        {"abc", "xabc", true},
        {"abc", "abcx", false},
        {"<_>abc", "xabc", true},
        {"<_>abc", "abc", false},
        {"<_>abc", "xabcabc", false},
        {"abc<_>", "abcx", true},
        {"abc<_>", "abc", false},
        {"abc<_>", "zabcx", true},
        {"<_> took <_>ms", "call took 12ms", true},
        {"<_> took <_>ms", "took 12ms", false},
        {"<_> took <_>ms", "call took 12ms!", false},
        {"a<_>b<_>c", "a1b2c", true},
        {"a<_>b<_>c", "ab2c", false},
        {"<_>x<_>", "axb", true},
        {"<_>x<_>", "ax", false},
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pattern p;
        assert_int_equal(pattern_parse(&a, sv_of(rows[i].pattern), PATTERN_FILTER, &p, NULL), 0);
        if (pattern_matches(&p, sv_of(rows[i].line)) != rows[i].kept)
            fail_msg("'%s' on '%s' should be %d", rows[i].pattern, rows[i].line, rows[i].kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures_take_the_text_up_to_the_next_literal),
        cmocka_unit_test(test_a_missing_literal_gives_the_rest_and_ends_it),
        cmocka_unit_test(test_a_leading_literal_starts_the_line),
        cmocka_unit_test(test_what_is_no_name_in_angle_brackets_is_text),
        cmocka_unit_test(test_broken_patterns_are_refused),
        cmocka_unit_test(test_a_filter_tests_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
