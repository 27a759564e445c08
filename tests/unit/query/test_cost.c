/* SPDX-License-Identifier: Apache-2.0 */
/* What queries read, and what holds them in check. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "lake.h"
#include "logql/parse.h"
#include "query/engine.h"
#include "wire/stats.h"

enum { N_STREAMS = 4, N_SPILLS = 40, ROWS_PER_SPILL = 250, CHUNK_ROWS = 100 };
/* Each spill cuts 250 rows of each stream into chunks of 100 rows, across streams. */
enum { N_CHUNKS = N_SPILLS * N_STREAMS * ROWS_PER_SPILL / CHUNK_ROWS };
enum { N_ROWS = N_SPILLS * N_STREAMS * ROWS_PER_SPILL };

struct fixture {
    struct lake lake;
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_env env;
};

static uint32_t hash_of(uint32_t x)
{
    x = (x ^ 61) ^ x >> 16;
    x *= 0x45d9f3b;
    return x ^ x >> 15;
}

static int64_t ts_of(unsigned row)
{
    return row * NS_PER_S / 10; /* rows of a stream are 100 ms apart */
}

/* As long as a trace id, and as rare. */
static void put_id(struct buf *out, uint32_t h)
{
    for (uint32_t i = 0; i < 4; i++)
        buf_printf(out, "%08x", hash_of(h + i));
}

static void push_row(struct lake *l, unsigned stream, unsigned row)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT;
    CLEANUP(buf_deinit) struct buf sm = BUF_INIT;
    char labels[64];
    uint32_t h = hash_of(row * N_STREAMS + stream);
    snprintf(labels, sizeof labels, "{app=\"a%u\",kind=\"x\"}", stream);
    buf_printf(&line, "{\"request\":\"");
    put_id(&line, h);
    buf_printf(&line, "\",\"trace\":\"");
    put_id(&line, h + 99);
    buf_printf(&line, "\",\"n\":%u}", row);
    struct label pairs[] = {{SV("detected_level"), row / 1000 == 3 ? SV("error") : SV("info")},
                            {SV("zone"), row / 1000 == 5 ? SV("west") : SV("east")}};
    labels_encode(&sm, (struct labels){pairs, 2});
    lake_push(l, lake_stream(l, "t", labels), ts_of(row), buf_view(&line), buf_view(&sm));
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    lake_open(&f->lake, 0);
    f->lake.chunks = (struct chunk_options){.max_rows = CHUNK_ROWS, .filter = CHUNK_FILTER_ALWAYS};
    for (unsigned i = 0; i < N_SPILLS; i++) {
        for (unsigned row = 0; row < ROWS_PER_SPILL; row++)
            for (unsigned s = 0; s < N_STREAMS; s++)
                push_row(&f->lake, s, i * ROWS_PER_SPILL + row);
        lake_spill(&f->lake, PLACE_LOCAL);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lake_close(&f->lake);
    free(f);
    return 0;
}

static const struct logql_expr *begin(struct fixture *f, const char *query)
{
    const struct logql_expr *expr;
    f->arena = ARENA_INIT;
    f->stats = (struct query_stats){0};
    f->control = (struct query_control){.deadline_mono_ns = INT64_MAX, .ledger = &f->lake.ledger};
    f->env = lake_env(&f->lake, "t", &f->control, &f->stats);
    assert_int_equal(logql_parse(&f->arena, sv_of(query), &expr, NULL), 0);
    return expr;
}

static void end(struct fixture *f)
{
    arena_deinit(&f->arena);
    query_control_deinit(&f->control);
    assert_int_equal(ledger_used(&f->lake.ledger), 0);
}

