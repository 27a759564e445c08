/* SPDX-License-Identifier: Apache-2.0 */
/* flusher.h - the thread that merges local segments into objects: when that is due, and whenever
 * somebody asks for a flush, that is for everything to be in objects.
 * Threads: requests from any; start and stop from one. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/thread.h"
#include "base/uuid.h"

struct err;
struct flush_request;
struct heads;
struct ingester_conf;
struct merger;
struct publisher;

struct flusher {
    /* fixed at init, borrowed but for the merger, which the thread owns */
    const struct ingester_conf *conf;
    struct heads *heads;
    struct publisher *publisher;
    struct merger *merger;

    _Atomic bool stop; /* set under mu */
    struct thread thread;

    struct mutex mu;
    struct cond work; /* for the thread */
    /* guarded by mu */
    struct flush_request *requests; /* newest first */
    bool may_work;

    /* owned by the thread */
    struct backoff backoff;
    struct uuid oldest; /* the oldest local segment: since when, on the monotonic clock */
    int64_t oldest_since_ns;
};
/* The thread merges nothing before flusher_begin(). */
int flusher_start(struct flusher *f, const struct ingester_conf *conf, struct heads *heads,
                  struct publisher *publisher, struct err *err);
/* Ends a merge between two tenants; requests that are left get ERR_UNAVAILABLE.  A zeroed one is
 * fine. */
void flusher_stop(struct flusher *f);
/* Recovery is over, and the object store was looked at as it was. */
void flusher_begin(struct flusher *f);

typedef void flush_done_fn(void *ctx, int result, const struct err *err);
/* done runs once, on the thread or on whoever stops it: with 0, everything that was acknowledged
 * before the call is in objects. */
void flusher_request(struct flusher *f, flush_done_fn *done, void *ctx);
