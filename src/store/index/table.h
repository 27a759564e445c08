/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - the index of one period: an LMDB environment.  Keys and values: docs/formats.md.
 * index.h is what other folders use; this is one table of it.
 * Threads: readers any; one writer at a time (the index sees to it). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/index/index.h"
#include "store/index/part_row.h"
#include "store/index/sids.h"
#include "store/kv.h"

enum table_db {
    TABLE_META,     /* "format", "tenants" */
    TABLE_TENANTS,  /* name -> struct table_tenant */
    TABLE_SERIES,   /* tenant, hash, n -> sid */
    TABLE_SIDS,     /* tenant, sid -> hash, labels */
    TABLE_NAMES,    /* tenant, label name -> name id */
    TABLE_POSTINGS, /* tenant, name id, kind, value, sid >> 16 -> posting */
    TABLE_PARTS,    /* tenant, max ts, segment, part -> part row */
    TABLE_SEGMENTS, /* segment -> keys of its parts */
    TABLE_N_DBS,
};

struct table {
    struct kv *kv;
};
/* Makes it where there is none.  ERR_UNSUPPORTED: of another format, to be rebuilt. */
int table_open(struct table *ret, const char *folder, uint64_t map_bytes, struct err *err);
void table_close(struct table *t);

struct table_tenant {
    uint32_t tid, n_sids, n_names;
};
/* KV_NONE where the tenant has nothing here. */
int table_tenant(struct kv_txn *t, struct str_view name, struct table_tenant *ret, struct err *err);

/* ---- keys ---- */

enum { TABLE_TEXT_KEY_BYTES = 401, TABLE_MAX_DISAMB = 255 };
enum { POSTING_HAS_NAME = 0, POSTING_VALUE = 1 };
/* A key under construction; LMDB takes up to 511 bytes. */
struct table_key {
    char b[KV_MAX_KEY_BYTES];
    size_t len;
};
/* These append; big-endian, so that keys sort as numbers do. */
void key_be32(struct table_key *k, uint32_t v);
void key_be64(struct table_key *k, uint64_t v);
void key_put(struct table_key *k, struct str_view v);
/* Text of up to 400 bytes as it is; longer: its first 392 bytes, its hash, and `disamb`, so that
 * keys stay in text order but among texts that share 392 bytes.  The value then keeps the text. */
void key_text(struct table_key *k, struct str_view text, uint8_t disamb);
bool key_text_is_cut(struct str_view text);
static inline struct str_view key_view(const struct table_key *k)
{
    return (struct str_view){k->b, k->len};
}
uint16_t ld_be16(const char *p);
uint32_t ld_be32(const char *p);
uint64_t ld_be64(const char *p);
/* Signed times sort as unsigned keys with the sign bit flipped. */
static inline uint64_t ts_to_key(int64_t ts_ns)
{
    return (uint64_t)ts_ns ^ (UINT64_C(1) << 63);
}

/* Finds key `prefix` + key_text(text) [+ u16 suffix] whose value begins with that text (a
 * varint-length string, empty for texts that are not cut).  KV_OK: *ret is the value behind the
 * text; KV_NONE: absent, and *ret_key is where to put it. */
int table_find_text(struct kv_txn *t, unsigned db, const struct table_key *prefix,
                    struct str_view text, int suffix_or_minus, struct table_key *ret_key,
                    struct str_view *ret, struct err *err);
/* KV_NONE when the tenant never had the name here. */
int table_name_id(struct kv_txn *t, uint32_t tid, struct str_view name, uint32_t *ret,
                  struct err *err);

/* ---- write: table_write.c ---- */

/* *ret_n_new: series that were not in the table before. */
int table_add_parts(struct table *t, struct uuid segment, const struct index_part *parts,
                    size_t n_parts, uint64_t *ret_n_new, struct err *err);
/* Rows alone: series and labels stay, and are found by nobody without them. */
int table_remove_segments(struct table *t, const struct uuid *segments, size_t n, struct err *err);
/* Appends the segments that have rows here and that `alive` does not name. */
int table_dead_segments(struct table *t, index_alive_fn *alive, void *ctx, struct buf *ret_uuids,
                        struct err *err);

/* ---- read: table_match.c, table_select.c, table_labels.c ---- */

/* Series of the tenant that match, all times.  Initialises *ret, also on failure. */
int table_match(struct kv_txn *t, const struct table_tenant *tenant, const struct index_query *q,
                struct regex_scratch *scratch, struct sid_set *ret, struct err *err);
/* Labels of one series. */
int table_series(struct kv_txn *t, uint32_t tid, uint32_t sid, struct index_series *ret,
                 struct err *err);
/* The same through a cursor over TABLE_SIDS, for many in order. */
int table_series_at(struct kv_cursor *cur, uint32_t tid, uint32_t sid, struct index_series *ret,
                    struct err *err);
/* Walks the tenant's parts that overlap min..max, in segments that the view holds. */
typedef int table_part_fn(void *ctx, size_t segment_order, uint32_t part_no,
                          const struct part_row *d, struct err *err);
int table_each_part(struct kv_txn *t, uint32_t tid, const struct index_query *q, table_part_fn *fn,
                    void *ctx, struct err *err);
/* Takes out of *set the series without a run in min..max in a segment of the view. */
int table_keep_live(struct kv_txn *t, const struct table_tenant *tenant,
                    const struct index_query *q, struct sid_set *set, struct err *err);

/* Each in a read transaction of its own. */
int table_select(struct table *t, const struct index_query *q, struct arena *arena,
                 struct index_selection *ret, struct err *err);
int table_list_series(struct table *t, const struct index_query *q, struct arena *arena,
                      struct index_series **ret, size_t *ret_n, struct err *err);
/* Unsorted, maybe repeated.  < 0 ends the walk. */
typedef int table_text_fn(void *ctx, struct str_view text, struct err *err);
int table_label_names(struct table *t, const struct index_query *q, table_text_fn *fn, void *ctx,
                      struct err *err);
int table_label_values(struct table *t, const struct index_query *q, struct str_view name,
                       table_text_fn *fn, void *ctx, struct err *err);

/* index.c for index_read.c: fn on each table that overlaps min..max, in order of time. */
typedef int index_table_fn(void *ctx, struct table *t, struct err *err);
int index_each_table(struct index *ix, int64_t min_ns, int64_t max_ns, index_table_fn *fn,
                     void *ctx, struct err *err);
