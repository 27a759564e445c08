/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoded.h"

static void assert_decodes(uint8_t format, struct str_view body, const char *want)
{
    struct decoded d CLEANUP(decoded_deinit);
    struct push_policy policy = bare_policy();
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    decode(&d, format, body, &policy);
    if (d.result < 0)
        fail_msg("%.*s: %s", SV_ARG(body), d.err.text);
    put_decoded(&got, d.streams, d.n);
    buf_put_u8(&got, '\0');
    assert_string_equal(got.p, want);
}

/* text may be "": only the code matters. */
static void assert_refused(uint8_t format, struct str_view body, int code, const char *text)
{
    struct decoded d CLEANUP(decoded_deinit);
    struct push_policy policy = bare_policy();
    decode(&d, format, body, &policy);
    if (d.result != code)
        fail_msg("%.*s: code %d, %s", SV_ARG(body), d.result, d.err.text);
    assert_non_null(strstr(d.err.text, text));
}

static void test_streams_and_entries_come_in_order(void **state)
{
    assert_decodes(PUSH_JSON_V1,
                   SV("{\"streams\":[{\"stream\":{\"b\":\"1\",\"a\":\"2\"},\"values\":["
                      "[\"5\",\"x\"],[\"3\",\"y\",{\"k\":\"v\",\"j\":\"w\"}]]},"
                      "{\"stream\":{\"a\":\"2\"},\"values\":[[\"-7\",\"\"]]}]}"),
                   "{a=2,b=1} 5:x 3:y[j=w,k=v] | {a=2} -7:");
}

static void test_blanks_unknown_keys_and_later_elements_do_not_matter(void **state)
{
    assert_decodes(
        PUSH_JSON_V1,
        SV(" \n{ \"x\" : [1,{\"y\":[null,true,1e5,\"]\"]}] , \"streams\" : [ {\"values\":[ [ \"1\" "
           ", \"l\" , {} , 7, {\"z\":[]} ] ] , \"more\":{\"a\":1}, \"stream\":{ \"a\" :\"b\" } } ] "
           "} trailing"),
        "{a=b} 1:l");
}

static void test_null_stands_for_nothing(void **state)
{
    assert_decodes(PUSH_JSON_V1,
                   SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":null},{\"stream\":{\"a\":"
                      "\"b\"}},{\"stream\":null,\"values\":[null,[\"1\",\"x\"],null]}]}"),
                   "{a=b} | {a=b} | {} 1:x");
    assert_refused(PUSH_JSON_V1, SV("null"), ERR_NO_STREAMS, "at least one valid stream");
    assert_refused(PUSH_JSON_V1, SV("{\"streams\":null}"), ERR_NO_STREAMS, "");
    assert_refused(PUSH_JSON_V1, SV("{\"streams\":[]}"), ERR_NO_STREAMS, "");
    assert_refused(PUSH_JSON_V1, SV("{}"), ERR_NO_STREAMS, "");
}

static void test_escapes_are_read_as_json_has_them(void **state)
{
    assert_decodes(
        PUSH_JSON_V1,
        SV("{\"streams\":[{\"stream\":{\"\\u0061\":\"\\u00e9\"},\"values\":[[\"\\u0031\","
           "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00 \\ud83d \\ude00x\"]]}]}"),
        "{a=\xc3\xa9} 1:\"\\/\b\f\n\r\t\xe2\x82\xac\xf0\x9f\x98\x80 \xef\xbf\xbd "
        "\xef\xbf\xbdx");
    struct decoded d CLEANUP(decoded_deinit);
    struct push_policy policy = bare_policy();
    decode(&d, PUSH_JSON_V1,
           SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\\u0000y\"]]}]}"),
           &policy);
    assert_int_equal(d.result, 0);
    assert_true(sv_eq(d.streams[0].entries[0].e.line, SV("x\0y")));
}

static void test_raw_bytes_inside_strings_stay_as_they_are(void **state)
{
    assert_decodes(
        PUSH_JSON_V1,
        SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\xff\x01\n\"]]}]}"),
        "{a=b} 1:\xff\x01\n");
}

