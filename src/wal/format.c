/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/format.h"

#include <assert.h>

#include "base/crc32c.h"

static const char file_magic[8] = {'H', 'A', 'L', 'O', 'G', 'W', 'A', 'L'};
#define GROUP_MAGIC UINT32_C(0x50524748) /* "HGRP" */
enum { CRC_AT = 60 };
_Static_assert(CRC_AT + 4 == WAL_FILE_HEADER_BYTES, "the checksum ends the header");
_Static_assert(CRC_AT + 4 == WAL_GROUP_HEADER_BYTES, "the checksum ends the header");

static bool header_checks(const char *p)
{
    return crc32c(sv(p, CRC_AT)) == ld_le32(p + CRC_AT);
}

/*  0 magic "HALOGWAL"   8 u16 major, u16 minor   16 installation uuid
 * 32 u64 epoch         40 u64 end of the file before   60 u32 crc32c of bytes 0..59 */
void wal_put_file_header(char out[WAL_FILE_HEADER_BYTES], const struct wal_file_header *h)
{
    memset(out, 0, WAL_FILE_HEADER_BYTES);
    memcpy(out, file_magic, sizeof file_magic);
    st_le16(out + 8, WAL_VERSION_MAJOR);
    memcpy(out + 16, h->uuid, WAL_UUID_BYTES);
    st_le64(out + 32, h->epoch);
    st_le64(out + 40, h->prev_end_lsn);
    st_le32(out + CRC_AT, crc32c(sv(out, CRC_AT)));
}

enum wal_header_state wal_get_file_header(struct str_view file, struct wal_file_header *ret)
{
    if (file.len < WAL_FILE_HEADER_BYTES || memcmp(file.p, file_magic, sizeof file_magic) != 0 ||
        !header_checks(file.p))
        return WAL_HEADER_BAD;
    if (ld_le16(file.p + 8) != WAL_VERSION_MAJOR)
        return WAL_HEADER_NEWER;
    memcpy(ret->uuid, file.p + 16, WAL_UUID_BYTES);
    ret->epoch = ld_le64(file.p + 32);
    if (ret->epoch > WAL_MAX_EPOCH)
        return WAL_HEADER_BAD;
    ret->prev_end_lsn = ld_le64(file.p + 40);
    return WAL_HEADER_GOOD;
}

/*  0 magic "HGRP"    4 u32 payload bytes   8 u64 LSN   16 u64 synced LSN
 * 24 u32 records    28 u32 crc32c of the payload       60 u32 crc32c of bytes 0..59 */
void wal_put_group_header(char out[WAL_GROUP_HEADER_BYTES], const struct wal_group *g,
                          uint32_t payload_crc)
{
    assert(g->payload.len <= WAL_MAX_GROUP_BYTES);
    memset(out, 0, WAL_GROUP_HEADER_BYTES);
    st_le32(out, GROUP_MAGIC);
    st_le32(out + 4, (uint32_t)g->payload.len);
    st_le64(out + 8, g->lsn);
    st_le64(out + 16, g->synced_lsn);
    st_le32(out + 24, g->n_records);
    st_le32(out + 28, payload_crc);
    st_le32(out + CRC_AT, crc32c(sv(out, CRC_AT)));
}

bool wal_group_at(struct str_view file, uint64_t epoch, uint64_t at, struct wal_group *ret)
{
    const char *p = file.p + at;
    if (ld_le32(p) != GROUP_MAGIC || ld_le64(p + 8) != wal_lsn(epoch, at) || !header_checks(p))
        return false;
    uint64_t bytes = ld_le32(p + 4);
    if (bytes > WAL_MAX_GROUP_BYTES || bytes > file.len - at - WAL_GROUP_HEADER_BYTES)
        return false;
    struct str_view payload = {p + WAL_GROUP_HEADER_BYTES, bytes};
    if (crc32c(payload) != ld_le32(p + 28))
        return false;
    *ret = (struct wal_group){
        .lsn = ld_le64(p + 8),
        .synced_lsn = ld_le64(p + 16),
        .n_records = ld_le32(p + 24),
        .payload = payload,
        .at = at,
        .end = wal_align(at + WAL_GROUP_HEADER_BYTES + bytes, WAL_ALIGN_BYTES),
    };
    return true;
}

bool wal_next_group(struct str_view file, uint64_t epoch, uint64_t at, struct wal_group *ret)
{
    for (; at <= WAL_MAX_OFFSET && at + WAL_GROUP_HEADER_BYTES <= file.len; at += WAL_ALIGN_BYTES)
        if (wal_group_at(file, epoch, at, ret))
            return true;
    return false;
}

/* 0 u32 body bytes   4 u8 type   5 zero */
void wal_put_record_header(char out[WAL_RECORD_HEADER_BYTES], enum wal_record_type type,
                           uint32_t body_bytes)
{
    memset(out, 0, WAL_RECORD_HEADER_BYTES);
    st_le32(out, body_bytes);
    out[4] = (char)type;
}

bool wal_next_record(struct reader *in, const struct wal_group *g, struct wal_record *ret)
{
    if (reader_done(in))
        return false;
    uint64_t at = in->at;
    uint32_t bytes = rd_le32(in);
    uint8_t type = rd_u8(in);
    rd_bytes(in, 3);
    struct str_view body = rd_bytes(in, bytes);
    rd_bytes(in, wal_align(bytes, WAL_RECORD_ALIGN_BYTES) - bytes);
    if (in->bad)
        return false;
    *ret = (struct wal_record){
        .lsn = g->lsn + WAL_GROUP_HEADER_BYTES + at, .type = type, .body = body};
    return true;
}
