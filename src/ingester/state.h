/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - inside struct ingester: for the files of this folder alone.
 * Order of locks: heavy, mu, then a lock of streams, views or wal; never two of those. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "base/thread.h"
#include "ingester/ingester.h"
#include "ingester/streams/streams.h"
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
    struct pending_push *next; /* of those that wait for room */
};

/* Segments whose rows and storage are to go. */
struct leftovers {
    struct leftover {
        struct uuid uuid;
        enum segment_place place;
        char *key;              /* owned */
        struct period *periods; /* owned; NULL: not known */
        size_t n_periods;
    } * v;
    size_t n, cap;
};

/* What of a store the catalog did not name at the start. */
struct tidy {
    struct arena arena;
    struct str_view *keys;
    size_t n, cap;
    uint64_t n_missing; /* segments that it names and that are not there */
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
    bool stop_spill, stop_flush;

    /* With very many streams, whose directories take much memory, spill and merge take turns. */
    struct mutex heavy;

    struct mutex dead_mu; /* taken last, never across a call */
    /* guarded by dead_mu: segments that nobody can see any more; the flush thread removes them */
    struct leftovers dead;

    _Atomic uint64_t replayed_bytes;
    /* owned by the recovery thread, then by the flush thread */
    struct tidy strays;            /* of the local store, listed before anything was written */
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

/* --- flush.c (its merges: flush_impl.h) --- */
void flush_thread_run(void *ctx);
void flush_request(struct ingester *in, void (*done)(void *ctx, int result, const struct err *err),
                   void *ctx);

/* The same, waiting for the end, also while the ingester stops. */
int flush_and_wait(struct ingester *in, struct err *err);

/* --- tidy.c --- */

/* Lists what is older than before_ns and none of in->startup; the caller deinits. */
int tidy_list(struct ingester *in, enum segment_place place, int64_t before_ns, struct tidy *ret,
              struct err *err);
/* Removes what holds nothing but batches below kept_lsn. */
void tidy_remove(struct ingester *in, enum segment_place place, struct tidy *t, uint64_t kept_lsn);
void tidy_deinit(struct tidy *t);
/* Lets go of in->startup. */
void tidy_end(struct ingester *in);

/* --- recover.c --- */
void recover_thread_run(void *ctx);

/* A segment of this installation that begins now, named by the time of its oldest entry. */
struct segment_draft publish_draft(struct ingester *in, enum segment_place place, int64_t min_ts_ns,
                                   struct arena *arena);
/* Lets go of what a large segment left in the writer. */
void publish_trim_writer(struct segment_writer **w);
/* Around what reads or writes a whole directory; true when the other must be called. */
bool heavy_begin(struct ingester *in);
void heavy_end(struct ingester *in, bool begun);

/* --- publish.c: a finished segment becomes live ------------------------------------------- */
/* Reads it back, writes its index rows and fills info (in the arena).  When it fails the segment is
 * gone again. */
int publish_prepare(struct ingester *in, const struct segment_draft *s, struct arena *arena,
                    struct segment_info *ret, struct err *err);
/* One catalog transaction.  failed: those of earlier tries of the caller, whose commit may have
 * reached the disk all the same; they are taken back now.  When it fails, `add` joins them. */
int publish_commit(struct ingester *in, struct leftovers *failed,
                   const struct catalog_change *change, struct err *err);
/* Never named by the catalog: rows and storage go.  What fails is logged, and found at the next
 * start. */
void publish_discard(struct ingester *in, struct leftovers *l);
void leftovers_add(struct leftovers *l, struct uuid uuid, enum segment_place place,
                   struct str_view key);
/* The same of one whose periods are known, which saves a look at the others' tables. */
void leftovers_add_info(struct leftovers *l, const struct segment_info *info);
void leftovers_deinit(struct leftovers *l);
/* What the last views let go of. */
void publish_remove_dead(struct ingester *in);
/* The view's handle of a segment: its storage goes when it is doomed and the last view is gone. */
struct live_segment *publish_live(struct ingester *in, const struct segment_info *info);
