/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoded.h"

static const struct push_policy *bare(void)
{
    static struct push_policy policy;
    policy = bare_policy();
    return &policy;
}

/* request is emptied. */
static void decode_request(struct decoded *d, struct buf *request, struct buf *packed)
{
    snappy_pack(buf_view(request), packed);
    buf_deinit(request);
    decode(d, PUSH_PROTOBUF, buf_view(packed), bare());
}

static void assert_request(struct buf *request, const char *want)
{
    struct decoded d CLEANUP(decoded_deinit);
    CLEANUP(buf_deinit) struct buf packed = BUF_INIT, got = BUF_INIT;
    decode_request(&d, request, &packed);
    if (d.result < 0)
        fail_msg("%s", d.err.text);
    put_decoded(&got, d.streams, d.n);
    buf_put_u8(&got, '\0');
    assert_string_equal(got.p, want);
}

static void assert_refused(struct buf *request, int code, const char *text)
{
    struct decoded d CLEANUP(decoded_deinit);
    CLEANUP(buf_deinit) struct buf packed = BUF_INIT;
    decode_request(&d, request, &packed);
    if (d.result != code)
        fail_msg("code %d, %s", d.result, d.err.text);
    assert_non_null(strstr(d.err.text, text));
}

/* A request of one stream {a="b"} that holds one entry of these bytes. */
static void put_with_entry(struct buf *request, struct str_view entry)
{
    struct buf stream = BUF_INIT;
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    pb_bytes(&stream, 2, entry);
    pb_buf(request, 1, &stream);
}

static void test_streams_entries_and_metadata_are_read(void **state)
{
    struct buf request = BUF_INIT, stream = BUF_INIT, entry = BUF_INIT;
    pb_bytes(&stream, 1, SV("{b=\"1\", a=`2`}"));
    pb_entry(&stream, 1500000000, SV("x\ny"));
    pb_timestamp(&entry, 2, 7);
    pb_pair(&entry, 3, SV("k"), SV("v"));
    pb_bytes(&entry, 2, SV("with metadata"));
    pb_pair(&entry, 3, SV("j"), SV("w"));
    pb_buf(&stream, 2, &entry);
    pb_buf(&request, 1, &stream);
    pb_bytes(&request, 2, SV("format"));
    pb_bytes(&stream, 1, SV("{c=\"d\"}"));
    pb_buf(&request, 1, &stream);
    assert_request(&request, "{a=2,b=1} 1500000000:x\ny 2000000007:with metadata[j=w,k=v] | {c=d}");
}

static void test_fields_come_in_any_order_and_unknown_ones_are_skipped(void **state)
{
    struct buf request = BUF_INIT, stream = BUF_INIT, entry = BUF_INIT;
    pb_bytes(&entry, 4, SV("parsed, ignored"));
    pb_bytes(&entry, 2, SV("x"));
    pb_varint(&entry, 900, UINT64_MAX);
    pb_timestamp(&entry, 1, 0);
    buf_put(&entry, SV("\x29\x01\x02\x03\x04\x05\x06\x07\x08")); /* 5: eight bytes */
    buf_put(&entry, SV("\x2d\x01\x02\x03\x04"));                 /* 5: four bytes */
    pb_varint(&stream, 3, 12345);                                /* the sender's hash */
    pb_buf(&stream, 2, &entry);
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    pb_varint(&request, 7, 1);
    pb_buf(&request, 1, &stream);
    assert_request(&request, "{a=b} 1000000000:x");
}

static void test_of_a_repeated_scalar_the_last_wins_and_messages_merge(void **state)
{
    struct buf request = BUF_INIT, entry = BUF_INIT, ts = BUF_INIT;
    pb_bytes(&entry, 2, SV("first"));
    pb_varint(&ts, 1, 5);
    pb_buf(&entry, 1, &ts);
    pb_bytes(&entry, 2, SV("last"));
    pb_varint(&ts, 2, 6);
    pb_buf(&entry, 1, &ts);
    put_with_entry(&request, buf_view(&entry));
    buf_deinit(&entry);
    assert_request(&request, "{a=b} 5000000006:last");
}

