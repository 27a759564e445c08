/* SPDX-License-Identifier: Apache-2.0 */
/* object.h - named blobs that never change: a vtable over a folder, memory or (later) S3.
 * Promise: an object appears whole or not at all; after object_commit() returns 0 it survives power
 * loss.  Committing a key that exists replaces it as a whole.
 * Keys: 1 to 512 bytes of [A-Za-z0-9._-] and single '/', no part "." or ".." or ending in ".tmp";
 * others are ERR_INVALID.  A missing object is ERR_NOT_FOUND, a read past its end ERR_CORRUPT.
 * Threads: a store serves any thread; an object_writer belongs to one at a time; an object_reader
 * may be read from many. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

enum { OBJECT_KEY_MAX_BYTES = 512 };

struct object_info {
    struct str_view key; /* valid during the call */
    uint64_t bytes;
    int64_t mtime_ns;
};
/* Its first nonzero result ends the listing and is returned. */
typedef int object_list_fn(void *ctx, const struct object_info *info, struct err *err);

struct object_store;
struct object_writer;
struct object_reader;

struct object_ops {
    int (*create)(struct object_store *s, struct str_view key, struct object_writer **ret,
                  struct err *err);
    int (*write)(struct object_writer *w, struct str_view data, struct err *err);
    int (*commit)(struct object_writer *w, struct err *err); /* frees w */
    void (*abort)(struct object_writer *w);                  /* frees w */
    int (*open)(struct object_store *s, struct str_view key, struct object_reader **ret,
                struct err *err);
    int (*pread)(struct object_reader *r, void *to, size_t len, uint64_t at, struct err *err);
    void (*close)(struct object_reader *r);
    int (*list)(struct object_store *s, struct str_view prefix, object_list_fn *fn, void *ctx,
                struct err *err);
    int (*del)(struct object_store *s, struct str_view key, struct err *err);
    /* NULL: what is there is durable. */
    int (*settle)(struct object_store *s, struct str_view key, struct err *err);
    /* NULL: the store has no such thing, and the bytes are written again. */
    int (*rename)(struct object_store *s, struct str_view from, struct str_view to,
                  struct err *err);
    void (*free)(struct object_store *s);
};

/* The first member of every store, writer and reader. */
struct object_store {
    const struct object_ops *ops;
};
struct object_writer {
    const struct object_ops *ops;
    uint64_t bytes; /* written so far */
};
struct object_reader {
    const struct object_ops *ops;
    uint64_t bytes; /* of the whole object */
};

/* A folder: object "a/b" is the file <root>/a/b.  Makes the root; removes left-over temporary
 * files.  A root whose file system does not take part in fsync is the operator's choice. */
int object_fs_open(struct object_store **ret, const char *root, struct err *err);
struct object_store *object_mem_new(void);      /* for tests */
void object_store_free(struct object_store *s); /* NULL is fine; no reader or writer may be open */

/* Streams one object in, in order. */
int object_create(struct object_store *s, struct str_view key, struct object_writer **ret,
                  struct err *err);
/* After a failure nothing but object_abort() is left to call. */
int object_write(struct object_writer *w, struct str_view data, struct err *err);
/* Makes it durable and visible.  Frees w whatever the result; after a failure the object may exist
 * or not, but never in part. */
int object_commit(struct object_writer *w, struct err *err);
void object_abort(struct object_writer *w); /* NULL is fine */

/* Whole objects in one call. */
int object_put(struct object_store *s, struct str_view key, struct str_view data, struct err *err);
/* Appends it to ret; over max_bytes it is ERR_TOO_LARGE. */
struct buf;
int object_get(struct object_store *s, struct str_view key, uint64_t max_bytes, struct buf *ret,
               struct err *err);

/* An open reader goes on reading an object that is deleted or replaced meanwhile, or fails with
 * ERR_NOT_FOUND; never other bytes. */
int object_open(struct object_store *s, struct str_view key, struct object_reader **ret,
                struct err *err);
uint64_t object_bytes(const struct object_reader *r); /* of the whole object, as it was opened */
/* Fills all of `to`, or fails. */
int object_pread(struct object_reader *r, void *to, size_t len, uint64_t at, struct err *err);
void object_close(struct object_reader *r); /* NULL is fine */

/* In key order, keys that start with the prefix. */
int object_list(struct object_store *s, struct str_view prefix, object_list_fn *fn, void *ctx,
                struct err *err);
int object_delete(struct object_store *s, struct str_view key,
                  struct err *err); /* absent is fine */
/* Durably under another name; what stood there goes.  A store without renaming reads the object
 * into memory: for what is rare. */
int object_rename(struct object_store *s, struct str_view from, struct str_view to,
                  struct err *err);
/* Makes durable what is there, bytes and name: its writer may have been killed before it came to
 * that. */
int object_settle(struct object_store *s, struct str_view key, struct err *err);
bool object_key_valid(struct str_view key); /* by the rule above */
