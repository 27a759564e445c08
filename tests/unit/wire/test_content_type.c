/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "wire/push.h"

static struct str_view header(const char *text)
{
    return text ? sv_of(text) : (struct str_view){NULL, 0};
}

static void assert_reads(const char *type, const char *encoding, bool legacy, uint8_t format,
                         uint8_t coding)
{
    uint8_t got_format = 0, got_coding = 9;
    struct err err = ERR_INIT;
    if (push_content_type(header(type), header(encoding), legacy, &got_format, &got_coding, &err))
        fail_msg("%s: %s", type, err.text);
    assert_int_equal(got_format, format);
    assert_int_equal(got_coding, coding);
}

static void assert_refused(const char *type, const char *encoding, const char *text)
{
    uint8_t format, coding;
    struct err err = ERR_INIT;
    int r = push_content_type(header(type), header(encoding), false, &format, &coding, &err);
    if (r != ERR_INVALID || !strstr(err.text, text))
        fail_msg("%s: %d %s", type, r, err.text);
}

static void test_json_is_what_says_json_all_else_is_protobuf(void **state)
{
    static const char *const json[] = {"application/json",  "application/json; charset=utf-8",
                                       "APPLICATION/Json",  " application/json ;x=\"a;b\\\"c\" ",
                                       "application/json;", "application/json; a=1; b=2"};
    static const char *const other[] = {"application/x-protobuf", "text/plain", "x/y",
                                        "application/jsonl", "application/vnd.x+json"};
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++) {
        assert_reads(json[i], NULL, false, PUSH_JSON_V1, PUSH_CODING_NONE);
        assert_reads(json[i], NULL, true, PUSH_JSON_V0, PUSH_CODING_NONE);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_reads(other[i], NULL, false, PUSH_PROTOBUF, PUSH_CODING_NONE);
        assert_reads(other[i], NULL, true, PUSH_PROTOBUF, PUSH_CODING_NONE);
    }
}

static void test_three_encodings_and_none_are_known(void **state)
{
    assert_reads("application/json", "", false, PUSH_JSON_V1, PUSH_CODING_NONE);
    assert_reads("application/json", "snappy", false, PUSH_JSON_V1, PUSH_CODING_NONE);
    assert_reads("application/json", "gzip", false, PUSH_JSON_V1, PUSH_CODING_GZIP);
    assert_reads("application/json", "deflate", false, PUSH_JSON_V1, PUSH_CODING_DEFLATE);
    assert_reads("a/b", "snappy", false, PUSH_PROTOBUF, PUSH_CODING_NONE);
    assert_reads("a/b", "gzip", false, PUSH_PROTOBUF, PUSH_CODING_GZIP);
    static const char *const unknown[] = {"zstd", "br", "lz4", "gzip, snappy", "GZIP", "identity"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        char want[64];
        snprintf(want, sizeof want, "Content-Encoding \"%s\" not supported", unknown[i]);
        assert_refused("application/json", unknown[i], want);
    }
}

static void test_a_missing_or_malformed_type_is_refused(void **state)
{
    assert_refused(NULL, NULL, "mime: no media type");
    assert_refused("", NULL, "mime: no media type");
    assert_refused(" ;charset=utf-8", NULL, "mime: no media type");
    static const char *const bad[] = {"application/",
                                      "/json",
                                      "a b/c",
                                      "application/json x",
                                      "application/json; charset",
                                      "application/json; =x",
                                      "application/json; a=\"open",
                                      "application/json; a=1; A=2",
                                      "application/json; a=",
                                      "application/json; a=1 b=2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], NULL, "mime: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_what_says_json_all_else_is_protobuf),
        cmocka_unit_test(test_three_encodings_and_none_are_known),
        cmocka_unit_test(test_a_missing_or_malformed_type_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
