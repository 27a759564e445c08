/* SPDX-License-Identifier: Apache-2.0 */
/* kv_file.h - the file of an LMDB environment (data.mdb), read without LMDB.
 * LMDB believes its pages: a flipped bit in one of them is a wrong answer, a failed assertion or a
 * signal.  This reads the same bytes and believes none of them, so that damage is an error text.
 * What kv_file_check() lets pass LMDB reads, writes and allocates from as it was meant to.
 * Nobody may write to the environment meanwhile.  Memory: a page per level of a tree, the largest
 * value, and a bit per page of the file.
 * Errors: ERR_CORRUPT for bytes that LMDB did not write so, ERR_UNSUPPORTED for another version of
 * its format, -errno where the file cannot be read.
 * Threads: pure; one at a time for each struct. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str_view.h"

struct kv_file;

/* Reads the two meta pages and believes the newer one if it can. */
int kv_file_open(struct kv_file **ret, const char *path, struct err *err);
/* The same of bytes in memory, which must last. */
int kv_file_open_bytes(struct kv_file **ret, struct str_view bytes, struct err *err);
void kv_file_close(struct kv_file *f); /* NULL is fine */

struct kv_file_info {
    uint32_t page_bytes;
    uint64_t txn_id;     /* of the last commit */
    uint64_t last_page;  /* number of the last page that was ever used */
    uint64_t file_bytes; /* as long as the file is; pages that nothing uses may be missing */
};
struct kv_file_info kv_file_info(const struct kv_file *f);

/* An entry of database `db`, in the order of keys; both borrow, until it returns.  Its first
 * nonzero result ends the walk. */
typedef int kv_file_entry_fn(void *ctx, unsigned db, struct str_view key, struct str_view value,
                             struct err *err);
/* Every page of every database, one database after the other in the order of `dbs`, then the list
 * of free pages.  The environment must have exactly these databases.  fn is given entries before
 * all is known to be well. */
int kv_file_check(struct kv_file *f, const char *const *dbs, unsigned n_dbs, kv_file_entry_fn *fn,
                  void *ctx, struct err *err);
/* Names of its databases, bytewise order.  < 0 from fn ends it. */
typedef int kv_file_name_fn(void *ctx, struct str_view name, struct err *err);
int kv_file_names(struct kv_file *f, kv_file_name_fn *fn, void *ctx, struct err *err);
