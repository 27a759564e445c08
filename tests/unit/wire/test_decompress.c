/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <zlib.h>

#include "decoded.h"
#include "wire/decompress.h"

enum { GZIP = 15 + 16, RAW = -15, ZLIB = 15 };

static void pack(struct str_view in, int window, struct buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, in.len);
    memcpy(&z.next_in, &in.p, sizeof in.p);
    z.avail_in = (uInt)in.len;
    z.next_out = (Bytef *)buf_add(out, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len -= z.avail_out;
    deflateEnd(&z);
}

static void fill_text(struct buf *out, size_t len)
{
    for (unsigned i = 0; out->len < len; i++)
        buf_printf(out, "line %u of text %u\n", i, i * 2654435761u);
    out->len = len;
}

typedef int unpack_fn(struct str_view in, uint64_t max_bytes, const struct reserve *reserve,
                      struct arena *a, struct str_view *ret, struct err *err);

static void assert_unpacks(unpack_fn *fn, struct str_view in, struct str_view want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct str_view got;
    if (fn(in, want.len, NULL, &a, &got, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(sv_eq(got, want));
    if (want.len > 0)
        assert_int_equal(fn(in, want.len - 1, NULL, &a, &got, &err), ERR_TOO_LARGE);
}

static void assert_invalid(unpack_fn *fn, struct str_view in)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct str_view got;
    assert_int_equal(fn(in, 1 << 20, NULL, &a, &got, &err), ERR_INVALID);
    assert_true(err.text[0]);
}

static void test_each_coding_gives_back_what_was_packed(void **state)
{
    static const size_t lens[] = {0, 1, 255, 256, 70000, 3000000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        CLEANUP(buf_deinit)
        struct buf text = BUF_INIT, gz = BUF_INIT, raw = BUF_INIT, block = BUF_INIT;
        fill_text(&text, lens[i]);
        pack(buf_view(&text), GZIP, &gz);
        assert_unpacks(decompress_gzip, buf_view(&gz), buf_view(&text));
        pack(buf_view(&text), RAW, &raw);
        assert_unpacks(decompress_deflate, buf_view(&raw), buf_view(&text));
        snappy_pack(buf_view(&text), &block);
        assert_unpacks(decompress_snappy, buf_view(&block), buf_view(&text));
    }
}

static void test_gzip_members_are_joined(void **state)
{
    CLEANUP(buf_deinit) struct buf gz = BUF_INIT;
    pack(SV("one,"), GZIP, &gz);
    pack(SV(""), GZIP, &gz);
    pack(SV("two"), GZIP, &gz);
    assert_unpacks(decompress_gzip, buf_view(&gz), SV("one,two"));
}

static void test_deflate_has_no_header_and_ignores_what_follows(void **state)
{
    CLEANUP(buf_deinit) struct buf zlib = BUF_INIT, raw = BUF_INIT;
    pack(SV("hello hello hello"), ZLIB, &zlib);
    assert_invalid(decompress_deflate, buf_view(&zlib));
    pack(SV("hello"), RAW, &raw);
    buf_put(&raw, SV("garbage"));
    assert_unpacks(decompress_deflate, buf_view(&raw), SV("hello"));
}

static void test_cut_and_changed_bytes_are_invalid(void **state)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, gz = BUF_INIT, raw = BUF_INIT, block = BUF_INIT;
    fill_text(&text, 5000);
    pack(buf_view(&text), GZIP, &gz);
    pack(buf_view(&text), RAW, &raw);
    snappy_pack(buf_view(&text), &block);
    for (size_t len = 0; len < gz.len; len += 7)
        assert_invalid(decompress_gzip, sv(gz.p, len));
    for (size_t len = 0; len + 1 < raw.len; len += 7)
        assert_invalid(decompress_deflate, sv(raw.p, len));
    for (size_t len = 0; len < block.len; len += 7)
        assert_invalid(decompress_snappy, sv(block.p, len));
    gz.p[gz.len - 8] ^= 1; /* its checksum */
    assert_invalid(decompress_gzip, buf_view(&gz));
    assert_invalid(decompress_gzip, SV("not gzip at all"));
    CLEANUP(buf_deinit) struct buf followed = BUF_INIT;
    pack(SV("x"), GZIP, &followed);
    buf_put(&followed, SV("garbage"));
    assert_invalid(decompress_gzip, buf_view(&followed));
}

