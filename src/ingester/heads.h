/* SPDX-License-Identifier: Apache-2.0 */
/* heads.h - recent entries in memory: the generation that takes them, and the one before it while
 * it is written to a segment.
 * Promise: what was appended stays in one of the two until heads_drop_frozen(); queries see it from
 * heads_show() on, in every view, until the segment that has it is there.
 * Locks: mu is the writers' lock.  A push holds it from the judgement of its batch until the batch
 * has its place in the log and in the active generation, so both have the same order.  Taken before
 * the locks of streams, views, log and ledger, never with one of another part.
 * Threads: any.  `_locked`: mu is held, and still is afterwards. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/thread.h"
#include "model/push.h"

struct generation; /* store/view.h */
struct head;       /* chunk/head.h */
struct head_pages; /* chunk/head_pages.h */
struct ledger;
struct streams; /* ingester/streams/streams.h */
struct views;   /* store/view.h */
struct wal;

/* A generation, and the batches in it: [first_lsn, end_lsn) of the log. */
struct head_span {
    struct generation *g; /* NULL: none */
    uint64_t first_lsn;
    uint64_t end_lsn;       /* known once it is frozen */
    uint64_t charged_bytes; /* to LEDGER_HEADS */
    int64_t began_mono_ns;  /* its first entry; 0: empty */
};

struct heads {
    /* fixed at init */
    uint64_t max_bytes; /* of a generation, past which it is frozen */
    struct ledger *ledger;
    struct views *views;
    struct head_pages *pages;
    struct streams *streams; /* owned; its writer is whoever holds mu */

    struct mutex mu;
    struct cond to_spill; /* for the spiller: a generation is frozen, or is to be */
    struct cond spilled; /* for who waits for the frozen one: it is gone, or could not be written */

    /* guarded by mu */
    struct wal *wal; /* NULL until it is replayed, then fixed */
    struct head_span active, frozen;
    uint64_t n_spilled;             /* number of the newest generation that is in a segment */
    bool freeze_wanted;             /* before the active one is full */
    struct err spill_err;           /* of the last try; code 0: fine */
    uint64_t streams_charged_bytes; /* to LEDGER_HEADS */
};

/* Batches that come have LSNs from first_lsn on. */
void heads_init(struct heads *h, uint64_t max_bytes, uint64_t first_lsn, struct ledger *ledger,
                struct views *views);
/* No thread is left that uses it, and no view that holds its generations. */
void heads_deinit(struct heads *h);
/* The log is replayed, and everything that came of it is shown. */
void heads_take_log(struct heads *h, struct wal *wal);
struct wal *heads_log(struct heads *h); /* NULL: not yet */

/* ---- writers ---- */

/* Appends what is accepted of a stream whose number is idx; returns how many entries. */
uint64_t heads_append_stream_locked(struct heads *h, const struct push_stream *stream, uint32_t idx,
                                    int64_t now_mono_ns);
/* The same of a batch; makes streams that are not there. */
void heads_append_locked(struct heads *h, const struct push_batch *batch, int64_t now_mono_ns);
/* Charges what was appended; after one or several heads_append_stream_locked(). */
void heads_charge_locked(struct heads *h);

/* What was appended so far. */
struct head_mark {
    struct head *head;
    uint64_t end;
};
struct head_mark heads_mark_locked(const struct heads *h);
/* Everything up to the mark is on stable storage: queries may see it.  Marks of one generation come
 * in the order in which they were made; the generation is not dropped before. */
void heads_show(struct head_mark m);

/* False: both generations are full.  Freezes the active one where that helps. */
bool heads_make_room_locked(struct heads *h);

/* ---- when to freeze ---- */

/* Where memory is short: soon, if there is enough in it to be worth a segment. */
void heads_relieve(struct heads *h);
/* Soon, when its first entry is that old. */
void heads_freeze_older(struct heads *h, int64_t max_age_ns);
/* Soon, whatever is in it; the number of the newest generation that has an entry now, 0: none. */
uint64_t heads_freeze_all(struct heads *h);
/* Waits until generation `number` is in a segment; ends with ERR_UNAVAILABLE when it cannot be
 * written, or *stop is set (then heads_wake). */
int heads_wait_spilled(struct heads *h, uint64_t number, const _Atomic bool *stop, struct err *err);
/* For the replay, whose record of that LSN comes next: waits until it has room, freezing at that
 * LSN.  ERR_CANCELLED when *stop is set (then heads_wake). */
int heads_wait_room(struct heads *h, uint64_t lsn, const _Atomic bool *stop, struct err *err);
/* All that wait look at their flags again. */
void heads_wake(struct heads *h);
/* The spiller looks at the log again.  Takes no lock, since who repairs the log holds mu and waits
 * for the log's thread; the call may be missed, and is made up for by the spiller's next look. */
void heads_hurry(struct heads *h);

/* ---- the spiller ---- */

struct frozen_head {
    struct head_span span;
    struct generation *next; /* takes entries since; stays as long as the frozen one is there */
};
/* True: there is one to be written, and it may be tried.  Else waits a while, or until something
 * changes, and returns false. */
bool heads_wait_frozen(struct heads *h, bool may_try, const _Atomic bool *stop, int64_t timeout_ns,
                       struct frozen_head *ret);
/* A live segment has its entries, and the newest view does not hold it any more. */
void heads_drop_frozen(struct heads *h);
/* Who waits for it is told why; the generation stays. */
void heads_spill_failed(struct heads *h, const struct err *why);
/* Where the log is broken, and everything appended is in segments: goes on in a new file.  Sets
 * *ret_repaired; < 0 when it cannot. */
int heads_repair_log(struct heads *h, bool *ret_repaired, struct err *err);

/* ---- upkeep ---- */

uint64_t heads_n_streams(struct heads *h);
/* Drops streams that nobody pushed to since the time, as far as all their entries are in segments.
 * False: not now, a generation is being written. */
bool heads_evict_idle(struct heads *h, int64_t idle_since_mono_ns, uint64_t *ret_n);
/* Gives back pages that no generation needed since the last call. */
void heads_trim(struct heads *h);
