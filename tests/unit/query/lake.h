/* SPDX-License-Identifier: Apache-2.0 */
/* lake.h - data for queries, without a server: a head of up to two generations, segments in two
 * stores of memory, an index in a temporary folder, and a peer that knows them.
 * What was pushed is remembered as well, so that a test can evaluate it naively. */
#pragma once
#include "base/ledger.h"
#include "base/thread.h"
#include "chunk/head.h"
#include "chunk/segment.h"
#include "model/limits.h"
#include "query/damage.h"
#include "query/env.h"
#include "query/source.h"
#include "store/index/index.h"
#include "store/object/object.h"
#include "store/segments.h"
#include "store/view.h"

enum { LAKE_PERIOD_S = 3600 };

/* An entry as it was pushed; texts lie in the lake's arena. */
struct lake_entry {
    uint32_t stream;
    struct entry e;
};
struct lake_stream {
    struct str_view tenant, labels; /* encoded */
    uint64_t hash;
};
struct lake_segment {
    struct live_segment *live;
    struct segment_info info;
    bool gone; /* merged into another */
};

struct lake {
    char folder[64];
    struct arena arena;
    struct lake_stream *streams;
    size_t n_streams, cap_streams;
    struct lake_entry *entries; /* in order of arrival */
    size_t n_entries, cap_entries;
    struct generation *heads[VIEW_MAX_HEADS];
    size_t n_heads;
    uint64_t n_batches, n_generations;
    uint64_t first_batch[VIEW_MAX_HEADS];
    struct lake_segment *segments;
    size_t n_segments, cap_segments;
    struct chunk_options chunks;
    struct views *views;
    struct object_store *local, *objects;
    struct index *index;
    struct segments *cache;
    struct ledger ledger;
    struct pool *pool;
    struct limits limits;
    struct query_source source;
    struct query_damage damage; /* what queries left out */
    bool use_filters;
};
void lake_open(struct lake *l, unsigned n_threads);
void lake_close(struct lake *l);

/* For queries of that tenant without limits of its own. */
struct query_env lake_env(struct lake *l, const char *tenant, struct query_control *control,
                          struct query_stats *stats);

/* `labels` as {a="b"}; the number of that stream. */
uint32_t lake_stream(struct lake *l, const char *tenant, const char *labels);
/* sm encoded.  Visible at once. */
void lake_push(struct lake *l, uint32_t stream, int64_t ts_ns, struct str_view line,
               struct str_view sm);
/* A new head generation; the older one is spilled first where there are two. */
void lake_rotate(struct lake *l);
/* Writes the oldest generation as a segment. */
void lake_spill(struct lake *l, enum segment_place place);
/* Merges segments [from, to) into one object.  Chunks of at least `copy_rows` rows are copied as
 * they are, and so may keep repeats. */
void lake_merge(struct lake *l, size_t from, size_t to, uint32_t copy_rows);
