/* SPDX-License-Identifier: Apache-2.0 */
/* Section:  u8 codec.
 *   0 constant: varint length of every row.
 *   1 planes, 2 planes in one zstd frame: u8 width in bytes (1 to 4), then `width` planes of one
 *     byte per row, the lengths' lowest bytes first.
 * Planes keep the equal high bytes together, which costs almost nothing once compressed. */
#include "chunk/len.h"

#include <assert.h>

#include "chunk/zframe.h"

enum len_codec { LEN_CONST, LEN_PLANES, LEN_PLANES_ZSTD };

static void put_planes(struct buf *out, const uint32_t *lens, uint32_t rows, unsigned width)
{
    for (unsigned b = 0; b < width; b++) {
        uint8_t *to = (uint8_t *)buf_add(out, rows);
        for (uint32_t i = 0; i < rows; i++)
            to[i] = (uint8_t)(lens[i] >> (8 * b));
    }
}

void len_encode(struct buf *out, const uint32_t *lens, uint32_t rows, struct ZSTD_CCtx_s *cctx,
                int zstd_level, struct buf *scratch)
{
    assert(rows >= 1);
    uint32_t all_or = 0, differ = 0;
    for (uint32_t i = 0; i < rows; i++) {
        all_or |= lens[i];
        differ |= lens[i] ^ lens[0];
    }
    if (differ == 0) {
        buf_put_u8(out, LEN_CONST);
        buf_put_varint(out, lens[0]);
        return;
    }
    unsigned width = all_or >> 24 ? 4 : all_or >> 16 ? 3 : all_or >> 8 ? 2 : 1;
    buf_clear(scratch);
    put_planes(scratch, lens, rows, width);
    size_t codec_at = out->len;
    buf_put_u8(out, LEN_PLANES_ZSTD);
    buf_put_u8(out, (uint8_t)width);
    if (!zframe_put_if_smaller(cctx, zstd_level, buf_view(scratch), out)) {
        out->p[codec_at] = LEN_PLANES;
        buf_put(out, buf_view(scratch));
    }
}

static int add_up(uint32_t *start, uint32_t rows, uint32_t gap, uint64_t total_bytes,
                  struct err *err)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < rows; i++) {
        at += (uint64_t)start[i + 1] + gap;
        start[i + 1] = (uint32_t)at;
    }
    /* No wrap goes unseen: `at` is 64 bits wide and total_bytes fits 32. */
    if (at != total_bytes || at > UINT32_MAX)
        return err_set(err, ERR_CORRUPT, "length column: sums to %llu of %llu bytes",
                       (unsigned long long)at, (unsigned long long)total_bytes);
    start[0] = 0;
    return 0;
}

static void join_planes(uint32_t *to, const uint8_t *planes, uint32_t rows, unsigned width)
{
    const uint8_t *p1 = planes + rows, *p2 = p1 + rows, *p3 = p2 + rows;
    if (width == 1)
        for (uint32_t i = 0; i < rows; i++)
            to[i] = planes[i];
    else if (width == 2)
        for (uint32_t i = 0; i < rows; i++)
            to[i] = planes[i] | (uint32_t)p1[i] << 8;
    else
        for (uint32_t i = 0; i < rows; i++)
            to[i] = planes[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16 |
                    (width == 4 ? (uint32_t)p3[i] << 24 : 0);
}

int len_decode(struct str_view section, uint32_t *ret_start, uint32_t rows, uint32_t gap,
               uint64_t total_bytes, struct ZSTD_DCtx_s *dctx, struct buf *scratch, struct err *err)
{
    struct reader in = reader_of(section);
    uint8_t codec = rd_u8(&in);
    if (codec == LEN_CONST) {
        uint64_t len = rd_varint(&in);
        if (in.bad || !reader_done(&in) || len > UINT32_MAX)
            return err_set(err, ERR_CORRUPT, "length column: bad constant");
        for (uint32_t i = 0; i < rows; i++)
            ret_start[i + 1] = (uint32_t)len;
        return add_up(ret_start, rows, gap, total_bytes, err);
    }
    uint8_t width = rd_u8(&in);
    struct str_view planes = rd_bytes(&in, reader_left(&in));
    size_t raw_bytes = (size_t)rows * width;
    if (in.bad || width < 1 || width > 4)
        return err_set(err, ERR_CORRUPT, "length column: bad width");
    if (codec == LEN_PLANES_ZSTD) {
        buf_clear(scratch);
        char *to = buf_add(scratch, raw_bytes);
        int r = zframe_get(dctx, planes, to, raw_bytes, err);
        if (r < 0)
            return err_context(err, r, "length column");
        planes = buf_view(scratch);
    } else if (codec != LEN_PLANES) {
        return err_set(err, ERR_UNSUPPORTED, "length column: codec %u", codec);
    }
    if (planes.len != raw_bytes)
        return err_set(err, ERR_CORRUPT, "length column: %zu bytes for %u rows", planes.len, rows);
    join_planes(ret_start + 1, (const uint8_t *)planes.p, rows, width);
    return add_up(ret_start, rows, gap, total_bytes, err);
}
