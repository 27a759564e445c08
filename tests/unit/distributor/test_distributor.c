/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes against an ingester that only notes what it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "base/ledger.h"
#include "base/metrics.h"
#include "distributor/complaints.h"
#include "distributor/distributor.h"
#include "wire/push.h"

/* 2026-03-01T10:00:00Z */
#define NOW_NS (INT64_C(1772359200) * NS_PER_S)

struct fixture {
    struct arena arena;
    struct limits limits;
    struct distributor_conf conf;
    struct tenant_policy tenants;
    struct ledger ledger;
    struct distributor *d;
    /* the ingester */
    struct buf stored; /* {labels} ts:line[metadata] of what was accepted */
    unsigned n_batches;
    int fail_with;           /* result of the batch */
    int status;              /* of each stream, with all its entries rejected */
    const char *text;        /* its text */
    struct push_batch *held; /* hold: answered later */
    push_done_fn *held_done;
    void *held_ctx;
    bool hold;
    /* the last answer */
    int answer;
    char answer_text[8192];
    unsigned n_answers;
};

static void note_entry(struct fixture *f, const struct push_entry *e)
{
    struct labels sm = {NULL, 0};
    if (e->e.sm.len > 0)
        assert_int_equal(labels_decode(&f->arena, e->e.sm, &sm, NULL), 0);
    buf_printf(&f->stored, " %+lld:%.*s", (long long)(e->e.ts_ns - NOW_NS),
               SV_ARG(sv_sub(e->e.line, 0, 40)));
    for (size_t i = 0; i < sm.n; i++)
        if (!sv_eq(sm.v[i].name, SV("detected_level")))
            buf_printf(&f->stored, "[%.*s=%.*s]", SV_ARG(sm.v[i].name), SV_ARG(sm.v[i].value));
}

static void take_batch(void *self, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    struct fixture *f = self;
    struct err err = ERR_INIT;
    f->n_batches++;
    for (size_t i = 0; i < batch->n_streams; i++) {
        struct push_stream *s = &batch->streams[i];
        if (s->rejected)
            continue;
        s->status = f->status;
        s->text = f->text ? sv_of(f->text) : SV_EMPTY;
        labels_print(&f->stored, s->set);
        for (size_t k = 0; k < s->n_entries; k++) {
            if (f->status)
                s->entries[k].rejected = true;
            if (!s->entries[k].rejected)
                note_entry(f, &s->entries[k]);
        }
        buf_put_u8(&f->stored, '\n');
    }
    if (f->hold) {
        f->held = batch;
        f->held_done = done;
        f->held_ctx = ctx;
        return;
    }
    if (f->fail_with)
        err_set(&err, f->fail_with, "the disk is full");
    done(ctx, batch, f->fail_with, &err);
}

static const struct peer_ops ops = {.push = take_batch};

static void on_reply(void *ctx, int status, struct str_view text)
{
    struct fixture *f = ctx;
    f->n_answers++;
    f->answer = status;
    snprintf(f->answer_text, sizeof f->answer_text, "%.*s", SV_ARG(text));
}

static void open_with(struct fixture *f, const struct peer_ops *peer)
{
    const struct distributor_deps deps = {.peer = {peer, f},
                                          .limits = limits_source_fixed(&f->limits),
                                          .ledger = &f->ledger,
                                          .tenants = f->tenants};
    distributor_close(f->d);
    assert_int_equal(limits_finish(&f->limits, NULL), 0);
    assert_int_equal(distributor_open(&f->d, &f->conf, &deps, NULL), 0);
}

static void open_it(struct fixture *f)
{
    open_with(f, &ops);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    clock_fake_set(NOW_NS, NS_PER_S);
    limits_set_defaults(&f->limits, &f->arena);
    conf_rows_set_defaults(distributor_conf_rows, distributor_conf_n_rows, &f->conf, &f->arena);
    f->limits.discover_service_name.n = 0; /* shorter texts; its own test turns it on */
    f->tenants = (struct tenant_policy){true, SV("fake")};
    ledger_init(&f->ledger, 256 << 20);
    open_it(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ledger_used(&f->ledger), 0); /* all that was charged is released */
    distributor_close(f->d);
    buf_deinit(&f->stored);
    arena_deinit(&f->arena);
    free(f);
    clock_fake_off();
    return 0;
}

