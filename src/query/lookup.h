/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.h - what is known of a tenant's streams without reading lines: label names, values and
 * sets, and how much they hold; recent and stored together, as of one instant.
 *     lookup_open(); any of the calls; lookup_close().
 * Threads: one at a time. */
#pragma once
#include "base/control.h"
#include "filter/compile.h"
#include "model/series_set.h"
#include "query/source.h"
#include "store/index/index.h"

struct lookup_ask {
    const struct query_source *source;
    struct str_view tenant;
    const struct matcher *matchers; /* need not be compiled; 0: all streams */
    size_t n_matchers;
    int64_t min_ts_ns, max_ts_ns; /* both included */
    struct query_control *control;
    struct arena *arena; /* of all answers; its growth is charged */
};
struct lookup {
    struct lookup_ask ask;
    struct matcher *matchers; /* compiled copies */
    struct compile compile;   /* of the matchers */
    struct regex_scratch *scratch;
    struct recent recent; /* streams with an entry in the range */
    uint64_t charged_bytes;
};
int lookup_open(struct lookup *l, const struct lookup_ask *ask, struct err *err);
void lookup_close(struct lookup *l); /* after a failed open too */

int lookup_names(struct lookup *l, struct index_names *ret, struct err *err);
int lookup_values(struct lookup *l, struct str_view name, struct index_names *ret, struct err *err);
/* Adds to set. */
int lookup_series(struct lookup *l, struct series_set *set, struct err *err);

/* Entries of one stream between two times, in memory or in one chunk. */
struct lookup_piece {
    uint32_t series;
    uint64_t n_entries, n_bytes;  /* the share within the range asked for, where it is cut */
    int64_t min_ts_ns, max_ts_ns; /* within the range */
    bool begins_chunk;
};
struct lookup_sizes {
    void *ctx;
    /* Each stream's number, asked before its pieces; a stream may be asked for again. */
    uint32_t (*series)(void *ctx, struct str_view encoded_labels);
    void (*piece)(void *ctx, const struct lookup_piece *p);
};
int lookup_sizes(struct lookup *l, const struct lookup_sizes *to, struct err *err);
/* Sums of the above. */
int lookup_stats(struct lookup *l, struct index_stats *ret, struct err *err);
