/* SPDX-License-Identifier: Apache-2.0 */
/* log_answer.h - the entries of a log query as JSON, piece by piece: streams by their label text,
 * entries within in the order of the result.
 * Threads: one at a time. */
#pragma once
#include "query/engine.h"
#include "wire/answer.h"

struct log_answer {
    const struct log_result *result;
    const struct query_stats *stats;
    struct answer_options options;
    struct answer w;
    uint32_t *streams; /* that have rows, in the order of the answer */
    size_t n_streams;
    uint32_t *rows;     /* by stream, see first */
    uint32_t *first;    /* of streams[i]: rows[first[i]] .. rows[first[i + 1]] */
    size_t stream, row; /* where the writer stands */
    bool begun;
};
/* Borrows result, stats and what options names; arrays lie in the result's arena and are charged.
 */
int log_answer_init(struct log_answer *a, struct log_result *result,
                    const struct answer_options *options, const struct query_stats *stats,
                    struct query_control *control, struct err *err);
/* http_pull_fn over a struct log_answer. */
int log_answer_pull(void *log_answer, struct buf *out);
