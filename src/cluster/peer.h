/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - what crosses from one instance to another: pushes and flushes, and reads of the recent
 * data that an instance has not yet given to the store.
 * In one process the calls are direct (ingester_peer(), query/recent_peer.h), and a querier that
 * lives beside its ingester reads through query/source.h instead.  Their shape is that of messages
 * all the same: requests are values, answers are values or frames (wire/frames.h), and nothing
 * names memory of the other side.  How a push travels: its body as it came, with format, coding and
 * policy (struct push_body); what comes back are the marks and texts that a push_batch is left
 * with, by the ordinals of streams and entries.
 * Threads: every call is safe from any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "model/matcher.h"
#include "model/push.h"

/* ---- push, flush ---- */

/* result 0: every entry not marked rejected is on stable storage and visible.  < 0: nothing of it
 * is promised, err says why.  The batch is the caller's again.
 * Runs on the ingester's commit thread, or on the caller's before push returns; must not block. */
typedef void push_done_fn(void *ctx, struct push_batch *batch, int result, const struct err *err);

struct peer_ops {
    /* A batch is one slice: it is logged whole, under an id that the ingester draws (its own
     * source and the LSN). */
    void (*push)(void *self, struct push_batch *batch, push_done_fn *done, void *ctx);
    /* Everything acknowledged before the call is in objects when done runs. */
    void (*flush)(void *self, void (*done)(void *ctx, int result, const struct err *err),
                  void *ctx);
};

struct peer {
    const struct peer_ops *ops;
    void *self;
};

/* ---- reads ---- */

/* Slices first..last, both included, of one source: what was pushed, and where it was numbered.
 * Opaque to readers, who only compare lists. */
struct peer_slices {
    struct uuid source;
    uint64_t first, last;
};

/* The recent data of a tenant as of now. */
struct peer_open {
    struct str_view tenant;
    const struct matcher *matchers; /* names, operators, values: not compiled; 0: all streams */
    size_t n_matchers;
    int64_t min_ts_ns, max_ts_ns; /* both included */
    int64_t timeout_ns;           /* how long all calls of this pin may take; 0: any */
    uint64_t max_bytes;           /* of memory that the peer may use for them; 0: any */
};
struct peer_opened {
    uint64_t pin;                     /* names what is held for the calls below; never 0 */
    const struct peer_slices *slices; /* held by the peer, in the arena of the call */
    size_t n_slices;                  /* 0: nobody else holds any of its data, so all is read */
};

/* Rows as they were stored, which pass: who asks collapses repeats over all that it reads, and only
 * then may a stage change a line. */
struct peer_rows {
    uint64_t pin;
    int64_t min_ts_ns, max_ts_ns; /* within those of open */
    struct str_view query;        /* LogQL: a log query whose stages rows must pass; empty: all */
    const uint32_t *streams;      /* numbers, as FRAME_STREAMS gave them, rising */
    size_t n_streams;
    const struct peer_slices *slices; /* that this peer was chosen to read; 0: all that it holds */
    size_t n_slices;
};

/* Takes whole frames, in order; it may block, and the call then waits.  < 0 ends the call, which
 * returns it. */
typedef int peer_take_fn(void *ctx, struct str_view frames, struct err *err);

/* Answers enter a result only when they are complete: the call returned 0, and the last frame was
 * FRAME_END with the sums of those before. */
struct peer_read_ops {
    int (*open)(void *self, const struct peer_open *q, struct arena *a, struct peer_opened *ret,
                struct err *err);
    /* FRAME_STREAMS: the streams with a row between the times of open. */
    int (*streams)(void *self, uint64_t pin, peer_take_fn *take, void *ctx, struct err *err);
    /* FRAME_ROWS: stream after stream, in (time, arrival) order, the peer's repeats left out.
     * ERR_NOT_FOUND: the pin is gone, open again.  ERR_INVALID: no such stream, or a bad query. */
    int (*run)(void *self, const struct peer_rows *q, peer_take_fn *take, void *ctx,
               struct err *err);
    void (*close)(void *self, uint64_t pin); /* one that is gone: no failure */
};

struct peer_reads {
    const struct peer_read_ops *ops;
    void *self;
};
