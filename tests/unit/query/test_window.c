/* SPDX-License-Identifier: Apache-2.0 */
/* Windows that move over samples beside a fold of each window on its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "query/metric/quantile.h"
#include "query/metric/range_leaf.h"

enum { MAX_SAMPLES = 3000, MAX_STEPS = 600, N_SERIES = 2 };

static const enum range_op OPS[] = {RANGE_RATE,     RANGE_RATE_COUNTER, RANGE_SUM,    RANGE_AVG,
                                    RANGE_MIN,      RANGE_MAX,          RANGE_STDDEV, RANGE_STDVAR,
                                    RANGE_QUANTILE, RANGE_FIRST,        RANGE_LAST};
enum { N_OPS = sizeof OPS / sizeof *OPS };

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- random samples ---- */

struct series {
    struct sample v[MAX_SAMPLES]; /* in order */
    size_t n;
};

enum mood { TAME, COUNTER, FEW_VALUES, WILD };

static double value_in(enum mood mood, size_t i)
{
    static const double ODD[] = {NAN,      INFINITY,  -INFINITY, 0.0,         -0.0,   DBL_MAX,
                                 -DBL_MAX, 0x1p-1074, -1e-310,   1.7e308 / 3, 1e-300, 1e300};
    if (mood == COUNTER)
        return (double)(i % 37 * 5);
    if (mood == FEW_VALUES)
        return (double)(rnd() % 3);
    if (mood == WILD && rnd() % 6 == 0)
        return ODD[rnd() % (sizeof ODD / sizeof *ODD)];
    return (double)(int64_t)(rnd() % 2000001 - 1000000) * 1e-3;
}

/* Gaps, bursts and equal times. */
static void make_series(struct series *s, enum mood mood)
{
    int64_t ts = -20 * NS_PER_S;
    s->n = rnd() % MAX_SAMPLES;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t kind = rnd() % 64;
        ts += kind == 0  ? (int64_t)(rnd() % 90) * NS_PER_S
              : kind < 8 ? 0
                         : (int64_t)(rnd() % (NS_PER_S / 4));
        s->v[i] = (struct sample){.ts_ns = ts, .order = i, .value = value_in(mood, i)};
    }
}

/* ---- one window on its own ---- */

static int by_key(const void *a, const void *b)
{
    uint64_t x = value_key(*(const double *)a), y = value_key(*(const double *)b);
    return (x > y) - (x < y);
}

static double sorted_quantile(double q, const struct sample *v, size_t n)
{
    static double sorted[MAX_SAMPLES];
    for (size_t i = 0; i < n; i++)
        sorted[i] = v[i].value;
    qsort(sorted, n, sizeof *sorted, by_key);
    double rank = q * (double)(n - 1), weight = rank - floor(rank);
    size_t below = (size_t)rank, above = below + 1 < n ? below + 1 : below;
    return sorted[below] * (1 - weight) + sorted[above] * weight;
}

static double extreme(const struct sample *v, size_t n, double sign)
{
    double m = v[0].value;
    for (size_t i = 1; i < n; i++)
        if (isnan(m) || v[i].value * sign < m * sign)
            m = v[i].value;
    return m;
}

static double long_sum(const struct sample *v, size_t n)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i].value;
    return (double)sum;
}

static double long_variance(const struct sample *v, size_t n)
{
    long double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += (long double)v[i].value / (long double)n;
    for (size_t i = 0; i < n; i++)
        sum += (v[i].value - mean) * (v[i].value - mean);
    return (double)(sum / (long double)n);
}

static void assert_bits(double a, double b)
{
    if (isnan(a) && isnan(b))
        return;
    if (memcmp(&a, &b, sizeof a) != 0)
        fail_msg("%a is not %a", a, b);
}

static void assert_near(double a, double b)
{
    if (fabs(a - b) > 1e-9 * fmax(1, fabs(b)))
        fail_msg("%.17g is not near %.17g", a, b);
}

