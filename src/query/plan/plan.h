/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - where the entries of a selection lie: streams and their strands, the zones
 * in which strands of one stream overlap, and the tasks that read them.
 * A strand is what one place has of a stream, in time order: a run of a chunk, or the entries in
 * one head generation. Streams are ranked by hash, then labels: that is their order among equal
 * times. Threads: built by one; then immutable and shared by the workers. */
#pragma once
#include "query/plan/overlap.h"
#include "query/plan/selection.h"
#include "store/segments.h"

enum { PLAN_NO_HEAD = UINT32_MAX, PLAN_HEAD_TASK = UINT32_MAX };

struct plan_stream {
    struct str_view encoded; /* labels */
    uint64_t hash;
    struct labels labels;
    uint32_t head_idx; /* its number in the heads, or PLAN_NO_HEAD */
};

/* What the plan knows of a strand beyond where it lies. */
struct plan_strand {
    uint32_t stream;  /* rank */
    uint32_t n_zones; /* that it covers, in full or in part */
    size_t first_zone;
    uint64_t arrival; /* rises from strand to strand of a stream */
};

struct plan_part {
    const struct index_selected_part *selected;
    struct open_segment *open;
    const struct part *part;
    struct chunk_source source;
    struct plan_strand *strands; /* of selected->runs */
};

/* A stream's entries in one head generation.  Times may reach further than the entries. */
struct plan_head_strand {
    struct plan_strand strand;
    uint32_t head; /* in the view */
    struct time_span at;
    bool in_order;
};

/* One chunk: strands of a part.  Or one head strand: `part` is PLAN_HEAD_TASK. */
struct plan_task {
    struct time_span at; /* of its strands */
    uint32_t part;
    uint32_t first_strand, n_strands;
};

enum plan_order { PLAN_OLDEST_FIRST, PLAN_NEWEST_FIRST };

struct plan {
    const struct query_env *env;
    struct time_span within;
    const struct view *view; /* the selection's */
    struct arena arena;
    struct plan_stream *streams; /* by rank */
    uint32_t n_streams;
    struct index_selection stored;
    uint32_t *rank_of_series; /* of stored.series */
    struct plan_part *parts;  /* one per selected part that can be read */
    size_t n_parts;           /* opened so far */
    struct plan_head_strand *head_strands;
    size_t n_head_strands;
    struct overlap_zone *zones; /* of all streams */
    size_t n_zones;
    struct plan_task *tasks; /* by time, see plan_order */
    size_t n_tasks, n_chunks;
    uint64_t charged_bytes;
};

/* Of an open selection, which outlives the plan.  plan_close() follows, whatever it returns: < 0
 * for no memory for the query, a limit of the tenant, a query that is to end, or a segment that
 * cannot be read and is not damaged (see query/damage.h). */
int plan_open(struct plan *p, const struct selection *s, enum plan_order order, struct err *err);
void plan_close(struct plan *p); /* all zeros is fine */
