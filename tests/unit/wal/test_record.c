/* SPDX-License-Identifier: Apache-2.0 */
/* A push in every encoding, judged at random, as a WAL record and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <snappy-c.h>
#include <stdio.h>
#include <zlib.h>

#include "model/limits.h"
#include "wal/record.h"
#include "wire/push.h"

/* ---- bodies ---- */

static void put_field(struct buf *out, unsigned field, struct str_view bytes)
{
    buf_put_varint(out, field << 3 | 2);
    buf_put_str(out, bytes);
}

static void put_number(struct buf *out, unsigned field, uint64_t v)
{
    buf_put_varint(out, field << 3);
    buf_put_varint(out, v);
}

static void put_pair(struct buf *out, const char *name, const char *value)
{
    CLEANUP(buf_deinit) struct buf pair = BUF_INIT;
    put_field(&pair, 1, sv_of(name));
    put_field(&pair, 2, sv_of(value));
    put_field(out, 3, buf_view(&pair));
}

static void put_proto_entry(struct buf *out, unsigned i)
{
    CLEANUP(buf_deinit) struct buf entry = BUF_INIT, time = BUF_INIT, line = BUF_INIT;
    put_number(&time, 1, 1700000000 + i / 3);
    put_number(&time, 2, i % 3 * 1000);
    put_field(&entry, 1, buf_view(&time));
    buf_printf(&line, "line %u level=error %c\n\xff", i, 0);
    put_field(&entry, 2, buf_view(&line));
    if (i % 4 == 1)
        put_pair(&entry, "trace.id", "abc");
    if (i % 4 == 2) {
        put_pair(&entry, "z", "1");
        put_pair(&entry, "a", "2");
    }
    put_field(out, 2, buf_view(&entry));
}

static void put_proto(struct buf *out, unsigned n_streams, unsigned n_entries)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    for (unsigned s = 0; s < n_streams; s++) {
        CLEANUP(buf_deinit) struct buf stream = BUF_INIT, labels = BUF_INIT;
        buf_printf(&labels, "{app=\"s%u\", zone=`%u`}", s, s % 2);
        put_field(&stream, 1, buf_view(&labels));
        for (unsigned i = 0; i < n_entries; i++)
            put_proto_entry(&stream, i);
        put_field(&raw, 1, buf_view(&stream));
    }
    size_t len = snappy_max_compressed_length(raw.len);
    buf_reserve(out, len);
    assert_int_equal(snappy_compress(raw.p, raw.len, out->p, &len), SNAPPY_OK);
    out->len = len;
}

static void put_json_v1(struct buf *out, unsigned n_streams, unsigned n_entries)
{
    buf_put(out, SV("{\"streams\":["));
    for (unsigned s = 0; s < n_streams; s++) {
        buf_printf(out, "%s{\"stream\":{\"app\":\"s%u\",\"service\":\"x\"},\"values\":[",
                   s ? "," : "", s);
        for (unsigned i = 0; i < n_entries; i++)
            buf_printf(out, "%s[\"%llu\",\"line %u \\u00e9 \\\\ lvl=warn\"%s]", i ? "," : "",
                       1700000000000000000ull + i / 2, i, i % 3 ? "" : ",{\"trace.id\":\"q\"}");
        buf_put(out, SV("]}"));
    }
    buf_put(out, SV("]}"));
}

static void put_json_v0(struct buf *out, unsigned n_streams, unsigned n_entries)
{
    buf_put(out, SV("{\"streams\":["));
    for (unsigned s = 0; s < n_streams; s++) {
        buf_printf(out, "%s{\"labels\":\"{app=\\\"s%u\\\"}\",\"entries\":[", s ? "," : "", s);
        for (unsigned i = 0; i < n_entries; i++)
            buf_printf(out, "%s{\"ts\":\"2023-11-14T22:13:%02u.5Z\",\"line\":\"old %u\"}",
                       i ? "," : "", i % 60, i);
        buf_put(out, SV("]}"));
    }
    buf_put(out, SV("]}"));
}

static void compress_with(struct buf *b, int window_bits)
{
    z_stream z = {0};
    struct buf out = BUF_INIT;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t most = deflateBound(&z, b->len) + 64;
    buf_reserve(&out, most);
    z.next_in = (Bytef *)b->p;
    z.avail_in = (uInt)b->len;
    z.next_out = (Bytef *)out.p;
    z.avail_out = (uInt)most;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    buf_deinit(b);
    *b = out;
}

