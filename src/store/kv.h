/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - one LMDB environment, with its traps taken out.
 * - It is created whole (in a temporary folder, synced, renamed), so power loss leaves no half one.
 * - The map grows by itself: a write transaction that fills it is run again in a larger one, while
 *   no other transaction lives.
 * - One environment is never open twice in a process; commits are durable (no NOSYNC, no WRITEMAP).
 * - A file that was cut off is an error when what is missing is read, no signal.
 * - After a failed commit everything is as before it, or as after it; the next call goes on.
 * Read transactions must be short: copy out, end it, then work.  Never begin a transaction inside
 * another one of the same environment.
 * Threads: any; a transaction and what it yields belong to one thread at a time; writers
 * serialise. */
#pragma once
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

enum { KV_MAX_DBS = 8, KV_MAX_KEY_BYTES = 511 };
/* Outcome of look-ups. */
enum { KV_OK = 0, KV_NONE = 1 };

struct kv;
struct kv_txn {
    struct kv *kv;
    MDB_txn *txn;
    bool map_full; /* private to kv_write */
};
typedef int kv_write_fn(void *ctx, struct kv_txn *t, struct err *err);

struct kv_conf {
    const char *const *dbs; /* names; databases are numbered in this order; must last */
    unsigned n_dbs;
    uint64_t map_bytes; /* 0: 1 GiB */
    /* What it shows is on stable storage, also when its last writer was killed: for those who act
     * elsewhere on what they find. */
    bool settle;
    kv_write_fn *init; /* part of the creation; may be NULL */
    void *ctx;
};
/* Opens the environment, making it where there is none.  ERR_CORRUPT or ERR_UNSUPPORTED when LMDB
 * does not take what is there. */
int kv_open(struct kv **ret, const char *folder, const struct kv_conf *conf, struct err *err);
void kv_close(struct kv *kv); /* NULL is fine; no transaction may live */
bool kv_exists(const char *folder);
uint64_t kv_map_bytes(struct kv *kv); /* of now: it grows */

/* A snapshot of the last commit; to be ended soon, by the same thread. */
int kv_read_begin(struct kv *kv, struct kv_txn *ret, struct err *err);
void kv_read_end(struct kv_txn *t);
/* fn, then a commit that is durable when this returns 0.  fn runs again after the map was grown:
 * it must not keep anything of an earlier run.  Its failure aborts the transaction. */
int kv_write(struct kv *kv, kv_write_fn *fn, void *ctx, struct err *err);

/* Values borrow the map: until the transaction ends, or its next write. */
int kv_get(struct kv_txn *t, unsigned db, struct str_view key, struct str_view *ret,
           struct err *err);
/* Replaces.  In a write transaction only, as the next two; the result goes up to kv_write(). */
int kv_put(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
           struct err *err);
/* The same for keys that mostly come after all others of the database: pages get full. */
int kv_put_last(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
                struct err *err);
/* Absent is KV_NONE. */
int kv_del(struct kv_txn *t, unsigned db, struct str_view key, struct err *err);

struct kv_cursor {
    MDB_cursor *c;
    struct str_view key, value; /* where it stands */
};
/* Stands nowhere before the first kv_seek(). */
int kv_cursor_open(struct kv_txn *t, unsigned db, struct kv_cursor *ret, struct err *err);
void kv_cursor_close(struct kv_cursor *c); /* before its transaction ends */
/* To the first key that is not below `key`; KV_NONE behind the last. */
int kv_seek(struct kv_cursor *c, struct str_view key, struct err *err);
int kv_next(struct kv_cursor *c, struct err *err); /* KV_NONE behind the last */
/* Deletes where it stands; kv_next then goes to the one behind. */
int kv_cursor_del(struct kv_cursor *c, struct err *err);
