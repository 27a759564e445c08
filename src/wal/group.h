/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - one commit of the log while it is filled and written: records, and who waits for the
 * same sync.  (struct wal_group of format.h is one that was read back.)
 * Ownership: copied bytes and both arrays are the draft's; bodies are borrowed from whoever
 * appends, until the waiters ran.
 * Threads: the log's mu guards it until the commit thread took it; then that thread alone. */
#pragma once
#include "base/bytes.h"
#include "wal/wal.h"

/* A stretch of the payload. */
struct group_extent {
    const char *borrowed; /* NULL: the next len bytes of `bytes` */
    size_t len;
};
struct group_draft {
    struct group_draft *next;
    uint64_t epoch, at; /* where it goes */
    struct buf bytes;   /* record headers, heads, padding */
    struct group_extent *extents;
    size_t n_extents, cap_extents;
    uint64_t payload_bytes; /* of all extents */
    uint32_t n_records;
    struct buf policies; /* of its policy records: each u32 bytes, then the encoded policy */
    bool closed;         /* takes no more records: the next group has its place */
    struct wal_waiter *waiters;
    size_t n_waiters, cap_waiters;
};

/* What a group takes in its file. */
static inline uint64_t group_bytes(uint64_t payload_bytes)
{
    return wal_align(WAL_GROUP_HEADER_BYTES + payload_bytes, WAL_ALIGN_BYTES);
}
/* What a record takes of a group's payload. */
static inline uint64_t group_record_bytes(size_t body_bytes)
{
    return WAL_RECORD_HEADER_BYTES + wal_align(body_bytes, WAL_RECORD_ALIGN_BYTES);
}

/* Empties it and keeps its memory; epoch and at stay.  A zeroed one is empty. */
void group_clear(struct group_draft *g);
void group_free(struct group_draft *g); /* NULL is fine; its waiters do not run */
/* Its place is set.  Copies prefix, borrows body; returns the record's LSN. */
uint64_t group_add_record(struct group_draft *g, enum wal_record_type type, struct str_view prefix,
                          struct str_view body);
void group_add_waiter(struct group_draft *g, struct wal_waiter waiter); /* fn NULL: no-op */
/* crc32c of the payload. */
uint32_t group_crc(const struct group_draft *g);