static void push_as(struct fixture *f, const char *tenant, struct str_view body)
{
    struct push_request req = {
        .tenant_header = tenant ? sv_of(tenant) : (struct str_view){NULL, 0},
        .content_type = SV("application/json"),
        .body = body,
    };
    unsigned before = f->n_answers;
    f->answer = 0;
    buf_clear(&f->stored);
    distributor_push(f->d, &req, on_reply, f);
    assert_int_equal(f->n_answers, before + (f->hold && f->held ? 0 : 1));
}

/* streams: the inside of "streams":[...], in which %N is now and %N+5 or %N-5 seconds from it. */
static void push(struct fixture *f, const char *streams)
{
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    buf_put(&body, SV("{\"streams\":["));
    for (const char *p = streams; *p;) {
        if (strncmp(p, "%N", 2) != 0) {
            buf_put_u8(&body, (uint8_t)*p++);
            continue;
        }
        char *end = NULL;
        p += 2;
        long long s = *p == '+' || *p == '-' ? strtoll(p, &end, 10) : 0;
        p = end ? end : p;
        buf_printf(&body, "%lld", (long long)(NOW_NS + s * NS_PER_S));
    }
    buf_put(&body, SV("]}"));
    push_as(f, "t", buf_view(&body));
}

static void assert_answer(struct fixture *f, int status, const char *text)
{
    assert_string_equal(f->answer_text, text);
    assert_int_equal(f->answer, status);
}

static void assert_stored(struct fixture *f, const char *want)
{
    buf_put_u8(&f->stored, 0);
    assert_string_equal(f->stored.p, want);
}

static void assert_refused(struct fixture *f, const char *streams, const char *text)
{
    push(f, streams);
    assert_answer(f, 400, text);
    assert_stored(f, "");
}

static int64_t discarded(const char *reason)
{
    CLEANUP(buf_deinit) struct buf all = BUF_INIT, want = BUF_INIT;
    metrics_write(&all);
    buf_printf(&want, "loki_discarded_samples_total{reason=\"%s\",tenant=\"t\"", reason);
    size_t at = sv_find(buf_view(&all), buf_view(&want));
    if (at == SIZE_MAX)
        return 0;
    buf_put_u8(&all, 0);
    return strtoll(strchr(all.p + at, '}') + 1, NULL, 10);
}

/* ---- answers ---- */

static void test_what_is_stored_is_answered_with_204(void **state)
{
    struct fixture *f = *state;
    push(f,
         "{\"stream\":{\"a\":\"b\"},\"values\":[[\"%N\",\"x\"],[\"%N-5\",\"y\",{\"k\":\"v\"}]]}");
    assert_answer(f, 204, "");
    assert_stored(f, "{a=\"b\"} +0:x -5000000000:y[k=v]\n");
}

static void test_nothing_to_store_is_204_without_an_ingester(void **state)
{
    struct fixture *f = *state;
    push(f, "{\"stream\":{\"a\":\"b\"},\"values\":[]}");
    assert_answer(f, 204, "");
    assert_int_equal(f->n_batches, 0);
}

