/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u8 options (1 fold, 2 search a piece of the text itself), u8 repeats, varint needle bytes,
 * needle, text.  Properties: a filter never denies what its text holds, with and without case, and
 * vectors build the same filter.  A filter of any bytes and size is looked into within bounds. */
#include <assert.h>

#include "chunk/filter.h"
#include "regex/substr.h"

static struct filter_builder builder;

static bool is_ascii(struct str_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((uint8_t)v.p[i] >= 0x80)
            return false;
    return true;
}

static void check(struct str_view text, struct str_view needle, bool fold)
{
    CLEANUP(buf_deinit) struct buf filter = BUF_INIT, same = BUF_INIT;
    uint32_t bits = filter_build(&builder, text, &filter);
    uint32_t same_bits = filter_build_portable(&builder, text, &same);
    assert(bits == same_bits && sv_eq(buf_view(&filter), buf_view(&same)));
    struct substr_needle search;
    struct filter_needle n;
    substr_init(&search, needle, fold ? SUBSTR_FOLD : SUBSTR_EXACT);
    filter_needle_init(&n, needle, fold);
    if (bits && substr_find(&search, text, 0) != SIZE_MAX)
        assert(filter_may_contain(buf_view(&filter), bits, is_ascii(text), &n));
    filter_may_contain(text, bits, true, &n);
    filter_may_contain(text, (uint32_t)needle.len, true, &n);
    substr_deinit(&search);
    filter_needle_deinit(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    uint8_t options = rd_u8(&in), repeats = rd_u8(&in);
    struct str_view needle = rd_str(&in, 1000), text = rd_bytes(&in, reader_left(&in));
    if (in.bad)
        return 0;
    if (!builder.map)
        filter_builder_init(&builder);
    CLEANUP(buf_deinit) struct buf blob = BUF_INIT;
    for (int i = 0; i <= repeats; i++) /* a filter needs some text */
        buf_put(&blob, text);
    if (options & 2)
        needle = sv_sub(buf_view(&blob), blob.len / 3, needle.len);
    check(buf_view(&blob), needle, options & 1);
    return 0;
}
