/* SPDX-License-Identifier: Apache-2.0 */
/* What the comparison with Go's package (tests/tools/regex_diff.py) does not say: names as newer Go
 * takes them, literals and shapes, bounds, and that no pattern is worse than linear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "regex/regex.h"
#include "tools/cut_lines.h"

#define N(v) (sizeof(v) / sizeof *(v))

static struct regex *compiled(const char *pattern, enum regex_mode mode)
{
    struct regex *re;
    struct err err = ERR_INIT;
    if (regex_compile(&re, sv_of(pattern), mode, &err) < 0)
        fail_msg("%s: %s", pattern, err.text);
    return re;
}

static bool matches(const char *pattern, enum regex_mode mode, const char *text)
{
    struct regex *re = compiled(pattern, mode);
    struct regex_scratch *scratch = regex_scratch_new();
    bool yes = regex_matches(re, scratch, sv_of(text));
    regex_scratch_free(scratch);
    regex_unref(re);
    return yes;
}

static void test_modes_anchor_and_let_the_dot_take_newlines(void **state)
{
    assert_true(matches("b", REGEX_SEARCH, "abc"));
    assert_false(matches("b", REGEX_FULL, "abc"));
    assert_true(matches("a|abc", REGEX_FULL, "abc"));
    assert_false(matches("a.c", REGEX_FULL, "a\nc"));
    assert_true(matches("a.c", REGEX_FULL_DOTALL, "a\nc"));
    assert_false(matches("b|", REGEX_FULL_DOTALL, "abc"));
    assert_true(matches("b|", REGEX_FULL_DOTALL, ""));
}

static void test_errors_show_the_pattern_as_the_mode_says(void **state)
{
    static const struct {
        enum regex_mode mode;
        const char *says;
    } rows[] = {
        {REGEX_SEARCH, "error parsing regexp: missing closing ): `(`"},
        {REGEX_FULL, "error parsing regexp: missing closing ): `^(?:()$`"},
        {REGEX_FULL_DOTALL, "error parsing regexp: missing closing ): `(`"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct regex *re;
        struct err err = ERR_INIT;
        assert_true(regex_compile(&re, SV("("), rows[i].mode, &err) < 0);
        assert_string_equal(err.text, rows[i].says);
    }
    struct regex *re;
    assert_true(regex_compile(&re, SV("a)(b"), REGEX_FULL_DOTALL, NULL) < 0);
}

static void test_both_spellings_of_a_named_group_are_known(void **state)
{
    struct regex *re = compiled("(?P<one>a)(b)(?<two>c)", REGEX_SEARCH);
    assert_int_equal(regex_n_groups(re), 4);
    assert_true(sv_eq(regex_group_name(re, 1), SV("one")));
    assert_int_equal(regex_group_name(re, 2).len, 0);
    assert_true(sv_eq(regex_group_name(re, 3), SV("two")));
    assert_int_equal(regex_group_name(re, 9).len, 0);
    regex_unref(re);
    static const struct {
        const char *pattern, *says;
    } rows[] = {
        {"(?<n", "error parsing regexp: invalid named capture: `(?<n`"},
        {"(?<a b>c)", "error parsing regexp: invalid named capture: `(?<a b>`"},
        {"(?<>c)", "error parsing regexp: invalid named capture: `(?<>`"},
        {"(?<=c)", "error parsing regexp: invalid named capture: `(?<=c)`"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct err err = ERR_INIT;
        assert_true(regex_compile(&re, sv_of(rows[i].pattern), REGEX_SEARCH, &err) < 0);
        assert_string_equal(err.text, rows[i].says);
    }
}

static void test_captures_are_those_of_the_leftmost_first_match_behind_from(void **state)
{
    struct regex *re = compiled("(a+)(b)?", REGEX_SEARCH);
    struct regex_scratch *scratch = regex_scratch_new();
    size_t s[8];
    assert_true(regex_captures(re, scratch, SV("xaab aa"), 0, s, 8));
    static const size_t first[] = {1, 4, 1, 3, 3, 4, SIZE_MAX, SIZE_MAX};
    assert_memory_equal(s, first, sizeof first);
    assert_true(regex_captures(re, scratch, SV("xaab aa"), 4, s, 6));
    static const size_t second[] = {5, 7, 5, 7, SIZE_MAX, SIZE_MAX};
    assert_memory_equal(s, second, sizeof second);
    assert_false(regex_captures(re, scratch, SV("xaab aa"), 7, s, 6));
    assert_int_equal(s[0], SIZE_MAX);
    regex_unref(re);
    re = compiled("^a|\\bb", REGEX_SEARCH); /* what stands before `from` is seen */
    assert_false(regex_captures(re, scratch, SV("aab"), 1, s, 2));
    regex_unref(re);
    regex_scratch_free(scratch);
}

