/* SPDX-License-Identifier: Apache-2.0 */
/* head.h - one generation of recent entries in memory: a paged append-only log.
 * Pages of 1 MiB; an entry is {prev ref, stream, ts, line, metadata}; a stream keeps the ref of its
 * newest entry only, so an idle stream owns no buffer and nothing is ever moved.  The first
 * back-pointer of a stream in a generation is 0 (position 0 is never an entry).
 * Equal metadata of neighbours is stored once: an entry refers to a metadata record of the log.
 * Promise: a reader that captured head_visible() sees every entry appended below that position,
 * whole, and nothing above it.
 * Threads: one writer at a time appends (the caller's lock); any number of readers, no locks; they
 * keep the generation alive by the view that holds it.  head_publish may come from another thread
 * than the writer. */
#pragma once
#include "base/bytes.h"
#include "model/entry.h"

struct head;
struct head_pages; /* chunk/head_pages.h */

struct head *head_new(void); /* with pages of its own */
/* Takes its pages from there and leaves them there; holds a reference. */
struct head *head_new_in(struct head_pages *pages);
void head_free(struct head *h);

/* Copies line and metadata.  `stream` is the caller's dense stream number.  Returns the position
 * after the entry. */
uint64_t head_append(struct head *h, uint32_t stream, const struct entry *e);
uint64_t head_end(const struct head *h);       /* writer: position after the newest entry */
uint64_t head_mem_bytes(const struct head *h); /* pages and tables, for the ledger */
uint64_t head_line_bytes(const struct head *h);
uint64_t head_n_entries(const struct head *h);
/* Of the oldest and of the newest entry; false when there is none. */
bool head_times(const struct head *h, int64_t *ret_min_ns, int64_t *ret_max_ns);

void head_publish(struct head *h, uint64_t end); /* entries below `end` may be shown */
uint64_t head_visible(const struct head *h);

/* What the writer and the spill know of a stream in this generation (not for readers). */
struct head_stream {
    uint64_t n_entries, line_bytes, sm_bytes;
    int64_t min_ts_ns, max_ts_ns;
    bool out_of_order; /* some entry is older than the one before it */
};
/* False when the stream has no entry here. */
bool head_stream_stat(const struct head *h, uint32_t stream, struct head_stream *ret);
uint32_t head_max_stream(const struct head *h); /* one past the largest stream number seen */

/* For readers: holds for every entry of the stream that was published before the call; times may
 * reach further than those entries do. */
struct head_bounds {
    int64_t min_ts_ns, max_ts_ns;
    bool in_order; /* no entry is older than the one before it */
};
/* False when the stream has no entry here. */
bool head_stream_bounds(const struct head *h, uint32_t stream, struct head_bounds *ret);

/* Newest append first.  Entries borrow the pages. */
struct head_iter {
    const struct head *h;
    uint64_t ref;
};
/* visible: head_visible() of some moment, which bounds what comes. */
void head_iter_init(struct head_iter *it, const struct head *h, uint32_t stream, uint64_t visible);
/* False behind the oldest; ret_position may be NULL. */
bool head_iter_next(struct head_iter *it, struct entry *ret, uint64_t *ret_position);
