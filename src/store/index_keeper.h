/* SPDX-License-Identifier: Apache-2.0 */
/* index_keeper.h - the thread that keeps the tables of the index sound: it looks at those that
 * nobody asked for yet, makes bad ones again from the segments, alone and while all else goes on,
 * and seals those that nobody writes to any more.
 * Threads: one at a time calls these. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

#include "base/backoff.h"
#include "base/err.h"
#include "base/thread.h"
#include "store/segment_file.h"

struct index;
struct views;

struct index_keeper {
    struct index *index; /* fixed at start, as the next two; borrowed */
    struct views *views;
    struct stores stores;
    struct thread thread;
    struct mutex mu;
    struct cond changed;
    bool begun, stop;       /* guarded by mu */
    struct backoff backoff; /* the thread's */
};
int index_keeper_start(struct index_keeper *k, struct index *index, struct views *views,
                       const struct stores *stores, struct err *err);
/* The views hold every segment that the catalog names: before this it does nothing. */
void index_keeper_begin(struct index_keeper *k);
/* Ends a rebuild between two segments.  One that was never started is fine. */
void index_keeper_stop(struct index_keeper *k);
