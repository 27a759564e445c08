/* SPDX-License-Identifier: Apache-2.0 */
/* estimate.h - how many line bytes a query would go through, from the index and the heads.
 * Threads: one at a time. */
#pragma once
#include "logql/ast.h"
#include "query/env.h"
#include "query/plan/time_span.h"

/* Adds to *add_bytes what each selector of the expression reaches, even where two name the same
 * streams, at each of the tenants.  `at`: the times of the query; ranges and offsets widen them.
 * Errors: as selection.h. */
int query_estimate(const struct query_env *envs, size_t n_envs, const struct logql_expr *expr,
                   struct time_span at, uint64_t *add_bytes, struct err *err);