static void test_lines_of_a_block_match_one_by_one(void **state)
{
    const struct str_view block = SV("first\n\nerror one\nx\nlast error");
    static const struct {
        const char *pattern;
        int starts[6];
    } rows[] = {
        {"error", {7, 19, -1}},
        {"^$", {6, -1}},
        {"^x$", {17, -1}},
        {"t\\s", {19, -1}},
        {"", {0, 6, 7, 17, 19, -1}},
        {"(?s)t.+l", {-1}},
        {"\\z", {0, 6, 7, 17, 19, -1}},
    };
    struct regex_scratch *scratch = regex_scratch_new();
    for (size_t i = 0; i < N(rows); i++) {
        struct regex *re = compiled(rows[i].pattern, REGEX_SEARCH);
        CLEANUP(cut_lines_deinit) struct cut_lines c;
        size_t k = 0;
        cut_lines_init(&c, block);
        cut_lines_match(&c, re, scratch, 1);
        for (uint32_t line = 0; line < c.lines.n; line++)
            if (cut_line_found(&c, line) && rows[i].starts[k++] != (int)c.start[line])
                fail_msg("%s: line at %u", rows[i].pattern, c.start[line]);
        assert_int_equal(rows[i].starts[k], -1);
        regex_unref(re);
    }
    regex_scratch_free(scratch);
}

