/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/tagged.h"

#include "chunk/zframe.h"

enum { ENCODING_RAW, ENCODING_ZSTD };

int tagged_put(struct buf *out, uint8_t type, struct str_view raw, ZSTD_CCtx *cctx, int level,
               struct err *err)
{
    if (raw.len > TAGGED_MAX_RAW_BYTES)
        return err_set(err, ERR_INVALID, "section 0x%02x: %zu bytes, the limit is %u", type,
                       raw.len, TAGGED_MAX_RAW_BYTES);
    CLEANUP(buf_deinit) struct buf small = BUF_INIT;
    bool smaller = zframe_put_if_smaller(cctx, level, raw, &small);
    struct str_view stored = smaller ? buf_view(&small) : raw;
    buf_put_u8(out, type);
    buf_put_u8(out, smaller ? ENCODING_ZSTD : ENCODING_RAW);
    buf_put_varint(out, stored.len);
    if (smaller)
        buf_put_varint(out, raw.len);
    buf_put(out, stored);
    return 0;
}

int tagged_next(struct reader *in, struct tagged *ret, ZSTD_DCtx *dctx, struct buf *scratch,
                struct err *err)
{
    if (reader_done(in) && !in->bad)
        return 0;
    ret->type = rd_u8(in);
    uint8_t encoding = rd_u8(in);
    uint64_t stored_bytes = rd_varint(in);
    uint64_t raw_bytes = encoding == ENCODING_ZSTD ? rd_varint(in) : stored_bytes;
    struct str_view stored = rd_bytes(in, stored_bytes);
    if (in->bad || raw_bytes > TAGGED_MAX_RAW_BYTES)
        return err_set(err, ERR_CORRUPT, "section 0x%02x: bad length", ret->type);
    if (encoding > ENCODING_ZSTD)
        return err_set(err, ERR_UNSUPPORTED, "section 0x%02x: encoding %u", ret->type, encoding);
    ret->raw = stored;
    if (encoding == ENCODING_ZSTD) {
        buf_clear(scratch);
        int r = zframe_get(dctx, stored, buf_add(scratch, raw_bytes), raw_bytes, err);
        if (r < 0)
            return err_context(err, r, "section 0x%02x", ret->type);
        ret->raw = buf_view(scratch);
    }
    return 1;
}

int tagged_skip(const struct tagged *t, struct err *err)
{
    if (t->type >= TAGGED_MUST_KNOW)
        return err_set(err, ERR_UNSUPPORTED, "section 0x%02x is of a newer version", t->type);
    return 0;
}