static void test_label_values_of_other_kinds_are_their_text(void **state)
{
    assert_decodes(PUSH_JSON_V1,
                   SV("{\"streams\":[{\"stream\":{\"a\":1.50,\"b\":true,\"c\":\"\",\"d\":null},"
                      "\"values\":[]}]}"),
                   "{a=1.50,b=true,d=null}");
}

static void test_of_equal_label_names_the_last_wins(void **state)
{
    assert_decodes(PUSH_JSON_V1,
                   SV("{\"streams\":[{\"stream\":{\"a\":\"9\",\"b\":\"x\",\"a\":\"1\"}}]}"),
                   "{a=1,b=x}");
    CLEANUP(buf_deinit) struct buf body = BUF_INIT, want = BUF_INIT;
    buf_put(&body, SV("{\"streams\":[{\"stream\":{\"z\":\"9\""));
    buf_put(&want, SV("{"));
    for (int i = 0; i < 100; i++) {
        buf_printf(&body, ",\"l%03d\":\"v\"", i);
        buf_printf(&want, "l%03d=v,", i);
    }
    buf_put(&body, SV(",\"z\":\"1\"}}]}"));
    buf_put(&want, SV("z=1}\0"));
    assert_decodes(PUSH_JSON_V1, buf_view(&body), want.p);
}

static void test_names_that_are_none_are_refused_with_their_place(void **state)
{
    assert_refused(PUSH_JSON_V1,
                   SV("{\"streams\":[{\"stream\":{\"a b\":\"x\"},\"values\":[[\"1\",\"x\"]]}]}"),
                   ERR_INVALID,
                   "couldn't parse labels: 1:4: parse error: unexpected identifier "
                   "\"b\" in label set, expected \"=\"");
    assert_refused(PUSH_JSON_V1, SV("{\"streams\":[{\"stream\":{\"1a\":\"x\"}}]}"), ERR_INVALID,
                   "couldn't parse labels: ");
    assert_refused(PUSH_JSON_V1, SV("{\"streams\":[{\"stream\":{\"\":\"x\"}}]}"), ERR_INVALID,
                   "couldn't parse labels: ");
}

static void test_timestamps_are_strings_of_nanoseconds(void **state)
{
    static const char *const good[] = {"0", "-1", "+5", "9223372036854775807", "007"};
    static const char *const bad[] = {"\"\"",     "\"1.5\"", "\"1e9\"", "1772359200000000001",
                                      "\"x\"",    "null",    "\"+-5\"", "\"9223372036854775808\"",
                                      "\"1 \"",   "true",    "[]",      "\"2026-03-01T10:00:00Z\"",
                                      "\"0x10\"", "\"--1\"", "\"+\""};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CLEANUP(buf_deinit) struct buf body = BUF_INIT, want = BUF_INIT;
        buf_printf(&body, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"%s\",\"x\"]]}]}",
                   good[i]);
        buf_printf(&want, "{a=b} %lld:x", strtoll(good[i], NULL, 10));
        if (strcmp(good[i], "9223372036854775807") == 0)
            buf_clear(&want), buf_put(&want, SV("{a=b} new:x\0"));
        assert_decodes(PUSH_JSON_V1, buf_view(&body), want.p);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CLEANUP(buf_deinit) struct buf body = BUF_INIT;
        buf_printf(&body, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[%s,\"x\"]]}]}",
                   bad[i]);
        assert_refused(PUSH_JSON_V1, buf_view(&body), ERR_INVALID, "timestamp is not ");
    }
}

