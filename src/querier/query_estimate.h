/* SPDX-License-Identifier: Apache-2.0 */
/* query_estimate.h - how many line bytes a query would go through, from the index and the heads.
 * Threads: one at a time. */
#pragma once
#include "logql/ast.h"
#include "querier/control.h"
#include "querier/querier.h"

struct estimate_ask {
    const struct querier_parts *parts;
    struct str_view tenant;
    int64_t start_ns, end_ns;
    struct query_control *control;
};
/* Adds to *add_bytes; each selector counts, even where two name the same streams. */
int query_estimate(const struct estimate_ask *ask, const struct logql_expr *expr,
                   uint64_t *add_bytes, struct err *err);
/* The refusal of max_query_bytes_read. */
int query_estimate_check(uint64_t n_bytes, uint64_t limit_bytes, struct err *err);