/* The sum over all series and steps. */
static double total_of(struct fixture *f, const char *query, int64_t step_ns)
{
    struct err err = ERR_INIT;
    struct eval *e;
    const struct eval_result *res;
    const struct logql_expr *expr = begin(f, query);
    struct eval_grid grid = eval_grid_of(step_ns, N_ROWS * NS_PER_S, step_ns);
    if (engine_metric(&f->env, 1, expr, &grid, &(struct eval_options){0}, &e, &res, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    double sum = 0;
    for (size_t i = 0; i < res->n_series; i++)
        for (size_t k = 0; k < res->series[i].n_points; k++)
            sum += res->series[i].points[k].value;
    eval_free(e);
    end(f);
    return sum;
}

static const struct log_options all_backward = {
    .start_ns = 0, .end_ns = INT64_MAX, .limit = 10, .backward = true};

static size_t rows_of(struct fixture *f, const char *query, const struct log_options *o)
{
    struct err err = ERR_INIT;
    struct log_result res;
    const struct logql_expr *expr = begin(f, query);
    if (engine_log(&f->env, 1, &expr->log, o, &res, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    size_t n = res.n_rows;
    log_result_deinit(&res);
    end(f);
    return n;
}

/* ---- what is read ---- */

static void test_a_count_without_a_filter_decompresses_no_lines(void **state)
{
    struct fixture *f = *state;
    double n = total_of(f, "sum by (app) (count_over_time({kind=\"x\"}[10s]))", 10 * NS_PER_S);
    assert_true(n == N_ROWS - N_STREAMS); /* the window of the first step leaves out time 0 */
    assert_int_equal(f->stats.store.decompressed_bytes, 0);
    assert_int_equal(f->stats.store.decompressed_lines, 0);
    assert_int_equal(f->stats.store.decompressed_sm_bytes, 0);
    assert_true(f->stats.store.total_chunks_downloaded > 0); /* times */
}

static void test_a_count_of_whole_runs_reads_nothing(void **state)
{
    struct fixture *f = *state;
    double n = total_of(f, "sum by (app) (count_over_time({kind=\"x\"}[2000s]))", 2000 * NS_PER_S);
    assert_true(n == N_ROWS - N_STREAMS);
    /* But for the chunks that hold time 0. */
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, N_STREAMS);
    assert_int_equal(f->stats.store.total_chunks_ref, N_CHUNKS);
}

static void test_counting_bytes_reads_lengths_and_no_lines(void **state)
{
    struct fixture *f = *state;
    double n = total_of(f, "sum(bytes_over_time({kind=\"x\"}[10s]))", 10 * NS_PER_S);
    assert_true(n > N_ROWS * 50);
    assert_int_equal(f->stats.store.decompressed_bytes, 0);
}

static void test_overlaps_without_repeats_cost_no_lines(void **state)
{
    struct fixture *f = *state;
    for (unsigned row = 0; row < 500; row++) { /* late, between the rows that are there */
        char line[32];
        snprintf(line, sizeof line, "late %u", row);
        lake_push(&f->lake, lake_stream(&f->lake, "t", "{app=\"a0\",kind=\"x\"}"),
                  ts_of(row * 10) + 1, sv_of(line), SV_EMPTY);
    }
    lake_spill(&f->lake, PLACE_OBJECT);
    double n = total_of(f, "sum(count_over_time({kind=\"x\"}[10s]))", 10 * NS_PER_S);
    assert_true(n == N_ROWS - N_STREAMS + 500);
    assert_int_equal(f->stats.store.decompressed_bytes, 0);
}

static void test_repeats_count_once_and_cost_only_their_own_chunks(void **state)
{
    struct fixture *f = *state;
    for (unsigned row = 300; row < 400; row++)
        push_row(&f->lake, 1, row);
    lake_spill(&f->lake, PLACE_LOCAL);
    double n = total_of(f, "sum(count_over_time({kind=\"x\"}[10s]))", 10 * NS_PER_S);
    assert_true(n == N_ROWS - N_STREAMS);
    assert_int_equal(f->stats.store.total_duplicates, 100);
    assert_in_range(f->stats.store.decompressed_lines, 200, 5 * CHUNK_ROWS);
}

static void test_a_rare_string_reads_one_percent_of_the_chunks_at_most(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf query = BUF_INIT;
    buf_printf(&query, "{kind=\"x\"} |= \"");
    put_id(&query, hash_of(1234 * N_STREAMS + 2));
    buf_put_bytes(&query, "\"", 2);
    assert_int_equal(rows_of(f, query.p, &all_backward), 1);
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, N_CHUNKS / 100);
    assert_true(f->stats.index_used_bloom_filters);
    assert_in_range(f->stats.index_post_filter_chunks, 1, N_CHUNKS / 100);
    assert_int_equal(f->stats.index_total_chunks, N_CHUNKS);
}

static void test_a_rare_value_behind_a_parser_reads_as_little(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf query = BUF_INIT;
    buf_printf(&query, "{kind=\"x\"} | json | trace=\"");
    put_id(&query, hash_of(777 * N_STREAMS + 1) + 99);
    buf_put_bytes(&query, "\"", 2);
    assert_int_equal(rows_of(f, query.p, &all_backward), 1);
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, N_CHUNKS / 100);
}

static void test_without_filters_every_chunk_is_read(void **state)
{
    struct fixture *f = *state;
    f->lake.use_filters = false;
    assert_int_equal(rows_of(f, "{kind=\"x\"} |= \"nowhere at all\"", &all_backward), 0);
    assert_int_equal(f->stats.store.total_chunks_downloaded, N_CHUNKS);
    assert_int_equal(f->stats.store.decompressed_lines, N_ROWS);
    assert_false(f->stats.index_used_bloom_filters);
}

static void test_a_level_that_a_chunk_has_not_skips_it(void **state)
{
    struct fixture *f = *state;
    struct log_options o = all_backward;
    o.limit = 5000;
    assert_int_equal(rows_of(f, "{kind=\"x\"} | detected_level=\"error\"", &o), 4000);
    assert_in_range(f->stats.store.total_chunks_downloaded, 40, 40 + N_STREAMS);
    assert_int_equal(rows_of(f, "{kind=\"x\"} | detected_level=\"fatal\"", &o), 0);
    assert_int_equal(f->stats.store.total_chunks_downloaded, 0);
}

static void test_chunks_without_a_value_of_metadata_give_no_line(void **state)
{
    struct fixture *f = *state;
    struct log_options o = all_backward;
    o.limit = 5000;
    assert_int_equal(rows_of(f, "{kind=\"x\"} | zone=\"west\"", &o), 4000);
    assert_in_range(f->stats.store.decompressed_lines, 4000, 4000 + 2 * N_STREAMS * CHUNK_ROWS);
    assert_int_equal(rows_of(f, "{kind=\"x\"} | zone=\"north\"", &o), 0);
    assert_int_equal(f->stats.store.decompressed_lines, 0);
    assert_int_equal(rows_of(f, "{kind=\"x\"} | nosuch=\"north\"", &o), 0);
    assert_int_equal(f->stats.store.decompressed_lines, 0);
}

static void test_a_limit_stops_early_in_both_directions(void **state)
{
    struct fixture *f = *state;
    struct log_options o = all_backward;
    assert_int_equal(rows_of(f, "{kind=\"x\"}", &o), 10);
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, 2 * N_STREAMS);
    o.backward = false;
    assert_int_equal(rows_of(f, "{kind=\"x\"}", &o), 10);
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, 2 * N_STREAMS);
}

