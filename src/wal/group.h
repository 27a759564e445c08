/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - one commit of the WAL while it is filled and written: records, and who waits for
 * the same sync.  (struct wal_group of format.h is one that was read back.)
 * Ownership: copied bytes and both arrays are the group's; bodies are borrowed from whoever
 * appends, until the group's waiters ran.
 * Threads: the log's mu guards it until the commit thread took it; then that thread alone. */
#pragma once
#include "base/bytes.h"
#include "wal/wal.h"

struct group {
    struct group *next;
    uint64_t epoch, at; /* where it goes */
    struct buf bytes;   /* record headers, heads, padding */
    struct piece {
        const char *borrowed; /* NULL: len bytes of `bytes`, in order */
        size_t len;
    } * pieces;
    size_t n_pieces, cap_pieces;
    uint64_t payload_bytes;
    uint32_t n_records;
    bool closed; /* takes no more records: the next group has its place */
    void *shown;
    uint64_t pos;
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

/* Empties it and keeps its memory; epoch and at stay. */
void group_clear(struct group *g);
void group_free(struct group *g);
/* Its place is set.  Copies head, borrows body; returns the record's LSN. */
uint64_t group_add_record(struct group *g, enum wal_record_type type, struct str_view head,
                          struct str_view body);
void group_add_waiter(struct group *g, struct wal_waiter waiter);
/* crc32c of the payload. */
uint32_t group_crc(const struct group *g);