static uint32_t chance(uint32_t n)
{
    static uint64_t state = 7;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static void expect_lines_as_alone(const char *pattern, struct str_view block, uint32_t every)
{
    CLEANUP(cut_lines_deinit) struct cut_lines c;
    struct regex_scratch *many = regex_scratch_new(), *one = regex_scratch_new();
    struct regex *re = compiled(pattern, REGEX_SEARCH);
    cut_lines_init(&c, block);
    cut_lines_match(&c, re, many, every);
    for (uint32_t i = 0; i < c.lines.n; i++) {
        bool want = i % every == 0 && regex_matches(re, one, cut_line(&c, i));
        if (want != cut_line_found(&c, i))
            fail_msg("%s: line %u of every %u: %.*s", pattern, i, every, SV_ARG(cut_line(&c, i)));
        assert_int_equal(c.wanted[i >> 6], 0);
    }
    regex_unref(re);
    regex_scratch_free(many);
    regex_scratch_free(one);
}

static void test_lines_side_by_side_match_as_alone(void **state)
{
    static const char *const patterns[] = {
        "ab", "\\bab?\\b", "^$", "a$",      "(?i)[x-z]+\xc3\xa9", "a.*b.*a",
        "",   "\\z",       "c",  "^[^a]*$", "(a|b)*a(a|b){9}\\b", "(a|b)*a[ab \xc3\xa9]{13}$"};
    static const char *const pieces[] = {"a",    "b", "ab", " ",  "\xc3\xa9",
                                         "\xff", "Z", "\n", "\n", "a"};
    CLEANUP(buf_deinit) struct buf block = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        buf_put(&block, sv_of(pieces[chance(N(pieces))]));
    for (size_t i = 0; i < N(patterns); i++)
        for (uint32_t every = 1; every <= 5; every += 2)
            expect_lines_as_alone(patterns[i], buf_view(&block), every);
}

/* So few new states per byte that the table is emptied rather than given up. */
static void test_lines_side_by_side_match_when_the_table_starts_over(void **state)
{
    CLEANUP(buf_deinit) struct buf block = BUF_INIT;
    for (int i = 0; i < 12000; i++) {
        buf_fill(&block, 'c', 240);
        for (uint32_t n = 14 + chance(8); n > 0; n--)
            buf_put_u8(&block, (uint8_t)('a' + chance(2)));
        buf_put_u8(&block, '\n');
    }
    expect_lines_as_alone("[ab]*a[ab]{15}$", buf_view(&block), 1);
    for (int i = 0; i < 200000; i++) /* and here it is given up */
        buf_put_u8(&block, (uint8_t)(chance(5000) ? 'a' + chance(2) : '\n'));
    expect_lines_as_alone("[ab]*a[ab]{15}$", buf_view(&block), 1);
}

static void test_replacing_stops_at_the_bound(void **state)
{
    struct regex *re = compiled("a", REGEX_SEARCH);
    struct regex_scratch *scratch = regex_scratch_new();
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    assert_true(
        regex_replace_all(&out, re, scratch, SV("banana"), SV("<$0>"), REGEX_REPLACE_EXPAND, 15));
    assert_true(sv_eq(buf_view(&out), SV("b<a>n<a>n<a>")));
    buf_clear(&out);
    assert_false(
        regex_replace_all(&out, re, scratch, SV("banana"), SV("<$0>"), REGEX_REPLACE_EXPAND, 11));
    assert_true(out.len <= 15);
    assert_int_equal(regex_count(re, scratch, SV("banana")), 3);
    regex_unref(re);
    regex_scratch_free(scratch);
}

/* ---- literals ---- */

static void test_shapes_are_found_where_a_string_test_is_exact(void **state)
{
    static const struct {
        const char *pattern;
        enum regex_mode mode;
        enum regex_shape shape;
        const char *lits; /* parted by blanks, "i:" before folded ones */
    } rows[] = {
        {"error", REGEX_SEARCH, REGEX_SHAPE_CONTAINS, "error"},
        {".*error.*", REGEX_SEARCH, REGEX_SHAPE_CONTAINS, "error"},
        {"error|warn", REGEX_SEARCH, REGEX_SHAPE_CONTAINS, "error warn"},
        {"(?i)error", REGEX_SEARCH, REGEX_SHAPE_CONTAINS, "i:error"},
        {"^error", REGEX_SEARCH, REGEX_SHAPE_PREFIX, "error"},
        {"error$", REGEX_SEARCH, REGEX_SHAPE_SUFFIX, "error"},
        {"^error$", REGEX_SEARCH, REGEX_SHAPE_EQUALS, "error"},
        {"a[bc]d", REGEX_SEARCH, REGEX_SHAPE_CONTAINS, "abd acd"},
        {"", REGEX_SEARCH, REGEX_SHAPE_ALWAYS, ""},
        {".*", REGEX_SEARCH, REGEX_SHAPE_ALWAYS, ""},
        {"a|b|", REGEX_SEARCH, REGEX_SHAPE_ALWAYS, ""},
        {"pay", REGEX_FULL_DOTALL, REGEX_SHAPE_EQUALS, "pay"},
        {"pay|cart", REGEX_FULL_DOTALL, REGEX_SHAPE_EQUALS, "pay cart"},
        {"pay.*", REGEX_FULL_DOTALL, REGEX_SHAPE_PREFIX, "pay"},
        {".*pay", REGEX_FULL_DOTALL, REGEX_SHAPE_SUFFIX, "pay"},
        {".*pay.*", REGEX_FULL_DOTALL, REGEX_SHAPE_CONTAINS, "pay"},
        {".*", REGEX_FULL_DOTALL, REGEX_SHAPE_ALWAYS, ""},
        /* the dot stops at a newline, so a string test would say too much */
        {"pay.*", REGEX_FULL, REGEX_SHAPE_OTHER, ""},
        {"a.b", REGEX_SEARCH, REGEX_SHAPE_OTHER, ""},
        {"\\berror\\b", REGEX_SEARCH, REGEX_SHAPE_OTHER, ""},
        /* k has a third case variant */
        {"(?i)k", REGEX_SEARCH, REGEX_SHAPE_OTHER, ""},
        {"\xef\xbf\xbd", REGEX_SEARCH, REGEX_SHAPE_OTHER, ""},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct regex *re = compiled(rows[i].pattern, rows[i].mode);
        const struct regex_literals *l = regex_literals(re);
        CLEANUP(buf_deinit) struct buf lits = BUF_INIT;
        for (size_t k = 0; k < l->n_lits; k++)
            buf_printf(&lits, "%s%s%.*s", k ? " " : "", l->lits[k].fold ? "i:" : "",
                       SV_ARG(l->lits[k].bytes));
        if (l->shape != rows[i].shape || !sv_eq(buf_view(&lits), sv_of(rows[i].lits)))
            fail_msg("%s: shape %d, literals '%.*s'", rows[i].pattern, l->shape,
                     SV_ARG(buf_view(&lits)));
        regex_unref(re);
    }
}

static void test_clauses_name_the_strings_that_every_match_holds(void **state)
{
    static const struct {
        const char *pattern, *best; /* alternatives of the first clause, parted by | */
    } rows[] = {
        {"connect.*timed out", "timed out"},
        {"status=5\\d\\d", "status=5"},
        {"(get|post) /api/", "get /api/|post /api/"},
        {"(?i)exception: .+", "exception: "},
        {"\\d+ms", "ms"},
        {"[a-z]+", ""},
        {"a*", ""},
        {"(x|)longer", "xlonger|longer"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct regex *re = compiled(rows[i].pattern, REGEX_SEARCH);
        const struct regex_literals *l = regex_literals(re);
        CLEANUP(buf_deinit) struct buf best = BUF_INIT;
        for (size_t k = 0; l->n_clauses && k < l->clauses[0].n_any; k++)
            buf_printf(&best, "%s%.*s", k ? "|" : "", SV_ARG(l->clauses[0].any[k].bytes));
        if (!sv_eq(buf_view(&best), sv_of(rows[i].best)))
            fail_msg("%s: '%.*s'", rows[i].pattern, SV_ARG(buf_view(&best)));
        regex_unref(re);
    }
}

/* ---- bounds ---- */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds for one verdict and one set of captures on `n` times `unit`, then `tail`. */
static double seconds_for(struct regex *re, const char *unit, size_t n, const char *tail)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_put(&text, sv_of(unit));
    buf_put(&text, sv_of(tail));
    size_t spans[8];
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        struct regex_scratch *scratch = regex_scratch_new();
        double begin = cpu_seconds();
        regex_matches(re, scratch, buf_view(&text));
        regex_captures(re, scratch, buf_view(&text), 0, spans, 8);
        double took = cpu_seconds() - begin;
        best = took < best ? took : best;
        regex_scratch_free(scratch);
    }
    return best;
}

