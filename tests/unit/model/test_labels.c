/* SPDX-License-Identifier: Apache-2.0 */
/* labels, their text, Go's quoting, matchers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/go_quote.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "regex/regex.h"

static struct labels set(struct label *v, size_t n)
{
    return (struct labels){v, n};
}

static void assert_text(struct buf *out, const char *want)
{
    buf_put_u8(out, 0);
    assert_string_equal(out->p, want);
    buf_deinit(out);
}

/* ---- sets ---- */

static void test_sets_are_sorted_and_equal_names_keep_their_order(void **state)
{
    enum { N = 500 };
    static struct label v[N];
    static char names[N][8];
    for (size_t n = 0; n <= N; n += n < 70 ? 1 : 107) {
        srand((unsigned)n);
        for (size_t i = 0; i < n; i++) {
            int k = rand() % 40;
            snprintf(names[i], sizeof names[i], "n%d", k);
            v[i] = (struct label){sv_of(names[i]), sv((const char *)&v[i], i)}; /* len: its place */
        }
        struct str_view duplicate;
        labels_sort(v, n, &duplicate);
        bool any = false;
        for (size_t i = 1; i < n; i++) {
            int c = sv_cmp(v[i - 1].name, v[i].name);
            assert_true(c < 0 || (c == 0 && v[i - 1].value.len < v[i].value.len));
            any |= c == 0;
        }
        assert_int_equal(duplicate.p != NULL, any);
    }
}

static void test_values_are_found_by_name(void **state)
{
    struct label v[] = {{SV("a"), SV("1")}, {SV("b"), SV("2")}};
    assert_true(sv_eq(labels_get(set(v, 2), SV("b")), SV("2")));
    assert_null(labels_get(set(v, 2), SV("c")).p);
    assert_null(labels_get(set(NULL, 0), SV("a")).p);
}

static void test_sets_compare_by_name_then_value_then_length(void **state)
{
    struct label a1[] = {{SV("a"), SV("1")}, {SV("b"), SV("1")}}, a2[] = {{SV("a"), SV("2")}},
                 b1[] = {{SV("b"), SV("0")}};
    assert_true(labels_cmp(set(a1, 1), set(a2, 1)) < 0);
    assert_true(labels_cmp(set(a2, 1), set(b1, 1)) < 0);
    assert_true(labels_cmp(set(a1, 1), set(a1, 2)) < 0);
    assert_int_equal(labels_cmp(set(a1, 2), set(a1, 2)), 0);
}

/* ---- the encoded form ---- */

static void test_sets_survive_encoding(void **state)
{
    struct label v[] = {{SV("a"), SV("x\0y")}, {SV("b"), SV("\xff")}, {SV("long"), SV("")}};
    char long_value[300];
    memset(long_value, 'v', sizeof long_value);
    v[2].value = sv(long_value, sizeof long_value);
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct labels back;
    labels_encode(&encoded, set(v, 3));
    assert_int_equal(labels_decode(&a, buf_view(&encoded), &back, NULL), 0);
    assert_int_equal(labels_cmp(back, set(v, 3)), 0);
    assert_int_equal(labels_decode(&a, SV("\0"), &back, NULL), 0);
    assert_int_equal(back.n, 0);
    for (size_t len = 0; len < encoded.len; len++)
        assert_int_equal(labels_decode(&a, sv(encoded.p, len), &back, NULL), ERR_CORRUPT);
}

