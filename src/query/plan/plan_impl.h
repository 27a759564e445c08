/* SPDX-License-Identifier: Apache-2.0 */
/* plan_impl.h - the steps of planning; only plan*.c include it. */
#pragma once
#include "query/plan/plan.h"

/* Ranks the streams of index and heads together, each once. */
int plan_join_streams(struct plan *p, const struct recent *recent, struct err *err);
/* Finds head strands, zones and tasks; parts are open. */
int plan_find_strands(struct plan *p, enum plan_order order, struct err *err);