static void test_the_answer_waits_for_the_ingester(void **state)
{
    struct fixture *f = *state;
    f->hold = true;
    push(f, "{\"stream\":{\"a\":\"b\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->n_answers, 0);
    assert_true(ledger_used(&f->ledger) > 0);
    f->held_done(f->held_ctx, f->held, 0, NULL);
    assert_int_equal(f->n_answers, 1);
    assert_answer(f, 204, "");
}

static void test_failures_of_the_ingester_keep_their_status(void **state)
{
    struct fixture *f = *state;
    static const int cases[][2] = {
        {ERR_UNAVAILABLE, 503}, {ERR_DISK_FULL, 503}, {ERR_CORRUPT, 500}, {-5, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->fail_with = cases[i][0];
        push(f, "{\"stream\":{\"a\":\"b\"},\"values\":[[\"%N\",\"x\"]]}");
        assert_answer(f, cases[i][1], "the disk is full");
    }
}

static void test_bodies_that_do_not_decode_have_their_status(void **state)
{
    struct fixture *f = *state;
    push_as(f, "t", SV("{\"streams\":[]}"));
    assert_answer(f, 422, "error at least one valid stream is required for ingestion");
    push_as(f, "t", SV("{"));
    assert_int_equal(f->answer, 400);
    struct push_request req = {.tenant_header = SV("t"), .body = SV("{}")};
    distributor_push(f->d, &req, on_reply, f);
    assert_answer(f, 400, "mime: no media type");
    req.content_type = SV("application/json");
    req.content_encoding = SV("zstd");
    distributor_push(f->d, &req, on_reply, f);
    assert_answer(f, 400, "Content-Encoding \"zstd\" not supported");
    f->conf.max_recv_msg_size_bytes = 10;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"b\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->answer, 413);
    assert_non_null(strstr(f->answer_text, "message size too large than max ("));
    f->conf.max_recv_msg_size_bytes = 1000;
    f->conf.max_decompressed_size_bytes = 10;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"b\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->answer, 413);
    assert_int_equal(f->n_batches, 0);
}

static void test_tenants_come_from_the_header(void **state)
{
    struct fixture *f = *state;
    struct str_view body = SV("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[]}]}");
    push_as(f, NULL, body);
    assert_answer(f, 401, "no org id");
    push_as(f, "a|b", body);
    assert_answer(f, 400, "multiple org IDs present");
    push_as(f, "a/b", body);
    assert_answer(f, 400, "tenant ID 'a/b' contains unsupported character '/'");
    push_as(f, "a|a", body);
    assert_int_equal(f->answer, 204);
    f->tenants.auth_enabled = false;
    open_it(f);
    push_as(f, NULL, body);
    assert_int_equal(f->answer, 204);
}

/* ---- labels ---- */

static void test_streams_are_refused_for_their_labels(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "{\"stream\":{},\"values\":[[\"%N\",\"x\"]]}",
                   "error at least one label pair is required per stream");
    f->limits.max_label_names_per_series = 1;
    f->limits.max_label_name_length = 3;
    f->limits.max_label_value_length = 4;
    open_it(f);
    assert_refused(f, "{\"stream\":{\"a\":\"1\",\"b\":\"2\"},\"values\":[[\"%N\",\"x\"]]}",
                   "entry for stream '{a=\"1\", b=\"2\"}' has 2 label names; limit 1");
    assert_refused(f, "{\"stream\":{\"abcd\":\"1\"},\"values\":[[\"%N\",\"x\"]]}",
                   "stream '{abcd=\"1\"}' has label name too long: 'abcd'");
    assert_refused(f, "{\"stream\":{\"a\":\"12345\"},\"values\":[[\"%N\",\"x\"]]}",
                   "stream '{a=\"12345\"}' has label value too long: '12345'");
    push(f, "{\"stream\":{\"abc\":\"1234\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 204, "");
    f->limits.max_label_names_per_series = 0; /* literally none */
    open_it(f);
    assert_refused(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}",
                   "entry for stream '{a=\"1\"}' has 1 label names; limit 0");
}

static void test_repeated_names_are_refused_where_they_can_come(void **state)
{
    struct fixture *f = *state;
    struct push_request req = {
        .tenant_header = SV("t"),
        .content_type = SV("application/json"),
        .legacy = true,
        .body = SV("{\"streams\":[{\"labels\":\"{a=\\\"1\\\",a=\\\"2\\\"}\",\"entries\":[{\"ts\":"
                   "\"2026-03-01T10:00:00Z\",\"line\":\"x\"}]}]}"),
    };
    distributor_push(f->d, &req, on_reply, f);
    assert_answer(f, 400, "stream '{a=\"1\", a=\"2\"}' has duplicate label name: 'a'");
}

static void test_the_added_service_name_does_not_count(void **state)
{
    struct fixture *f = *state;
    limits_set_defaults(&f->limits, &f->arena);
    f->limits.max_label_names_per_series = 1;
    open_it(f);
    push(f, "{\"stream\":{\"app\":\"pay\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 204, "");
    assert_stored(f, "{app=\"pay\", service_name=\"pay\"} +0:x\n");
    push(f, "{\"stream\":{},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 204, "");
    assert_stored(f, "{service_name=\"unknown_service\"} +0:x\n");
    push(f, "{\"stream\":{\"app\":\"pay\",\"service_name\":\"mine\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->answer, 400);
}

static void test_labels_may_be_demanded(void **state)
{
    struct fixture *f = *state;
    static const char *wanted[] = {"app", "env", "a"};
    f->limits.enforced_labels = (struct conf_strings){wanted, 3};
    open_it(f);
    assert_refused(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}",
                   "missing required labels app,env for user t for stream {a=\"1\"}");
    push(f, "{\"stream\":{\"__pattern__\":\"1\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->answer, 204);
    push(f, "{\"stream\":{\"a\":\"1\",\"app\":\"2\",\"env\":\"3\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_int_equal(f->answer, 204);
}

static void test_blocked_tenants_get_the_configured_status(void **state)
{
    struct fixture *f = *state;
    const char *text = "ingestion blocked for user 't' until '2026-03-01T11:00:00Z' with status "
                       "code '260'";
    int64_t before = discarded("blocked_ingestion");
    f->limits.block_ingestion_until = "2026-03-01T11:00:00Z";
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"],[\"%N\",\"y\"]]}");
    assert_answer(f, 260, text);
    assert_int_equal(discarded("blocked_ingestion"), before + 2);
    /* what is plainly wrong goes before */
    push(
        f,
        "{\"stream\":{},\"values\":[[\"%N\",\"x\"]]},{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\","
        "\"x\"]]}");
    assert_answer(f, 400, "error at least one label pair is required per stream");
    f->limits.block_ingestion_status_code = 200;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 200, "");
    assert_int_equal(f->n_batches, 0);
    clock_fake_set(NOW_NS + NS_PER_HOUR, NS_PER_S);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 204, "");
}

/* ---- entries ---- */

static void test_entries_are_refused_for_their_time(void **state)
{
    struct fixture *f = *state;
    assert_refused(
        f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N-604801\",\"x\"]]}",
        "entry for stream '{a=\"1\"}' has timestamp too old: 2026-02-22T09:59:59Z, oldest "
        "acceptable timestamp is: 2026-02-22T10:00:00Z");
    assert_refused(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N+601\",\"x\"]]}",
                   "entry for stream '{a=\"1\"}' has timestamp too new: 2026-03-01T10:10:01Z");
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N-604800\",\"x\"],[\"%N+600\",\"y\"]]}");
    assert_answer(f, 204, "");
    f->limits.reject_old_samples = false;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"1\",\"x\"]]}");
    assert_answer(f, 204, "");
}

