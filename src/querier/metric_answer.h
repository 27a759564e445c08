/* SPDX-License-Identifier: Apache-2.0 */
/* metric_answer.h - the series of a metric query as JSON, piece by piece.
 * Threads: one at a time. */
#pragma once
#include "query/metric/eval.h"
#include "wire/answer.h"

struct metric_answer {
    const struct eval_result *result;
    const struct query_stats *stats;
    struct answer_options options; /* kind: matrix, vector or scalar */
    struct eval_grid grid;
    struct answer w;
    size_t series, point; /* where the writer stands */
    bool begun;
};
/* Borrows all but the options themselves.  A scalar is the one series of a literal. */
void metric_answer_init(struct metric_answer *a, const struct eval_result *result,
                        const struct eval_grid *grid, const struct answer_options *options,
                        const struct query_stats *stats);
/* http_pull_fn over a struct metric_answer. */
int metric_answer_pull(void *metric_answer, struct buf *out);
/* Samples of all series. */
uint64_t metric_answer_samples(const struct eval_result *result);
