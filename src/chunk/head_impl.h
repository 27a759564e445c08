/* SPDX-License-Identifier: Apache-2.0 */
/* head_impl.h - how a head lies in memory.  Inside of head.c and head_order.c; everybody else uses
 * head.h.
 *
 * Position = page number << 20 | offset; positions only grow.  A record never crosses a page; one
 * over a page's size gets an allocation of its own that stands behind several page numbers.
 * Entry:     0 u64 position of the stream's entry before, 0 none;  8 i64 ts;  16 u64 metadata
 *            record, 0 none;  24 u32 line bytes;  28 u32 stream;  32 line, padded to 8.
 * Metadata:  0 u32 bytes * 2 + 1;  4 encoded labels, padded to 8.
 * The lowest bit of its first byte tells a record's kind: positions are multiples of 8.
 * A record is written before the release store of its stream's newest position, and page pointers
 * before the records in them, so whoever loads that position with acquire sees it all. */
#pragma once
#include <stdatomic.h>

#include "chunk/head.h"
#include "chunk/head_pages.h"

enum {
    PAGE_SHIFT = 20,
    PAGE_BYTES = HEAD_PAGE_BYTES,
    PAGES_PER_TABLE = 1024,
    MAX_TABLES = 1024, /* 1 TiB in all */
    STREAMS_PER_TABLE = 256,
    MAX_STREAM_TABLES = 1 << 18,
    ENTRY_BYTES = 32,
    RECENT_SETS = 1024, /* direct-mapped cache of metadata records */
};
_Static_assert(PAGE_BYTES == 1 << PAGE_SHIFT, "a position is a page number and an offset");
_Static_assert((RECENT_SETS & (RECENT_SETS - 1)) == 0, "masked");

struct entry_record {
    uint64_t prev;
    int64_t ts_ns;
    uint64_t sm;
    uint32_t line_bytes;
    uint32_t stream;
    char line[];
};
_Static_assert(sizeof(struct entry_record) == ENTRY_BYTES, "as the table above says");

struct sm_record {
    uint32_t tag; /* bytes << 1 | 1 */
    char encoded[];
};

struct stream_state {
    _Atomic uint64_t newest;
    /* Readers look at these three after `newest`: what they find covers every entry up to it. */
    _Atomic uint64_t n_entries_x2; /* low bit: some entry was older than max_ts_ns */
    _Atomic int64_t min_ts_ns, max_ts_ns;
    uint64_t line_bytes, sm_bytes; /* the writer's */
};
/* The writer is alone and publishes by `newest`, so nothing here needs an order of its own. */
#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, v) atomic_store_explicit(&(field), (v), memory_order_relaxed)

struct recent_set {
    uint64_t hash, position;
};

struct head_block {
    char *p;
    uint64_t position;
    size_t bytes;      /* PAGE_BYTES, or more: of one record */
    size_t used_bytes; /* of records; not kept up to date in the newest block */
};

struct head {
    _Atomic uint64_t visible;
    _Atomic uint64_t mem_bytes;
    /* Written by the writer before any position in them can be seen. */
    char ***page_tables;                           /* [MAX_TABLES][PAGES_PER_TABLE] */
    _Atomic(struct stream_state *) *stream_tables; /* [MAX_STREAM_TABLES][STREAMS_PER_TABLE] */
    /* Owned by the writer. */
    uint64_t end;
    char *room; /* where `end` points to, room_bytes of it free */
    size_t room_bytes;
    struct head_pages *source; /* NULL: the system */
    struct head_block *blocks; /* in order of position */
    size_t n_blocks, cap_blocks;
    uint64_t line_bytes, n_entries;
    int64_t min_ts_ns, max_ts_ns; /* of all entries */
    uint32_t max_stream;
    struct recent_set recent[RECENT_SETS];
};

static inline const void *head_record_at(const struct head *h, uint64_t position)
{
    uint64_t page = position >> PAGE_SHIFT;
    return h->page_tables[page / PAGES_PER_TABLE][page % PAGES_PER_TABLE] +
           (position & (PAGE_BYTES - 1));
}

static inline struct entry head_entry_of(const struct head *h, const struct entry_record *r)
{
    struct entry e = {r->ts_ns, {r->line, r->line_bytes}, SV_EMPTY};
    if (r->sm) {
        const struct sm_record *m = head_record_at(h, r->sm);
        e.sm = sv(m->encoded, m->tag >> 1);
    }
    return e;
}