static void test_lines_have_a_length(void **state)
{
    struct fixture *f = *state;
    f->limits.max_line_size_bytes = 4;
    open_it(f);
    assert_refused(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"12345\"]]}",
                   "max entry size '4' bytes exceeded for stream '{a=\"1\"}' while adding an entry "
                   "with length '5' bytes");
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"1234\"]]}");
    assert_answer(f, 204, "");
    f->limits.max_line_size_bytes = 0;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"12345\"]]}");
    assert_answer(f, 204, "");
    f->limits.max_line_size_bytes = 4;
    f->limits.max_line_size_truncate = true;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"12345\"]]}");
    assert_answer(f, 204, "");
    assert_stored(f, "{a=\"1\"} +0:1234\n");
}

static void test_metadata_has_a_size_and_a_count(void **state)
{
    struct fixture *f = *state;
    f->limits.max_structured_metadata_size_bytes = 4;
    f->limits.max_structured_metadata_entries_count = 1;
    open_it(f);
    assert_refused(
        f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\",{\"k\":\"1234\"}]]}",
        "stream '{a=\"1\"}' has structured metadata too large: '5' bytes, limit: '4' bytes. "
        "Please see `limits_config.max_structured_metadata_size` or contact your Loki "
        "administrator to increase it");
    assert_refused(
        f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\",{\"k\":\"1\",\"j\":\"\"}]]}",
        "stream '{a=\"1\"}' has too many structured metadata labels: '2', limit: '1'. Please "
        "see `limits_config.max_structured_metadata_entries_count` or contact your Loki "
        "administrator to increase it");
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\",{\"k\":\"123\"}],[\"%N\",\"y\",{"
            "\"detected_level\":\"whatever it is\"}]]}");
    assert_answer(f, 204, "");
    f->limits.max_structured_metadata_size_bytes = f->limits.max_structured_metadata_entries_count =
        0;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\",{\"k\":\"1234\",\"j\":\"1\"}]]}");
    assert_answer(f, 204, "");
    f->limits.allow_structured_metadata = false;
    open_it(f);
    push(f,
         "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\",{\"k\":\"1\"}],[\"%N\",\"y\",{}]]}");
    assert_int_equal(f->answer, 400);
    assert_non_null(strstr(f->answer_text, "stream '{a=\"1\"}' includes structured metadata, but "
                                           "this feature is disallowed."));
    assert_stored(f, "{a=\"1\"} +0:y\n");
}