static void test_a_long_head_is_not_walked_to_its_end(void **state)
{
    struct fixture *f = *state;
    for (unsigned row = 0; row < 20000; row++)
        push_row(&f->lake, row % N_STREAMS, 20000 + row);
    assert_int_equal(rows_of(f, "{kind=\"x\"}", &all_backward), 10);
    assert_in_range(f->stats.ingester.head_chunk_lines, 10, 12000);
    assert_int_equal(f->stats.store.total_chunks_downloaded, 0);
}

static void test_streams_and_times_that_are_not_asked_for_are_not_read(void **state)
{
    struct fixture *f = *state;
    struct log_options o = all_backward;
    o.limit = 5000;
    o.start_ns = ts_of(100);
    o.end_ns = ts_of(200);
    assert_int_equal(rows_of(f, "{app=\"a3\"}", &o), 100);
    assert_in_range(f->stats.store.total_chunks_downloaded, 1, 2);
    assert_int_equal(rows_of(f, "{kind=\"x\"} | app=\"a9\"", &o), 0);
    assert_int_equal(f->stats.store.total_chunks_downloaded, 0);
}

/* ---- what holds a query in check ---- */

static int run_of(struct fixture *f, const char *query, struct err *err)
{
    const struct logql_expr *expr = begin(f, query);
    struct log_result res = {0};
    struct eval *e = NULL;
    const struct eval_result *values;
    struct eval_grid grid = eval_grid_of(0, 1000 * NS_PER_S, NS_PER_S);
    struct log_options o = all_backward;
    o.limit = 5000;
    return expr->kind == LOGQL_LOG ? engine_log(&f->env, 1, &expr->log, &o, &res, err)
                                   : engine_metric(&f->env, 1, expr, &grid,
                                                   &(struct eval_options){0}, &e, &values, err);
}

static const char *const heavy[] = {
    "{kind=\"x\"}",
    "{kind=\"x\"} | json",
    "count_over_time({kind=\"x\"} | json [10s])",
    "quantile_over_time(0.9, {kind=\"x\"} | json | unwrap n [100s])",
    "sum(count_over_time({kind=\"x\"} != \"y\" [10s]))",
};
enum { N_HEAVY = sizeof heavy / sizeof heavy[0] };

/* begin() gives a control without bounds, so these set theirs after it: by a hook of the source. */
static struct fixture *bounded;
static void (*bound)(struct query_control *);
static struct recent_source inner;

static int open_bounded(void *self, struct str_view tenant, const struct matcher *matchers,
                        size_t n_matchers, struct arena *arena, struct recent *ret, struct err *err)
{
    bound(&bounded->control);
    return inner.open(self, tenant, matchers, n_matchers, arena, ret, err);
}

