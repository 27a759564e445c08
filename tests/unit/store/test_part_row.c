/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "store/index/part_row.h"

enum { MAX_SERIES = 1000, MAX_RUNS = 4 };
static struct segment_run runs[MAX_SERIES][MAX_RUNS];
static struct part_row_series series[MAX_SERIES];

static void fill(size_t n, uint64_t *seed, int64_t min_ts, uint64_t span)
{
    uint32_t sid = (uint32_t)(next_random(seed) % 100);
    for (size_t i = 0; i < n; i++) {
        series[i].sid = sid;
        sid += 1 + (uint32_t)(next_random(seed) % 4 == 0 ? next_random(seed) % 1000 : 0);
        series[i].runs = runs[i];
        series[i].n_runs = 1 + next_random(seed) % MAX_RUNS;
        for (size_t k = 0; k < series[i].n_runs; k++) {
            uint64_t a = next_random(seed) % span, b = next_random(seed) % (span - a);
            runs[i][k] = (struct segment_run){
                .chunk = (uint32_t)(next_random(seed) % 5000),
                .first_row = (uint32_t)(next_random(seed) % 65536),
                .rows = 1 + (uint32_t)(next_random(seed) % 65536),
                .line_bytes = next_random(seed) % (1 << 20),
                .sm_bytes = next_random(seed) % 3 ? 0 : next_random(seed) % 1000,
                .min_ts_ns = (int64_t)((uint64_t)min_ts + a),
                .max_ts_ns = (int64_t)((uint64_t)min_ts + a + b),
            };
        }
    }
}

struct collected {
    size_t at[MAX_SERIES * MAX_RUNS];
    struct segment_run run[MAX_SERIES * MAX_RUNS];
    size_t n;
};
static struct collected got;

static void collect(void *ctx, size_t at, const struct segment_run *run)
{
    got.at[got.n] = at;
    got.run[got.n++] = *run;
}

static size_t met[MAX_SERIES], n_met;
static void meet(void *ctx, size_t at)
{
    met[n_met++] = at;
}

static bool run_eq(const struct segment_run *a, const struct segment_run *b)
{
    return a->chunk == b->chunk && a->first_row == b->first_row && a->rows == b->rows &&
           a->line_bytes == b->line_bytes && a->sm_bytes == b->sm_bytes &&
           a->min_ts_ns == b->min_ts_ns && a->max_ts_ns == b->max_ts_ns;
}

