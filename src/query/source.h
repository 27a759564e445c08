/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where a query finds data in this process: recent entries in heads, stored ones through
 * the index.  What crosses processes is cluster/peer.h.
 * Ownership: whoever builds the roles owns what a source names, and outlives it.
 * Threads: every call is safe from any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/matcher.h"

struct index;    /* store/index/index.h */
struct segments; /* store/segments.h */
struct view;     /* store/view.h */

/* A stream with entries in some head generation of the pinned view. */
struct recent_stream {
    uint32_t idx; /* in the heads of this view */
    uint64_t hash;
    struct str_view labels; /* encoded, copied to the caller's arena */
};

struct recent {
    struct view *view; /* pinned; the caller calls view_unpin() */
    struct recent_stream *streams;
    size_t n_streams;
};

/* Recent data of this process.
 * open: pins the view and finds the head streams that match, as one step: a stream with an entry in
 * a head of the view is in the list.  matchers are compiled.  The list lies in the arena, which the
 * caller charges.  < 0, and nothing is pinned: ERR_UNAVAILABLE while the ingester cannot answer.
 * Only plan/selection.c calls it. */
struct recent_source {
    int (*open)(void *self, struct str_view tenant, const struct matcher *matchers,
                size_t n_matchers, struct arena *arena, struct recent *ret, struct err *err);
    void *self;
};

struct query_source {
    struct recent_source recent;
    struct index *index;       /* stored data: which runs */
    struct segments *segments; /* stored data: their bytes */
};