/* The first reason counts: time, then length, then metadata. */
static void test_checks_come_in_their_order(void **state)
{
    struct fixture *f = *state;
    f->limits.max_line_size_bytes = 1;
    f->limits.max_structured_metadata_entries_count = 1;
    f->limits.max_label_value_length = 1;
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"12\"},\"values\":[[\"1\",\"long\",{\"k\":\"1\",\"j\":\"2\"}]]}");
    assert_non_null(strstr(f->answer_text, "label value too long"));
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"1\",\"long\",{\"k\":\"1\",\"j\":\"2\"}]]}");
    assert_non_null(strstr(f->answer_text, "timestamp too old"));
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"long\",{\"k\":\"1\",\"j\":\"2\"}]]}");
    assert_non_null(strstr(f->answer_text, "max entry size"));
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"l\",{\"k\":\"1\",\"j\":\"2\"}]]}");
    assert_non_null(strstr(f->answer_text, "too many structured metadata"));
}

/* ---- some of it ---- */

static void test_the_good_part_is_stored_and_the_rest_told_once_each(void **state)
{
    struct fixture *f = *state;
    f->limits.max_line_size_bytes = 4;
    open_it(f);
    push(f, "{\"stream\":{},\"values\":[[\"%N\",\"x\"]]},"
            "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"good\"],[\"%N\",\"long!\"],[\"%N\","
            "\"LONG!\"]"
            ",[\"%N+5\",\"too\"]]},"
            "{\"stream\":{\"b\":\"2\"},\"values\":[[\"%N\",\"fine\"]]},"
            "{\"stream\":{},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 400,
                  "2 errors like: error at least one label pair is required per stream; 2 errors "
                  "like: max entry size '4' bytes exceeded for stream '{a=\"1\"}' while adding an "
                  "entry with length '5' bytes");
    assert_stored(f, "{a=\"1\"} +0:good +5000000000:too\n{b=\"2\"} +0:fine\n");
}

static void test_a_flood_of_errors_is_cut(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT;
    buf_put(&body, SV("{\"streams\":["));
    for (int i = 0; i < 1000; i++)
        buf_printf(&body, "%s{\"stream\":{\"a\":\"%d\"},\"values\":[[\"1\",\"x\"]]}", i ? "," : "",
                   i);
    buf_put(&body, SV("]}"));
    push_as(f, "t", buf_view(&body));
    assert_int_equal(f->answer, 400);
    assert_non_null(strstr(f->answer_text, "1 errors like: entry for stream '{a=\"0\"}' has "));
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT;
    struct complaints c = {.arena = &f->arena};
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "why %d", i);
        complaints_want_text(&c) ? complaints_add(&c, sv_of(text)) : complaints_add_untold(&c);
    }
    complaints_print(&whole, &c);
    assert_true(sv_ends_with(buf_view(&whole), SV("; and 36 more")));
}

static void test_what_the_ingester_refuses_is_told(void **state)
{
    struct fixture *f = *state;
    f->status = 400;
    f->text = "entry too far behind";
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 400, "entry too far behind");
    f->status = 429;
    f->text = "maximum active stream limit exceeded";
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]}");
    assert_answer(f, 429, "maximum active stream limit exceeded");
}

/* A 429 makes senders send all of it again. */
static void refuse_the_second(void *self, struct push_batch *batch, push_done_fn *done, void *ctx)
{
    struct push_stream *s = &batch->streams[1];
    s->status = 429;
    s->text = SV("stream limit");
    for (size_t i = 0; i < s->n_entries; i++)
        s->entries[i].rejected = true;
    done(ctx, batch, 0, NULL);
}

static void test_429_is_for_pushes_of_which_nothing_was_kept(void **state)
{
    struct fixture *f = *state;
    static const struct peer_ops second = {.push = refuse_the_second};
    open_with(f, &second);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\"x\"]]},{\"stream\":{\"a\":\"2\"},"
            "\"values\":"
            "[[\"%N\",\"x\"]]}");
    assert_answer(f, 400, "stream limit");
    push(f,
         "{\"stream\":{\"a\":\"1\"},\"values\":[]},{\"stream\":{\"a\":\"2\"},\"values\":[[\"%N\","
         "\"x\"]]}");
    assert_answer(f, 429, "stream limit");
}

/* ---- rates and memory ---- */

static void push_bytes(struct fixture *f, size_t n)
{
    CLEANUP(buf_deinit) struct buf streams = BUF_INIT;
    buf_put(&streams, SV("{\"stream\":{\"a\":\"1\"},\"values\":[[\"%N\",\""));
    buf_fill(&streams, 'x', n);
    buf_put(&streams, SV("\"]]}\0"));
    push(f, streams.p);
}