static void make_body(struct buf *out, enum push_format format, enum push_coding coding,
                      unsigned n_streams, unsigned n_entries)
{
    if (format == PUSH_PROTOBUF)
        put_proto(out, n_streams, n_entries);
    else if (format == PUSH_JSON_V1)
        put_json_v1(out, n_streams, n_entries);
    else
        put_json_v0(out, n_streams, n_entries);
    if (coding == PUSH_CODING_GZIP)
        compress_with(out, 15 + 16);
    else if (coding == PUSH_CODING_DEFLATE)
        compress_with(out, -15);
}

/* ---- a batch and its policy ---- */

struct fixture {
    struct arena arena;
    struct limits limits;
    struct push_policy policy;
    struct buf encoded_policy, body;
    struct push_batch batch;
    uint64_t seed;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    limits_set_defaults(&f->limits, &f->arena);
    push_policy_of_limits(&f->limits, &f->arena, &f->policy);
    push_policy_encode(&f->encoded_policy, &f->policy);
    f->seed = 88172645463325252u;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_deinit(&f->encoded_policy);
    buf_deinit(&f->body);
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

static unsigned below(struct fixture *f, unsigned n)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return (unsigned)(f->seed % n);
}

static void decode(struct fixture *f, enum push_format format, enum push_coding coding)
{
    struct err err = ERR_INIT;
    f->batch = (struct push_batch){
        .tenant = SV("tenant"), .received_ns = 1234567890123456789, .arena = &f->arena};
    f->batch.body = (struct push_body){.bytes = buf_view(&f->body),
                                       .format = (uint8_t)format,
                                       .coding = (uint8_t)coding,
                                       .policy = buf_view(&f->encoded_policy)};
    if (push_decode(&f->batch.body, &f->policy, 64 << 20, NULL, &f->arena, &f->batch.streams,
                    &f->batch.n_streams, &err) < 0)
        fail_msg("%s", err.text);
}

/* Refuses whole streams and single entries, `per_mille` of them. */
static size_t judge(struct fixture *f, unsigned per_mille)
{
    size_t n_accepted = 0;
    for (size_t s = 0; s < f->batch.n_streams; s++) {
        struct push_stream *st = &f->batch.streams[s];
        st->rejected = below(f, 5000) < per_mille;
        for (size_t i = 0; i < st->n_entries; i++) {
            st->entries[i].rejected = below(f, 1000) < per_mille;
            n_accepted += !st->rejected && !st->entries[i].rejected;
        }
    }
    return n_accepted;
}

static const struct push_policy *find_policy(void *ctx, uint64_t id)
{
    struct fixture *f = ctx;
    return id == wal_policy_id(buf_view(&f->encoded_policy)) ? &f->policy : NULL;
}

static void same_entry(const struct entry *a, const struct entry *b)
{
    assert_int_equal(a->ts_ns, b->ts_ns);
    assert_true(sv_eq(a->line, b->line));
    assert_true(sv_eq(a->sm, b->sm));
}

static int read_back(struct fixture *f, enum wal_record_type type, const struct buf *record,
                     struct push_batch *ret, struct err *err)
{
    struct wal_record r = {.lsn = 1, .type = (uint8_t)type, .body = buf_view(record)};
    return wal_batch_decode(&r, find_policy, f, &f->arena, ret, err);
}

/* ---- tests ---- */

