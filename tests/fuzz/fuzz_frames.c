/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that can be read say the same once they are written again.  The input is taken as it is,
 * and with the lengths and checksums of its frames put right. */
#include <assert.h>

#include "base/crc32c.h"
#include "wire/frames.h"

enum { VERSION_AT = 5, CRC_AT = 8 };

/* The one frame in the buffer, whose payload is read again. */
static struct str_view payload_of(const struct buf *b, enum frame_kind kind)
{
    struct str_view in = buf_view(b);
    struct frame f;
    int r = frame_read(&in, &f, NULL);
    assert(r == FRAME_OK && f.kind == kind && in.len == 0);
    return f.payload;
}

static void check_streams(struct str_view payload, struct arena *a)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct frame_streams x, y;
    if (frame_read_streams(payload, a, &x, NULL) < 0)
        return;
    frame_put_streams(&b, x.v, x.n);
    int r = frame_read_streams(payload_of(&b, FRAME_STREAMS), a, &y, NULL);
    assert(r == 0 && x.n == y.n);
    for (size_t i = 0; i < x.n; i++)
        assert(x.v[i].number == y.v[i].number && sv_eq(x.v[i].labels, y.v[i].labels) &&
               memcmp(x.v[i].hash, y.v[i].hash, FRAME_HASH_BYTES) == 0 &&
               x.v[i].min_ts_ns == y.v[i].min_ts_ns && x.v[i].max_ts_ns == y.v[i].max_ts_ns &&
               x.v[i].min_ts_ns <= x.v[i].max_ts_ns && x.v[i].n_rows == y.v[i].n_rows);
}

static void check_rows(struct str_view payload, struct arena *a)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct frame_rows x, y;
    if (frame_read_rows(payload, a, &x, NULL) < 0)
        return;
    frame_put_rows(&b, x.stream, x.v, x.n);
    int r = frame_read_rows(payload_of(&b, FRAME_ROWS), a, &y, NULL);
    assert(r == 0 && x.n == y.n && x.stream == y.stream);
    for (size_t i = 0; i < x.n; i++)
        assert(x.v[i].ts_ns == y.v[i].ts_ns && sv_eq(x.v[i].line, y.v[i].line) &&
               sv_eq(x.v[i].sm, y.v[i].sm) && (i == 0 || x.v[i].ts_ns >= x.v[i - 1].ts_ns));
}

static void check_end(struct str_view payload)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    struct frame_end x, y;
    if (frame_read_end(payload, &x, NULL) < 0)
        return;
    frame_put_end(&b, &x);
    int r = frame_read_end(payload_of(&b, FRAME_END), &y, NULL);
    assert(r == 0 && x.n_streams == y.n_streams && x.n_rows == y.n_rows && x.result == y.result &&
           sv_eq(x.text, y.text));
}

static void check(struct str_view in)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    for (struct frame f;;) {
        size_t before = in.len;
        arena_clear(&a);
        int r = frame_read(&in, &f, &err);
        if (r != FRAME_OK) {
            assert(in.len == before && (r > 0 || err.text[0]));
            return;
        }
        assert(in.len + FRAME_HEADER_BYTES + f.payload.len == before);
        if (f.kind == FRAME_STREAMS)
            check_streams(f.payload, &a);
        else if (f.kind == FRAME_ROWS)
            check_rows(f.payload, &a);
        else
            check_end(f.payload);
    }
}

/* A length that reaches beyond the end is cut to it. */
static void put_right(struct buf *b)
{
    for (size_t at = 0; b->len - at >= FRAME_HEADER_BYTES;) {
        char *h = b->p + at;
        size_t most = b->len - at - FRAME_HEADER_BYTES;
        size_t len = ld_le32(h) > most ? most : ld_le32(h);
        st_le32(h, (uint32_t)len);
        h[4] = (char)(1 + (uint8_t)h[4] % 3);
        h[VERSION_AT] = 1;
        st_le16(h + 6, 0);
        st_le32(h + CRC_AT, crc32c_extend(crc32c(sv(h, CRC_AT)), sv(h + FRAME_HEADER_BYTES, len)));
        at += FRAME_HEADER_BYTES + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str_view input = sv((const char *)data, len);
    check(input);
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    buf_put(&b, input);
    put_right(&b);
    check(buf_view(&b));
    return 0;
}