/* Doubles the text until it takes a while, then once more: a quadratic matcher would need four
 * times as long, an exponential one would never get there. */
static void expect_linear(const char *pattern, const char *unit, const char *tail)
{
    struct regex *re = compiled(pattern, REGEX_SEARCH);
    size_t n = 500;
    double once = seconds_for(re, unit, n, tail);
    while (once < 0.01 && n < 2000000) {
        n *= 2;
        once = seconds_for(re, unit, n, tail);
    }
    double twice = seconds_for(re, unit, 2 * n, tail);
    if (twice > 3.2 * once + 0.01)
        fail_msg("%s: %zu units took %.4f s, %zu took %.4f s", pattern, n, once, 2 * n, twice);
    regex_unref(re);
}

static void test_hostile_patterns_take_linear_time(void **state)
{
    static const char *const rows[][3] = {
        {"(a+)+$", "a", "b"},
        {"(a|a)*b", "a", ""},
        {"(a*)*b", "a", ""},
        {"(a?){30}a{30}$", "a", "b"},
        {"(x+x+)+y", "x", ""},
        {"(.*)(.*)(.*)(.*)x", "ab ", ""},
        {"((a{1,20}){1,20}){1,2}$", "a", "b"},
        {"(?i)(straSSe|k|s|\xc3\xa9)+q", "StrassE\xe2\x84\xaa", ""},
        {"[\\p{L}\\p{N}]+[\\p{Greek}\\p{Cyrillic}]$", "a\xc3\xa9\xce\xb1", "."},
        {"\\b(\\w+)\\b.*\\b(\\w+)\\b.*!", "word ", ""},
        {"(?m)^(.*)$.*^(.*)$x", "ab\n", ""},
        {"(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
         "fifteen|sixteen|seventeen|eighteen|nineteen|twenty)+!",
         "seventeenfour", ""},
        {"[^x]{50}y", "a", ""},
        {"(a|b)*a(a|b){12}c", "abbabaab", ""},
    };
    for (size_t i = 0; i < N(rows); i++)
        expect_linear(rows[i][0], rows[i][1], rows[i][2]);
}