static void check_body_record(struct fixture *f)
{
    CLEANUP(buf_deinit) struct buf record = BUF_INIT;
    struct push_batch got;
    struct err err = ERR_INIT;
    assert_true(wal_keeps_body(&f->batch));
    wal_body_put_prefix(&record, &f->batch);
    buf_put(&record, f->batch.body.bytes);
    if (read_back(f, WAL_RECORD_BODY, &record, &got, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(sv_eq(got.tenant, f->batch.tenant));
    assert_int_equal(got.received_ns, f->batch.received_ns);
    assert_int_equal(got.n_streams, f->batch.n_streams);
    for (size_t s = 0; s < got.n_streams; s++) {
        const struct push_stream *a = &f->batch.streams[s], *b = &got.streams[s];
        assert_true(sv_eq(a->labels, b->labels));
        assert_int_equal(a->hash, b->hash);
        assert_int_equal(a->n_entries, b->n_entries);
        for (size_t i = 0; i < a->n_entries; i++) {
            same_entry(&a->entries[i].e, &b->entries[i].e);
            assert_int_equal(a->rejected || a->entries[i].rejected, b->entries[i].rejected);
        }
    }
}

/* The accepted ones in order, whatever record they came in. */
static size_t check_canonical_records(struct fixture *f)
{
    CLEANUP(buf_deinit) struct buf record = BUF_INIT;
    struct wal_cursor at = {0}, want = {0};
    size_t n_records = 0;
    for (; wal_canonical_put(&record, &f->batch, &at); buf_clear(&record), n_records++) {
        struct push_batch got;
        struct err err = ERR_INIT;
        if (read_back(f, WAL_RECORD_CANONICAL, &record, &got, &err) < 0)
            fail_msg("%s", err.text);
        assert_true(sv_eq(got.tenant, f->batch.tenant));
        assert_int_equal(got.received_ns, f->batch.received_ns);
        for (size_t s = 0; s < got.n_streams; s++)
            for (size_t i = 0; i < got.streams[s].n_entries; i++, want.entry++) {
                const struct push_stream *st;
                while (st = &f->batch.streams[want.stream], want.entry == st->n_entries ||
                                                                st->rejected ||
                                                                st->entries[want.entry].rejected)
                    want = want.entry == st->n_entries
                               ? (struct wal_cursor){want.stream + 1, 0}
                               : (struct wal_cursor){want.stream, want.entry + 1};
                assert_true(sv_eq(got.streams[s].labels, st->labels));
                assert_int_equal(got.streams[s].hash, st->hash);
                assert_false(got.streams[s].entries[i].rejected);
                same_entry(&st->entries[want.entry].e, &got.streams[s].entries[i].e);
            }
    }
    return n_records;
}

static void test_every_encoding_and_verdict_comes_back_from_both_kinds_of_record(void **state)
{
    struct fixture *f = *state;
    static const unsigned per_mille[] = {0, 300, 500, 950, 1000};
    for (enum push_format format = PUSH_JSON_V1; format <= PUSH_PROTOBUF; format++)
        for (enum push_coding coding = 0; coding <= PUSH_CODING_DEFLATE; coding++)
            for (unsigned p = 0; p < 5; p++) {
                buf_clear(&f->body);
                make_body(&f->body, format, coding, 1 + below(f, 6), 1 + below(f, 50));
                decode(f, format, coding);
                size_t n_accepted = judge(f, per_mille[p]);
                check_body_record(f);
                assert_int_equal(check_canonical_records(f), n_accepted > 0);
            }
}

static void test_a_large_push_is_cut_into_canonical_records(void **state)
{
    struct fixture *f = *state;
    make_body(&f->body, PUSH_JSON_V1, PUSH_CODING_GZIP, 4, 90000);
    decode(f, PUSH_JSON_V1, PUSH_CODING_GZIP);
    assert_true(f->batch.body.decoded_bytes > WAL_BODY_MAX_DECODED_BYTES);
    assert_false(wal_keeps_body(&f->batch));
    judge(f, 100);
    assert_in_range(check_canonical_records(f), 3, 10);
}

/* One entry whose metadata has the pairs detected_level=<n bytes>, and n_pairs more. */
static void make_metadata(struct fixture *f, size_t n_bytes, unsigned n_pairs)
{
    CLEANUP(buf_deinit)
    struct buf raw = BUF_INIT, stream = BUF_INIT, entry = BUF_INIT, pair = BUF_INIT,
               value = BUF_INIT, time = BUF_INIT;
    char name[32];
    buf_fill(&value, 'v', n_bytes);
    put_field(&pair, 1, SV("detected_level"));
    put_field(&pair, 2, buf_view(&value));
    put_number(&time, 1, 1700000000);
    put_field(&entry, 1, buf_view(&time));
    put_field(&entry, 2, SV("line"));
    if (n_bytes)
        put_field(&entry, 3, buf_view(&pair));
    for (unsigned i = 0; i < n_pairs; i++) {
        snprintf(name, sizeof name, "%u", i); /* becomes key_<i> */
        put_pair(&entry, name, "x");
    }
    put_field(&stream, 1, SV("{a=\"b\"}"));
    put_field(&stream, 2, buf_view(&entry));
    put_field(&raw, 1, buf_view(&stream));
    size_t len = snappy_max_compressed_length(raw.len);
    buf_clear(&f->body);
    buf_reserve(&f->body, len);
    assert_int_equal(snappy_compress(raw.p, raw.len, f->body.p, &len), SNAPPY_OK);
    f->body.len = len;
}

/* What the decoder of pushes keeps, the decoder of the log takes, at and around every bound; what
 * it does not keep counts as too large for any limit. */
static void test_metadata_that_is_kept_can_be_read_again(void **state)
{
    struct fixture *f = *state;
    const size_t overhead = 1 + 1 + 14 + 4; /* of an encoded set with that one pair */
    const struct {
        size_t n_bytes;
        unsigned n_pairs;
        bool is_kept;
    } cases[] = {
        {LABELS_MAX_BYTES - overhead - 1, 0, true},
        {LABELS_MAX_BYTES - overhead, 0, true},
        {LABELS_MAX_BYTES - overhead + 1, 0, false},
        {LABELS_MAX_BYTES, 0, false},
        {LABELS_MAX_BYTES - 100, 20, false},
        {0, LABELS_MAX_PAIRS / 2 - 1, true},
        {0, LABELS_MAX_PAIRS / 2, false},
        {10, LABELS_MAX_PAIRS / 2 - 2, true},
        {0, 2 * LABELS_MAX_PAIRS, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_metadata(f, cases[i].n_bytes, cases[i].n_pairs);
        decode(f, PUSH_PROTOBUF, 0);
        const struct push_entry *e = &f->batch.streams[0].entries[0];
        bool is_too_much =
            e->sm_raw_bytes > LABELS_MAX_BYTES / 2 || e->sm_raw_pairs >= LABELS_MAX_PAIRS / 2;
        if ((e->e.sm.len > 0) != cases[i].is_kept)
            fail_msg("case %zu: %zu bytes kept", i, e->e.sm.len);
        assert_int_equal(is_too_much && e->sm_raw_pairs > 0, !cases[i].is_kept);
        assert_int_equal(check_canonical_records(f), 1);
    }
}

static void test_a_record_of_another_decoder_is_not_guessed_at(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf record = BUF_INIT;
    struct push_batch got;
    struct err err = ERR_INIT;
    make_body(&f->body, PUSH_PROTOBUF, 0, 1, 3);
    decode(f, PUSH_PROTOBUF, 0);
    wal_body_put_prefix(&record, &f->batch);
    buf_put(&record, f->batch.body.bytes);
    record.p[0]++;
    assert_int_equal(read_back(f, WAL_RECORD_BODY, &record, &got, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "flush, and upgrade then"));
    record.p[0]--;
    record.p[4] ^= 1; /* another policy */
    assert_int_equal(read_back(f, WAL_RECORD_BODY, &record, &got, &err), ERR_CORRUPT);
    assert_int_equal(read_back(f, (enum wal_record_type)77, &record, &got, &err), ERR_UNSUPPORTED);
}

static void test_no_damage_to_a_record_crashes_the_decoder(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf body = BUF_INIT, canonical = BUF_INIT;
    struct wal_cursor at = {0};
    make_body(&f->body, PUSH_PROTOBUF, 0, 3, 9);
    decode(f, PUSH_PROTOBUF, 0);
    judge(f, 400);
    wal_body_put_prefix(&body, &f->batch);
    buf_put(&body, f->batch.body.bytes);
    assert_true(wal_canonical_put(&canonical, &f->batch, &at));
    for (unsigned i = 0; i < 20000; i++) {
        struct buf *b = i % 2 ? &body : &canonical;
        struct push_batch got;
        size_t place = below(f, (unsigned)b->len), len = b->len;
        char was = b->p[place];
        b->p[place] = (char)below(f, 256);
        b->len = i % 3 ? len : below(f, (unsigned)len);
        read_back(f, i % 2 ? WAL_RECORD_BODY : WAL_RECORD_CANONICAL, b, &got, NULL);
        b->len = len;
        b->p[place] = was;
        if (f->arena.used_bytes > 64 << 20)
            break;
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_every_encoding_and_verdict_comes_back_from_both_kinds_of_record),
        T(test_a_large_push_is_cut_into_canonical_records),
        T(test_metadata_that_is_kept_can_be_read_again),
        T(test_a_record_of_another_decoder_is_not_guessed_at),
        T(test_no_damage_to_a_record_crashes_the_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
