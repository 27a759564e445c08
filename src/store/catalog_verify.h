/* SPDX-License-Identifier: Apache-2.0 */
/* catalog_verify.h - the records of a catalog, and whether a file of them is what a catalog wrote.
 * Threads: pure; nobody writes to the catalog meanwhile. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "store/segment_info.h"

struct kv_file;

enum catalog_db {
    CATALOG_META,     /* "format", "installation", "covered", "generation" */
    CATALOG_SEGMENTS, /* uuid -> record of a segment */
    CATALOG_N_DBS,
};
enum { CATALOG_FORMAT = 2, CATALOG_OLD_FORMAT = 1, INSTALLATION_BYTES = 24 };
extern const char *const catalog_db_names[CATALOG_N_DBS];

/* A record of CATALOG_META: the value, and a checksum of key and value, which format 1 lacked. */
void catalog_record_encode(struct buf *out, struct str_view key, struct str_view value);
int catalog_record_decode(struct str_view key, struct str_view record, size_t len,
                          struct str_view *ret, struct err *err);
int catalog_segment_decode(struct arena *arena, struct str_view key, struct str_view record,
                           struct segment_info *ret, struct err *err);

/* Reads without LMDB, every page and record.  ERR_CORRUPT or ERR_UNSUPPORTED: it is not, and why.
 * Whether it is the newest one is for who knows the segments and the log. */
int catalog_verify(const char *folder, struct err *err);
int catalog_verify_file(struct kv_file *f, struct err *err);
