/* SPDX-License-Identifier: Apache-2.0 */
/* What both decoders share: bounds, memory, and what is added to streams and entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoded.h"
#include "wire/level.h"

static void default_policy(struct arena *a, struct push_policy *ret)
{
    static struct limits limits;
    limits_set_defaults(&limits, a);
    push_policy_of_limits(&limits, a, ret);
}

static void assert_decodes(const struct push_policy *policy, struct str_view body, const char *want)
{
    struct decoded d CLEANUP(decoded_deinit);
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    decode(&d, PUSH_JSON_V1, body, policy);
    if (d.result < 0)
        fail_msg("%s", d.err.text);
    put_decoded(&got, d.streams, d.n);
    buf_put_u8(&got, '\0');
    assert_string_equal(got.p, want);
}

static void assert_one(const struct push_policy *policy, const char *labels, const char *line,
                       const char *metadata, const char *want)
{
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    buf_printf(&body, "{\"streams\":[{\"stream\":{%s},\"values\":[[\"1\",\"%s\"%s%s]]}]}", labels,
               line, *metadata ? "," : "", metadata);
    assert_decodes(policy, buf_view(&body), want);
}

/* ---- service_name ---- */

static void test_the_service_is_named_by_the_first_label_of_the_list(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct push_policy p;
    default_policy(&a, &p);
    p.discover_log_levels = false;
    assert_one(&p, "\"job\":\"j\",\"app\":\"a\",\"z\":\"1\"", "x", "",
               "{app=a,job=j,service_name=a,z=1} 1:x");
    assert_one(&p, "\"app\":\"a\",\"service\":\"s\"", "x", "",
               "{app=a,service=s,service_name=s} 1:x");
    assert_one(&p, "\"k8s_job_name\":\"k\"", "x", "", "{k8s_job_name=k,service_name=k} 1:x");
    assert_one(&p, "\"z\":\"1\"", "x", "", "{service_name=unknown_service,z=1} 1:x");
    assert_one(&p, "", "x", "", "{service_name=unknown_service} 1:x");
    assert_one(&p, "\"service_name\":\"mine\",\"app\":\"a\"", "x", "",
               "{app=a,service_name=mine} 1:x");
    assert_one(&p, "\"service_name\":\"\",\"app\":\"a\"", "x", "", "{app=a,service_name=a} 1:x");
    assert_one(&p, "\"__aggregated_metric__\":\"1\"", "x", "", "{__aggregated_metric__=1} 1:x");
    assert_one(&p, "\"__pattern__\":\"1\"", "x", "", "{__pattern__=1} 1:x");
    p.discover_service_name.n = 0;
    assert_one(&p, "\"app\":\"a\"", "x", "", "{app=a} 1:x");
}

/* ---- detected_level ---- */

static void test_the_level_comes_from_the_best_source(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct push_policy p;
    default_policy(&a, &p);
    p.discover_service_name.n = 0;
    /* 1: metadata detected_level, normalised; others kept */
    assert_one(&p, "\"level\":\"warn\"", "error", "{\"detected_level\":\"ERR\"}",
               "{level=warn} 1:error[detected_level=error]");
    assert_one(&p, "\"a\":\"b\"", "error", "{\"detected_level\":\"Strange\"}",
               "{a=b} 1:error[detected_level=Strange]");
    /* 2: a label of the list, in the list's order; what is no level is kept */
    assert_one(&p, "\"lvl\":\"debug\",\"severity\":\"WRN\"", "error", "{\"level\":\"info\"}",
               "{lvl=debug,severity=WRN} 1:error[detected_level=warn,level=info]");
    assert_one(&p, "\"level\":\"Loud\"", "error", "", "{level=Loud} 1:error[detected_level=Loud]");
    assert_one(&p, "\"lEvEl\":\"info\"", "x error", "",
               "{lEvEl=info} 1:x error[detected_level=error]");
    /* 3: metadata of the list */
    assert_one(&p, "\"a\":\"b\"", "info", "{\"level\":\"CRITICAL\"}",
               "{a=b} 1:info[detected_level=critical,level=CRITICAL]");
    /* 4: severity_number */
    static const char *const by_number[][2] = {
        {"1", "trace"},    {"4", "trace"},   {"5", "debug"},  {"9", "info"},
        {"13", "warn"},    {"17", "error"},  {"20", "error"}, {"24", "fatal"},
        {"25", "unknown"}, {"0", "unknown"}, {"x", "info"},   {"-3", "unknown"}};
    for (size_t i = 0; i < sizeof by_number / sizeof by_number[0]; i++) {
        CLEANUP(buf_deinit) struct buf sm = BUF_INIT, want = BUF_INIT;
        buf_printf(&sm, "{\"severity_number\":\"%s\"}%c", by_number[i][0], 0);
        buf_printf(&want, "{a=b} 1:error[detected_level=%s,severity_number=%s]%c", by_number[i][1],
                   by_number[i][0], 0);
        assert_one(&p, "\"a\":\"b\"", "error", sm.p, want.p);
    }
    /* 5 to 8: the line; test_level.c has the rest */
    assert_one(&p, "\"a\":\"b\"", "{\\\"level\\\":\\\"dbg\\\"}", "",
               "{a=b} 1:{\"level\":\"dbg\"}[detected_level=debug]");
    assert_one(&p, "\"a\":\"b\"", "ts=1 LEVEL=wrn", "",
               "{a=b} 1:ts=1 LEVEL=wrn[detected_level=warn]");
    assert_one(&p, "\"a\":\"b\"", "nothing", "", "{a=b} 1:nothing[detected_level=unknown]");
    /* off */
    p.discover_log_levels = false;
    assert_one(&p, "\"level\":\"warn\"", "error", "", "{level=warn} 1:error");
    p.discover_log_levels = true;
    p.allow_structured_metadata = false;
    assert_one(&p, "\"level\":\"warn\"", "error", "", "{level=warn} 1:error");
}

