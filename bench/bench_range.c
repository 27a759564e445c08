/* SPDX-License-Identifier: Apache-2.0 */
/* bench_range.c - what unwrapped range functions cost: ns per sample for sorting and evaluating a
 * filled leaf, windows of 1, 20 and 240 steps; one large series, then many small ones.  CPU time of
 * one thread, best of rounds.
 *
 *   bench_range [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "query/metric/range_leaf.h"

enum { N_STEPS = 5760, STEP_S = 15, N_SAMPLES = 400000 };

static int rounds = 3;
static uint64_t state = 88172645463325252;
static double checksum;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void take(void *ctx, uint32_t series, double value)
{
    (void)ctx, (void)series;
    checksum += value;
}

static void fill(struct range_leaf *l, size_t n_series, bool counters)
{
    for (size_t i = 0; i < n_series; i++) {
        char text[24];
        snprintf(text, sizeof text, "%zu", i);
        struct label label = {SV("series"), sv_of(text)};
        uint32_t series;
        range_leaf_series(l, (struct labels){&label, 1}, &series, NULL);
    }
    for (size_t i = 0; i < N_SAMPLES; i++) {
        int64_t ts = (int64_t)((double)i / N_SAMPLES * N_STEPS * STEP_S * NS_PER_S);
        double value = counters ? (double)(i % 1000) : (double)(rnd() % 1000000) * 1e-6;
        range_leaf_sample(l, (uint32_t)(i % n_series), ts, i, value, NULL);
    }
}

static double ns_per_sample(enum range_op op, size_t overlap, size_t n_series)
{
    struct range_agg agg = {.op = op,
                            .param = 0.99,
                            .unwrap = {.present = true},
                            .range_ns = (int64_t)overlap * STEP_S * NS_PER_S};
    struct eval_grid grid = eval_grid_of(0, N_STEPS * STEP_S * NS_PER_S, STEP_S * NS_PER_S);
    double best = 0;
    for (int round = 0; round < rounds; round++) {
        struct range_leaf l;
        range_leaf_init(&l, &agg, &grid, NULL);
        fill(&l, n_series, op == RANGE_RATE_COUNTER);
        double begun = cpu_ns();
        range_leaf_finish(&l, NULL);
        for (size_t k = 0; k < grid.n; k++)
            range_leaf_step(&l, k, take, NULL);
        double ns = cpu_ns() - begun;
        best = round == 0 || ns < best ? ns : best;
        range_leaf_deinit(&l);
    }
    return best / N_SAMPLES;
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? atoi(argv[1]) : rounds;
    static const struct {
        const char *name;
        enum range_op op;
    } OPS[] = {
        {"sum_over_time", RANGE_SUM},         {"avg_over_time", RANGE_AVG},
        {"stddev_over_time", RANGE_STDDEV},   {"min_over_time", RANGE_MIN},
        {"max_over_time", RANGE_MAX},         {"first_over_time", RANGE_FIRST},
        {"rate_counter", RANGE_RATE_COUNTER}, {"quantile_over_time", RANGE_QUANTILE},
    };
    static const size_t OVERLAPS[] = {1, 2, 4, 8, 20, 240}, SERIES[] = {1, 1000};
    for (size_t s = 0; s < 2; s++) {
        printf("%zu series, ns per sample      overlap:", SERIES[s]);
        for (size_t o = 0; o < 6; o++)
            printf("%8zu", OVERLAPS[o]);
        printf("\n");
        for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++) {
            printf("  %-36s", OPS[i].name);
            for (size_t o = 0; o < 6; o++)
                printf("%8.1f", ns_per_sample(OPS[i].op, OVERLAPS[o], SERIES[s]));
            printf("\n");
            fflush(stdout);
        }
    }
    printf("checksum %g\n", checksum);
    return 0;
}
