/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "chunk/head.h"

static struct entry entry_of(int64_t ts_ns, const char *line, const char *sm)
{
    return (struct entry){ts_ns, sv_of(line), sv_of(sm)};
}

static void test_a_stream_comes_back_newest_first(void **state)
{
    struct head *h = head_new();
    struct entry a = entry_of(1, "one", ""), b = entry_of(2, "two", "\1\1k\1v");
    struct entry other = entry_of(9, "other", "");
    head_append(h, 7, &a);
    head_append(h, 8, &other);
    head_append(h, 7, &b);
    head_publish(h, head_end(h));
    struct head_iter it;
    struct entry e;
    head_iter_init(&it, h, 7, head_visible(h));
    assert_true(head_iter_next(&it, &e, NULL));
    assert_int_equal(e.ts_ns, 2);
    assert_true(sv_eq(e.line, SV("two")));
    assert_true(sv_eq(e.sm, SV("\1\1k\1v")));
    assert_true(head_iter_next(&it, &e, NULL));
    assert_true(sv_eq(e.line, SV("one")));
    assert_int_equal(e.sm.len, 0);
    assert_false(head_iter_next(&it, &e, NULL));
    head_free(h);
}

static void test_nothing_above_the_visible_position_is_seen(void **state)
{
    struct head *h = head_new();
    struct head_iter it;
    struct entry e, in = entry_of(5, "x", "");
    head_iter_init(&it, h, 0, head_visible(h));
    assert_false(head_iter_next(&it, &e, NULL));
    uint64_t first_end = head_append(h, 0, &in);
    head_iter_init(&it, h, 0, head_visible(h));
    assert_false(head_iter_next(&it, &e, NULL));
    head_publish(h, first_end);
    in.ts_ns = 6;
    head_append(h, 0, &in);
    head_iter_init(&it, h, 0, head_visible(h));
    uint64_t position;
    assert_true(head_iter_next(&it, &e, &position));
    assert_int_equal(e.ts_ns, 5);
    assert_true(position != 0 && position < first_end);
    assert_false(head_iter_next(&it, &e, NULL));
    head_free(h);
}

static void test_lines_around_and_over_the_page_size_survive(void **state)
{
    static const size_t sizes[] = {0,
                                   1,
                                   8,
                                   (1 << 20) - 32,
                                   (1 << 20) - 31,
                                   1 << 20,
                                   3 << 20,
                                   (2 << 20) - 32,
                                   5,
                                   (1 << 20) - 100};
    struct head *h = head_new();
    CLEANUP(buf_deinit) struct buf big = BUF_INIT;
    memset(buf_add(&big, 3 << 20), 'z', 3 << 20);
    for (size_t i = 0; i < 10; i++) {
        big.p[0] = (char)('a' + i);
        struct entry e = {(int64_t)i, sv(big.p, sizes[i]), SV("\1\1k\1v")};
        head_append(h, 0, &e);
    }
    head_publish(h, head_end(h));
    struct head_iter it;
    struct entry e;
    head_iter_init(&it, h, 0, head_visible(h));
    for (size_t i = 10; i-- > 0;) {
        assert_true(head_iter_next(&it, &e, NULL));
        assert_int_equal(e.line.len, sizes[i]);
        big.p[0] = (char)('a' + i);
        assert_true(sv_eq(e.line, sv(big.p, sizes[i])));
        assert_true(sv_eq(e.sm, SV("\1\1k\1v")));
    }
    assert_false(head_iter_next(&it, &e, NULL));
    head_free(h);
}

static void test_stream_stats_count_and_notice_disorder(void **state)
{
    struct head *h = head_new();
    struct head_stream s;
    assert_false(head_stream_stat(h, 3, &s));
    assert_int_equal(head_max_stream(h), 0);
    struct entry a = entry_of(10, "abc", "\1\1k\1v"), b = entry_of(20, "de", "");
    head_append(h, 3, &a);
    head_append(h, 3, &b);
    assert_true(head_stream_stat(h, 3, &s));
    assert_false(s.out_of_order);
    a.ts_ns = 15;
    head_append(h, 3, &a);
    assert_true(head_stream_stat(h, 3, &s));
    assert_true(s.out_of_order);
    assert_int_equal(s.n_entries, 3);
    assert_int_equal(s.line_bytes, 8);
    assert_int_equal(s.sm_bytes, 10);
    assert_int_equal(s.min_ts_ns, 10);
    assert_int_equal(s.max_ts_ns, 20);
    assert_false(head_stream_stat(h, 2, &s));
    assert_int_equal(head_max_stream(h), 4);
    assert_int_equal(head_n_entries(h), 3);
    assert_int_equal(head_line_bytes(h), 8);
    head_free(h);
}

