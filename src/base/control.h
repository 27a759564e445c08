/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - what holds a running query in check: its deadline, its byte budget, its client.
 * Bytes are charged to the ledger in steps and given back when the query ends.
 * Threads: one query_control is shared by all workers of its query. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ledger.h"

struct query_control {
    int64_t deadline_mono_ns;       /* fixed at init; INT64_MAX: none */
    int64_t timeout_ns;             /* fixed at init: what led to it, for the error's text */
    uint64_t max_bytes;             /* fixed at init; 0: the ledger alone */
    struct ledger *ledger;          /* fixed at init; may be NULL */
    bool (*client_gone)(void *ctx); /* fixed at init; may be NULL */
    void *client;
    _Atomic uint64_t used_bytes;
    _Atomic bool stopped; /* some worker failed: the others give up */
};
void query_control_deinit(struct query_control *c); /* releases what was charged */

/* ERR_TIMEOUT or ERR_CANCELLED with the answer's text; cheap enough per chunk or step. */
int query_check(struct query_control *c, struct err *err);
/* ERR_OVER_BUDGET names the limit; ERR_UNAVAILABLE when the process has no memory to give. */
int query_charge(struct query_control *c, uint64_t bytes, struct err *err);
void query_release(struct query_control *c, uint64_t bytes);
/* Room for n elements in the array that the pointer at `pointer` holds: charged, then taken; what
 * is charged for it in all is *cap elements.  c NULL: nobody bears it. */
int query_grow(struct query_control *c, void *pointer, size_t *cap, size_t n, size_t elem_bytes,
               struct err *err);
/* Charges what the arena grew since *seen. */
int query_charge_arena(struct query_control *c, const struct arena *a, uint64_t *seen,
                       struct err *err);
