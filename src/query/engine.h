/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - one parsed query over the recent and stored data of a tenant, or of several.
 * Promise: the result depends on the entries and the query alone: not on where entries lie, on
 * filters and statistics (use_filters), or on the number of workers; equal input, equal bits.
 * Each entry counts once, however many copies of it are stored.
 * Several tenants: an env for each, of one request; they are asked one after the other, each at an
 * instant of its own, and their streams are told apart by the label __tenant_id__.
 * Errors: ERR_INVALID and ERR_OVER_BUDGET carry a text for the client; ERR_TIMEOUT and
 * ERR_CANCELLED end a query; anything else says what could not be read.
 * Threads: the caller's thread waits; chunk tasks run on the pool in POOL_QUERY. */
#pragma once
#include "query/env.h"
#include "query/metric/eval.h"
#include "query/rows/log_result.h"

/* ---- log queries ---- */

/* *ret is owned by the caller, and empty after a failure; its bytes stay charged to the query. */
int engine_log(const struct query_env *envs, size_t n_envs, const struct log_query *query,
               const struct log_options *options, struct log_result *ret, struct err *err);

/* ---- metric queries ---- */

/* Aggregations go over all tenants together.  *ret lives as long as *ret_eval, which the caller
 * frees and which is NULL after a failure; it borrows expr and the control. */
int engine_metric(const struct query_env *envs, size_t n_envs, const struct logql_expr *expr,
                  const struct eval_grid *grid, const struct eval_options *options,
                  struct eval **ret_eval, const struct eval_result **ret, struct err *err);
