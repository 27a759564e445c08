/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u16 rows - 1, varint bytes of the metadata header, the header, then its data.  Property:
 * rows that decode, encoded again, decode to the same rows. */
#include <assert.h>
#include <zstd.h>

#include "chunk/sm.h"
#include "chunk/sm_sets.h"

enum { LIMIT_RAW_BYTES = 1 << 20, MAX_CELLS = 1 << 20 };

static struct {
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
} tools;

/* Encoded labels of every row, one after the other; start has rows + 1 offsets. */
struct rows {
    struct buf bytes;
    uint32_t *start;
};

static bool put_columns(struct arena *a, const struct sm_header *h, struct str_view data,
                        uint32_t rows, struct rows *ret)
{
    struct sm_column *c = ARENA_ARRAY(a, struct sm_column, h->n_keys);
    if ((uint64_t)rows * h->n_keys > MAX_CELLS)
        return false;
    for (uint32_t k = 0; k < h->n_keys; k++)
        if (sm_decode_column(a, data, &h->keys[k], rows, tools.dctx, &c[k], NULL) < 0)
            return false;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t n = 0;
        ret->start[row] = (uint32_t)ret->bytes.len;
        for (uint32_t k = 0; k < h->n_keys; k++) {
            assert(c[k].row_value[row] <= c[k].n_values);
            n += c[k].row_value[row] != 0;
        }
        if (n)
            buf_put_varint(&ret->bytes, n);
        for (uint32_t k = 0; k < h->n_keys; k++)
            if (c[k].row_value[row]) {
                buf_put_str(&ret->bytes, h->keys[k].name);
                buf_put_str(&ret->bytes, c[k].values[c[k].row_value[row] - 1]);
            }
    }
    ret->start[rows] = (uint32_t)ret->bytes.len;
    return true;
}

static bool decode(struct arena *a, struct str_view header, struct str_view data, uint32_t rows,
                   uint64_t limit_raw_bytes, struct rows *ret)
{
    struct sm_header h;
    ret->start = ARENA_ARRAY(a, uint32_t, rows + 1);
    if (sm_decode_header(a, header, rows, limit_raw_bytes, &h, NULL) < 0)
        return false;
    if (!h.opaque)
        return put_columns(a, &h, data, rows, ret);
    const uint32_t *start;
    struct str_view bytes;
    if (sm_decode_opaque(a, data, &h, rows, tools.dctx, &start, &bytes, NULL) < 0)
        return false;
    buf_put(&ret->bytes, bytes);
    memcpy(ret->start, start, (rows + (size_t)1) * sizeof *start);
    return true;
}

static struct str_view row_of(const struct rows *r, uint32_t row)
{
    return sv_sub(buf_view(&r->bytes), r->start[row], r->start[row + 1] - r->start[row]);
}

static void check_round_trip(struct arena *a, const struct rows *want, uint32_t rows)
{
    CLEANUP(sm_sets_deinit) struct sm_sets sets = SM_SETS_INIT;
    CLEANUP(buf_deinit) struct buf header = BUF_INIT, data = BUF_INIT;
    uint32_t *row_set = ARENA_ARRAY(a, uint32_t, rows);
    uint16_t levels;
    bool opaque;
    for (uint32_t row = 0; row < rows; row++)
        row_set[row] = sm_sets_add(&sets, row_of(want, row));
    struct sm_rows in = {row_set, rows, sets.sets, sets.n_sets};
    sm_encode(&in, tools.cctx, 1, a, &header, &data, &levels, &opaque);
    struct rows got = {0};
    bool ok = decode(a, buf_view(&header), buf_view(&data), rows, UINT32_MAX, &got);
    assert(ok);
    for (uint32_t row = 0; row < rows; row++)
        assert(
            sv_eq(row_of(&got, row), row_set[row] == SM_EMPTY_SET ? SV_EMPTY : row_of(want, row)));
    buf_deinit(&got.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    uint32_t rows = (uint32_t)rd_le16(&in) + 1;
    struct str_view header = rd_str(&in, len), columns = rd_bytes(&in, reader_left(&in));
    if (in.bad)
        return 0;
    if (!tools.cctx) {
        tools.cctx = ZSTD_createCCtx();
        tools.dctx = ZSTD_createDCtx();
    }
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct rows got = {0};
    if (decode(&a, header, columns, rows, LIMIT_RAW_BYTES, &got))
        check_round_trip(&a, &got, rows);
    buf_deinit(&got.bytes);
    return 0;
}
