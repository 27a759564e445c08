/* SPDX-License-Identifier: Apache-2.0 */
/* format.h - the bytes of one WAL file: header, groups, records (docs/formats.md, "WAL").
 * LSN = epoch of the file's use (40 bits) and byte offset in the file (24 bits): it only ever
 * rises, and bytes left from an older use of a recycled file carry an older epoch, so they never
 * parse.  A record's LSN is the place of its record header.
 * Promise: whatever the bytes, reading stays inside them and ends; a group is yielded whole (its
 * checksums hold) or not at all.
 * Threads: pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    WAL_ALIGN_BYTES = 64, /* of groups: where a reader looks for the next one */
    WAL_FILE_HEADER_BYTES = 64,
    WAL_GROUP_HEADER_BYTES = 64,
    WAL_RECORD_HEADER_BYTES = 8,
    WAL_RECORD_ALIGN_BYTES = 8,
    WAL_UUID_BYTES = 16,
    WAL_VERSION_MAJOR = 1,
};
#define WAL_OFFSET_BITS 24
#define WAL_MAX_OFFSET ((UINT64_C(1) << WAL_OFFSET_BITS) - 1) /* where a record may begin */
#define WAL_MAX_EPOCH (UINT64_MAX >> WAL_OFFSET_BITS)
/* A file's end as an LSN: past every group's begin, and still of the same epoch. */
#define WAL_MAX_END (WAL_MAX_OFFSET + 1 - WAL_ALIGN_BYTES)
#define WAL_MAX_GROUP_BYTES (UINT64_C(256) << 20) /* decoders refuse more */

static inline uint64_t wal_lsn(uint64_t epoch, uint64_t offset)
{
    return epoch << WAL_OFFSET_BITS | offset;
}
static inline uint64_t wal_lsn_epoch(uint64_t lsn)
{
    return lsn >> WAL_OFFSET_BITS;
}
static inline uint64_t wal_lsn_offset(uint64_t lsn)
{
    return lsn & WAL_MAX_OFFSET;
}

/* Part of the format. */
enum wal_record_type {
    WAL_RECORD_POLICY = 1,    /* u64 id, then the encoded push_policy */
    WAL_RECORD_BODY = 2,      /* a push body as received, and the verdict on it */
    WAL_RECORD_CANONICAL = 3, /* accepted entries in our own form */
    /* 4 delete request, 5 coverage by another node, 6 hand-over: reserved */
};

struct wal_file_header {
    uint8_t uuid[WAL_UUID_BYTES]; /* the installation */
    uint64_t epoch;
    uint64_t prev_end_lsn; /* where the file before this one ends; 0: none is known */
};
void wal_put_file_header(char out[WAL_FILE_HEADER_BYTES], const struct wal_file_header *h);
enum wal_header_state { WAL_HEADER_GOOD, WAL_HEADER_BAD, WAL_HEADER_NEWER /* version */ };
/* *ret is set where it is good. */
enum wal_header_state wal_get_file_header(struct str_view file, struct wal_file_header *ret);

struct wal_group {
    uint64_t lsn;
    uint64_t synced_lsn; /* everything below was on stable storage when this was written */
    uint32_t n_records;
    struct str_view payload;
    uint64_t at, end; /* in the file; end is aligned */
};
/* payload_crc: crc32c of the payload; g->payload.len counts, its bytes do not. */
void wal_put_group_header(char out[WAL_GROUP_HEADER_BYTES], const struct wal_group *g,
                          uint32_t payload_crc);
/* The whole group of this epoch at that place, if there is one; at + header <= file.len. */
bool wal_group_at(struct str_view file, uint64_t epoch, uint64_t at, struct wal_group *ret);
/* The first whole group of this epoch that begins at `at` (aligned) or later. */
bool wal_next_group(struct str_view file, uint64_t epoch, uint64_t at, struct wal_group *ret);

/* Padding to WAL_RECORD_ALIGN_BYTES behind the body is not counted. */
void wal_put_record_header(char out[WAL_RECORD_HEADER_BYTES], enum wal_record_type type,
                           uint32_t body_bytes);
struct wal_record {
    uint64_t lsn;
    uint8_t type;
    struct str_view body;
};
/* in: reader over the payload.  False at the end, or with in->bad set. */
bool wal_next_record(struct reader *in, const struct wal_group *g, struct wal_record *ret);

static inline uint64_t wal_align(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}