/* Every function that chooses gives the chosen bits, every other nearly what long doubles give. */
static void check_alone(const struct range_agg *agg, const struct sample *v, size_t n, bool tame,
                        double value)
{
    double seconds = (double)agg->range_ns / NS_PER_S;
    if (agg->op == RANGE_FIRST)
        assert_bits(value, v[0].value);
    else if (agg->op == RANGE_LAST)
        assert_bits(value, v[n - 1].value);
    else if (agg->op == RANGE_MIN)
        assert_bits(value, extreme(v, n, 1));
    else if (agg->op == RANGE_MAX)
        assert_bits(value, extreme(v, n, -1));
    else if (agg->op == RANGE_QUANTILE)
        assert_bits(value, sorted_quantile(agg->param, v, n));
    else if (!tame)
        return;
    else if (agg->op == RANGE_SUM)
        assert_near(value, long_sum(v, n));
    else if (agg->op == RANGE_RATE)
        assert_near(value, long_sum(v, n) / seconds);
    else if (agg->op == RANGE_AVG)
        assert_near(value, long_sum(v, n) / (double)n);
    else if (agg->op == RANGE_STDVAR)
        assert_near(value, long_variance(v, n));
    else if (agg->op == RANGE_STDDEV)
        assert_near(value * value, long_variance(v, n));
}

/* ---- leaves ---- */

static uint32_t series_no(struct range_leaf *l, size_t i)
{
    struct label label = {SV("s"), i ? SV("1") : SV("0")};
    uint32_t no;
    assert_int_equal(range_leaf_series(l, (struct labels){&label, 1}, &no, NULL), 0);
    return no;
}

static void add(struct range_leaf *l, size_t series, const struct sample *x)
{
    assert_int_equal(range_leaf_sample(l, series_no(l, series), x->ts_ns, x->order, x->value, NULL),
                     0);
}

struct values {
    bool any[N_SERIES];
    double v[N_SERIES];
    const struct range_leaf *leaf;
};

static void take(void *ctx, uint32_t series, double value)
{
    struct values *out = ctx;
    size_t i = sv_eq(out->leaf->set.v[series].labels.v[0].value, SV("1"));
    assert_false(out->any[i]);
    out->any[i] = true;
    out->v[i] = value;
}

static struct values step_of(struct range_leaf *l, size_t k)
{
    struct values out = {.leaf = l};
    range_leaf_step(l, k, take, &out);
    return out;
}

/* What a grid of that step alone gives; its samples come backwards. */
static struct values alone(const struct range_agg *agg, const struct eval_grid *grid, size_t k,
                           const struct series s[N_SERIES])
{
    struct eval_grid one = {eval_grid_at(grid, k), 1, 1};
    struct range_leaf l;
    range_leaf_init(&l, agg, &one, NULL);
    for (size_t i = 0; i < N_SERIES; i++)
        for (size_t j = s[i].n; j-- > 0;)
            add(&l, i, &s[i].v[j]);
    assert_int_equal(range_leaf_finish(&l, NULL), 0);
    struct values out = step_of(&l, 0);
    range_leaf_deinit(&l);
    return out;
}

static void check_step(const struct range_agg *agg, const struct eval_grid *grid, size_t k,
                       const struct series s[N_SERIES], bool tame, const struct values *got)
{
    int64_t end = eval_grid_at(grid, k) - agg->offset_ns, start = end - agg->range_ns;
    for (size_t i = 0; i < N_SERIES; i++) {
        size_t lo = 0, hi = 0;
        while (hi < s[i].n && s[i].v[hi].ts_ns <= end)
            hi++;
        while (lo < hi && s[i].v[lo].ts_ns <= start)
            lo++;
        assert_int_equal(got->any[i], hi > lo);
        if (hi > lo)
            check_alone(agg, s[i].v + lo, hi - lo, tame, got->v[i]);
    }
}

static void check_grid(const struct range_agg *agg, const struct eval_grid *grid,
                       const struct series s[N_SERIES], bool tame)
{
    struct range_leaf whole, part;
    range_leaf_init(&whole, agg, grid, NULL);
    range_leaf_init(&part, agg, grid, NULL);
    for (size_t i = 0; i < N_SERIES; i++)
        for (size_t j = 0; j < s[i].n; j++)
            add(rnd() % 2 ? &whole : &part, i, &s[i].v[j]);
    assert_int_equal(range_leaf_merge(&whole, &part, NULL), 0);
    assert_int_equal(range_leaf_finish(&whole, NULL), 0);
    for (size_t k = 0; k < grid->n; k++) {
        struct values got = step_of(&whole, k);
        check_step(agg, grid, k, s, tame, &got);
        if (rnd() % 8)
            continue;
        struct values one = alone(agg, grid, k, s);
        for (size_t i = 0; i < N_SERIES; i++) {
            assert_int_equal(got.any[i], one.any[i]);
            if (got.any[i])
                assert_bits(got.v[i], one.v[i]);
        }
    }
    range_leaf_deinit(&whole);
}

