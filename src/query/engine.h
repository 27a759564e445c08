/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - one parsed query over the recent and stored data of one tenant.
 * Promise: the result depends on the entries and the query alone: not on where entries lie, on
 * filters and statistics (use_filters), or on the number of workers; equal input, equal bits.
 * Each entry counts once, however many copies of it are stored.
 * Threads: the caller's thread waits; chunk tasks run on the pool in POOL_QUERY. */
#pragma once
#include "query/env.h"
#include "query/metric/eval.h"
#include "query/rows/log_result.h"

/* --- log queries ------------------------------------------------------------------------- */

int engine_log(const struct query_env *env, const struct log_query *query,
               const struct log_options *options, struct log_result *ret, struct err *err);

/* --- metric queries ---------------------------------------------------------------------- */

/* eval_free(*ret_eval) frees the result too; *ret_eval is NULL on failure. */
int engine_metric(const struct query_env *env, const struct logql_expr *expr,
                  const struct eval_grid *grid, const struct eval_options *options,
                  struct eval **ret_eval, const struct eval_result **ret, struct err *err);
/* Over several tenants, see several.h: aggregations go over all of them.  The arena holds what the
 * eval borrows beyond expr. */
int engine_metric_of_tenants(const struct query_env *envs, size_t n_envs,
                             const struct logql_expr *expr, const struct eval_grid *grid,
                             const struct eval_options *options, struct arena *arena,
                             struct eval **ret_eval, const struct eval_result **ret,
                             struct err *err);
