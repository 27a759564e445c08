/* SPDX-License-Identifier: Apache-2.0 */
/* impl.h - a log from inside; only wal.c and commit.c include it.
 *     wal.c     appending: which group a record joins, and where that group goes
 *     commit.c  the commit thread: writes the groups, syncs and answers; repair
 * Ownership: the log owns its groups; `spare` is one to be filled again.
 * Threads: as each field says.  mu is held while a record is added, never across a write, a sync or
 * a waiter; files_mu is never taken with mu. */
#pragma once
#include "base/thread.h"
#include "wal/files.h"
#include "wal/group.h"
#include "wal/witness.h"

enum { WAL_MAX_POLICIES = 32 };

/* Where the newest record of a policy stands. */
struct policy_place {
    uint64_t id, lsn;
};

struct wal {
    struct wal_options options; /* fixed at init */
    struct mutex mu;
    struct cond work; /* for the commit thread */
    struct cond idle; /* it has nothing in hand */
    struct thread thread;

    /* guarded by mu */
    struct group_draft *first, *last; /* not yet taken by the commit thread */
    struct group_draft *spare;
    bool committing, stop, broken;
    struct err why;     /* of broken */
    uint64_t epoch, at; /* where the group after `last` begins */
    struct policy_place policies[WAL_MAX_POLICIES];
    unsigned n_policies;

    struct mutex files_mu;  /* held while a new file is filled; taken alone */
    struct wal_files files; /* guarded by files_mu */

    /* owned by the commit thread; by wal_repair() while the log is broken */
    int fd;
    uint32_t file_number;
    uint64_t file_epoch, file_end; /* bytes that were committed */
    uint64_t synced_lsn, prev_end_lsn;
    bool header_pending, dirty;
    bool file_witnessed; /* the witness knows of this use of the file */
    struct witness witness;
    int64_t last_sync_ns;
};

/* ---- wal.c ---- */

/* Nothing more joins the last group: the next one begins behind its end. */
void wal_close_last_locked(struct wal *w);

/* ---- commit.c ---- */

void wal_commit_thread(void *wal);
/* The thread has ended, or never began: syncs in every mode and closes the file. */
void wal_commit_end(struct wal *w);