static void test_equal_metadata_is_stored_once(void **state)
{
    struct head *h = head_new();
    struct entry e = {0, SV("l"), SV("\1\016detected_level\4info")};
    head_append(h, 0, &e);
    uint64_t first = head_end(h);
    head_append(h, 0, &e);
    uint64_t second = head_end(h);
    assert_int_equal(second - first, 40); /* header and padded line, no metadata */
    head_free(h);
}

static void test_a_hundred_thousand_streams_stay_small(void **state)
{
    struct head *h = head_new();
    struct entry e = {0, SV("a short line of a stream that says little"), SV_EMPTY};
    for (uint32_t s = 0; s < 100000; s++)
        head_append(h, s, &e);
    assert_true(head_mem_bytes(h) < 100000 * 150);
    head_free(h);
}

enum { THREAD_ENTRIES = 60000, THREAD_STREAMS = 50 };

static void *write_entries(void *ctx)
{
    struct head *h = ctx;
    char line[32];
    for (int i = 0; i < THREAD_ENTRIES; i++) {
        int n = snprintf(line, sizeof line, "line %d", i);
        struct entry e = {i, sv(line, (size_t)n), i % 3 ? SV("\1\1k\1v") : SV_EMPTY};
        uint64_t end = head_append(h, (uint32_t)(i % THREAD_STREAMS), &e);
        if (i % 16 == 15 || i == THREAD_ENTRIES - 1)
            head_publish(h, end);
    }
    return NULL;
}

/* Every stream's chain, from any moment, is whole: steps of THREAD_STREAMS down to the first. */
static void test_readers_see_whole_chains_while_the_writer_appends(void **state)
{
    struct head *h = head_new();
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_entries, h), 0);
    bool done = false;
    for (uint32_t round = 0; !done; round++) {
        uint64_t visible = head_visible(h);
        struct head_iter it;
        struct entry e;
        uint32_t stream = round % THREAD_STREAMS;
        head_iter_init(&it, h, stream, visible);
        int64_t expected = -1, last = -1;
        while (head_iter_next(&it, &e, NULL)) {
            if (expected >= 0)
                assert_int_equal(e.ts_ns, expected);
            else
                done = e.ts_ns >= THREAD_ENTRIES - THREAD_STREAMS;
            char line[32];
            int n = snprintf(line, sizeof line, "line %d", (int)e.ts_ns);
            assert_true(sv_eq(e.line, sv(line, (size_t)n)));
            assert_int_equal(e.sm.len, e.ts_ns % 3 ? 5 : 0);
            expected = e.ts_ns - THREAD_STREAMS;
            last = e.ts_ns;
        }
        if (last >= 0)
            assert_int_equal(last, stream);
    }
    pthread_join(writer, NULL);
    head_free(h);
}

static void test_readers_learn_the_bounds_of_a_stream_and_its_order(void **state)
{
    struct head *h = head_new();
    struct head_bounds b;
    struct entry first = entry_of(50, "x", ""), later = entry_of(70, "x", "");
    struct entry late = entry_of(20, "x", "");
    head_append(h, 3, &first);
    assert_false(head_stream_bounds(h, 4, &b));
    head_append(h, 3, &later);
    assert_true(head_stream_bounds(h, 3, &b));
    assert_true(b.min_ts_ns == 50 && b.max_ts_ns == 70 && b.in_order);
    head_append(h, 3, &late);
    assert_true(head_stream_bounds(h, 3, &b));
    assert_true(b.min_ts_ns == 20 && b.max_ts_ns == 70 && !b.in_order);
    head_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_comes_back_newest_first),
        cmocka_unit_test(test_nothing_above_the_visible_position_is_seen),
        cmocka_unit_test(test_lines_around_and_over_the_page_size_survive),
        cmocka_unit_test(test_stream_stats_count_and_notice_disorder),
        cmocka_unit_test(test_readers_learn_the_bounds_of_a_stream_and_its_order),
        cmocka_unit_test(test_equal_metadata_is_stored_once),
        cmocka_unit_test(test_a_hundred_thousand_streams_stay_small),
        cmocka_unit_test(test_readers_see_whole_chains_while_the_writer_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
