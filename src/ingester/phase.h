/* SPDX-License-Identifier: Apache-2.0 */
/* phase.h - where the ingester stands in its life, and why it refuses.
 * Recovering, then ready or failed; stopping from any of them, and for good.
 * Threads: any. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/thread.h"

enum ingester_phase { PHASE_RECOVERING, PHASE_READY, PHASE_FAILED, PHASE_STOPPING };

struct phase {
    struct mutex mu;
    struct cond changed; /* for phase_wait() */
    _Atomic int now;     /* enum ingester_phase; changed under mu */
    struct err err;      /* guarded by mu: of PHASE_FAILED */
    _Atomic bool stopping;
    _Atomic uint64_t replayed_bytes; /* so far, while it recovers */
};
void phase_init(struct phase *p); /* recovering */
void phase_deinit(struct phase *p);

/* The end of recovery; result < 0: it failed, as err says.  Returns what came of it: stopping, when
 * the end of all has begun meanwhile. */
enum ingester_phase phase_recovered(struct phase *p, int result, const struct err *err);
/* The end begins; true when it was ready until now. */
bool phase_stop(struct phase *p);

bool phase_is_ready(const struct phase *p);
/* ERR_UNAVAILABLE where pushes are refused: in every phase but ready. */
int phase_check_push(struct phase *p, struct err *err);
/* Queries are answered from the end of recovery to the end of all. */
int phase_check_query(struct phase *p, struct err *err);
/* True when it is ready; else *why (may be NULL) gets what it is doing, or what is wrong. */
bool phase_describe(struct phase *p, struct buf *why);
/* Waits for the end of recovery, up to timeout_ns (< 0: for ever).  1: it still goes on; < 0: it
 * failed. */
int phase_wait(struct phase *p, int64_t timeout_ns, struct err *err);
