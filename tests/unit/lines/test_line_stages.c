/* SPDX-License-Identifier: Apache-2.0 */
/* regexp, unpack, decolorize, and the making of label names and values. */
#include "emitted.h"
#include "lines/decolorize.h"
#include "lines/label_key.h"
#include "lines/regexp.h"
#include "lines/unpack.h"
#include "regex/regex.h"

static void expect_regexp(const char *pattern, const char *line, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT};
    struct err err = ERR_INIT;
    struct regexp_stage s;
    if (regexp_stage_init(&s, &a, sv_of(pattern), &err) < 0)
        fail_msg("%s: %s", pattern, err.text);
    struct regex_scratch *scratch = regex_scratch_new();
    regexp_extract(&s, scratch, sv_of(line), &a, collect_pair, &e);
    expect_text(sv_of(line), buf_view(&e.text), want);
    regex_scratch_free(scratch);
    regexp_stage_deinit(&s);
    buf_deinit(&e.text);
}

static void test_regexp_emits_the_named_groups_of_the_first_match(void **state)
{
    expect_regexp("(?P<k>\\w+)=(?P<v>\\w+)?", "a= b=2", "k=\"a\" v=\"\"");
    expect_regexp("(?P<verb>\\w+) (?<path>\\S+) (x)", "do GET /a x", "verb=\"GET\" path=\"/a\"");
    expect_regexp("^(?P<a>b)", "ab", "");
    expect_regexp("(?P<a>x)|(?P<b>y)", "zy", "a=\"\" b=\"y\"");
    expect_regexp("(?P<_9>x)(?P<a9>y)", "xy", "_9=\"x\" a9=\"y\"");
}

static void expect_unpack(const char *line, const char *want_line, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT};
    struct str_view details = SV_EMPTY, out = SV("?");
    if (unpack_line(sv_of(line), &a, collect_pair, &e, &out, &details) == LINE_E_FAULT) {
        buf_put_u8(&e.text, '!');
        assert_true(details.len > 0);
    }
    expect_text(sv_of(line), out, want_line);
    expect_text(sv_of(line), buf_view(&e.text), want);
    buf_deinit(&e.text);
}

static void test_unpack_takes_the_entry_for_the_line(void **state)
{
    expect_unpack("{\"pod\":\"p1\",\"n\":5,\"_entry\":\"hello\"}", "hello", "pod=\"p1\"");
    expect_unpack("{\"_entry\":\"a\\\"b\",\"k.v\":\"x\"}", "a\"b", "k_v=\"x\"");
    expect_unpack("{\"_entry\":\"\",\"a\":{\"b\":\"c\"},\"d\":[\"e\"],\"f\":null,\"g\":true}", "",
                  "");
    expect_unpack("", "", "");
}

static void test_unpack_without_an_entry_changes_nothing(void **state)
{
    expect_unpack("{\"pod\":\"p1\"}", "{\"pod\":\"p1\"}", "");
    expect_unpack("{\"_entry\":5}", "{\"_entry\":5}", "");
}

static void test_unpack_of_broken_json_is_a_fault_and_emits_nothing(void **state)
{
    static const char *const lines[] = {"plain", " {\"_entry\":\"x\"}", "[1]",
                                        "{\"a\":\"b\",\"_entry\":\"x\"", "{\"_entry\":\"x\",b}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_unpack(lines[i], lines[i], "!");
}

static void expect_plain(const char *coloured, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    expect_text(sv_of(coloured), decolorize(sv_of(coloured), &a), want);
}

static void test_decolorize_deletes_ansi_sequences(void **state)
{
    expect_plain("\x1b[31mred\x1b[0m", "red");
    expect_plain("\x1b[1;32;40mbold\x1b[m", "bold");
    expect_plain("a\xc2\x9b"
                 "31mb",
                 "ab");
    expect_plain("\x1b]0;title\x07text", "text");
    expect_plain("\x1b[2Jx\x1b[1;1Hy\x1b[Kz", "xyz");
    expect_plain("\x1b(Bx\x1b=y\x1b>z", "xyz");
    expect_plain("plain \xc3\xa9", "plain \xc3\xa9");
    expect_plain("\x1b", "\x1b");
    expect_plain("\x1b[", "\x1b[");
    expect_plain("\x1b[31", "");
    expect_plain("\x1b[12345mx", "mx");
}

static void test_keys_become_names_and_values_lose_invalid_bytes(void **state)
{
    static const char *const keys[][2] = {
        {"abc", "abc"},
        {" a b ", "a_b"},
        {"9", "_9"},
        {"a.b-c", "a_b_c"},
        {"", ""},
        {"  ", ""},
        {"\xc3\xa9", "_"},
        {"a\xff"
         "b",
         "a_b"},
        {"\xe2\x82\xac\xe2\x82\xac", "__"},
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect_text(sv_of(keys[i][0]), label_key_sanitise(&a, sv_of(keys[i][0])), keys[i][1]);
    static const char *const values[][2] = {
        {"abc\xc3\xa9", "abc\xc3\xa9"},
        {"a\xff\xfe"
         "b",
         "a  b"},
        {"\xef\xbf\xbd", " "},
        {"\xe2\x82", "  "},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        expect_text(sv_of(values[i][0]), label_value_clean(&a, sv_of(values[i][0])), values[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regexp_emits_the_named_groups_of_the_first_match),
        cmocka_unit_test(test_unpack_takes_the_entry_for_the_line),
        cmocka_unit_test(test_unpack_without_an_entry_changes_nothing),
        cmocka_unit_test(test_unpack_of_broken_json_is_a_fault_and_emits_nothing),
        cmocka_unit_test(test_decolorize_deletes_ansi_sequences),
        cmocka_unit_test(test_keys_become_names_and_values_lose_invalid_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
