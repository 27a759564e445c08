/* SPDX-License-Identifier: Apache-2.0 */
/* env.h - what one query of one tenant runs with: where its data is, for whom, what of it may be
 * seen, within which limits, and who counts what it did.
 * Ownership: all borrowed; it outlives the query.
 * Threads: fixed while the query runs; what it points to says for itself. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/control.h"
#include "base/str_view.h"

struct limits;       /* model/limits.h */
struct matcher;      /* model/matcher.h */
struct pool;         /* base/thread.h */
struct query_damage; /* query/damage.h */
struct query_source; /* query/source.h */
struct query_stats;  /* wire/stats.h */

/* Which streams of the tenant whoever asks may see: those that meet these matchers too. */
struct read_scope {
    const struct matcher *matchers; /* not compiled */
    size_t n_matchers;
};
extern const struct read_scope READ_SCOPE_ALL; /* all of them */

/* What counts as deleted although it still stands somewhere: compiled predicates over rows
 * (src/filter).  Nothing applies any yet, so there are none: selection_open() asserts it. */
struct delete_filter;
struct delete_filters {
    const struct delete_filter *v;
    size_t n;
};
extern const struct delete_filters DELETE_FILTERS_NONE;

struct query_env {
    const struct query_source *source;
    struct pool *pool; /* chunk tasks run in POOL_QUERY; NULL: on the caller's thread */
    bool use_filters;  /* off: skip no chunk by filter or statistics (tests) */
    struct str_view tenant;
    bool one_of_several;                  /* the request asks others too: see tenant_matchers.h */
    const struct read_scope *scope;       /* never NULL, so that nobody forgets it */
    const struct delete_filters *deletes; /* never NULL, likewise */
    const struct limits *limits;          /* the tenant's */
    struct query_control *control;        /* everything that is kept is charged here */
    struct query_damage *damage;          /* never NULL; what was left out is added */
    struct query_stats *stats;            /* added to; exec and queue time are the caller's */
};