static void test_patterns_that_explode_are_refused_or_compile_soon(void **state)
{
    CLEANUP(buf_deinit)
    struct buf big_class = BUF_INIT, words = BUF_INIT, deep = BUF_INIT, folded = BUF_INIT;
    buf_put_u8(&big_class, '[');
    for (uint32_t i = 0; i < 20000; i++)
        buf_printf(&big_class, "\\x{%x}", 0x100 + 2 * i);
    buf_put_u8(&big_class, ']');
    for (int i = 0; i < 10000; i++)
        buf_printf(&words, "%sword%d", i ? "|" : "", i * 7919);
    buf_fill(&deep, '(', 900);
    buf_put(&deep, SV("a|b"));
    for (int i = 0; i < 900; i++)
        buf_put(&deep, SV(")x"));
    buf_put(&folded, SV("(?i)"));
    for (int i = 0; i < 3000; i++)
        buf_put(&folded, SV("[\\pL\\PN]"));
    const struct str_view rows[] = {
        SV("((a{10}){10}){10}"), SV("(((a{10}){10}){10}b)*(((c{10}){10}){10}d)*"),
        SV("(\\pL{500}){2}"),    SV("[\\pL\\pN\\pP]{900}"),
        buf_view(&big_class),    buf_view(&words),
        buf_view(&deep),         buf_view(&folded),
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct regex *re = NULL;
        struct err err = ERR_INIT;
        double begin = cpu_seconds();
        int r = regex_compile(&re, rows[i], REGEX_SEARCH, &err);
        double took = cpu_seconds() - begin;
        if (took > 3) /* a tenth of that without sanitizers */
            fail_msg("pattern %zu took %.2f s", i, took);
        if (r == 0) {
            struct regex_scratch *scratch = regex_scratch_new();
            regex_matches(re, scratch, SV("some text word7919 aaaaaaaaaa"));
            regex_scratch_free(scratch);
        }
        regex_unref(re);
    }
}

static bool say_stop(void *ctx)
{
    ++*(int *)ctx;
    return true;
}

static void test_a_search_that_takes_long_can_be_stopped(void **state)
{
    CLEANUP(buf_deinit) struct buf pattern = BUF_INIT, text = BUF_INIT;
    for (int i = 0; i < 450; i++)
        buf_put(&pattern, SV("(?:a?a?|aa){100}"));
    buf_put(&pattern, SV("c"));
    buf_fill(&text, 'a', 1 << 20); /* that would take minutes */
    struct regex *re;
    assert_int_equal(regex_compile(&re, buf_view(&pattern), REGEX_SEARCH, NULL), 0);
    struct regex_scratch *scratch = regex_scratch_new();
    int asked = 0;
    regex_scratch_set_stop(scratch, say_stop, &asked);
    double begin = cpu_seconds();
    assert_false(regex_matches(re, scratch, buf_view(&text)));
    assert_int_equal(asked, 1);
    size_t spans[2];
    assert_false(regex_captures(re, scratch, buf_view(&text), 1, spans, 2));
    assert_true(cpu_seconds() - begin < 5);
    regex_scratch_set_stop(scratch, NULL, NULL);
    assert_true(regex_matches(re, scratch, SV("aac")));
    regex_unref(re);
    regex_scratch_free(scratch);
}

static void test_a_scratch_serves_many_regexes_at_once(void **state)
{
    enum { MANY = 300 };
    struct regex *re[MANY];
    struct regex_scratch *scratch = regex_scratch_new();
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < MANY; i++)
        re[i] = compiled(arena_printf(&a, "(a|b)*%zu[x-z]", i).p, REGEX_SEARCH);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < MANY; i++) {
            assert_true(regex_matches(re[i], scratch, arena_printf(&a, "ab%zuy", i)));
            assert_false(regex_matches(re[i], scratch, arena_printf(&a, "ab%zuw", i)));
        }
    for (size_t i = 0; i < MANY; i++)
        regex_unref(re[i]);
    regex_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_anchor_and_let_the_dot_take_newlines),
        cmocka_unit_test(test_errors_show_the_pattern_as_the_mode_says),
        cmocka_unit_test(test_both_spellings_of_a_named_group_are_known),
        cmocka_unit_test(test_captures_are_those_of_the_leftmost_first_match_behind_from),
        cmocka_unit_test(test_lines_of_a_block_match_one_by_one),
        cmocka_unit_test(test_lines_side_by_side_match_as_alone),
        cmocka_unit_test(test_lines_side_by_side_match_when_the_table_starts_over),
        cmocka_unit_test(test_replacing_stops_at_the_bound),
        cmocka_unit_test(test_shapes_are_found_where_a_string_test_is_exact),
        cmocka_unit_test(test_clauses_name_the_strings_that_every_match_holds),
        cmocka_unit_test(test_hostile_patterns_take_linear_time),
        cmocka_unit_test(test_patterns_that_explode_are_refused_or_compile_soon),
        cmocka_unit_test(test_a_search_that_takes_long_can_be_stopped),
        cmocka_unit_test(test_a_scratch_serves_many_regexes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