/* ---- metadata, lines, times ---- */

static void test_metadata_is_normalised_and_counted_as_sent(void **state)
{
    struct push_policy p = bare_policy();
    assert_one(&p, "\"a\":\"b\"", "x",
               "{\"z\":\"1\",\"trace.id\":\"7\",\"empty\":\"\",\"9l\":\"n\",\"trace-id\":\"8\"}",
               "{a=b} 1:x[key_9l=n,trace_id=8,z=1]");
    struct decoded d CLEANUP(decoded_deinit);
    decode(&d, PUSH_JSON_V1,
           SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{\"ab\":\"cde\","
              "\"empty\":\"\",\"detected_level\":\"info\"}]]}]}"),
           &p);
    assert_int_equal(d.streams[0].entries[0].sm_raw_pairs, 3);
    assert_int_equal(d.streams[0].entries[0].sm_raw_bytes, 2 + 3 + 5);
}

static void test_long_lines_are_cut_with_the_suffix_inside_the_limit(void **state)
{
    struct push_policy p = bare_policy();
    p.truncate_lines = true;
    p.max_line_bytes = 5;
    assert_one(&p, "\"a\":\"b\"", "12345", "", "{a=b} 1:12345");
    assert_one(&p, "\"a\":\"b\"", "123456", "", "{a=b} 1:12345");
    p.truncate_suffix = SV("..");
    assert_one(&p, "\"a\":\"b\"", "123456", "", "{a=b} 1:123..");
    p.truncate_suffix = SV("12345678");
    assert_one(&p, "\"a\":\"b\"", "abcdef", "", "{a=b} 1:abcde");
    p.max_line_bytes = 0;
    assert_one(&p, "\"a\":\"b\"", "123456", "", "{a=b} 1:123456");
    p.max_line_bytes = 3;
    struct decoded d CLEANUP(decoded_deinit);
    decode(&d, PUSH_JSON_V1,
           SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"abc\"],[\"2\",\"abcd\"]"
              "]}]}"),
           &p);
    assert_false(d.streams[0].entries[0].truncated);
    assert_true(d.streams[0].entries[1].truncated);
}

static void test_equal_times_move_apart_when_asked(void **state)
{
    struct push_policy p = bare_policy();
    struct str_view body =
        SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"5\",\"a\"],[\"5\",\"b\"],[\"5\","
           "\"c\"],[\"5\",\"c\"],[\"9\",\"d\"],[\"9\",\"d\"],[\"3\",\"e\"]]}]}");
    assert_decodes(&p, body, "{a=b} 5:a 5:b 5:c 5:c 9:d 9:d 3:e");
    p.increment_duplicate_timestamp = true;
    struct decoded d CLEANUP(decoded_deinit);
    decode(&d, PUSH_JSON_V1, body, &p);
    const struct push_entry *e = d.streams[0].entries;
    assert_int_equal(e[0].e.ts_ns, 5);
    assert_int_equal(e[1].e.ts_ns, 6);
    assert_int_equal(e[2].e.ts_ns, 7);
    assert_int_equal(e[4].e.ts_ns, 9);
    assert_int_equal(e[5].e.ts_ns, 9); /* an equal line stays */
    assert_int_equal(e[6].e.ts_ns, 3);
}

