/* SPDX-License-Identifier: Apache-2.0 */
/* Section:  u8 unit;  varint zigzag first value in units;  varint number of exceptions;
 *   per exception: varint row minus the exception's row before (or 0), varint zigzag of its whole
 *   delta to the row before;
 *   then rows 1.. in groups of 128: u8 width, varint smallest delta, packed (delta - smallest).
 * An exception's place in its group holds 0.  Deltas wrap at 64 bits, so any values pass. */
#include "chunk/ts.h"

#include <assert.h>

#include "chunk/bitpack.h"

static const uint64_t unit_ns[TS_N_UNITS] = {1, 1000, 1000000, 1000000000};

static enum ts_unit unit_of_all(const int64_t *ts_ns, uint32_t rows)
{
    enum ts_unit unit = TS_S;
    for (uint32_t i = 0; i < rows; i++)
        while (unit > TS_NS && ts_ns[i] % (int64_t)unit_ns[unit] != 0)
            unit--;
    return unit;
}

struct ts_group {
    uint64_t v[BITPACK_GROUP]; /* delta - smallest; exceptions 0 */
    uint64_t smallest;
    unsigned width;
};

/* The width at which packed bits and exceptions together take least. */
static unsigned best_width(const uint16_t *n_of_width, uint32_t n)
{
    unsigned best = 64;
    uint64_t best_bits = UINT64_MAX, exception_bits = 0;
    for (unsigned w = 64;; w--) {
        uint64_t bits = (uint64_t)n * w + exception_bits;
        if (bits < best_bits) {
            best = w;
            best_bits = bits;
        }
        if (w == 0)
            return best;
        exception_bits += (uint64_t)n_of_width[w] * (16 + w + w / 7);
    }
}

static void make_group(struct ts_group *g, const int64_t *deltas, uint32_t n)
{
    uint16_t n_of_width[65] = {0};
    g->smallest = INT64_MAX;
    for (uint32_t i = 0; i < n; i++)
        if (deltas[i] >= 0 && (uint64_t)deltas[i] < g->smallest)
            g->smallest = (uint64_t)deltas[i];
    if (g->smallest == INT64_MAX)
        g->smallest = 0;
    for (uint32_t i = 0; i < n; i++)
        if (deltas[i] >= 0)
            n_of_width[bits_of((uint64_t)deltas[i] - g->smallest)]++;
    g->width = best_width(n_of_width, n);
}

void ts_encode(struct buf *out, const int64_t *ts_ns, uint32_t rows, enum ts_unit *ret_unit)
{
    assert(rows >= 1);
    enum ts_unit unit = unit_of_all(ts_ns, rows);
    int64_t divisor = (int64_t)unit_ns[unit];
    CLEANUP(buf_deinit) struct buf exceptions = BUF_INIT, packed = BUF_INIT;
    uint64_t n_exceptions = 0;
    uint32_t last_exception = 0;
    int64_t before = ts_ns[0] / divisor;
    int64_t deltas[BITPACK_GROUP];
    struct ts_group g;
    for (uint32_t row = 1; row < rows; row += BITPACK_GROUP) {
        uint32_t n = rows - row < BITPACK_GROUP ? rows - row : BITPACK_GROUP;
        for (uint32_t i = 0; i < n; i++) {
            int64_t v = ts_ns[row + i] / divisor;
            deltas[i] = (int64_t)((uint64_t)v - (uint64_t)before);
            before = v;
        }
        make_group(&g, deltas, n);
        for (uint32_t i = 0; i < n; i++) {
            g.v[i] = (uint64_t)deltas[i] - g.smallest;
            if (deltas[i] >= 0 && bits_of(g.v[i]) <= g.width)
                continue;
            g.v[i] = 0;
            buf_put_varint(&exceptions, row + i - last_exception);
            buf_put_varint(&exceptions, zigzag(deltas[i]));
            last_exception = row + i;
            n_exceptions++;
        }
        buf_put_u8(&packed, (uint8_t)g.width);
        buf_put_varint(&packed, g.smallest);
        bitpack_put(&packed, g.v, n, g.width);
    }
    buf_put_u8(out, (uint8_t)unit);
    buf_put_varint(out, zigzag(ts_ns[0] / divisor));
    buf_put_varint(out, n_exceptions);
    buf_put(out, buf_view(&exceptions));
    buf_put(out, buf_view(&packed));
    *ret_unit = unit;
}

struct ts_exceptions {
    struct reader in;
    uint64_t left;
    uint64_t next_row; /* UINT64_MAX: no more */
    uint64_t delta;
};

static void next_exception(struct ts_exceptions *x)
{
    if (x->left == 0) {
        x->next_row = UINT64_MAX;
        return;
    }
    x->left--;
    uint64_t step = rd_varint(&x->in);
    x->next_row = step == 0 || step > UINT32_MAX ? UINT64_MAX : x->next_row + step;
    x->delta = (uint64_t)unzigzag(rd_varint(&x->in));
}

/* Leaves `in` behind the exceptions; false when they do not fit the rows. */
static bool skip_exceptions(struct reader *in, uint64_t n, uint32_t rows)
{
    uint64_t row = 0;
    if (n >= rows)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t step = rd_varint(in);
        rd_varint(in);
        if (in->bad || step == 0 || step >= rows || (row += step) >= rows)
            return false;
    }
    return true;
}

static void add_up(const uint64_t *v, uint32_t n, uint64_t smallest, uint64_t unit, uint64_t *now,
                   int64_t *out)
{
    uint64_t at = *now;
    for (uint32_t i = 0; i < n; i++) {
        at += v[i] + smallest;
        out[i] = (int64_t)(at * unit);
    }
    *now = at;
}

int ts_decode(struct str_view section, int64_t *ret_ts_ns, uint32_t rows, struct err *err)
{
    struct reader in = reader_of(section);
    uint8_t unit = rd_u8(&in);
    uint64_t now = (uint64_t)unzigzag(rd_varint(&in));
    struct ts_exceptions x = {.left = rd_varint(&in)};
    x.in = in;
    if (in.bad || rows == 0 || unit >= TS_N_UNITS || !skip_exceptions(&in, x.left, rows))
        return err_set(err, ERR_CORRUPT, "time column: bad header");
    next_exception(&x);
    ret_ts_ns[0] = (int64_t)(now * unit_ns[unit]);
    for (uint32_t row = 1; row < rows; row += BITPACK_GROUP) {
        uint32_t n = rows - row < BITPACK_GROUP ? rows - row : BITPACK_GROUP;
        uint8_t width = rd_u8(&in);
        uint64_t smallest = rd_varint(&in);
        if (width > 64)
            return err_set(err, ERR_CORRUPT, "time column: width %u", width);
        size_t readable = reader_left(&in);
        struct str_view packed = rd_bytes(&in, bitpack_bytes(n, width));
        if (in.bad)
            return err_set(err, ERR_CORRUPT, "time column: cut short at row %u of %u", row, rows);
        uint64_t v[BITPACK_GROUP];
        bitpack_get(packed.p, readable, v, n, width);
        for (; x.next_row < row + n; next_exception(&x))
            v[x.next_row - row] = x.delta - smallest;
        add_up(v, n, smallest, unit_ns[unit], &now, ret_ts_ns + row);
    }
    if (!reader_done(&in))
        return err_set(err, ERR_CORRUPT, "time column: %zu bytes too many", reader_left(&in));
    return 0;
}
