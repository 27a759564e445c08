/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - how roles call each other.  In one process the calls are direct; between processes the
 * same interface travels over HTTP (later).  This header is all that a distributor and a querier
 * know of an ingester.
 * Threads: every call is safe from any thread; `done` runs on the ingester's commit thread (or on
 * the caller's, before push returns) and must not block. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/push.h"

/* --- push ------------------------------------------------------------------------------- */

/* result 0: every entry not marked rejected is on stable storage and visible.  < 0: nothing of it
 * is promised, err says why.  The batch is the caller's again. */
typedef void push_done_fn(void *ctx, struct push_batch *batch, int result, const struct err *err);

struct peer_ops {
    void (*push)(void *self, struct push_batch *batch, push_done_fn *done, void *ctx);
    /* Everything acknowledged before the call is in objects when done runs. */
    void (*flush)(void *self, void (*done)(void *ctx, int result, const struct err *err),
                  void *ctx);
};

struct peer {
    const struct peer_ops *ops;
    void *self;
};
