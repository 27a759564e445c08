/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u16 rows - 1, then a time column.  Property: what decodes, encoded again, decodes to the
 * same times; and any bytes taken as times come back. */
#include <assert.h>

#include "chunk/ts.h"

static void check_round_trip(const int64_t *ts_ns, uint32_t rows)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int64_t *again = mem_alloc(rows * sizeof *again);
    enum ts_unit unit;
    ts_encode(&out, ts_ns, rows, &unit);
    int r = ts_decode(buf_view(&out), again, rows, NULL);
    assert(r == 0 && (uint8_t)out.p[0] == unit);
    assert(memcmp(again, ts_ns, rows * sizeof *again) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    uint32_t rows = (uint32_t)rd_le16(&in) + 1;
    struct str_view section = rd_bytes(&in, reader_left(&in));
    if (in.bad)
        return 0;
    int64_t *ts_ns = mem_alloc(rows * sizeof *ts_ns);
    if (ts_decode(section, ts_ns, rows, NULL) == 0)
        check_round_trip(ts_ns, rows);
    free(ts_ns);
    if (section.len >= sizeof *ts_ns) {
        rows = (uint32_t)(section.len / sizeof *ts_ns);
        ts_ns = mem_alloc(rows * sizeof *ts_ns);
        memcpy(ts_ns, section.p, rows * sizeof *ts_ns);
        check_round_trip(ts_ns, rows);
        free(ts_ns);
    }
    return 0;
}
