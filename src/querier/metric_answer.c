/* SPDX-License-Identifier: Apache-2.0 */
#include "querier/metric_answer.h"

enum { PIECE_BYTES = 64 << 10 };

void metric_answer_init(struct metric_answer *a, const struct eval_result *result,
                        const struct eval_grid *grid, const struct answer_options *options,
                        const struct query_stats *stats)
{
    *a = (struct metric_answer){
        .result = result, .stats = stats, .options = *options, .grid = *grid};
}

uint64_t metric_answer_samples(const struct eval_result *result)
{
    uint64_t n = 0;
    for (size_t i = 0; i < result->n_series; i++)
        n += result->series[i].n_points;
    return n;
}

static int64_t time_of(const struct metric_answer *a, const struct eval_point *p)
{
    return eval_grid_at(&a->grid, p->step);
}

/* The open series as far as the piece takes it; true when it is complete. */
static bool put_points(struct metric_answer *a, struct buf *out)
{
    const struct eval_series *s = &a->result->series[a->series];
    if (a->point == 0)
        answer_series_begin(&a->w, out, s->labels);
    while (a->point < s->n_points) {
        const struct eval_point *p = &s->points[a->point++];
        answer_point(&a->w, out, time_of(a, p), p->value);
        if (out->len >= PIECE_BYTES && a->point < s->n_points)
            return false;
    }
    answer_series_end(&a->w, out);
    return true;
}

static void put_sample(struct metric_answer *a, struct buf *out)
{
    const struct eval_series *s = &a->result->series[a->series];
    for (size_t i = 0; i < s->n_points; i++)
        answer_sample(&a->w, out, s->labels, time_of(a, &s->points[i]), s->points[i].value);
}

int metric_answer_pull(void *metric_answer, struct buf *out)
{
    struct metric_answer *a = metric_answer;
    if (!a->begun)
        answer_begin(&a->w, out, &a->options);
    a->begun = true;
    while (a->series < a->result->n_series) {
        if (out->len >= PIECE_BYTES)
            return 1;
        if (a->options.kind != ANSWER_MATRIX)
            put_sample(a, out);
        else if (!put_points(a, out))
            return 1;
        a->series++;
        a->point = 0;
    }
    answer_end(&a->w, out, a->stats);
    return 0;
}
