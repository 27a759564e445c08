/* SPDX-License-Identifier: Apache-2.0 */
/* Header, 80 bytes:   0 "HALOGSEG";  8 u16 major, u16 minor;  12 u32 flags (0);  16 installation;
 *   32 uuid;  48 i64 created_ns;  56 u64 generation;  64 u8 level;  65 zeros;  76 u32 crc of 0-75.
 * Trailer, 40 bytes:  0 u64 footer_at;  8 u32 footer bytes;  12 u32 footer crc;  16 u64 file bytes;
 *   24 u16 major, u16 minor;  28 u32 crc of 0-27;  32 "HALOGEND".
 * Footer sections (tagged.h):
 * PARTS: varint n;  per part: str tenant;  varint zigzag(period start - that of the part before),
 *   varint period length;  varint zigzag(min_ts - period start), varint max_ts - min_ts;  varint
 *   rows, line_bytes, sm_bytes, n_streams, n_chunks;  varint offset - end of the part before (80
 *   for the first);  varint directory_at, directory_bytes;  u32 directory crc.
 * COVERAGE: varint n sources;  per source: 16 bytes, varint n ranges;  per range: varint first -
 *   last of the range before (first itself for the first), varint last - first.
 * REPLACED: varint n;  n uuids of 16 bytes. */
#include "base/crc32c.h"
#include "chunk/directory.h"
#include "chunk/tagged.h"

static const char header_magic[] = "HALOGSEG", trailer_magic[] = "HALOGEND";
enum { MAGIC_BYTES = 8, HEADER_CRC_AT = 76, TRAILER_CRC_AT = 28, MIN_PART_RECORD_BYTES = 16 };

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "segment: %s", what);
}

static int check_major(uint16_t major, struct err *err)
{
    if (major == SEGMENT_MAJOR)
        return 0;
    return err_set(err, ERR_UNSUPPORTED, "segment: version %u, this build reads %u", major,
                   SEGMENT_MAJOR);
}

void segment_header_encode(struct buf *out, const struct segment_header *h)
{
    size_t at = out->len;
    buf_put_bytes(out, header_magic, MAGIC_BYTES);
    buf_put_le16(out, SEGMENT_MAJOR);
    buf_put_le16(out, SEGMENT_MINOR);
    buf_put_le32(out, 0);
    buf_put_bytes(out, h->installation, SEGMENT_UUID_BYTES);
    buf_put_bytes(out, h->uuid, SEGMENT_UUID_BYTES);
    buf_put_le64(out, (uint64_t)h->created_ns);
    buf_put_le64(out, h->generation);
    buf_put_u8(out, h->level);
    memset(buf_add(out, HEADER_CRC_AT - 65), 0, HEADER_CRC_AT - 65);
    buf_put_le32(out, crc32c(sv(out->p + at, HEADER_CRC_AT)));
}

int segment_header_decode(struct str_view bytes, struct segment_header *ret, struct err *err)
{
    const char *p = bytes.p;
    if (bytes.len != SEGMENT_HEADER_BYTES || memcmp(p, header_magic, MAGIC_BYTES) != 0)
        return corrupt(err, "this is no segment");
    int r = check_major(ld_le16(p + 8), err);
    if (r < 0)
        return r;
    if (crc32c(sv(p, HEADER_CRC_AT)) != ld_le32(p + HEADER_CRC_AT))
        return corrupt(err, "checksum of the header is wrong");
    *ret = (struct segment_header){.created_ns = (int64_t)ld_le64(p + 48),
                                   .generation = ld_le64(p + 56),
                                   .level = (uint8_t)p[64]};
    memcpy(ret->installation, p + 16, SEGMENT_UUID_BYTES);
    memcpy(ret->uuid, p + 32, SEGMENT_UUID_BYTES);
    return 0;
}

