/* SPDX-License-Identifier: Apache-2.0 */
/* wal.h - the write-ahead log: appended by pushes, made durable by a group-commit thread.
 * Promise: once a waiter ran with 0, every record appended before it is replayed after any crash
 * (WAL_SYNC_FDATASYNC; with the other modes, after a crash of the process alone).
 * Files have fixed names and are used again and again; each use has its own epoch, hence LSN.
 * Threads: appends come under the caller's lock (one at a time); waiters run on the commit thread,
 * in order of append, and must not block. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"
#include "base/uuid.h"
#include "model/lsn_set.h"
#include "wal/format.h"

enum wal_sync {
    WAL_SYNC_FDATASYNC, /* before the answer */
    WAL_SYNC_INTERVAL,  /* answer after the write, sync every interval */
    WAL_SYNC_NONE,      /* answer after the write, sync when a file is full and at the end */
};

struct wal_options {
    const char *folder;
    const char *witness; /* another folder, best not on the same disk: see witness.h */
    struct uuid installation;
    enum wal_sync sync;
    int64_t sync_interval_ns;
    uint64_t file_bytes; /* 0: 16 MiB; smaller ones are for tests */
};

/* ---- before wal_open ---- */

enum { WAL_NO_OWNER = 1 };
/* Whose records a folder has, by its newest file: 0, or WAL_NO_OWNER when it has none. ERR_CORRUPT:
 * there are records, and no header tells whose.  Makes no folder. */
int wal_owner_of(const char *folder, struct uuid *ret, struct err *err);

/* Who gets what is read: both are called on the caller's thread, in rising order of LSN. */
struct wal_sink {
    /* Its first nonzero result ends the replay and is returned. */
    int (*record)(void *ctx, const struct wal_record *record, struct err *err);
    /* What was synced once, stands in no segment and cannot be read.  A file that is not there
     * counts with all that it must have held.  May be NULL. */
    void (*hole)(void *ctx, struct lsn_span hole);
    void *ctx;
};
struct wal_replayed {
    uint64_t next_epoch, end_lsn; /* for wal_open */
    uint64_t n_records, n_bytes;  /* given on; payload bytes seen */
    uint64_t n_holes;
    uint64_t torn_bytes; /* a tail that was never acknowledged */
};
/* Every whole record whose LSN is not in `covered` (what segments hold), in order; policy records
 * in any case, those of the witness first.  What a sink gets is on stable storage, whatever the
 * process before this one came to.  Holes are logged, and reading goes on behind them. */
int wal_replay(const struct wal_options *options, const struct lsn_set *covered,
               const struct wal_sink *to, struct wal_replayed *ret, struct err *err);

/* ---- the log ---- */

struct wal;
/* Appends start in a new epoch after the replayed end.  Starts the commit thread. */
int wal_open(struct wal **ret, const struct wal_options *options,
             const struct wal_replayed *replayed, struct err *err);
/* Commits what was appended, syncs in every mode, ends the thread. */
void wal_close(struct wal *w);

typedef void wal_done_fn(void *ctx, int result, const struct err *err);
struct wal_waiter {
    wal_done_fn *fn; /* NULL: nobody waits */
    void *ctx;
};
/* What one append brings: prefix, then body.  prefix is copied; body is borrowed until the waiter
 * of this or a later append ran. */
struct wal_entry {
    enum wal_record_type type;
    struct str_view prefix, body;
    /* The policy that the record refers to, p == NULL: none.  Its own record is written before
     * this one unless the file holds it already, not too far back. */
    uint64_t policy_id;
    struct str_view policy;
    struct wal_waiter waiter;
};
/* ret_lsn: the record's, may be NULL.  < 0, and no waiter will run: the log is broken (a write or
 * a sync failed before). */
int wal_append(struct wal *w, const struct wal_entry *e, uint64_t *ret_lsn, struct err *err);
/* Runs the waiter once all appended so far is durable: at once when it is already. */
void wal_join(struct wal *w, struct wal_waiter waiter);
/* Larger than every LSN given so far, not larger than any to come; the next record begins another
 * group, so that nothing else stands between this and the end of the last. */
uint64_t wal_cut(struct wal *w);
/* Waits until all appended so far is durable; < 0 when the log is or gets broken. */
int wal_flush(struct wal *w, struct err *err);

/* What is in segments: files of which nothing else is left are used again or removed. */
void wal_covered(struct wal *w, const struct lsn_set *covered);
bool wal_is_broken(struct wal *w, struct err *err); /* err: why, when it is */
/* After the appended records were made durable elsewhere: goes on in a new file.  Waits for the
 * commit thread, which fails what still waits.  0 and no-op when the log is not broken. */
int wal_repair(struct wal *w, struct err *err);
uint64_t wal_bytes_in_use(struct wal *w); /* of files that are not all in segments */
