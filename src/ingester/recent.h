/* SPDX-License-Identifier: Apache-2.0 */
/* recent.h - what recent_source.open answers from.
 * Threads: any. */
#pragma once
#include "query/source.h"

struct heads;
struct phase;

/* Pins the view of this instant, and the streams of its heads that match.  ERR_UNAVAILABLE as long
 * as the ingester recovers, or when that failed. */
int recent_open(struct heads *h, struct phase *phase, struct str_view tenant,
                const struct matcher *matchers, size_t n_matchers, struct arena *arena,
                struct recent *ret, struct err *err);
