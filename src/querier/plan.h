/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - where the entries of a selector lie, at one instant: streams, runs of chunks, heads.
 * One view is pinned for it all, so that each entry is in one place; nothing of the index is held.
 * Streams are ranked by hash, then labels: that is their order among equal times.
 * Threads: built by one; then immutable and shared by the workers. */
#pragma once
#include "cluster/peer.h"
#include "querier/run.h"
#include "store/index.h"
#include "store/segments.h"

struct plan_stream {
    struct str_view encoded; /* labels */
    uint64_t hash;
    struct labels labels;
    uint32_t head_idx; /* its number in the heads, or PLAN_NO_HEAD */
};
enum { PLAN_NO_HEAD = UINT32_MAX };

struct plan_part {
    const struct index_selected_part *selected;
    struct open_segment *open;
    const struct part *part;
    struct chunk_source source;
};

struct plan {
    const struct run *run;
    struct arena arena;
    int64_t min_ts_ns, max_ts_ns; /* both included */
    struct matcher *matchers;     /* compiled */
    size_t n_matchers;
    struct view *view;
    struct plan_stream *streams; /* by rank */
    uint32_t n_streams;
    uint32_t *rank_of_series; /* of index_selection.series */
    struct index_selection selection;
    struct plan_part *parts; /* one per selected part */
    size_t n_parts;          /* opened so far */
    uint64_t charged_bytes;
};

int plan_open(struct plan *p, const struct run *run, const struct matcher *matchers,
              size_t n_matchers, int64_t min_ts_ns, int64_t max_ts_ns, struct err *err);
/* Also after a failed plan_open; unpins the view. */
void plan_close(struct plan *p);
