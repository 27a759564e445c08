/* SPDX-License-Identifier: Apache-2.0 */
/* A frame, little-endian:
 *    0  u32  bytes of the payload
 *    4  u8   kind: 1 streams, 2 rows, 3 end
 *    5  u8   version of the payload: 1
 *    6  u16  0
 *    8  u32  CRC-32C of the eight bytes above, then of the payload
 *   12       payload
 * The payloads; `str` is a varint length and bytes, `zz` a zigzag varint:
 *   streams  varint n, 1 or more; for each: varint its number minus that of the one before (the
 *            first: minus 0; else 1 or more), 16 bytes hash, str labels, zz first time,
 *            varint last time minus the first, varint rows, 1 or more
 *   rows     varint stream, varint n, 1 or more; for each: the first zz time, the others varint
 *            time minus that of the one before; str line, str metadata (no bytes for none)
 *   end      varint streams, varint rows, zz result, str text
 * The checksum is not against an enemy: it keeps a fault between two nodes from becoming a wrong
 * answer, since most bytes of a row are a line and would be taken as one. */
#include "wire/frames.h"

#include <assert.h>

#include "base/crc32c.h"
#include "model/labels.h"

enum { VERSION = 1, CHECKED_HEADER_BYTES = 8 };
enum { MIN_STREAM_BYTES = 1 + FRAME_HASH_BYTES + 1 + 1 + 1 + 1, MIN_ROW_BYTES = 3 };

/* ---- writing ---- */

static size_t begin(struct buf *out)
{
    size_t at = out->len;
    buf_fill(out, 0, FRAME_HEADER_BYTES);
    return at;
}

static uint32_t crc_of(const char *header, struct str_view payload)
{
    return crc32c_extend(crc32c(sv(header, CHECKED_HEADER_BYTES)), payload);
}

static void end(struct buf *out, size_t at, enum frame_kind kind)
{
    struct str_view payload = sv_from(buf_view(out), at + FRAME_HEADER_BYTES);
    char *header = out->p + at;
    assert(payload.len <= FRAME_MAX_BYTES);
    st_le32(header, (uint32_t)payload.len);
    header[4] = (char)kind;
    header[5] = VERSION;
    st_le32(header + CHECKED_HEADER_BYTES, crc_of(header, payload));
}

/* b is not before a. */
static uint64_t since(int64_t a, int64_t b)
{
    assert(b >= a);
    return (uint64_t)b - (uint64_t)a;
}

void frame_put_streams(struct buf *out, const struct frame_stream *v, size_t n)
{
    size_t at = begin(out);
    assert(n > 0);
    buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        assert(v[i].n_rows > 0 && (i == 0 || v[i].number > v[i - 1].number));
        buf_put_varint(out, v[i].number - (i ? v[i - 1].number : 0));
        buf_put_bytes(out, v[i].hash, FRAME_HASH_BYTES);
        buf_put_str(out, v[i].labels);
        buf_put_varint(out, zigzag(v[i].min_ts_ns));
        buf_put_varint(out, since(v[i].min_ts_ns, v[i].max_ts_ns));
        buf_put_varint(out, v[i].n_rows);
    }
    end(out, at, FRAME_STREAMS);
}

void frame_put_rows(struct buf *out, uint32_t stream, const struct entry *v, size_t n)
{
    size_t at = begin(out);
    assert(n > 0);
    buf_put_varint(out, stream);
    buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        buf_put_varint(out, i ? since(v[i - 1].ts_ns, v[i].ts_ns) : zigzag(v[i].ts_ns));
        buf_put_str(out, v[i].line);
        buf_put_str(out, v[i].sm);
    }
    end(out, at, FRAME_ROWS);
}

void frame_put_end(struct buf *out, const struct frame_end *e)
{
    size_t at = begin(out);
    buf_put_varint(out, e->n_streams);
    buf_put_varint(out, e->n_rows);
    buf_put_varint(out, zigzag(e->result));
    buf_put_str(out, e->text);
    end(out, at, FRAME_END);
}

/* ---- reading ---- */

static int corrupt(const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a frame of another node: %s", what);
}

int frame_read(struct str_view *in, struct frame *ret, struct err *err)
{
    if (in->len < FRAME_HEADER_BYTES)
        return FRAME_E_MORE;
    uint32_t len = ld_le32(in->p);
    uint8_t kind = (uint8_t)in->p[4];
    if (len > FRAME_MAX_BYTES || kind < FRAME_STREAMS || kind > FRAME_END ||
        ld_le16(in->p + 6) != 0)
        return corrupt("its header makes no sense", err);
    if (in->p[5] != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "a frame of another node has version %d",
                       (uint8_t)in->p[5]);
    if (len > in->len - FRAME_HEADER_BYTES)
        return FRAME_E_MORE;
    struct str_view payload = sv(in->p + FRAME_HEADER_BYTES, len);
    if (ld_le32(in->p + CHECKED_HEADER_BYTES) != crc_of(in->p, payload))
        return corrupt("its checksum is wrong", err);
    *ret = (struct frame){(enum frame_kind)kind, payload};
    *in = sv_from(*in, FRAME_HEADER_BYTES + len);
    return FRAME_OK;
}