static void test_bombs_meet_the_bound_before_the_memory(void **state)
{
    CLEANUP(buf_deinit) struct buf zeros = BUF_INIT, gz = BUF_INIT;
    buf_fill(&zeros, 0, 64 << 20);
    pack(buf_view(&zeros), GZIP, &gz);
    assert_true(gz.len < 100000);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct str_view got;
    assert_int_equal(decompress_gzip(buf_view(&gz), 1 << 20, NULL, &a, &got, &err), ERR_TOO_LARGE);
    assert_int_equal(a.used_bytes, 0); /* its trailer says it all */
    assert_non_null(strstr(err.text, "max_decompressed_size"));
    /* a trailer that lies about the length gains nothing */
    st_le32(gz.p + gz.len - 4, 100);
    assert_int_equal(decompress_gzip(buf_view(&gz), 1 << 20, NULL, &a, &got, &err), ERR_TOO_LARGE);
    assert_true(a.used_bytes < 8 << 20);
}

static void test_a_snappy_claim_meets_bound_and_ratio_before_the_memory(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct str_view got;
    struct str_view liar = SV("\xff\xff\xff\xff\x0f"); /* 4 GiB in five bytes */
    assert_int_equal(decompress_snappy(liar, UINT64_MAX, NULL, &a, &got, &err), ERR_INVALID);
    assert_int_equal(decompress_snappy(liar, 1 << 20, NULL, &a, &got, &err), ERR_TOO_LARGE);
    assert_int_equal(a.used_bytes, 0);
    assert_invalid(decompress_snappy, SV(""));
    assert_invalid(decompress_snappy, SV("\xff\xff\xff\xff\xff\xff\x01")); /* over 32 bits */
    assert_unpacks(decompress_snappy, SV("\x00"), SV(""));
}

/* The best that a block can do stays below the ratio: 64 bytes for three, again and again. */
static void test_the_ratio_lets_the_best_block_pass(void **state)
{
    CLEANUP(buf_deinit) struct buf zeros = BUF_INIT, block = BUF_INIT;
    buf_fill(&zeros, 0, 16 << 20);
    snappy_pack(buf_view(&zeros), &block);
    assert_unpacks(decompress_snappy, buf_view(&block), buf_view(&zeros));
}

/* Six bytes a byte: the longest way to write a block.  Inside gzip its own bound holds. */
static void test_a_wasteful_block_inside_gzip_passes_its_text_as_limit(void **state)
{
    CLEANUP(buf_deinit) struct buf request = BUF_INIT, block = BUF_INIT, gz = BUF_INIT;
    struct buf stream = BUF_INIT;
    pb_bytes(&stream, 1, SV("{a=\"b\"}"));
    pb_entry(&stream, 1, SV("x"));
    pb_buf(&request, 1, &stream);
    buf_put_varint(&block, request.len);
    for (size_t i = 0; i < request.len; i++) {
        buf_put(&block, SV("\xfc\x00\x00\x00\x00")); /* literal, length in four bytes: 1 */
        buf_put_u8(&block, (uint8_t)request.p[i]);
    }
    assert_true(block.len <= snappy_max_block_bytes(request.len));
    pack(buf_view(&block), GZIP, &gz);
    struct push_policy policy = bare_policy();
    struct decoded d CLEANUP(decoded_deinit);
    decode_within(&d, PUSH_PROTOBUF, PUSH_CODING_GZIP, buf_view(&gz), &policy, request.len, NULL);
    if (d.result < 0)
        fail_msg("%s", d.err.text);
    assert_int_equal(d.body.decoded_bytes, request.len);
}

static bool never(void *ctx, uint64_t bytes)
{
    return false;
}

static void test_without_a_grant_nothing_is_taken(void **state)
{
    CLEANUP(buf_deinit) struct buf gz = BUF_INIT, raw = BUF_INIT, block = BUF_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct reserve reserve = {never, NULL};
    struct err err = ERR_INIT;
    struct str_view got;
    pack(SV("hello"), GZIP, &gz);
    pack(SV("hello"), RAW, &raw);
    snappy_pack(SV("hello"), &block);
    assert_int_equal(decompress_gzip(buf_view(&gz), 100, &reserve, &a, &got, &err),
                     ERR_UNAVAILABLE);
    assert_int_equal(decompress_deflate(buf_view(&raw), 100, &reserve, &a, &got, &err),
                     ERR_UNAVAILABLE);
    assert_int_equal(decompress_snappy(buf_view(&block), 100, &reserve, &a, &got, &err),
                     ERR_UNAVAILABLE);
    assert_int_equal(a.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_coding_gives_back_what_was_packed),
        cmocka_unit_test(test_gzip_members_are_joined),
        cmocka_unit_test(test_deflate_has_no_header_and_ignores_what_follows),
        cmocka_unit_test(test_cut_and_changed_bytes_are_invalid),
        cmocka_unit_test(test_bombs_meet_the_bound_before_the_memory),
        cmocka_unit_test(test_a_snappy_claim_meets_bound_and_ratio_before_the_memory),
        cmocka_unit_test(test_the_ratio_lets_the_best_block_pass),
        cmocka_unit_test(test_a_wasteful_block_inside_gzip_passes_its_text_as_limit),
        cmocka_unit_test(test_without_a_grant_nothing_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
