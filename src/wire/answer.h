/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - results of queries as Loki's JSON, written piece by piece into a buffer.
 * The writer only remembers where commas go, so a caller may stop after any call, hand `out` on
 * (http_pull_fn) and go on with an emptied buffer.  Key order is fixed: streaming readers depend on
 * it.  Text may be any bytes; invalid UTF-8 becomes \ufffd.
 *     answer_begin(&w, out, &opt);
 *     answer_series_begin(&w, out, labels); answer_entry(...)...; answer_series_end(&w, out);
 *     answer_end(&w, out, &stats);
 * Threads: one at a time per struct answer. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "model/labels.h"
#include "wire/stats.h"

#define ANSWER_TYPE_STREAMS "application/json; charset=UTF-8" /* streams, labels, series */
#define ANSWER_TYPE_METRIC "application/json"                 /* matrix, vector, scalar */

/* ---- pieces ---- */

/* "...": quoted and escaped; <, >, & and U+2028, U+2029 as \u escapes. */
void json_put_string(struct buf *out, struct str_view text);
/* What stands between the quotes. */
void json_put_escaped(struct buf *out, struct str_view text);
/* {"a":"b"} in the order given. */
void json_put_labels(struct buf *out, struct labels l);
/* The same from the encoded form (model/labels.h), without decoding it first. */
void json_put_labels_encoded(struct buf *out, struct str_view encoded);

/* ---- query and query_range ---- */

enum answer_kind { ANSWER_STREAMS, ANSWER_MATRIX, ANSWER_VECTOR, ANSWER_SCALAR };

struct answer_options {
    enum answer_kind kind;
    const struct str_view *warnings;
    size_t n_warnings;
    const struct str_view *encoding_flags; /* of the request's header; streams only */
    size_t n_encoding_flags;
    bool categorize; /* entries carry a third element */
    bool legacy;     /* /api/prom/query: {"streams":[...],"stats":{}}; streams only */
};

struct answer {
    enum answer_kind kind;
    bool categorize, legacy;
    bool any_series, any_item;
};

void answer_begin(struct answer *w, struct buf *out, const struct answer_options *opt);
/* A stream or a matrix series. */
void answer_series_begin(struct answer *w, struct buf *out, struct labels l);
void answer_series_end(struct answer *w, struct buf *out);
/* sm and parsed are written only with categorize. */
void answer_entry(struct answer *w, struct buf *out, int64_t ts_ns, struct str_view line,
                  struct labels sm, struct labels parsed);
/* A point of the open matrix series. */
void answer_point(struct answer *w, struct buf *out, int64_t ts_ns, double value);
/* One sample of a vector, or the scalar (no labels). */
void answer_sample(struct answer *w, struct buf *out, struct labels l, int64_t ts_ns, double value);
/* stats NULL: "stats":{}.  Ends the body with a newline. */
void answer_end(struct answer *w, struct buf *out, const struct query_stats *stats);

/* ---- other endpoints ---- */

/* {"status":"success","data":[..]}.  legacy: {"values":[..]}. */
void answer_names(struct buf *out, const struct str_view *names, size_t n, bool legacy);

struct answer_list {
    bool any;
};
/* series: {"status":"success","data":[{..},{..}]} */
void answer_list_begin(struct answer_list *w, struct buf *out);
void answer_list_item(struct answer_list *w, struct buf *out, struct labels l);
void answer_list_end(struct answer_list *w, struct buf *out);
