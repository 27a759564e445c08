/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h - all entries of a plan, stream by stream, sorted and collapsed.
 * Threads: one at a time. */
#pragma once
#include "model/entry.h"
#include "querier/plan.h"

/* Entries of one stream within the plan's times, in (time, arrival) order, each once. */
typedef int gather_fn(void *ctx, uint32_t stream, const struct entry *v, size_t n, struct err *err);
int gather(const struct plan *p, gather_fn *fn, void *ctx, struct err *err);
