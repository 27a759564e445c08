/* SPDX-License-Identifier: Apache-2.0 */
/* engine_impl.h - what the engine's files share; only engine_*.c include it. */
#pragma once
#include "query/engine.h"
#include "query/scan/scan.h"

/* From matchers and times to entries: selects, plans, and reads once for all queries. */
int engine_scan(const struct query_env *env, const struct selection_query *q, enum plan_order order,
                const struct scan_query *queries, size_t n_queries, struct err *err);