void segment_trailer_encode(struct buf *out, const struct segment_trailer *t)
{
    size_t at = out->len;
    buf_put_le64(out, t->footer_at);
    buf_put_le32(out, t->footer_bytes);
    buf_put_le32(out, t->footer_crc);
    buf_put_le64(out, t->file_bytes);
    buf_put_le16(out, SEGMENT_MAJOR);
    buf_put_le16(out, SEGMENT_MINOR);
    buf_put_le32(out, crc32c(sv(out->p + at, TRAILER_CRC_AT)));
    buf_put_bytes(out, trailer_magic, MAGIC_BYTES);
}

int segment_trailer_decode(struct str_view bytes, struct segment_trailer *ret, struct err *err)
{
    const char *p = bytes.p;
    if (bytes.len != SEGMENT_TRAILER_BYTES || memcmp(p + 32, trailer_magic, MAGIC_BYTES) != 0)
        return corrupt(err, "its end is missing");
    int r = check_major(ld_le16(p + 24), err);
    if (r < 0)
        return r;
    if (crc32c(sv(p, TRAILER_CRC_AT)) != ld_le32(p + TRAILER_CRC_AT))
        return corrupt(err, "checksum of the trailer is wrong");
    *ret = (struct segment_trailer){ld_le64(p), ld_le64(p + 16), ld_le32(p + 8), ld_le32(p + 12)};
    return 0;
}

/* ---- encode ---- */

int footer_put_parts(struct buf *out, const struct segment_part *parts, size_t n, ZSTD_CCtx *cctx,
                     int level, struct err *err)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    int64_t start_before = 0;
    uint64_t end_before = SEGMENT_HEADER_BYTES;
    buf_put_varint(&raw, n);
    for (size_t i = 0; i < n; i++) {
        const struct segment_part *p = &parts[i];
        buf_put_str(&raw, p->tenant);
        buf_put_varint(&raw,
                       zigzag((int64_t)((uint64_t)p->period_start_ns - (uint64_t)start_before)));
        buf_put_varint(&raw, (uint64_t)p->period_len_ns);
        buf_put_varint(&raw,
                       zigzag((int64_t)((uint64_t)p->min_ts_ns - (uint64_t)p->period_start_ns)));
        buf_put_varint(&raw, (uint64_t)p->max_ts_ns - (uint64_t)p->min_ts_ns);
        buf_put_varint(&raw, p->rows);
        buf_put_varint(&raw, p->line_bytes);
        buf_put_varint(&raw, p->sm_bytes);
        buf_put_varint(&raw, p->n_streams);
        buf_put_varint(&raw, p->n_chunks);
        buf_put_varint(&raw, p->offset - end_before);
        buf_put_varint(&raw, p->directory_at);
        buf_put_varint(&raw, p->directory_bytes);
        buf_put_le32(&raw, p->directory_crc);
        start_before = p->period_start_ns;
        end_before = p->offset + p->bytes;
    }
    return tagged_put(out, FOOTER_PARTS, buf_view(&raw), cctx, level, err);
}

static bool same_source(const struct segment_coverage *a, const struct segment_coverage *b)
{
    return memcmp(a->source, b->source, SEGMENT_UUID_BYTES) == 0;
}

static int cmp_coverage(const void *a, const void *b)
{
    const struct segment_coverage *x = a, *y = b;
    int c = memcmp(x->source, y->source, SEGMENT_UUID_BYTES);
    return c ? c : (x->first > y->first) - (x->first < y->first);
}

/* In place; overlapping and touching ranges become one. */
static size_t join_coverage(struct segment_coverage *c, size_t n)
{
    size_t kept = 0;
    qsort(c, n, sizeof *c, cmp_coverage);
    for (size_t i = 0; i < n; i++) {
        struct segment_coverage *last = kept ? &c[kept - 1] : NULL;
        bool joins = last && same_source(last, &c[i]) &&
                     (last->last == UINT64_MAX || c[i].first <= last->last + 1);
        if (!joins)
            c[kept++] = c[i];
        else if (c[i].last > last->last)
            last->last = c[i].last;
    }
    return kept;
}