static void test_wrong_shapes_are_refused_whole(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "\"x\"",
        "1",
        "{",
        "{\"streams\"}",
        "{\"streams\":1}",
        "{\"streams\":{}}",
        "{\"streams\":[1]}",
        "{\"streams\":[null]}",
        "{\"streams\":[{}",
        "{\"streams\":[{},]}",
        "{\"streams\":[{}]",
        "{\"streams\":[{\"stream\":[]}]}",
        "{\"streams\":[{\"stream\":\"a\"}]}",
        "{\"streams\":[{\"stream\":{\"a\":}}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\",}}]}",
        "{\"streams\":[{\"stream\":{a:\"b\"}}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":{}}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[1]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[{}]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",2]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",null]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",null]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",\"y\"]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{\"k\":1}]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{\"k\":null}]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{\"\":\"v\"}]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\\x\"]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\\u12g4\"]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\\u12\"]]}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]],\"y\":01}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]],\"y\":nul}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]],\"y\":-}]}",
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]],\"y\":1.}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(PUSH_JSON_V1, sv_of(bad[i]), ERR_INVALID, "");
}

static void test_a_body_cut_anywhere_is_refused(void **state)
{
    struct str_view whole =
        SV("{\"streams\":[{\"stream\":{\"a\":\"b\",\"c\":\"\\u0064\"},\"values\":["
           "[\"5\",\"x\\n\",{\"k\":\"v\"}],[\"6\",\"y\"]],\"z\":[1.5e3,null]}]}");
    struct push_policy policy = bare_policy();
    for (size_t len = 0; len < whole.len; len++) {
        struct decoded d CLEANUP(decoded_deinit);
        char *exact = mem_alloc(len);
        memcpy(exact, whole.p, len);
        decode(&d, PUSH_JSON_V1, sv(exact, len), &policy);
        assert_int_equal(d.result, ERR_INVALID);
        free(exact);
    }
    assert_decodes(PUSH_JSON_V1, whole, "{a=b,c=d} 5:x\n[k=v] 6:y");
}

static void test_nesting_has_a_bound(void **state)
{
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    buf_put(&body, SV("{\"x\":"));
    buf_fill(&body, '[', 100000);
    assert_refused(PUSH_JSON_V1, buf_view(&body), ERR_INVALID, "");
}

static void test_the_legacy_shape_has_text_labels_and_times(void **state)
{
    assert_decodes(PUSH_JSON_V0,
                   SV("{\"streams\":[{\"entries\":[{\"ts\":\"1970-01-01T00:00:01.000000002Z\","
                      "\"line\":\"x\",\"structuredMetadata\":{\"k\":\"v\"},\"z\":1},null,{\"line\":"
                      "\"no time\"}],\"labels\":\"{b=\\\"1\\\", a=`2`,}\"}]}"),
                   "{a=2,b=1} 1000000002:x[k=v] old:no time");
    assert_refused(PUSH_JSON_V0, SV("{\"streams\":[{\"labels\":\"{a}\"}]}"), ERR_INVALID,
                   "couldn't parse labels: 1:3: parse error: ");
    assert_refused(PUSH_JSON_V0, SV("{\"streams\":[{\"labels\":{\"a\":\"b\"}}]}"), ERR_INVALID, "");
    assert_refused(PUSH_JSON_V0,
                   SV("{\"streams\":[{\"labels\":\"{a=\\\"b\\\"}\",\"entries\":[{\"ts\":\"5\","
                      "\"line\":\"x\"}]}]}"),
                   ERR_INVALID, "ts is not a time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_and_entries_come_in_order),
        cmocka_unit_test(test_blanks_unknown_keys_and_later_elements_do_not_matter),
        cmocka_unit_test(test_null_stands_for_nothing),
        cmocka_unit_test(test_escapes_are_read_as_json_has_them),
        cmocka_unit_test(test_raw_bytes_inside_strings_stay_as_they_are),
        cmocka_unit_test(test_label_values_of_other_kinds_are_their_text),
        cmocka_unit_test(test_of_equal_label_names_the_last_wins),
        cmocka_unit_test(test_names_that_are_none_are_refused_with_their_place),
        cmocka_unit_test(test_timestamps_are_strings_of_nanoseconds),
        cmocka_unit_test(test_wrong_shapes_are_refused_whole),
        cmocka_unit_test(test_a_body_cut_anywhere_is_refused),
        cmocka_unit_test(test_nesting_has_a_bound),
        cmocka_unit_test(test_the_legacy_shape_has_text_labels_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
