/* SPDX-License-Identifier: Apache-2.0 */
/* log_merge.h - log results of several tenants as one: by time, equal times by tenant; each stream
 * with its tenant's label.
 * Threads: one at a time. */
#pragma once
#include "query/env.h"
#include "query/rows/log_result.h"

/* Fills r with the first `limit` rows of r->parts, one per env; rows and streams borrow them.
 * < 0: no memory for the query. */
int log_merge(const struct query_env *envs, const struct log_options *options, struct log_result *r,
              struct err *err);