static void put_source(struct buf *out, const struct segment_coverage *c, size_t n)
{
    uint64_t before = 0;
    buf_put_bytes(out, c->source, SEGMENT_UUID_BYTES);
    buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        buf_put_varint(out, c[i].first - before);
        buf_put_varint(out, c[i].last - c[i].first);
        before = c[i].last;
    }
}

int footer_put_coverage(struct buf *out, const struct segment_coverage *given, size_t n,
                        ZSTD_CCtx *cctx, int level, struct err *err)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT, sources = BUF_INIT;
    struct segment_coverage *c = mem_alloc(n * sizeof *c);
    if (n)
        memcpy(c, given, n * sizeof *c);
    n = join_coverage(c, n);
    uint64_t n_sources = 0;
    for (size_t i = 0, end; i < n; i = end, n_sources++) {
        for (end = i + 1; end < n && same_source(&c[i], &c[end]);)
            end++;
        put_source(&sources, c + i, end - i);
    }
    buf_put_varint(&raw, n_sources);
    buf_put(&raw, buf_view(&sources));
    free(c);
    if (n > SEGMENT_MAX_COVERAGE)
        return err_set(err, ERR_INVALID, "segment: %zu ranges of coverage, the limit is %u", n,
                       SEGMENT_MAX_COVERAGE);
    return tagged_put(out, FOOTER_COVERAGE, buf_view(&raw), cctx, level, err);
}

void footer_put_replaced(struct buf *out, const uint8_t (*uuids)[SEGMENT_UUID_BYTES], size_t n)
{
    size_t bytes = n * SEGMENT_UUID_BYTES;
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    buf_put_varint(&raw, n);
    buf_put_bytes(&raw, uuids, bytes);
    buf_put_u8(out, FOOTER_REPLACED);
    buf_put_u8(out, 0);
    buf_put_str(out, buf_view(&raw));
}

/* ---- decode ---- */

static uint32_t rd_u32_varint(struct reader *in)
{
    uint64_t v = rd_varint(in);
    if (v > UINT32_MAX)
        in->bad = true;
    return (uint32_t)v;
}

static bool read_part(struct reader *in, struct segment *s, struct segment_part *p,
                      const struct segment_part *before, uint64_t footer_at)
{
    p->tenant = rd_str(in, SEGMENT_MAX_TENANT_BYTES);
    p->period_start_ns = (int64_t)((uint64_t)unzigzag(rd_varint(in)) +
                                   (uint64_t)(before ? before->period_start_ns : 0));
    p->period_len_ns = (int64_t)rd_varint(in);
    p->min_ts_ns = (int64_t)((uint64_t)unzigzag(rd_varint(in)) + (uint64_t)p->period_start_ns);
    p->max_ts_ns = (int64_t)(rd_varint(in) + (uint64_t)p->min_ts_ns);
    p->rows = rd_varint(in);
    p->line_bytes = rd_varint(in);
    p->sm_bytes = rd_varint(in);
    p->n_streams = rd_u32_varint(in);
    p->n_chunks = rd_u32_varint(in);
    uint64_t gap = rd_varint(in);
    p->directory_at = rd_varint(in);
    p->directory_bytes = rd_u32_varint(in);
    p->directory_crc = rd_le32(in);
    uint64_t from = before ? before->offset + before->bytes : SEGMENT_HEADER_BYTES;
    if (in->bad || p->period_len_ns < 0 || p->min_ts_ns > p->max_ts_ns || gap > footer_at - from)
        return false;
    p->offset = from + gap;
    uint64_t room = footer_at - p->offset;
    if (p->directory_at > room || p->directory_bytes > room - p->directory_at)
        return false;
    p->bytes = p->directory_at + p->directory_bytes;
    p->tenant = arena_copy(s->arena, p->tenant);
    int order = before ? sv_cmp(before->tenant, p->tenant) : -1;
    return order < 0 || (order == 0 && before->period_start_ns < p->period_start_ns);
}

