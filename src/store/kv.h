/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - one LMDB environment, with its traps taken out.
 * - It is created whole (in a temporary folder, synced, renamed), so power loss leaves no half one.
 * - The map grows by itself: a write transaction that fills it is run again in a larger one, while
 *   no other transaction lives.
 * - One environment is never open twice in a process; commits are durable (no NOSYNC, no WRITEMAP).
 * - A file that was cut off is an error when what is missing is read, no signal.  So is a value
 * that a damaged page says to be longer than the file.
 * - Bytes are checked before LMDB maps them: by the checksum of a sealed environment (kv_sum.h), or
 *   by the caller's own check where there is none.  A seal is broken before the first write.
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
    uint64_t end_bytes; /* private, as the next two: what is read in the map ends there */
    bool writes, map_full;
};
typedef int kv_write_fn(void *ctx, struct kv_txn *t, struct err *err);
/* 0: the environment in the folder is sound.  Any failure goes to the opener; ERR_CORRUPT and
 * ERR_UNSUPPORTED mean that it is not. */
typedef int kv_check_fn(void *ctx, const char *folder, struct err *err);

/* A file at an instant, to know it again.  All zero: none. */
struct kv_seen {
    uint64_t dev, ino, bytes;
    int64_t mtime_ns;
};

struct kv_conf {
    const char *const *dbs; /* names; databases are numbered in this order; must last */
    unsigned n_dbs;
    uint64_t map_bytes; /* 0: 1 GiB */
    /* What it shows is on stable storage, also when its last writer was killed: for those who act
     * elsewhere on what they find. */
    bool settle;
    bool must_exist;   /* else it is made where there is none; -ENOENT */
    kv_write_fn *init; /* part of the creation; may be NULL */
    void *ctx;
    const struct kv_seen *seen; /* this file needs no check; may be NULL */
    kv_check_fn *check;         /* of one that is not sealed; NULL: it is believed */
    void *check_ctx;
};
/* A sealed environment that is not as it was is ERR_CORRUPT. */
int kv_open(struct kv **ret, const char *folder, const struct kv_conf *conf, struct err *err);
void kv_close(struct kv *kv); /* NULL is fine; no transaction may live */
bool kv_exists(const char *folder);
uint64_t kv_map_bytes(struct kv *kv);
/* The file as it is, for the next kv_open. */
void kv_look(struct kv *kv, struct kv_seen *ret);

/* Seals it, so that its next opener need not believe it: for one that is not written for a while,
 * or is to be closed.  `check` may say no (NULL: it is believed): then it stays unsealed.  Readers
 * go on; writers wait. */
int kv_seal(struct kv *kv, kv_check_fn *check, void *ctx, struct err *err);
bool kv_is_sealed(struct kv *kv);

int kv_read_begin(struct kv *kv, struct kv_txn *ret, struct err *err);
void kv_read_end(struct kv_txn *t);
/* fn, then a commit that is durable when this returns 0.  fn runs again after the map was grown:
 * it must not keep anything of an earlier run.  Its failure aborts the transaction. */
int kv_write(struct kv *kv, kv_write_fn *fn, void *ctx, struct err *err);

/* Values borrow the map: until the transaction ends, or its next write. */
int kv_get(struct kv_txn *t, unsigned db, struct str_view key, struct str_view *ret,
           struct err *err);
int kv_put(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
           struct err *err);
/* The same for keys that mostly come after all others of the database: pages get full. */
int kv_put_last(struct kv_txn *t, unsigned db, struct str_view key, struct str_view value,
                struct err *err);
/* Absent is KV_NONE. */
int kv_del(struct kv_txn *t, unsigned db, struct str_view key, struct err *err);

struct kv_cursor {
    MDB_cursor *c;
    struct kv_txn *t;
    struct str_view key, value; /* where it stands */
};
int kv_cursor_open(struct kv_txn *t, unsigned db, struct kv_cursor *ret, struct err *err);
void kv_cursor_close(struct kv_cursor *c); /* before its transaction ends */
/* To the first key that is not below `key`; KV_NONE behind the last. */
int kv_seek(struct kv_cursor *c, struct str_view key, struct err *err);
int kv_next(struct kv_cursor *c, struct err *err);
/* Deletes where it stands; kv_next then goes to the one behind. */
int kv_cursor_del(struct kv_cursor *c, struct err *err);
