/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/zframe.h"

#include <assert.h>

enum { SMALLEST_WORTH_TRYING = 24 }; /* a frame's own bytes eat what shorter input could gain */

bool zframe_put_if_smaller(ZSTD_CCtx *cctx, int level, struct str_view raw, struct buf *out)
{
    if (raw.len < SMALLEST_WORTH_TRYING)
        return false;
    size_t room = ZSTD_compressBound(raw.len);
    buf_reserve(out, room);
    size_t got = ZSTD_compressCCtx(cctx, out->p + out->len, room, raw.p, raw.len, level);
    assert(!ZSTD_isError(got)); /* only lack of room or memory could be */
    if (got >= raw.len)
        return false;
    out->len += got;
    return true;
}

int zframe_get(ZSTD_DCtx *dctx, struct str_view frame, char *to, size_t raw_bytes, struct err *err)
{
    /* The size in the frame first: a frame that claims another size is not tried. */
    unsigned long long claimed = ZSTD_getFrameContentSize(frame.p, frame.len);
    if (claimed != raw_bytes)
        return err_set(err, ERR_CORRUPT, "zstd frame is not of %zu bytes", raw_bytes);
    size_t got = ZSTD_decompressDCtx(dctx, to, raw_bytes, frame.p, frame.len);
    if (ZSTD_isError(got))
        return err_set(err, ERR_CORRUPT, "zstd: %s", ZSTD_getErrorName(got));
    if (got != raw_bytes)
        return err_set(err, ERR_CORRUPT, "zstd frame gave %zu of %zu bytes", got, raw_bytes);
    return 0;
}
