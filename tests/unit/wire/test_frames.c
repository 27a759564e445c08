/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/labels.h"
#include "wire/frames.h"

struct fixture {
    struct arena arena;
    struct buf out;
    struct err err;
};

static int setup(void **state)
{
    *state = mem_zalloc(1, sizeof(struct fixture));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_deinit(&f->arena);
    buf_deinit(&f->out);
    free(f);
    return 0;
}

static struct str_view encoded(struct fixture *f, const char *name, const char *value)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    const struct label l = {sv_of(name), sv_of(value)};
    labels_encode(&b, (struct labels){&l, 1});
    return arena_copy(&f->arena, buf_view(&b));
}

static struct str_view only_payload(struct fixture *f, enum frame_kind kind)
{
    struct str_view in = buf_view(&f->out);
    struct frame frame;
    assert_int_equal(frame_read(&in, &frame, &f->err), FRAME_OK);
    assert_int_equal(frame.kind, kind);
    assert_int_equal(in.len, 0);
    return frame.payload;
}

static void test_streams_rows_and_ends_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    const struct frame_stream streams[] = {
        {3, "0123456789abcdef", encoded(f, "a", "1"), INT64_MIN, INT64_MAX, 1},
        {UINT32_MAX, "fedcba9876543210", encoded(f, "b", "2"), -5, -5, UINT64_MAX}};
    const struct entry rows[] = {{INT64_MIN, SV("first"), SV_EMPTY},
                                 {-1, SV(""), encoded(f, "k", "v")},
                                 {-1, SV("a\0b"), SV_EMPTY},
                                 {INT64_MAX, SV("last"), SV_EMPTY}};
    struct frame_streams s;
    struct frame_rows r;
    struct frame_end e;
    frame_put_streams(&f->out, streams, 2);
    assert_int_equal(frame_read_streams(only_payload(f, FRAME_STREAMS), &f->arena, &s, &f->err), 0);
    assert_int_equal(s.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s.v[i].number, streams[i].number);
        assert_memory_equal(s.v[i].hash, streams[i].hash, FRAME_HASH_BYTES);
        assert_true(sv_eq(s.v[i].labels, streams[i].labels));
        assert_true(s.v[i].min_ts_ns == streams[i].min_ts_ns);
        assert_true(s.v[i].max_ts_ns == streams[i].max_ts_ns);
        assert_true(s.v[i].n_rows == streams[i].n_rows);
    }
    buf_clear(&f->out);
    frame_put_rows(&f->out, 7, rows, 4);
    assert_int_equal(frame_read_rows(only_payload(f, FRAME_ROWS), &f->arena, &r, &f->err), 0);
    assert_int_equal(r.stream, 7);
    assert_int_equal(r.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(r.v[i].ts_ns == rows[i].ts_ns);
        assert_true(sv_eq(r.v[i].line, rows[i].line) && sv_eq(r.v[i].sm, rows[i].sm));
    }
    buf_clear(&f->out);
    frame_put_end(&f->out, &(struct frame_end){2, 9, ERR_TIMEOUT, SV("late")});
    assert_int_equal(frame_read_end(only_payload(f, FRAME_END), &e, &f->err), 0);
    assert_true(e.n_streams == 2 && e.n_rows == 9 && e.result == ERR_TIMEOUT);
    assert_true(sv_eq(e.text, SV("late")));
}

static void test_bytes_that_end_within_a_frame_ask_for_more(void **state)
{
    struct fixture *f = *state;
    const struct entry row = {5, SV("line"), SV_EMPTY};
    struct frame frame;
    frame_put_rows(&f->out, 0, &row, 1);
    for (size_t n = 0; n < f->out.len; n++) {
        struct str_view in = sv_sub(buf_view(&f->out), 0, n);
        assert_int_equal(frame_read(&in, &frame, &f->err), FRAME_E_MORE);
        assert_int_equal(in.len, n);
    }
}

static void test_a_changed_bit_anywhere_is_noticed(void **state)
{
    struct fixture *f = *state;
    const struct entry row = {5, SV("line"), SV_EMPTY};
    struct frame frame;
    frame_put_rows(&f->out, 0, &row, 1);
    for (size_t bit = 0; bit < 8 * f->out.len; bit++) {
        struct str_view in = buf_view(&f->out);
        f->out.p[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_not_equal(frame_read(&in, &frame, &f->err), FRAME_OK);
        f->out.p[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void test_counts_that_the_bytes_cannot_hold_are_refused_before_memory_is_taken(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
    struct frame_rows rows;
    struct frame_streams streams;
    buf_put_varint(&payload, 0);
    buf_put_varint(&payload, UINT64_C(1) << 60);
    assert_int_equal(frame_read_rows(buf_view(&payload), &f->arena, &rows, &f->err), ERR_CORRUPT);
    buf_clear(&payload);
    buf_put_varint(&payload, UINT64_C(1) << 60);
    assert_int_equal(frame_read_streams(buf_view(&payload), &f->arena, &streams, &f->err),
                     ERR_CORRUPT);
    assert_true(f->arena.used_bytes < 64 << 10);
}

static void test_times_that_leave_their_range_are_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf payload = BUF_INIT;
    struct frame_rows rows;
    buf_put_varint(&payload, 0);
    buf_put_varint(&payload, 2);
    buf_put_varint(&payload, zigzag(INT64_MAX - 1));
    buf_put_bytes(&payload, "\0\0", 2);
    buf_put_varint(&payload, 2);
    buf_put_bytes(&payload, "\0\0", 2);
    assert_int_equal(frame_read_rows(buf_view(&payload), &f->arena, &rows, &f->err), ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_streams_rows_and_ends_come_back_as_they_were),
        TEST(test_bytes_that_end_within_a_frame_ask_for_more),
        TEST(test_a_changed_bit_anywhere_is_noticed),
        TEST(test_counts_that_the_bytes_cannot_hold_are_refused_before_memory_is_taken),
        TEST(test_times_that_leave_their_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