/* ---- tests ---- */

static void test_a_moving_window_has_the_bits_of_one_that_stands_alone(void **state)
{
    static struct series s[N_SERIES];
    static const double QUANTILES[] = {0, 0.5, 0.99, 1, 0.3};
    for (uint64_t round = 1; round <= 60; round++) {
        seed = round * UINT64_C(0x9e3779b97f4a7c15);
        enum mood mood = (enum mood)(rnd() % 4);
        for (size_t i = 0; i < N_SERIES; i++)
            make_series(&s[i], mood);
        int64_t step = (int64_t)(1 + rnd() % 20) * NS_PER_S;
        int64_t range = rnd() % 3 ? step * (int64_t)(1 + rnd() % 40) : step / 3 + 1;
        struct eval_grid grid = {(int64_t)(rnd() % 60) * NS_PER_S - 30 * NS_PER_S, step,
                                 1 + rnd() % 60};
        struct range_agg agg = {.unwrap = {.present = true},
                                .range_ns = range,
                                .param = QUANTILES[rnd() % 5],
                                .offset_ns = (int64_t)(rnd() % 3) * 7 * NS_PER_S};
        for (size_t o = 0; o < N_OPS; o++) {
            agg.op = OPS[o];
            check_grid(&agg, &grid, s, mood != WILD);
        }
    }
}

static void test_quantiles_outside_of_0_to_1_need_no_values(void **state)
{
    struct quantile_place at;
    assert_false(quantile_find(-0.1, 3, &at));
    assert_bits(at.value, -INFINITY);
    assert_false(quantile_find(1.1, 3, &at));
    assert_bits(at.value, INFINITY);
    assert_false(quantile_find(NAN, 3, &at));
    assert_true(isnan(at.value));
}

static int fill_and_run(struct query_control *control, enum range_op op, struct err *err)
{
    struct range_agg agg = {.op = op, .unwrap = {.present = true}, .range_ns = 100 * NS_PER_S};
    struct eval_grid grid = eval_grid_of(0, 1000 * NS_PER_S, NS_PER_S);
    struct range_leaf l;
    range_leaf_init(&l, &agg, &grid, control);
    int r = 0;
    for (size_t i = 0; i < 1000 && r == 0; i++) {
        struct label label = {SV("s"), SV("0")};
        uint32_t no;
        if ((r = range_leaf_series(&l, (struct labels){&label, 1}, &no, err)) == 0)
            r = range_leaf_sample(&l, no, (int64_t)i * NS_PER_S, i, (double)i * 1e300, err);
    }
    uint64_t gathered = atomic_load(&control->used_bytes);
    if (r == 0)
        r = range_leaf_finish(&l, err);
    bool in_marks = op == RANGE_MIN || op == RANGE_MAX || op == RANGE_FIRST || op == RANGE_LAST;
    if (r == 0)
        assert_int_equal(atomic_load(&control->used_bytes) > gathered + sizeof(struct window),
                         !in_marks);
    if (r == 0)
        step_of(&l, 0);
    range_leaf_deinit(&l);
    return r;
}

static void test_the_state_of_windows_is_charged_and_given_back(void **state)
{
    for (size_t o = 0; o < N_OPS; o++) {
        struct query_control control = {.deadline_mono_ns = INT64_MAX};
        assert_int_equal(fill_and_run(&control, OPS[o], NULL), 0);
        assert_int_equal(atomic_load(&control.used_bytes), 0);
    }
}

static void test_windows_over_the_budget_fail_by_name(void **state)
{
    size_t failed = 0;
    for (uint64_t most = 1000; most < 120000; most += 500) {
        struct query_control control = {.deadline_mono_ns = INT64_MAX, .max_bytes = most};
        struct err err = {0};
        int r = fill_and_run(&control, RANGE_QUANTILE, &err);
        failed += r < 0;
        if (r < 0)
            assert_non_null(strstr(err.text, "querier.max_query_memory"));
        assert_int_equal(atomic_load(&control.used_bytes), 0);
    }
    assert_true(failed > 60 && failed < 230);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_moving_window_has_the_bits_of_one_that_stands_alone),
        cmocka_unit_test(test_quantiles_outside_of_0_to_1_need_no_values),
        cmocka_unit_test(test_the_state_of_windows_is_charged_and_given_back),
        cmocka_unit_test(test_windows_over_the_budget_fail_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
