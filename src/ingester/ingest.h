/* SPDX-License-Identifier: Apache-2.0 */
/* ingest.h - the way of a push from its call to its answer.
 * Promise: done runs once for every push; with 0 only after all that was accepted of it is on
 * stable storage and may be seen.
 * Threads: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cluster/peer.h"

struct heads;
struct ingester_conf;
struct pending_push;
struct phase;

struct ingest {
    /* fixed at init, borrowed */
    const struct ingester_conf *conf;
    const char *data_dir; /* for texts */
    struct heads *heads;
    struct phase *phase;

    /* guarded by heads->mu */
    struct pending_push *first_waiting, *last_waiting; /* for room, in order of arrival */
    uint64_t waiting_bytes;
    bool disk_full; /* over the watermark */
};

void ingest_push(struct ingest *in, struct push_batch *batch, push_done_fn *done, void *ctx);
/* There may be room again: lets in who waits, as far as there is. */
void ingest_resume(struct ingest *in);
/* Fails all that wait. */
void ingest_refuse_waiting(struct ingest *in, int code, const char *text);
/* Full: pushes get ERR_DISK_FULL from now on, those that wait too.  True when that is news. */
bool ingest_set_disk_full(struct ingest *in, bool full);
