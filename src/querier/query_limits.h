/* SPDX-License-Identifier: Apache-2.0 */
/* query_limits.h - what a tenant's limits say about a query before it runs (http-api.md 4).
 * Errors carry the whole text of the answer.  Pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "logql/ast.h"
#include "model/limits.h"

struct asked_query {
    const struct logql_expr *expr;
    struct str_view text;     /* as sent */
    struct str_view tags;     /* as query_tags_normal() left them */
    int64_t start_ns, end_ns; /* as sent */
    int64_t max_entries;      /* the request's limit */
    bool may_be_blocked;      /* query and query_range */
};
int query_limits_check(const struct limits *l, const struct asked_query *q, struct err *err);
/* max_query_length alone. */
int query_limits_check_length(const struct limits *l, int64_t start_ns, int64_t end_ns,
                              struct err *err);
/* The rules on matchers alone: for selectors of volumes and statistics. */
int query_limits_check_matchers(const struct limits *l, const struct matcher *v, size_t n,
                                struct err *err);

/* Moves *start_ns up to where max_query_lookback begins; false when the end lies before that, so
 * that the answer is empty. */
bool query_limits_clip(const struct limits *l, int64_t now_ns, int64_t *start_ns, int64_t end_ns);

/* The smaller one; 0 is no limit. */
static inline uint64_t stricter_limit(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* X-Query-Tags: characters outside [A-Za-z0-9-=.@, ] become _. */
struct str_view query_tags_normal(struct arena *a, struct str_view header);
/* Value of a tag, its name without case; p == NULL when absent. */
struct str_view query_tags_get(struct str_view tags, struct str_view name);

/* The refusal of max_query_bytes_read. */
int query_estimate_check(uint64_t n_bytes, uint64_t limit_bytes, struct err *err);
