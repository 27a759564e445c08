/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.h - what is known of a selection's streams without reading lines: label names, values and
 * sets, and how much they hold; recent and stored together.
 * Answers count streams with an entry in the selection's times.  They lie in the arena given, and
 * what they take of it stays charged to the query.
 * Each may leave out of selection.recent the streams that have no such entry.
 * Errors: as the questions of selection.h.  Threads: one at a time. */
#pragma once
#include "model/series_set.h"
#include "query/plan/selection.h"

/* Sorted bytewise, each once. */
int lookup_names(struct selection *s, struct arena *a, struct index_names *ret, struct err *err);
int lookup_values(struct selection *s, struct str_view name, struct arena *a,
                  struct index_names *ret, struct err *err);
/* Adds to set, whose growth is charged. */
int lookup_series(struct selection *s, struct series_set *set, struct err *err);

/* How much a stream holds between two times, in memory or in one run. */
struct lookup_amount {
    uint32_t series;
    uint64_t n_entries, n_bytes;  /* a run that the selection cuts: by the part of its time */
    int64_t min_ts_ns, max_ts_ns; /* within the selection */
    bool begins_chunk;
};
/* Who is told of amounts. */
struct amount_sink {
    void *ctx;
    /* A number for the stream, asked before its amounts; a stream may be asked for again. */
    uint32_t (*series)(void *ctx, struct str_view encoded_labels);
    void (*add)(void *ctx, const struct lookup_amount *x);
};
int lookup_amounts(struct selection *s, const struct amount_sink *to, struct err *err);
/* Adds their sums to *to. */
int lookup_stats(struct selection *s, struct index_stats *to, struct err *err);
