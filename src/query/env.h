/* SPDX-License-Identifier: Apache-2.0 */
/* env.h - what one query of one tenant runs with: where its data is, for whom, within which limits,
 * and who counts what it did.
 * Ownership: all borrowed; it outlives the query.
 * Threads: fixed while the query runs; what it points to says for itself. */
#pragma once
#include "base/control.h"
#include "base/str_view.h"

struct limits;       /* model/limits.h */
struct pool;         /* base/thread.h */
struct query_source; /* query/source.h */
struct query_stats;  /* wire/stats.h */

struct query_env {
    const struct query_source *source;
    struct pool *pool; /* chunk tasks run in POOL_QUERY; NULL: on the caller's thread */
    bool use_filters;  /* off: skip no chunk by filter or statistics (tests) */
    struct str_view tenant;
    const struct limits *limits;   /* the tenant's */
    struct query_control *control; /* everything that is kept is charged here */
    struct query_stats *stats;     /* added to; exec and queue time are the caller's */
};
