/* SPDX-License-Identifier: Apache-2.0 */
/* estimate.h - how many line bytes a query would go through, from the index and the heads.
 * Threads: one at a time. */
#pragma once
#include "base/control.h"
#include "logql/ast.h"
#include "query/source.h"

struct estimate_ask {
    const struct query_source *source;
    struct str_view tenant;
    int64_t start_ns, end_ns;
    struct query_control *control;
};
/* Adds to *add_bytes; each selector counts, even where two name the same streams. */
int query_estimate(const struct estimate_ask *ask, const struct logql_expr *expr,
                   uint64_t *add_bytes, struct err *err);
