/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u16 rows - 1, u8 gap (lowest bit), u32 total bytes, then a length column.  Property: what
 * decodes has ascending starts that end at the total, and encoded again decodes to the same. */
#include <assert.h>
#include <zstd.h>

#include "chunk/len.h"

static struct {
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    struct buf scratch;
} tools;

static void check_round_trip(const uint32_t *start, uint32_t rows, uint32_t gap, uint32_t total)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    uint32_t *lens = mem_alloc(rows * sizeof *lens);
    uint32_t *again = mem_alloc((rows + (size_t)1) * sizeof *again);
    assert(start[0] == 0 && start[rows] == total);
    for (uint32_t i = 0; i < rows; i++) {
        assert(start[i + 1] >= start[i] + gap);
        lens[i] = start[i + 1] - start[i] - gap;
    }
    len_encode(&out, lens, rows, tools.cctx, 1, &tools.scratch);
    int r = len_decode(buf_view(&out), again, rows, gap, total, tools.dctx, &tools.scratch, NULL);
    assert(r == 0 && memcmp(again, start, (rows + (size_t)1) * sizeof *again) == 0);
    free(lens);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    uint32_t rows = (uint32_t)rd_le16(&in) + 1, gap = rd_u8(&in) & 1, total = rd_le32(&in);
    struct str_view section = rd_bytes(&in, reader_left(&in));
    if (in.bad)
        return 0;
    if (!tools.cctx) {
        tools.cctx = ZSTD_createCCtx();
        tools.dctx = ZSTD_createDCtx();
    }
    uint32_t *start = mem_alloc((rows + (size_t)1) * sizeof *start);
    if (len_decode(section, start, rows, gap, total, tools.dctx, &tools.scratch, NULL) == 0)
        check_round_trip(start, rows, gap, total);
    free(start);
    return 0;
}
