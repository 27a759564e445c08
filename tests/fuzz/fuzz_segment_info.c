/* SPDX-License-Identifier: Apache-2.0 */
/* A catalog record that decodes means the same once it is encoded again.  The input is taken as it
 * is, and with a checksum put right behind it. */
#include <assert.h>

#include "base/crc32c.h"
#include "store/segment_info.h"

static const struct uuid key = {{1, 2, 3}};

static bool same_info(const struct segment_info *a, const struct segment_info *b)
{
    if (a->place != b->place || a->level != b->level || !sv_eq(a->key, b->key) ||
        a->bytes != b->bytes || a->generation != b->generation || a->created_ns != b->created_ns ||
        a->min_ts_ns != b->min_ts_ns || a->max_ts_ns != b->max_ts_ns || a->n_rows != b->n_rows ||
        a->line_bytes != b->line_bytes || a->n_parts != b->n_parts ||
        a->n_periods != b->n_periods || a->n_coverage != b->n_coverage)
        return false;
    for (size_t i = 0; i < a->n_periods; i++)
        if (a->periods[i].start_ns != b->periods[i].start_ns ||
            a->periods[i].length_ns != b->periods[i].length_ns)
            return false;
    for (size_t i = 0; i < a->n_coverage; i++)
        if (!uuid_eq(a->coverage[i].source, b->coverage[i].source) ||
            a->coverage[i].first != b->coverage[i].first ||
            a->coverage[i].last != b->coverage[i].last)
            return false;
    return true;
}

static void check(struct str_view record)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf again = BUF_INIT;
    struct segment_info info, copy, back;
    struct err err = ERR_INIT;
    if (segment_info_decode(&arena, key, record, &info, &err) < 0) {
        assert(err.code < 0 && err.text[0]);
        return;
    }
    assert(info.n_periods * sizeof *info.periods <= record.len);
    for (size_t i = 0; i < info.n_coverage; i++)
        assert(info.coverage[i].first <= info.coverage[i].last);
    segment_info_copy(&arena, &copy, &info);
    segment_info_encode(&again, &copy);
    assert(segment_info_decode(&arena, key, buf_view(&again), &back, NULL) == 0);
    assert(same_info(&info, &back));
    assert(again.len <= record.len); /* ours is the shortest form */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view input = sv((const char *)data, len);
    check(input);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, input);
    buf_put_le32(&b, crc32c(input)); /* of version 1 */
    check(buf_view(&b));
    uint32_t key_crc = crc32c(sv((const char *)key.b, UUID_BYTES));
    st_le32(b.p + len, crc32c_extend(key_crc, input));
    check(buf_view(&b));
    return 0;
}