static void test_extra_fields_come_from_labels_metadata_or_the_line(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    static const struct str_view fields[] = {{"trace_id", 8}, {"traceID", 7}};
    struct push_generic_field g = {SV("trace"), {fields, 2}, level_names_new(&a, fields, 2)};
    struct push_policy p = bare_policy();
    p.generic_fields = &g;
    p.n_generic_fields = 1;
    assert_one(&p, "\"traceID\":\"1\"", "trace_id=2", "{\"trace_id\":\"3\"}",
               "{traceID=1} 1:trace_id=2[trace=1,trace_id=3]");
    assert_one(&p, "\"a\":\"b\"", "trace_id=2", "{\"trace_id\":\"3\"}",
               "{a=b} 1:trace_id=2[trace=3,trace_id=3]");
    assert_one(&p, "\"a\":\"b\"", "x=1 trace_id=2", "", "{a=b} 1:x=1 trace_id=2[trace=2]");
    assert_one(&p, "\"a\":\"b\"", "nothing", "", "{a=b} 1:nothing");
    assert_one(&p, "\"a\":\"b\"", "trace_id=2", "{\"trace\":\"own\"}",
               "{a=b} 1:trace_id=2[trace=own]");
}

static void test_repeated_label_names_are_told_and_never_a_stream(void **state)
{
    struct decoded d CLEANUP(decoded_deinit);
    struct push_policy p = bare_policy();
    decode(
        &d, PUSH_JSON_V0,
        SV("{\"streams\":[{\"labels\":\"{b=\\\"1\\\",a=\\\"2\\\",b=\\\"3\\\"}\",\"entries\":[]}]}"),
        &p);
    assert_int_equal(d.result, 0);
    assert_true(d.streams[0].has_duplicate_names);
    assert_int_equal(d.streams[0].labels.len, 0);
    assert_int_equal(d.streams[0].set.n, 3);
}

/* ---- bounds ---- */

static void put_flood(struct buf *body, size_t n_entries)
{
    buf_put(body, SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":["));
    for (size_t i = 0; i < n_entries; i++)
        buf_put(body, i ? SV(",[\"1\",\"\"]") : SV("[\"1\",\"\"]"));
    buf_put(body, SV("]}]}"));
}

/* What a push decodes to must not depend on how much room there was: the log decodes it again with
 * its own length as the limit. */
static void test_what_was_accepted_decodes_again_with_its_own_size_as_limit(void **state)
{
    struct push_policy p = bare_policy();
    CLEANUP(buf_deinit) struct buf body = BUF_INIT, first = BUF_INIT, again = BUF_INIT;
    struct decoded a CLEANUP(decoded_deinit), b CLEANUP(decoded_deinit);
    put_flood(&body, 600000);
    decode_within(&a, PUSH_JSON_V1, PUSH_CODING_NONE, buf_view(&body), &p, UINT64_C(4) << 30, NULL);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.body.decoded_bytes, body.len);
    decode_within(&b, PUSH_JSON_V1, PUSH_CODING_NONE, buf_view(&body), &p, a.body.decoded_bytes,
                  NULL);
    assert_int_equal(b.result, 0);
    put_decoded(&first, a.streams, a.n);
    put_decoded(&again, b.streams, b.n);
    assert_true(sv_eq(buf_view(&first), buf_view(&again)));
    struct decoded c CLEANUP(decoded_deinit);
    decode_within(&c, PUSH_JSON_V1, PUSH_CODING_NONE, buf_view(&body), &p, a.body.decoded_bytes - 1,
                  NULL);
    assert_int_equal(c.result, ERR_TOO_LARGE);
    assert_non_null(strstr(c.err.text, "message size too large than max ("));
}

static void test_floods_of_empty_entries_cost_a_multiple_of_their_bytes(void **state)
{
    struct push_policy p = bare_policy();
    CLEANUP(buf_deinit) struct buf request = BUF_INIT, packed = BUF_INIT;
    struct decoded d CLEANUP(decoded_deinit);
    struct buf stream = BUF_INIT;
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    for (size_t i = 0; i < 1 << 20; i++)
        pb_bytes(&stream, 2, SV("")); /* two bytes each */
    pb_buf(&request, 1, &stream);
    snappy_pack(buf_view(&request), &packed);
    decode(&d, PUSH_PROTOBUF, buf_view(&packed), &p);
    assert_int_equal(d.result, ERR_TOO_LARGE);
    assert_true(d.arena.used_bytes < 20 * request.len);
}

