/* SPDX-License-Identifier: Apache-2.0 */
/* recent.h - recent_source.open.  Threads: any. */
#pragma once
#include "ingester/state.h"

int recent_open(struct ingester *in, struct str_view tenant, const struct matcher *matchers,
                size_t n_matchers, struct arena *arena, struct recent *ret, struct err *err);