/* Every subset of wanted numbers yields exactly the runs of those that are there. */
static void test_selection_is_the_runs_of_the_wanted_series(void **state)
{
    uint64_t seed = 42;
    for (int round = 0; round < 300; round++) {
        size_t n = next_random(&seed) % (round % 10 == 0 ? MAX_SERIES : 150);
        int64_t min_ts = round % 3 ? INT64_C(1700000000000000000) : INT64_MIN;
        fill(n, &seed, min_ts, round % 3 ? UINT64_C(86400000000000) : UINT64_MAX);
        CLEANUP(buf_deinit) struct buf row = BUF_INIT;
        int64_t max_ts = round % 3 ? min_ts + INT64_C(86400000000000) : INT64_MAX;
        part_row_encode(&row, 77, min_ts, max_ts, series, n);
        struct part_row d;
        assert_int_equal(part_row_open(&d, 77, buf_view(&row), NULL), 0);
        assert_int_equal(d.n_series, n);
        assert_int_equal(part_row_open(&d, 78, buf_view(&row), NULL), ERR_CORRUPT);
        assert_int_equal(part_row_open(&d, 77, buf_view(&row), NULL), 0);
        if (n > 0) {
            assert_int_equal(part_row_check(&d, series[n - 1].sid + 1, NULL), 0);
            assert_int_equal(part_row_check(&d, series[n - 1].sid, NULL), ERR_CORRUPT);
        }

        static uint32_t wanted[4 * MAX_SERIES];
        size_t n_wanted = 0, every = 1 + next_random(&seed) % 40;
        uint32_t last = 0;
        for (size_t i = 0; i < n; i++) {
            if (next_random(&seed) % every == 0 && (n_wanted == 0 || series[i].sid > last))
                last = wanted[n_wanted++] = series[i].sid;
            if (next_random(&seed) % every == 0 && last < series[i].sid + 1)
                last = wanted[n_wanted++] = series[i].sid + 1; /* maybe a stranger */
        }
        got.n = 0;
        assert_int_equal(part_row_select(&d, wanted, n_wanted, collect, NULL, NULL), 0);
        size_t at = 0;
        for (size_t w = 0, i = 0; w < n_wanted; w++) {
            while (i < n && series[i].sid < wanted[w])
                i++;
            for (size_t k = 0; i < n && series[i].sid == wanted[w] && k < series[i].n_runs; k++) {
                assert_true(at < got.n && got.at[at] == w && run_eq(&got.run[at], &runs[i][k]));
                at++;
            }
        }
        assert_int_equal(at, got.n);

        /* The same series, without their runs. */
        n_met = 0;
        assert_int_equal(part_row_meet(&d, wanted, n_wanted, meet, NULL, NULL), 0);
        size_t n_distinct = 0;
        for (size_t k = 0; k < got.n; k++)
            if (k == 0 || got.at[k] != got.at[k - 1])
                assert_int_equal(met[n_distinct++], got.at[k]);
        assert_int_equal(n_met, n_distinct);
    }
}

static void test_a_damaged_row_is_refused_or_yields_the_same(void **state)
{
    uint64_t seed = 5;
    fill(200, &seed, 0, 1000000);
    CLEANUP(buf_deinit) struct buf row = BUF_INIT;
    part_row_encode(&row, 77, 0, 1000000, series, 200);
    static uint32_t wanted[200];
    for (size_t i = 0; i < 200; i++)
        wanted[i] = series[i].sid;
    for (int i = 0; i < 3000; i++) {
        size_t bit = next_random(&seed) % (row.len * 8);
        row.p[bit / 8] = (char)(row.p[bit / 8] ^ 1 << bit % 8);
        struct part_row d;
        int r = part_row_open(&d, 77, buf_view(&row), NULL);
        got.n = 0;
        if (r == 0)
            r = part_row_select(&d, wanted, 200, collect, NULL, NULL);
        assert_true(r < 0 || (bit / 8 >= 28 && bit / 8 < 32)); /* all but the reserved bytes */
        row.p[bit / 8] = (char)(row.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t len = 0; len < row.len; len++) {
        struct part_row d;
        int r = part_row_open(&d, 77, sv(row.p, len), NULL);
        got.n = 0;
        assert_true(r < 0 || part_row_select(&d, wanted, 200, collect, NULL, NULL) < 0);
    }
}

static void test_a_series_takes_few_bytes(void **state)
{
    for (size_t i = 0; i < MAX_SERIES; i++) {
        runs[i][0] = (struct segment_run){.chunk = (uint32_t)(i / 50),
                                          .first_row = i % 50 * 10,
                                          .rows = 10,
                                          .line_bytes = 1500,
                                          .min_ts_ns = 1000 + (int64_t)i * 100000000,
                                          .max_ts_ns = 1000 + (int64_t)i * 100000000 + 5000000000};
        series[i] = (struct part_row_series){(uint32_t)i, runs[i], 1};
    }
    CLEANUP(buf_deinit) struct buf row = BUF_INIT;
    part_row_encode(&row, 77, 0, INT64_MAX, series, MAX_SERIES);
    assert_true(row.len < MAX_SERIES * 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_the_runs_of_the_wanted_series),
        cmocka_unit_test(test_a_damaged_row_is_refused_or_yields_the_same),
        cmocka_unit_test(test_a_series_takes_few_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