static void test_the_rate_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    f->limits.ingestion_rate_mb = 100.0 / (1 << 20);
    f->limits.ingestion_burst_size_mb = 1000.0 / (1 << 20);
    open_it(f);
    push_bytes(f, 600);
    assert_answer(f, 204, "");
    int64_t before = discarded("rate_limited");
    push_bytes(f, 401);
    assert_answer(
        f, 429,
        "ingestion rate limit exceeded for user t (limit: 100 bytes/sec) while attempting "
        "to ingest '1' lines totaling '401' bytes, reduce log volume or contact your Loki "
        "administrator to see if the limit can be increased");
    assert_stored(f, "");
    assert_int_equal(discarded("rate_limited"), before + 1);
    push_bytes(f, 400); /* the refused one took no tokens */
    assert_answer(f, 204, "");
    push_bytes(f, 1);
    assert_int_equal(f->answer, 429);
    clock_fake_advance(2 * NS_PER_S);
    push_bytes(f, 200);
    assert_answer(f, 204, "");
    clock_fake_advance(NS_PER_HOUR);
    push_bytes(f, 1001); /* over the burst: never */
    assert_int_equal(f->answer, 429);
}

static void test_the_rate_counts_accepted_lines_and_metadata_only(void **state)
{
    struct fixture *f = *state;
    f->limits.ingestion_rate_mb = 1.0 / (1 << 20);
    f->limits.ingestion_burst_size_mb = 10.0 / (1 << 20);
    open_it(f);
    push(f, "{\"stream\":{\"a\":\"1\"},\"values\":[[\"1\",\"an old line of many "
            "bytes\"],[\"%N\",\"12345\","
            "{\"k\":\"1234\"}]]}");
    assert_int_equal(f->answer, 400); /* 10 bytes were accepted: the bucket is empty now */
    push_bytes(f, 1);
    assert_int_equal(f->answer, 429);
    push_as(f, "u",
            SV("{\"streams\":[{\"stream\":{\"a\":\"1\"},\"values\":[[\"1772359200000000000\","
               "\"x\"]]}]}"));
    assert_int_equal(f->answer, 204); /* another tenant has its own */
}

static void test_bytes_in_flight_have_a_bound(void **state)
{
    struct fixture *f = *state;
    f->conf.max_inflight_bytes = 300000;
    open_it(f);
    f->hold = true;
    push_bytes(f, 100000);
    assert_int_equal(f->n_answers, 0);
    push_done_fn *done = f->held_done;
    void *ctx = f->held_ctx;
    struct push_batch *batch = f->held;
    f->hold = false;
    f->held = NULL;
    CLEANUP(buf_deinit) struct buf many = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        buf_printf(&many, "%s[\"%%N\",\"\"]", i ? "," : "{\"stream\":{\"a\":\"1\"},\"values\":[");
    buf_put(&many, SV("]}\0"));
    push(f, many.p);
    assert_int_equal(f->answer, 503);
    assert_non_null(strstr(f->answer_text, "too many in-flight bytes"));
    assert_non_null(strstr(f->answer_text, "distributor.max_inflight_bytes"));
    done(ctx, batch, 0, NULL);
    assert_answer(f, 204, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_stored_is_answered_with_204),
        TEST(test_nothing_to_store_is_204_without_an_ingester),
        TEST(test_the_answer_waits_for_the_ingester),
        TEST(test_failures_of_the_ingester_keep_their_status),
        TEST(test_bodies_that_do_not_decode_have_their_status),
        TEST(test_tenants_come_from_the_header),
        TEST(test_streams_are_refused_for_their_labels),
        TEST(test_repeated_names_are_refused_where_they_can_come),
        TEST(test_the_added_service_name_does_not_count),
        TEST(test_labels_may_be_demanded),
        TEST(test_blocked_tenants_get_the_configured_status),
        TEST(test_entries_are_refused_for_their_time),
        TEST(test_lines_have_a_length),
        TEST(test_metadata_has_a_size_and_a_count),
        TEST(test_checks_come_in_their_order),
        TEST(test_the_good_part_is_stored_and_the_rest_told_once_each),
        TEST(test_a_flood_of_errors_is_cut),
        TEST(test_what_the_ingester_refuses_is_told),
        TEST(test_429_is_for_pushes_of_which_nothing_was_kept),
        TEST(test_the_rate_is_all_or_nothing),
        TEST(test_the_rate_counts_accepted_lines_and_metadata_only),
        TEST(test_bytes_in_flight_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