static int read_parts(struct str_view raw, struct segment *s, uint64_t footer_at, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in);
    if (in.bad || n > reader_left(&in) / MIN_PART_RECORD_BYTES)
        return corrupt(err, "bad part table");
    s->parts = ARENA_ARRAY(s->arena, struct segment_part, n);
    s->n_parts = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++)
        if (!read_part(&in, s, &s->parts[i], i ? &s->parts[i - 1] : NULL, footer_at))
            return corrupt(err, "part table does not decode");
    return reader_done(&in) ? 0 : corrupt(err, "part table is too long");
}

/* The ranges of one source, ascending with a gap between any two. */
static bool read_source(struct reader *in, struct segment *s, size_t *cap)
{
    struct str_view source = rd_bytes(in, SEGMENT_UUID_BYTES);
    uint64_t n = rd_varint(in), before = 0;
    if (in->bad || n < 1 || n > reader_left(in) / 2 || n > SEGMENT_MAX_COVERAGE - s->n_coverage)
        return false;
    s->coverage = mem_grow(s->coverage, cap, s->n_coverage + n, sizeof *s->coverage);
    for (uint64_t k = 0; k < n; k++) {
        struct segment_coverage *c = &s->coverage[s->n_coverage];
        memcpy(c->source, source.p, SEGMENT_UUID_BYTES);
        uint64_t step = rd_varint(in), more = rd_varint(in);
        if (in->bad || step > UINT64_MAX - before || more > UINT64_MAX - before - step ||
            (k > 0 && step < 2))
            return false;
        c->first = before + step;
        c->last = before = c->first + more;
        s->n_coverage++;
    }
    return true;
}

static int read_coverage(struct str_view raw, struct segment *s, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n_sources = rd_varint(&in);
    size_t cap = 0;
    if (in.bad || n_sources > raw.len / SEGMENT_UUID_BYTES)
        return corrupt(err, "bad coverage");
    s->coverage = mem_grow(NULL, &cap, n_sources + 1, sizeof *s->coverage);
    for (uint64_t i = 0; i < n_sources; i++) {
        uint32_t at = s->n_coverage;
        if (!read_source(&in, s, &cap) ||
            (at > 0 &&
             memcmp(s->coverage[at - 1].source, s->coverage[at].source, SEGMENT_UUID_BYTES) >= 0))
            return corrupt(err, "coverage does not decode");
    }
    return reader_done(&in) ? 0 : corrupt(err, "coverage is too long");
}

static int read_replaced(struct str_view raw, struct segment *s, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in);
    if (in.bad || n > reader_left(&in) / SEGMENT_UUID_BYTES)
        return corrupt(err, "bad list of replaced segments");
    struct str_view uuids = rd_bytes(&in, n * SEGMENT_UUID_BYTES);
    s->replaced = arena_alloc(s->arena, uuids.len);
    memcpy(s->replaced, uuids.p, uuids.len);
    s->n_replaced = (uint32_t)n;
    return reader_done(&in) ? 0 : corrupt(err, "list of replaced segments is too long");
}

int footer_decode(struct str_view bytes, struct segment *s, uint64_t footer_at, ZSTD_DCtx *dctx,
                  struct err *err)
{
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    struct reader in = reader_of(bytes);
    struct tagged t;
    int r;
    while ((r = tagged_next(&in, &t, dctx, &scratch, err)) > 0) {
        if (t.type == FOOTER_PARTS && !s->parts)
            r = read_parts(t.raw, s, footer_at, err);
        else if (t.type == FOOTER_COVERAGE && !s->coverage)
            r = read_coverage(t.raw, s, err);
        else if (t.type == FOOTER_REPLACED && !s->replaced)
            r = read_replaced(t.raw, s, err);
        else if (t.type >= FOOTER_PARTS && t.type <= FOOTER_REPLACED)
            r = corrupt(err, "a section stands twice");
        else
            r = tagged_skip(&t, err);
        if (r < 0)
            return r;
    }
    if (r == 0 && (!s->parts || !s->coverage || !s->replaced))
        r = corrupt(err, "sections of the footer are missing");
    return r;
}