static void test_lines_of_any_bytes_are_kept(void **state)
{
    struct buf request = BUF_INIT, stream = BUF_INIT;
    struct decoded d CLEANUP(decoded_deinit);
    CLEANUP(buf_deinit) struct buf packed = BUF_INIT;
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    pb_entry(&stream, 1, SV("nul \0 and \xff\xfe"));
    pb_entry(&stream, 2, SV(""));
    pb_buf(&request, 1, &stream);
    decode_request(&d, &request, &packed);
    assert_int_equal(d.n, 1);
    assert_true(sv_eq(d.streams[0].entries[0].e.line, SV("nul \0 and \xff\xfe")));
    assert_int_equal(d.streams[0].entries[1].e.line.len, 0);
}

static void test_times_outside_64_bits_are_too_old_or_too_new(void **state)
{
    static const struct {
        int64_t seconds, nanos;
        const char *want;
    } cases[] = {
        {0, 0, "{a=b} 0:x"},
        {-1, 999999999, "{a=b} -1:x"},
        {1772359200, 1, "{a=b} 1772359200000000001:x"},
        {-62135596800, 0, "{a=b} old:x"},
        {253402300799, 999999999, "{a=b} new:x"},
        {9223372036, 854775808, "{a=b} new:x"},
        {-9223372037, 145224191, "{a=b} old:x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf request = BUF_INIT, entry = BUF_INIT;
        pb_timestamp(&entry, cases[i].seconds, cases[i].nanos);
        pb_bytes(&entry, 2, SV("x"));
        put_with_entry(&request, buf_view(&entry));
        buf_deinit(&entry);
        assert_request(&request, cases[i].want);
    }
    struct buf request = BUF_INIT;
    put_with_entry(&request, SV("\x12\x01x")); /* none at all */
    assert_request(&request, "{a=b} old:x");
}

static void test_times_that_are_none_are_refused(void **state)
{
    static const int64_t bad[][2] = {
        {-62135596801, 0}, {253402300800, 0}, {0, -1}, {0, 1000000000}, {INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf request = BUF_INIT, entry = BUF_INIT;
        pb_timestamp(&entry, bad[i][0], bad[i][1]);
        put_with_entry(&request, buf_view(&entry));
        buf_deinit(&entry);
        assert_refused(&request, ERR_INVALID, "malformed timestamp");
    }
}

static void test_wrong_types_groups_and_lengths_are_refused(void **state)
{
    static const struct str_view entries[] = {
        SV("\x10\x01"),         /* line as varint */
        SV("\x0a\x02\x0a\x00"), /* seconds as bytes */
        SV("\x18\x01"),         /* metadata as varint */
        SV("\x1a\x02\x08\x01"), /* name as varint */
        SV("\x13"),             /* group */
        SV("\x14"),             /* end of group */
        SV("\x16"),             /* type 6 */
        SV("\x17"),             /* type 7 */
        SV("\x02\x00"),         /* field 0 */
        SV("\x12\x05"
           "abc"), /* longer than what is there */
        SV("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        SV("\x12"),
        SV("\x80"),
        SV("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        SV("\x2d\x01\x02\x03"), /* three of four bytes */
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        struct buf request = BUF_INIT;
        put_with_entry(&request, entries[i]);
        assert_refused(&request, ERR_INVALID, "couldn't decode protobuf push: malformed ");
    }
}

static void test_label_text_that_does_not_parse_refuses_the_request(void **state)
{
    static const char *const bad[] = {"{a}",        "{a=b}",      "{a=\"b\"",   "a=\"b\"",
                                      "{a!=\"b\"}", "{a=~\"b\"}", "{a=\"b\"}x", "{=\"b\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf request = BUF_INIT, stream = BUF_INIT;
        pb_bytes(&stream, 1, sv_of(bad[i]));
        pb_entry(&stream, 1, SV("x"));
        pb_buf(&request, 1, &stream);
        assert_refused(&request, ERR_INVALID, "couldn't parse labels: ");
    }
}

static void test_a_request_without_streams_has_its_own_error(void **state)
{
    struct buf request = BUF_INIT;
    assert_refused(&request, ERR_NO_STREAMS, "at least one valid stream is required");
    pb_bytes(&request, 2, SV("snappy"));
    assert_refused(&request, ERR_NO_STREAMS, "");
}

static void test_a_body_cut_anywhere_never_gives_more(void **state)
{
    CLEANUP(buf_deinit) struct buf request = BUF_INIT;
    struct buf stream = BUF_INIT, entry = BUF_INIT;
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    pb_timestamp(&entry, 300, 400);
    pb_bytes(&entry, 2, SV("line"));
    pb_pair(&entry, 3, SV("k"), SV("v"));
    pb_buf(&stream, 2, &entry);
    pb_buf(&request, 1, &stream);
    for (size_t len = 1; len < request.len; len++) {
        struct decoded d CLEANUP(decoded_deinit);
        CLEANUP(buf_deinit) struct buf packed = BUF_INIT;
        snappy_pack(sv(request.p, len), &packed);
        decode(&d, PUSH_PROTOBUF, buf_view(&packed), bare());
        assert_int_equal(d.result, ERR_INVALID);
    }
}

static void test_the_same_content_as_json_and_as_protobuf_is_the_same_push(void **state)
{
    struct buf request = BUF_INIT, stream = BUF_INIT, entry = BUF_INIT;
    struct decoded pb CLEANUP(decoded_deinit), json CLEANUP(decoded_deinit);
    CLEANUP(buf_deinit) struct buf packed = BUF_INIT;
    pb_bytes(&stream, 1, SV("{z=\"1\", app=\"pay\"}"));
    pb_timestamp(&entry, 1, 5);
    pb_bytes(&entry, 2, SV("x"));
    pb_pair(&entry, 3, SV("trace"), SV("7f"));
    pb_buf(&stream, 2, &entry);
    pb_buf(&request, 1, &stream);
    decode_request(&pb, &request, &packed);
    decode(&json, PUSH_JSON_V1,
           SV("{\"streams\":[{\"stream\":{\"z\":\"1\",\"app\":\"pay\"},\"values\":[[\"1000000005\","
              "\"x\",{\"trace\":\"7f\"}]]}]}"),
           bare());
    assert_int_equal(pb.n, 1);
    assert_int_equal(json.n, 1);
    assert_true(sv_eq(pb.streams[0].labels, json.streams[0].labels));
    assert_int_equal(pb.streams[0].hash, json.streams[0].hash);
    assert_int_equal(pb.streams[0].hash, labels_hash_encoded(pb.streams[0].labels));
    assert_true(sv_eq(pb.streams[0].entries[0].e.sm, json.streams[0].entries[0].e.sm));
    assert_int_equal(pb.streams[0].entries[0].sm_raw_bytes, 7);
    assert_int_equal(json.streams[0].entries[0].sm_raw_pairs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_entries_and_metadata_are_read),
        cmocka_unit_test(test_fields_come_in_any_order_and_unknown_ones_are_skipped),
        cmocka_unit_test(test_of_a_repeated_scalar_the_last_wins_and_messages_merge),
        cmocka_unit_test(test_lines_of_any_bytes_are_kept),
        cmocka_unit_test(test_times_outside_64_bits_are_too_old_or_too_new),
        cmocka_unit_test(test_times_that_are_none_are_refused),
        cmocka_unit_test(test_wrong_types_groups_and_lengths_are_refused),
        cmocka_unit_test(test_label_text_that_does_not_parse_refuses_the_request),
        cmocka_unit_test(test_a_request_without_streams_has_its_own_error),
        cmocka_unit_test(test_a_body_cut_anywhere_never_gives_more),
        cmocka_unit_test(test_the_same_content_as_json_and_as_protobuf_is_the_same_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