struct grant {
    uint64_t left, asked;
};

static bool take(void *ctx, uint64_t bytes)
{
    struct grant *g = ctx;
    g->asked += bytes;
    if (bytes > g->left)
        return false;
    g->left -= bytes;
    return true;
}

static void test_memory_is_asked_for_before_it_is_taken(void **state)
{
    struct push_policy p = bare_policy();
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    struct grant enough = {UINT64_MAX, 0};
    struct reserve reserve = {take, &enough};
    struct decoded d CLEANUP(decoded_deinit);
    put_flood(&body, 100000);
    decode_within(&d, PUSH_JSON_V1, PUSH_CODING_NONE, buf_view(&body), &p, 1 << 30, &reserve);
    assert_int_equal(d.result, 0);
    assert_true(enough.asked + (64 << 10) >= d.arena.used_bytes);
    struct grant little = {enough.asked / 2, 0};
    reserve.ctx = &little;
    decoded_deinit(&d);
    decode_within(&d, PUSH_JSON_V1, PUSH_CODING_NONE, buf_view(&body), &p, 1 << 30, &reserve);
    assert_int_equal(d.result, ERR_UNAVAILABLE);
    assert_non_null(strstr(d.err.text, "too many in-flight bytes"));
    assert_true(d.arena.used_bytes <= enough.asked / 2 + (128 << 10));
}

static void test_unknown_formats_and_codings_are_refused(void **state)
{
    struct push_policy p = bare_policy();
    struct decoded d CLEANUP(decoded_deinit), e CLEANUP(decoded_deinit);
    decode_within(&d, 9, PUSH_CODING_NONE, SV("{}"), &p, 100, NULL);
    assert_int_equal(d.result, ERR_INVALID);
    decode_within(&e, PUSH_JSON_V1, 9, SV("{}"), &p, 100, NULL);
    assert_int_equal(e.result, ERR_INVALID);
}

/* ---- the policy in the log ---- */

static void test_a_policy_survives_the_log(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf first = BUF_INIT, again = BUF_INIT;
    static const struct str_view fields[] = {{"x", 1}, {"yy", 2}};
    struct push_generic_field g = {SV("name"), {fields, 2}, NULL};
    struct push_policy p, back;
    default_policy(&a, &p);
    p.generic_fields = &g;
    p.n_generic_fields = 1;
    p.truncate_lines = true;
    p.truncate_suffix = SV("...");
    push_policy_encode(&first, &p);
    assert_int_equal(push_policy_decode(buf_view(&first), &a, &back, NULL), 0);
    push_policy_encode(&again, &back);
    assert_true(sv_eq(buf_view(&first), buf_view(&again)));
    assert_int_equal(back.max_line_bytes, 256 << 10);
    assert_int_equal(back.discover_service_name.n, 13);
    assert_int_equal(back.log_level_fields.n, 14);
    assert_true(back.truncate_lines && back.discover_log_levels);
    for (size_t len = 0; len < first.len; len++)
        assert_true(push_policy_decode(sv(first.p, len), &a, &back, NULL) < 0);
    buf_put_u8(&first, 0);
    assert_int_equal(push_policy_decode(buf_view(&first), &a, &back, NULL), ERR_CORRUPT);
    first.p[0] = 9;
    assert_int_equal(push_policy_decode(buf_view(&first), &a, &back, NULL), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_service_is_named_by_the_first_label_of_the_list),
        cmocka_unit_test(test_the_level_comes_from_the_best_source),
        cmocka_unit_test(test_metadata_is_normalised_and_counted_as_sent),
        cmocka_unit_test(test_long_lines_are_cut_with_the_suffix_inside_the_limit),
        cmocka_unit_test(test_equal_times_move_apart_when_asked),
        cmocka_unit_test(test_extra_fields_come_from_labels_metadata_or_the_line),
        cmocka_unit_test(test_repeated_label_names_are_told_and_never_a_stream),
        cmocka_unit_test(test_what_was_accepted_decodes_again_with_its_own_size_as_limit),
        cmocka_unit_test(test_floods_of_empty_entries_cost_a_multiple_of_their_bytes),
        cmocka_unit_test(test_memory_is_asked_for_before_it_is_taken),
        cmocka_unit_test(test_unknown_formats_and_codings_are_refused),
        cmocka_unit_test(test_a_policy_survives_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