static void check_bound(struct fixture *f, void (*set)(struct query_control *), int code,
                        const char *text)
{
    bounded = f;
    bound = set;
    inner = f->lake.source.recent;
    f->lake.source.recent.open = open_bounded;
    for (size_t i = 0; i < N_HEAVY; i++) {
        struct err err = ERR_INIT;
        assert_int_equal(run_of(f, heavy[i], &err), code);
        if (!strstr(err.text, text))
            fail_msg("%s: %s", heavy[i], err.text);
        end(f);
    }
    f->lake.source.recent = inner;
}

static void set_small_budget(struct query_control *c)
{
    c->max_bytes = 100000;
}

static void test_over_its_memory_a_query_names_the_limit(void **state)
{
    check_bound(*state, set_small_budget, ERR_OVER_BUDGET, "querier.max_query_memory");
}

static void set_past_deadline(struct query_control *c)
{
    c->deadline_mono_ns = clock_mono_ns() - 1;
}

static void test_past_its_deadline_a_query_ends(void **state)
{
    check_bound(*state, set_past_deadline, ERR_TIMEOUT, "request timed out");
}

static bool is_gone(void *ctx)
{
    return true;
}

static void set_client_gone(struct query_control *c)
{
    c->client_gone = is_gone;
}

static void test_a_client_that_hangs_up_ends_its_query(void **state)
{
    check_bound(*state, set_client_gone, ERR_CANCELLED, "cancelled by the client");
}

static void set_near_deadline(struct query_control *c)
{
    c->deadline_mono_ns = clock_mono_ns() + NS_PER_S / 10;
}

static void test_a_template_that_swells_every_row_is_stopped_in_time(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    bounded = f;
    bound = set_near_deadline;
    inner = f->lake.source.recent;
    f->lake.source.recent.open = open_bounded;
    int64_t begun_ns = clock_mono_ns();
    int r = run_of(f,
                   "sum(bytes_over_time({kind=\"x\"} | line_format "
                   "`{{ repeat 30000 __line__ }}` [10s]))",
                   &err);
    f->lake.source.recent = inner;
    assert_int_equal(r, ERR_TIMEOUT);
    assert_true(clock_mono_ns() - begun_ns < 10 * NS_PER_S);
    end(f);
}

static void test_a_result_outlives_the_data_it_came_from(void **state)
{
    struct fixture *f = *state;
    push_row(&f->lake, 0, 50000);
    const struct logql_expr *expr = begin(f, "{kind=\"x\"}");
    struct log_result res;
    struct log_options o = all_backward;
    assert_int_equal(engine_log(&f->env, 1, &expr->log, &o, &res, NULL), 0);
    lake_spill(&f->lake, PLACE_LOCAL); /* the head's memory goes: no view holds it */
    lake_merge(&f->lake, 0, f->lake.n_segments, CHUNK_ROWS);
    assert_int_equal(res.n_rows, 10);
    assert_int_equal(res.rows[0].ts_ns, ts_of(50000));
    assert_non_null(memmem(res.rows[0].line.p, res.rows[0].line.len, "\"n\":50000", 9));
    assert_true(sv_eq(labels_get(series_set_labels(&res.streams, res.rows[0].stream), SV("app")),
                      SV("a0")));
    log_result_deinit(&res);
    end(f);
}

#define COST_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COST_TEST(test_a_count_without_a_filter_decompresses_no_lines),
        COST_TEST(test_a_count_of_whole_runs_reads_nothing),
        COST_TEST(test_counting_bytes_reads_lengths_and_no_lines),
        COST_TEST(test_overlaps_without_repeats_cost_no_lines),
        COST_TEST(test_repeats_count_once_and_cost_only_their_own_chunks),
        COST_TEST(test_a_rare_string_reads_one_percent_of_the_chunks_at_most),
        COST_TEST(test_a_rare_value_behind_a_parser_reads_as_little),
        COST_TEST(test_without_filters_every_chunk_is_read),
        COST_TEST(test_a_level_that_a_chunk_has_not_skips_it),
        COST_TEST(test_chunks_without_a_value_of_metadata_give_no_line),
        COST_TEST(test_a_limit_stops_early_in_both_directions),
        COST_TEST(test_a_long_head_is_not_walked_to_its_end),
        COST_TEST(test_streams_and_times_that_are_not_asked_for_are_not_read),
        COST_TEST(test_over_its_memory_a_query_names_the_limit),
        COST_TEST(test_past_its_deadline_a_query_ends),
        COST_TEST(test_a_client_that_hangs_up_ends_its_query),
        COST_TEST(test_a_template_that_swells_every_row_is_stopped_in_time),
        COST_TEST(test_a_result_outlives_the_data_it_came_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
