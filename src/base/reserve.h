/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.h - asks before memory is taken for bytes from outside, so that a decoder that is pure
 * still keeps to the process's ledger.  What was granted belongs to whoever gave it; it is given
 * back as a whole when the decoded thing goes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reserve {
    bool (*take)(void *ctx, uint64_t bytes); /* false: no more */
    void *ctx;
};

/* r == NULL: nobody to ask. */
static inline bool reserve_take(const struct reserve *r, uint64_t bytes)
{
    return !r || r->take(r->ctx, bytes);
}
