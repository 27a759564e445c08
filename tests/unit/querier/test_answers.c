/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/server.h"
#include "querier/log_answer.h"
#include "querier/metric_answer.h"

enum { MOST_PIECE_BYTES = 128 << 10 };

/* All pieces joined; each is as small as it should be. */
static struct buf pull_all(http_pull_fn *pull, void *ctx, size_t *ret_n_pieces)
{
    struct buf all = BUF_INIT;
    *ret_n_pieces = 0;
    for (int more = 1; more > 0;) {
        struct buf piece = BUF_INIT;
        more = pull(ctx, &piece);
        assert_true(more >= 0 && piece.len > 0 && piece.len < MOST_PIECE_BYTES);
        buf_put(&all, buf_view(&piece));
        buf_deinit(&piece);
        ++*ret_n_pieces;
    }
    return all;
}

static uint32_t add_stream(struct log_result *r, const char *text)
{
    struct label *v;
    size_t n;
    assert_int_equal(labels_parse(&r->arena, sv_of(text), &v, &n, NULL), 0);
    return series_set_add(&r->streams, (struct labels){v, n});
}

static void add_row(struct log_result *r, int64_t ts_ns, uint32_t stream, const char *line)
{
    r->rows = mem_grow(r->rows, &r->cap_rows, r->n_rows + 1, sizeof *r->rows);
    r->rows[r->n_rows++] = (struct log_row){.ts_ns = ts_ns, .stream = stream, .line = sv_of(line)};
}

static void test_streams_are_ordered_by_their_text_and_keep_the_order_of_rows(void **state)
{
    (void)state;
    struct log_result r = {0};
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    const struct answer_options options = {.kind = ANSWER_STREAMS};
    struct log_answer a;
    size_t n_pieces;
    series_set_init(&r.streams);
    uint32_t short_ = add_stream(&r, "{a=\"1\"}"), unused = add_stream(&r, "{z=\"1\"}"),
             long_ = add_stream(&r, "{a=\"1\", b=\"2\"}");
    add_row(&r, 9, short_, "s9");
    add_row(&r, 8, long_, "l8");
    add_row(&r, 8, short_, "s8");
    add_row(&r, 7, long_, "l7");
    assert_int_not_equal(unused, short_);
    assert_int_equal(log_answer_init(&a, &r, &options, NULL, &control, NULL), 0);
    struct buf all = pull_all(log_answer_pull, &a, &n_pieces);
    buf_put_u8(&all, 0);
    /* As text `{a="1", b="2"}` comes before `{a="1"}`. */
    assert_string_equal(all.p,
                        "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":["
                        "{\"stream\":{\"a\":\"1\",\"b\":\"2\"},\"values\":[[\"8\",\"l8\"],[\"7\","
                        "\"l7\"]]},{\"stream\":{\"a\":\"1\"},\"values\":[[\"9\",\"s9\"],[\"8\","
                        "\"s8\"]]}],\"stats\":{}}}\n");
    assert_int_equal(n_pieces, 1);
    buf_deinit(&all);
    log_result_deinit(&r);
    query_control_deinit(&control);
}

static size_t count(struct str_view text, struct str_view needle)
{
    size_t n = 0;
    for (size_t at; (at = sv_find(text, needle)) != SIZE_MAX; n++)
        text = sv_from(text, at + needle.len);
    return n;
}

static void test_a_big_answer_comes_in_pieces_that_join(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct log_result r = {0};
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    const struct answer_options options = {.kind = ANSWER_STREAMS};
    struct log_answer a;
    size_t n_pieces;
    series_set_init(&r.streams);
    uint32_t streams[] = {add_stream(&r, "{a=\"1\"}"), add_stream(&r, "{a=\"2\"}")};
    for (int i = 0; i < N; i++)
        add_row(&r, i, streams[i % 2], "a line of some bytes, so that pieces fill");
    assert_int_equal(log_answer_init(&a, &r, &options, NULL, &control, NULL), 0);
    struct buf all = pull_all(log_answer_pull, &a, &n_pieces);
    assert_true(n_pieces > 10);
    assert_int_equal(count(buf_view(&all), SV("a line of")), N);
    assert_int_equal(count(buf_view(&all), SV("{\"stream\":")), 2);
    assert_int_equal(count(buf_view(&all), SV("]]}")), 2);
    assert_true(sv_ends_with(buf_view(&all), SV("\"]]}],\"stats\":{}}}\n")));
    buf_deinit(&all);
    log_result_deinit(&r);
    query_control_deinit(&control);
}

static void test_a_long_series_is_cut_between_points(void **state)
{
    (void)state;
    enum { N = 11000 };
    static struct eval_point points[N];
    const struct label label = {SV("a"), SV("b")};
    struct eval_series series = {{&label, 1}, points, N, N};
    const struct eval_result result = {.series = &series, .n_series = 1};
    const struct eval_grid grid = {0, NS_PER_S, N};
    const struct answer_options options = {.kind = ANSWER_MATRIX};
    struct metric_answer a;
    size_t n_pieces;
    for (uint32_t i = 0; i < N; i++)
        points[i] = (struct eval_point){i, i};
    metric_answer_init(&a, &result, &grid, &options, NULL);
    assert_int_equal(metric_answer_samples(&result), N);
    struct buf all = pull_all(metric_answer_pull, &a, &n_pieces);
    assert_true(n_pieces > 1);
    assert_int_equal(count(buf_view(&all), SV("\"]")), N);
    assert_int_equal(count(buf_view(&all), SV("{\"metric\":")), 1);
    assert_true(sv_ends_with(buf_view(&all), SV("[10999,\"10999\"]]}],\"stats\":{}}}\n")));
    buf_deinit(&all);
}

static void test_empty_results_are_empty_lists(void **state)
{
    (void)state;
    const struct eval_result nothing = {0};
    const struct eval_grid grid = {0, 1, 1};
    const struct answer_options options = {.kind = ANSWER_VECTOR};
    struct metric_answer a;
    size_t n_pieces;
    metric_answer_init(&a, &nothing, &grid, &options, NULL);
    struct buf all = pull_all(metric_answer_pull, &a, &n_pieces);
    buf_put_u8(&all, 0);
    assert_string_equal(all.p,
                        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                        "],\"stats\":{}}}\n");
    buf_deinit(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_are_ordered_by_their_text_and_keep_the_order_of_rows),
        cmocka_unit_test(test_a_big_answer_comes_in_pieces_that_join),
        cmocka_unit_test(test_a_long_series_is_cut_between_points),
        cmocka_unit_test(test_empty_results_are_empty_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
