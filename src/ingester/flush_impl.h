/* SPDX-License-Identifier: Apache-2.0 */
/* flush_impl.h - the flush thread from inside; only flush*.c include it.
 *     flush.c        the thread: requests, what is due, trying again
 *     flush_round.c  one merge: sources, objects, making them live, noting what is damaged
 * Ownership: a struct flusher lives as long as its thread, a round as long as one merge or one look
 * at what is due.
 * Threads: the flush thread owns all of it.  in->mu is taken for a look or a wait,
 * never across a merge. */
#pragma once
#include "ingester/state.h"
#include "merge/merge.h"

struct flusher {
    struct ingester *in;
    struct merge *merge;           /* owned */
    struct segment_writer *writer; /* owned */
    struct merge_counts counted;
    struct leftovers failed;
    uint64_t charged_bytes; /* to LEDGER_SPILL */
    int64_t retry_at_ns, retry_ns;
    /* The oldest local segment: since when, on the monotonic clock. */
    struct uuid oldest;
    int64_t oldest_since_ns;
    /* Segments that do not verify: they stay as they are, so that the others can go on. */
    struct uuid *damaged; /* owned */
    size_t n_damaged, cap_damaged;
    bool tidied;
    unsigned singly; /* merges of one segment still to do, to find the damaged one */
};

/* What one merge works on; everything in the arena. */
struct flush_round {
    struct flusher *f;
    struct arena arena;
    struct live_segment **live; /* local ones, in order of arrival; with a reference each */
    size_t n_live;
    uint64_t live_bytes;
    size_t n; /* of live, the first ones: to be merged */
    struct segment_file *files;
    struct segment **segments; /* of files */
    struct merge_tenant *tenants;
    size_t n_tenants;
    struct segment_draft *made;
    struct segment_info *infos;
    uint32_t n_objects;
};

static inline bool flush_is_stopping(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->stop_flush;
}

/* What nobody can see any more goes. */
void flush_remove_dead(struct flusher *f);
/* The local segments that are not damaged; none is opened. */
void flush_round_init(struct flush_round *rd, struct flusher *f);
void flush_round_deinit(struct flush_round *rd);
/* The oldest local segments, as many as one merge takes; *ret_done when there are none.  When it
 * fails they stay as they are; ERR_CORRUPT: one of them does not verify, and the next calls find
 * out which. */
int flush_merge_some(struct flusher *f, bool *ret_done, struct err *err);
