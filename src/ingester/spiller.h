/* SPDX-License-Identifier: Apache-2.0 */
/* spiller.h - the thread that turns frozen generations into live local segments.
 * Order: segment durable, index rows, catalog, view, and only then memory and log are given back.
 * When a step fails everything stays as it was, and the whole is tried again.
 * Threads: its own; start and stop from one. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/thread.h"
#include "ingester/spill.h"
#include "store/leftovers.h"

struct heads;
struct ingest;

struct spiller {
    /* fixed at init, borrowed */
    struct heads *heads;
    struct ingest *ingest; /* told when there is room, and when there is none */
    struct spill_tools tools;

    _Atomic bool stop;
    struct thread thread;

    /* owned by the thread */
    struct segment_writer *writer;
    struct leftovers failed; /* segments whose commit failed */
    struct backoff backoff;
    int64_t next_repair_ns;
};
int spiller_start(struct spiller *s, struct heads *heads, struct ingest *ingest,
                  const struct spill_tools *tools, struct err *err);
/* Ends the thread, after the spill that it is at.  A zeroed one is fine. */
void spiller_stop(struct spiller *s);