static void test_only_the_one_form_decodes(void **state)
{
    static const struct str_view bad[] = {
        SV(""),
        SV("\x01\x01"
           "a\x00"), /* empty value */
        SV("\x01\x00\x01"
           "b"), /* empty name */
        SV("\x02\x01"
           "b\x01"
           "1\x01"
           "a\x01"
           "2"), /* not sorted */
        SV("\x02\x01"
           "a\x01"
           "1\x01"
           "a\x01"
           "2"), /* twice */
        SV("\x01\x01"
           "a\x01"
           "1x"), /* too long */
        SV("\x81\x00\x01"
           "a\x01"
           "1"), /* count in two bytes */
        SV("\x01\x81\x00"
           "a\x01"
           "1"), /* length in two bytes */
        SV("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        SV("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct labels back;
        struct err err = ERR_INIT;
        assert_int_equal(labels_decode(&a, bad[i], &back, &err), ERR_CORRUPT);
        assert_true(err.text[0]);
    }
    assert_true(a.used_bytes < 64 << 10);
}

static void test_the_hash_is_part_of_the_format(void **state)
{
    assert_int_equal(labels_hash_encoded(SV("")), UINT64_C(0xef46db3751d8e999));
    assert_int_equal(labels_hash_encoded(SV("\x01\x03"
                                            "app\x03"
                                            "pay")),
                     UINT64_C(0xc18e19049e0a98c6));
}

/* ---- label text ---- */

static void assert_parses(struct str_view text, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct label *v;
    size_t n;
    if (labels_parse(&a, text, &v, &n, &err) < 0)
        fail_msg("%.*s: %s", SV_ARG(text), err.text);
    struct buf out = BUF_INIT;
    labels_print(&out, set(v, n));
    assert_text(&out, want);
}

static void test_label_text_is_read_as_prometheus_reads_it(void **state)
{
    assert_parses(SV("{}"), "{}");
    assert_parses(SV("{b=\"1\", a=\"2\"}"), "{a=\"2\", b=\"1\"}");
    assert_parses(SV(" {\n\ta = \"x\" ,\r\n} "), "{a=\"x\"}");
    assert_parses(SV("{a=`raw \\n \"q\"`}"), "{a=\"raw \\\\n \\\"q\\\"\"}");
    assert_parses(SV("{a='single \"'}"), "{a=\"single \\\"\"}");
    assert_parses(SV("{a=\"\", b=\"x\"}"), "{b=\"x\"}");
    assert_parses(SV("{a=\"1\", a=\"2\"}"), "{a=\"1\", a=\"2\"}");
    assert_parses(SV("{a=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"}"),
                  "{a=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"}");
    assert_parses(SV("{a=\"\\x41\\101\\u00e9\\U0001f600\"}"), "{a=\"AA\xc3\xa9\xf0\x9f\x98\x80\"}");
    assert_parses(SV("{a=\"gr\xc3\xbc\xc3\x9f\"}"), "{a=\"gr\xc3\xbc\xc3\x9f\"}");
    assert_parses(SV("{a=\"x\" # a comment }\n}"), "{a=\"x\"}");
    assert_parses(SV("up{a=\"b\"}"), "{__name__=\"up\", a=\"b\"}");
    assert_parses(SV("{\"a\"=\"b\",'c'=`d`}"), "{a=\"b\", c=\"d\"}");
    assert_parses(SV("{_a1=\"b\",A=\"c\"}"), "{A=\"c\", _a1=\"b\"}");
}

static void assert_fails(struct str_view text, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct label *v;
    size_t n;
    assert_int_equal(labels_parse(&a, text, &v, &n, &err), ERR_INVALID);
    assert_string_equal(err.text, want);
}

static void test_errors_of_label_text_name_line_and_column(void **state)
{
    assert_fails(SV("{a}"), "1:3: parse error: unexpected \"}\" in label set, expected \"=\"");
    assert_fails(SV("{a=b}"),
                 "1:4: parse error: unexpected identifier \"b\" in label set, expected string");
    assert_fails(SV("{\n a=\"x\n\"}"), "2:4: parse error: unterminated quoted string");
    assert_fails(SV("{a=`x}"), "1:4: parse error: unterminated raw string");
    assert_fails(SV("{a=\"x\""), "1:7: parse error: unexpected end of input inside braces");
    assert_fails(SV("{a=\"\\z\"}"), "1:4: parse error: unknown escape sequence");
    assert_fails(SV("{a!=\"x\"}"),
                 "1:3: parse error: unexpected \"!=\" in label set, expected \"=\"");
    assert_fails(SV("{1a=\"x\"}"), "1:2: parse error: unexpected character inside braces: '1'");
    assert_fails(SV("{a=\"x\" b=\"y\"}"), "1:8: parse error: unexpected identifier \"b\" in label "
                                          "set, expected \",\" or \"}\"");
    assert_fails(SV("{a=\"x\"}}"), "1:8: parse error: unexpected \"}\"");
    assert_fails(SV("{\"a b\"=\"x\"}"), "1:8: parse error: invalid label name: \"a b\"");
    assert_fails(SV("{''=\"x\"}"), "1:5: parse error: invalid label name: \"\"");
    assert_fails(SV("{\xff}"), "1:2: parse error: unexpected character inside braces: '\\xff'");
}

/* Any bytes as a value: what is printed parses back to the same. */
static void test_what_is_quoted_reads_back(void **state)
{
    srand(3);
    for (int i = 0; i < 5000; i++) {
        char value[64];
        size_t n = 1 + (size_t)rand() % sizeof value;
        for (size_t k = 0; k < n; k++)
            value[k] = (char)(rand() % 3 ? rand() % 128 : rand() % 256);
        struct label in = {SV("a"), sv(value, n)}, *out;
        size_t n_out;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct err err = ERR_INIT;
        labels_print(&text, set(&in, 1));
        if (labels_parse(&a, buf_view(&text), &out, &n_out, &err) < 0)
            fail_msg("%.*s: %s", SV_ARG(buf_view(&text)), err.text);
        assert_int_equal(n_out, 1);
        assert_true(sv_eq(out[0].value, in.value));
    }
}

static void test_go_quotes_what_does_not_print(void **state)
{
    static const struct {
        struct str_view text;
        const char *want;
    } cases[] = {
        {SV(""), "\"\""},
        {SV("plain"), "\"plain\""},
        {SV("\"\\"), "\"\\\"\\\\\""},
        {SV("\0\x01\x7f"), "\"\\x00\\x01\\x7f\""},
        {SV("\a\b\f\n\r\t\v"), "\"\\a\\b\\f\\n\\r\\t\\v\""},
        {SV("\xff\xc3"), "\"\\xff\\xc3\""},
        {SV("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {SV("\xc2\xa0\xc2\xad"), "\"\\u00a0\\u00ad\""}, /* no-break space, soft hyphen */
        {SV("\xe2\x80\xa8\xef\xbb\xbf"), "\"\\u2028\\ufeff\""},
        {SV("\xf3\xa0\x80\x81\xf4\x8f\xbf\xbf"), "\"\\U000e0001\\U0010ffff\""},
        {SV("\xef\xbf\xbd"), "\"\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        go_quote(&out, cases[i].text);
        assert_text(&out, cases[i].want);
    }
}

/* ---- matchers ---- */

static bool matches(enum match_op op, const char *pattern, const char *value)
{
    struct matcher m = {.name = SV("a"), .op = op, .value = sv_of(pattern)};
    struct regex_scratch *scratch = regex_scratch_new();
    struct err err = ERR_INIT;
    if (matcher_compile(&m, &err) < 0)
        fail_msg("%s", err.text);
    struct label label = {SV("a"), sv_of(value ? value : "")};
    bool yes = matchers_match(&m, 1, scratch, set(&label, value != NULL));
    matcher_deinit(&m);
    regex_scratch_free(scratch);
    return yes;
}

static void test_matchers_take_an_absent_label_as_empty(void **state)
{
    assert_true(matches(MATCH_EQ, "x", "x") && !matches(MATCH_EQ, "x", "xy"));
    assert_true(matches(MATCH_NE, "x", "y") && matches(MATCH_NE, "x", NULL));
    assert_true(matches(MATCH_EQ, "", NULL));
    assert_true(matches(MATCH_RE, "x.*", "xyz") && !matches(MATCH_RE, "x", "xyz"));
    assert_true(matches(MATCH_RE, ".*", NULL) && !matches(MATCH_RE, ".+", NULL));
    assert_true(matches(MATCH_NRE, ".+", NULL) && !matches(MATCH_NRE, "x|y", "y"));
    assert_true(matches(MATCH_RE, "a.b", "a\nb"));
}

static void test_every_matcher_must_hold(void **state)
{
    struct matcher m[] = {{.name = SV("a"), .op = MATCH_EQ, .value = SV("1")},
                          {.name = SV("b"), .op = MATCH_NE, .value = SV("2")}};
    struct label v[] = {{SV("a"), SV("1")}, {SV("b"), SV("2")}};
    assert_false(matchers_match(m, 2, NULL, set(v, 2)));
    assert_true(matchers_match(m, 2, NULL, set(v, 1)));
    assert_true(matchers_match(m, 0, NULL, set(v, 2)));
    assert_string_equal(match_op_text(MATCH_NRE), "!~");
}

static void test_a_wrong_regex_is_told(void **state)
{
    struct matcher m = {.name = SV("a"), .op = MATCH_RE, .value = SV("(")};
    struct err err = ERR_INIT;
    assert_true(matcher_compile(&m, &err) < 0);
    assert_non_null(strstr(err.text, "missing closing )"));
    matcher_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_are_sorted_and_equal_names_keep_their_order),
        cmocka_unit_test(test_values_are_found_by_name),
        cmocka_unit_test(test_sets_compare_by_name_then_value_then_length),
        cmocka_unit_test(test_sets_survive_encoding),
        cmocka_unit_test(test_only_the_one_form_decodes),
        cmocka_unit_test(test_the_hash_is_part_of_the_format),
        cmocka_unit_test(test_label_text_is_read_as_prometheus_reads_it),
        cmocka_unit_test(test_errors_of_label_text_name_line_and_column),
        cmocka_unit_test(test_what_is_quoted_reads_back),
        cmocka_unit_test(test_go_quotes_what_does_not_print),
        cmocka_unit_test(test_matchers_take_an_absent_label_as_empty),
        cmocka_unit_test(test_every_matcher_must_hold),
        cmocka_unit_test(test_a_wrong_regex_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
