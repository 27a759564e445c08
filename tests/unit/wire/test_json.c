/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan reads what json_out writes, and both keep to JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/utf8.h"
#include "wire/answer.h"
#include "wire/json_scan.h"

static void assert_written(struct str_view text, const char *want)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    json_put_string(&out, text);
    buf_put_u8(&out, 0);
    assert_string_equal(out.p, want);
}

static void test_strings_are_escaped_as_go_does(void **state)
{
    assert_written(SV(""), "\"\"");
    assert_written(SV("plain text of more than sixteen bytes"),
                   "\"plain text of more than sixteen bytes\"");
    assert_written(SV("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\"");
    assert_written(SV("\0\x01\b\f\x1f\x7f"), "\"\\u0000\\u0001\\u0008\\u000c\\u001f\x7f\"");
    assert_written(SV("<a href=\"x\">&</a>"),
                   "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u003c/a\\u003e\"");
    assert_written(SV("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"),
                   "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"");
    assert_written(SV("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
    assert_written(SV("a\xff\xc0\x80"
                      "b\xe2\x82"),
                   "\"a\\ufffd\\ufffd\\ufffdb\\ufffd\\ufffd\"");
}

/* What a reader must get back: the text with each byte that is no UTF-8 replaced. */
static void put_valid(struct buf *out, struct str_view text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t c;
        size_t n = utf8_decode(sv_from(text, at), &c);
        utf8_put(out, n ? c : UTF8_REPLACEMENT);
        at += n ? n : 1;
    }
}

static void test_what_is_written_is_read_back(void **state)
{
    srand(7);
    static const char *const pieces[] = {"a",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "<",
                                         "\xc3\xbc",
                                         "\xff",
                                         "\xe2",
                                         "\x80",
                                         "\xa8",
                                         "0123456789abcdef0123",
                                         "\0",
                                         "\xf0\x9f\x98\x80",
                                         "\x1f"};
    for (int i = 0; i < 3000; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT, json = BUF_INIT, want = BUF_INIT;
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        size_t len = (size_t)rand() % (i % 100 == 0 ? 20000 : 60);
        while (text.len < len) {
            const char *p = pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])];
            buf_put_bytes(&text, p, strlen(p) ? strlen(p) : 1);
        }
        json_put_string(&json, buf_view(&text));
        put_valid(&want, buf_view(&text));
        struct json_scan in = json_scan_of(buf_view(&json));
        struct str_view got;
        assert_true(json_text(&in, &a, &got));
        assert_ptr_equal(in.p, in.end);
        assert_true(sv_eq(got, buf_view(&want)));
    }
}

static void test_label_sets_are_written_from_both_forms(void **state)
{
    struct label v[] = {{SV("a"), SV("1")}, {SV("b\""), SV("<")}};
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
    labels_encode(&encoded, (struct labels){v, 2});
    json_put_labels(&one, (struct labels){v, 2});
    json_put_labels_encoded(&two, buf_view(&encoded));
    assert_true(sv_eq(buf_view(&one), SV("{\"a\":\"1\",\"b\\\"\":\"\\u003c\"}")));
    assert_true(sv_eq(buf_view(&one), buf_view(&two)));
    buf_clear(&two);
    json_put_labels_encoded(&two, SV_EMPTY);
    assert_true(sv_eq(buf_view(&two), SV("{}")));
}

static bool skips_all(const char *text)
{
    struct json_scan in = json_scan_of(sv_of(text));
    struct str_view got;
    return json_skip_value(&in, &got) && in.p == in.end;
}

static void test_values_of_every_kind_are_stepped_over(void **state)
{
    static const char *const good[] = {
        "null", "true", "false", "0",    "-0",           "12",
        "1.5",  "-1e9", "1E+2",  "1e-2", "\"\"",         "\"a\\\"b\"",
        "[]",   "{}",   "[1,2]", "[ ]",  "{\"a\":[{}]}", " [ 1 , {\"a\" : null } ]"};
    static const char *const bad[] = {"",     "nul",     "01",       "-",     "1.",         ".5",
                                      "+1",   "1e",      "[",        "[1",    "[1,]",       "[,]",
                                      "{",    "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"",
                                      "\"\\", "NaN",     "tru",      "]",     "[1 2]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!skips_all(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (skips_all(bad[i]))
            fail_msg("%s", bad[i]);
}

static void test_depth_is_bounded(void **state)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_fill(&b, '[', JSON_MAX_DEPTH);
    buf_fill(&b, ']', JSON_MAX_DEPTH);
    struct json_scan in = json_scan_of(buf_view(&b));
    assert_true(json_skip_value(&in, NULL));
    buf_clear(&b);
    buf_fill(&b, '[', JSON_MAX_DEPTH + 1);
    buf_fill(&b, ']', JSON_MAX_DEPTH + 1);
    in = json_scan_of(buf_view(&b));
    assert_false(json_skip_value(&in, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_escaped_as_go_does),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_label_sets_are_written_from_both_forms),
        cmocka_unit_test(test_values_of_every_kind_are_stepped_over),
        cmocka_unit_test(test_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
