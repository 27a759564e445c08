/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - when to try again what failed: the wait doubles with each failure, up to a most.
 * Times are of the monotonic clock.
 * Threads: one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int64_t first_ns, most_ns; /* fixed at init; first_ns > 0 */
    int64_t wait_ns, until_ns; /* 0: nothing failed */
};
#define BACKOFF_INIT(first, most) ((struct backoff){.first_ns = (first), .most_ns = (most)})

static inline void backoff_failed(struct backoff *b, int64_t now_ns)
{
    int64_t next_ns = b->wait_ns > b->most_ns / 2 ? b->most_ns : 2 * b->wait_ns;
    b->wait_ns = b->wait_ns ? next_ns : b->first_ns;
    b->until_ns = now_ns + b->wait_ns;
}

static inline void backoff_worked(struct backoff *b)
{
    b->wait_ns = b->until_ns = 0;
}

static inline bool backoff_is_over(const struct backoff *b, int64_t now_ns)
{
    return now_ns >= b->until_ns;
}
