/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - token buckets by tenant: how many bytes each may still push.
 * A bucket holds at most `burst` tokens and fills by `rate` a second; a request takes all it needs
 * or none.  Full buckets of idle tenants are forgotten.
 * Threads: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str_view.h"

struct rate_limiter;
struct rate_limiter *rate_limiter_new(void);
void rate_limiter_free(struct rate_limiter *r);
bool rate_limiter_take(struct rate_limiter *r, struct str_view tenant, double rate_per_s,
                       double burst, double n, int64_t now_mono_ns);
