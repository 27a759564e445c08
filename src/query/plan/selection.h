/* SPDX-License-Identifier: Apache-2.0 */
/* selection.h - the one way to a tenant's data: what matchers select between two times, recent and
 * stored, at one instant.  Nobody else asks the index or the recent source (check_layers.py).
 *     selection_open(); any of the questions; selection_close().
 * Promise: one view is pinned from open to close, so that each entry is in exactly one place and
 * what it names stays readable; nothing of the index is held between two questions.  Every read
 * passes the env's scope and deletes.
 * Threads: one at a time; what `view` and `recent` show may be shared while it is open. */
#pragma once
#include "filter/compile.h"
#include "query/env.h"
#include "query/plan/time_span.h"
#include "query/source.h"
#include "store/index/index.h"

struct selection_query {
    const struct matcher *matchers; /* need not be compiled; 0: all streams */
    size_t n_matchers;
    struct time_span within;
};

struct selection {
    const struct query_env *env;
    struct time_span within;
    struct recent recent;     /* the pinned view, and its head streams that may have entries */
    struct matcher *matchers; /* compiled: the query's, then the scope's */
    size_t n_matchers;
    struct compile compile; /* of the matchers */
    struct regex_scratch *scratch;
    struct arena arena; /* of matchers and recent streams */
    uint64_t charged_bytes;
};

/* Compiles the matchers, pins a view, finds the recent streams.  env and what q borrows outlive
 * the selection.  selection_close() follows, whatever it returns: < 0 for a bad regex, no memory
 * for the query, a query that is to end, or a source that cannot answer (ERR_UNAVAILABLE). */
int selection_open(struct selection *s, const struct query_env *env,
                   const struct selection_query *q, struct err *err);
void selection_close(struct selection *s); /* all zeros is fine */

/* The questions to stored data.  Answers lie in the arena, which the caller charges; one that
 * takes more of it than the query may hold is ERR_OVER_BUDGET with a text for the client.  Runs and
 * segments named are readable until selection_close(). */

/* Runs that overlap `within` of streams that match, and where they lie. */
int selection_runs(const struct selection *s, struct arena *a, struct index_selection *ret,
                   struct err *err);
/* Streams with such a run. */
int selection_series(const struct selection *s, struct arena *a, struct index_series **ret,
                     size_t *ret_n, struct err *err);
int selection_label_names(const struct selection *s, struct arena *a, struct index_names *ret,
                          struct err *err);
int selection_label_values(const struct selection *s, struct str_view name, struct arena *a,
                           struct index_names *ret, struct err *err);