/* How many there are, which cannot be more than so many bytes each leave room for. */
static size_t rd_count(struct reader *in, size_t min_bytes)
{
    uint64_t n = rd_varint(in);
    if (n == 0 || n > reader_left(in) / min_bytes)
        in->bad = true;
    return in->bad ? 0 : (size_t)n;
}

/* A time so long after another one. */
static int64_t rd_later(struct reader *in, int64_t ts_ns)
{
    uint64_t since = rd_varint(in);
    if (since > (uint64_t)INT64_MAX - (uint64_t)ts_ns)
        in->bad = true;
    return (int64_t)((uint64_t)ts_ns + since);
}

static uint32_t rd_number(struct reader *in, uint64_t from)
{
    uint64_t more = rd_varint(in);
    if (more > UINT32_MAX - from)
        in->bad = true;
    return (uint32_t)(from + more);
}

static void read_stream(struct reader *in, const struct frame_stream *before,
                        struct frame_stream *s)
{
    s->number = rd_number(in, before ? before->number : 0);
    if (before && s->number <= before->number)
        in->bad = true;
    struct str_view hash = rd_bytes(in, FRAME_HASH_BYTES);
    if (hash.len)
        memcpy(s->hash, hash.p, FRAME_HASH_BYTES);
    s->labels = rd_str(in, LABELS_MAX_BYTES);
    s->min_ts_ns = unzigzag(rd_varint(in));
    s->max_ts_ns = rd_later(in, s->min_ts_ns);
    s->n_rows = rd_varint(in);
    if (s->n_rows == 0)
        in->bad = true;
}

int frame_read_streams(struct str_view payload, struct arena *a, struct frame_streams *ret,
                       struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct reader in = reader_of(payload);
    struct labels labels;
    size_t n = rd_count(&in, MIN_STREAM_BYTES);
    struct frame_stream *v = ARENA_ARRAY(a, struct frame_stream, n);
    for (size_t i = 0; i < n && !in.bad; i++) {
        read_stream(&in, i ? &v[i - 1] : NULL, &v[i]);
        arena_clear(&scratch);
        if (!in.bad && labels_decode(&scratch, v[i].labels, &labels, NULL) < 0)
            in.bad = true;
    }
    if (in.bad || in.at != payload.len)
        return corrupt("streams that do not decode", err);
    *ret = (struct frame_streams){v, n};
    return 0;
}

/* Pairs, in any order: rows keep metadata as it came. */
static bool is_metadata(struct str_view encoded)
{
    if (encoded.len == 0)
        return true;
    struct reader in = reader_of(encoded);
    uint64_t n = rd_varint(&in);
    for (uint64_t i = 0; i < n && !in.bad; i++) {
        rd_str(&in, encoded.len);
        rd_str(&in, encoded.len);
    }
    return !in.bad && in.at == encoded.len && n > 0 && n <= LABELS_MAX_PAIRS;
}

int frame_read_rows(struct str_view payload, struct arena *a, struct frame_rows *ret,
                    struct err *err)
{
    struct reader in = reader_of(payload);
    uint32_t stream = rd_number(&in, 0);
    size_t n = rd_count(&in, MIN_ROW_BYTES);
    struct entry *v = ARENA_ARRAY(a, struct entry, n);
    for (size_t i = 0; i < n && !in.bad; i++) {
        v[i].ts_ns = i ? rd_later(&in, v[i - 1].ts_ns) : unzigzag(rd_varint(&in));
        v[i].line = rd_str(&in, payload.len);
        v[i].sm = rd_str(&in, LABELS_MAX_BYTES);
        if (!is_metadata(v[i].sm))
            in.bad = true;
    }
    if (in.bad || in.at != payload.len)
        return corrupt("rows that do not decode", err);
    *ret = (struct frame_rows){stream, v, n};
    return 0;
}

int frame_read_end(struct str_view payload, struct frame_end *ret, struct err *err)
{
    struct reader in = reader_of(payload);
    struct frame_end e;
    e.n_streams = rd_varint(&in);
    e.n_rows = rd_varint(&in);
    e.result = unzigzag(rd_varint(&in));
    e.text = rd_str(&in, payload.len);
    if (in.bad || in.at != payload.len)
        return corrupt("an end that does not decode", err);
    *ret = e;
    return 0;
}
