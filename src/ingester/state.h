/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - inside struct ingester: for the files of this folder alone.
 * Order of locks: the publisher's heavy, mu, then a lock of streams, views or wal; never two of
 * those. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "base/thread.h"
#include "ingester/ingester.h"
#include "ingester/streams/streams.h"
#include "store/publish.h"
#include "store/strays.h"
#include "store/view.h"
#include "wal/wal.h"

struct flush_request;
struct head_pages;     /* chunk/head_pages.h */
struct segment_writer; /* chunk/segment.h */

enum ingester_state { INGESTER_RECOVERING, INGESTER_READY, INGESTER_FAILED, INGESTER_STOPPING };

/* A generation of the head, with the batches that are in it: [first_lsn, end_lsn). */
struct ingest_head {
    struct generation *g; /* NULL: none */
    uint64_t first_lsn, end_lsn;
    uint64_t charged_bytes; /* to LEDGER_HEADS */
    int64_t began_mono_ns;  /* its first entry; 0: empty */
};

/* A push between its call and its answer; lives in the batch's arena. */
struct pending_push {
    struct ingester *in;
    struct push_batch *batch;
    push_done_fn *done;
    void *ctx;
    uint64_t bytes;            /* what it will take of a head, estimated */
    struct head *head;         /* of its entries; NULL: none was taken */
    uint64_t end;              /* of them in the head */
    struct pending_push *next; /* of those that wait for room */
};

struct flush_request {
    void (*done)(void *ctx, int result, const struct err *err);
    void *ctx;
    struct flush_request *next;
};

struct ingester {
    struct ingester_conf conf; /* fixed at init */
    struct ingester_deps deps; /* fixed at init */
    struct uuid installation;  /* fixed at init */
    struct buf wal_folder;     /* fixed at init, NUL-ended */

    struct mutex mu;         /* accepting, the two generations, the state */
    struct cond changed;     /* something below changed */
    struct streams *streams; /* its writer is whoever holds mu */
    struct wal *wal;         /* guarded by mu until ready, then fixed */

    /* guarded by mu */
    enum ingester_state state;
    struct err state_err;
    struct ingest_head active, spilling;
    uint64_t n_spilled; /* number of the newest generation that is in a segment */
    bool swap_wanted;   /* whoever can, swap the active generation */
    struct pending_push *first_waiting, *last_waiting;
    uint64_t waiting_bytes;
    uint64_t streams_charged_bytes; /* to LEDGER_HEADS */
    struct err spill_err;           /* of the last try; code 0: fine */
    bool disk_full;                 /* over the watermark */
    struct flush_request *flushes;  /* newest first */
    _Atomic bool stop_spill, stop_flush;

    struct publisher publisher;

    _Atomic uint64_t replayed_bytes;
    /* owned by the recovery thread, then by the flush thread */
    struct strays strays;          /* of the local store, listed before anything was written */
    struct live_segment **startup; /* the segments of the start */
    size_t n_startup;
    uint64_t kept_lsn;     /* batches below it live in segments or were replayed */
    int64_t began_wall_ns; /* fixed at init */

    struct thread recover_thread, spill_thread, flush_thread;
    struct segment_writer *spill_writer; /* owned by the spill thread */
    struct head_pages *head_pages;       /* fixed at init */
};

/* --- ingest.c --- */
void ingest_push(struct ingester *in, struct push_batch *batch, push_done_fn *done, void *ctx);
/* Appends accepted entries to the active generation; the caller's log has them. */
void ingest_append_locked(struct ingester *in, struct push_batch *batch, int64_t now_mono_ns);
/* Pushes that waited for room, as far as there is some now. */
void ingest_resume(struct ingester *in);
/* Fails all that wait. */
void ingest_refuse_waiting(struct ingester *in, int code, const char *text);
/* False when the spilling generation is still there. */
bool ingest_swap_locked(struct ingester *in, uint64_t boundary_lsn);
void ingest_new_head_locked(struct ingester *in, uint64_t first_lsn);
bool ingest_head_is_full_locked(const struct ingester *in);

/* --- checks.c --- */
/* Marks what the limits of 2.6 refuse (texts into the batch's arena) and exact repeats of a
 * stream's newest entry.  Returns the stream's number, UINT32_MAX when all of it was refused. */
uint32_t check_stream_locked(struct ingester *in, struct push_batch *batch,
                             struct push_stream *stream, int64_t now_mono_ns);

/* --- spill.c --- */
void spill_thread_run(void *ctx);

/* --- flush.c --- */
void flush_thread_run(void *ctx);
void flush_request(struct ingester *in, void (*done)(void *ctx, int result, const struct err *err),
                   void *ctx);

/* The same, waiting for the end, also while the ingester stops. */
int flush_and_wait(struct ingester *in, struct err *err);

/* --- recover.c --- */
void recover_thread_run(void *ctx);
/* Lets go of what it found. */
void recover_end(struct ingester *in);
