/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/crc32c.h"
#include "chunk/chunk_decode.h"
#include "chunk/len.h"
#include "chunk/ts.h"
#include "chunk/zframe.h"

enum { SLACK_BYTES = 64, KEEP_BYTES = 4 << 20 /* of a buffer, from chunk to chunk */ };

struct chunk_decoder *chunk_decoder_new(void)
{
    struct chunk_decoder *d = mem_zalloc(1, sizeof *d);
    d->dctx = ZSTD_createDCtx();
    assert(d->dctx);
    return d;
}

void chunk_decoder_free(struct chunk_decoder *d)
{
    if (!d)
        return;
    ZSTD_freeDCtx(d->dctx);
    buf_deinit(&d->stored);
    buf_deinit(&d->planes);
    buf_deinit(&d->blob);
    buf_deinit(&d->sm_encoded);
    free(d->ts_ns);
    free(d->start);
    free(d->entries);
    arena_deinit(&d->sm_arena);
    free(d);
}

struct chunk_counts *chunk_decoder_counts(struct chunk_decoder *d)
{
    return &d->counts;
}

uint64_t chunk_decoder_mem_bytes(const struct chunk_decoder *d)
{
    return sizeof *d + ZSTD_sizeof_DCtx(d->dctx) + d->stored.cap + d->planes.cap + d->blob.cap +
           d->sm_encoded.cap + d->cap_ts * sizeof *d->ts_ns + d->cap_start * sizeof *d->start +
           d->cap_entries * sizeof *d->entries + d->sm_arena.used_bytes;
}

/* One entry of 32 MiB must not cost its reader that much for ever. */
static void drop_if_huge(struct buf *b)
{
    if (b->cap > KEEP_BYTES)
        buf_deinit(b);
}

void chunk_decoder_set(struct chunk_decoder *d, const struct chunk_source *source,
                       const struct chunk_meta *meta)
{
    d->source = *source;
    d->meta = *meta;
    d->loaded = 0;
    d->have = 0;
    d->sm = (struct sm_header){0};
    d->sm_columns = NULL;
    arena_clear(&d->sm_arena);
    drop_if_huge(&d->stored);
    drop_if_huge(&d->planes);
    drop_if_huge(&d->blob);
    drop_if_huge(&d->sm_encoded);
    d->counts.n_chunks++;
}

/* No encoder of ours makes a chunk larger than what it holds plus little: this bounds the read. */
static int check_before_read(const struct chunk_meta *m, struct err *err)
{
    uint64_t bound =
        (uint64_t)m->raw_bytes + 3 * (uint64_t)m->sm_bytes + 32 * (uint64_t)m->rows + (64 << 10);
    if (chunk_payload_bytes(m) > bound + (uint64_t)SM_MAX_KEYS * (m->rows / 8 + 64))
        return err_set(err, ERR_CORRUPT, "chunk of %u rows: %llu stored bytes", m->rows,
                       (unsigned long long)chunk_payload_bytes(m));
    return chunk_meta_check(m, UINT64_MAX, err);
}

static size_t place_of(const struct chunk_meta *m, int section)
{
    return (size_t)(chunk_section_offset(m, (enum chunk_section)section) - m->offset);
}

struct str_view chunk_stored_section(const struct chunk_decoder *d, enum chunk_section s)
{
    return sv(d->stored.p + place_of(&d->meta, s), d->meta.section_bytes[s]);
}

static int check_section(struct chunk_decoder *d, enum chunk_section s, struct err *err)
{
    static const char *const names[] = {"metadata header", "metadata", "times", "lengths", "lines"};
    if (crc32c(chunk_stored_section(d, s)) != d->meta.section_crc[s])
        return err_set(err, ERR_CORRUPT, "chunk at %llu: checksum of its %s is wrong",
                       (unsigned long long)d->meta.offset, names[s]);
    d->loaded |= 1u << s;
    d->counts.read_bytes[s] += d->meta.section_bytes[s];
    return 0;
}

int chunk_decoder_load(struct chunk_decoder *d, unsigned section_bits, struct err *err)
{
    unsigned missing = section_bits & ~d->loaded & CHUNK_BITS_ALL;
    if (!missing)
        return 0;
    if (!d->loaded) {
        int r = check_before_read(&d->meta, err);
        if (r < 0)
            return r;
        buf_clear(&d->stored);
        buf_reserve(&d->stored, chunk_payload_bytes(&d->meta) + SLACK_BYTES);
    }
    for (int first = 0, end; first < CHUNK_N_SECTIONS; first = end) {
        end = first + 1;
        if (!(missing & 1u << first))
            continue;
        while (end < CHUNK_N_SECTIONS && missing & 1u << end)
            end++;
        size_t from = place_of(&d->meta, first), to = place_of(&d->meta, end);
        int r = to == from ? 0
                           : d->source.pread(d->source.ctx, d->stored.p + from, to - from,
                                             d->meta.offset + from, err);
        for (int s = first; r >= 0 && s < end; s++)
            r = check_section(d, (enum chunk_section)s, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int chunk_decoder_ts(struct chunk_decoder *d, const int64_t **ret_ts_ns, struct err *err)
{
    if (!(d->have & HAVE_TS)) {
        int r = chunk_decoder_load(d, CHUNK_BIT_TS, err);
        if (r < 0)
            return r;
        d->ts_ns = mem_grow(d->ts_ns, &d->cap_ts, d->meta.rows, sizeof *d->ts_ns);
        r = ts_decode(chunk_stored_section(d, CHUNK_TS), d->ts_ns, d->meta.rows, err);
        if (r < 0)
            return r;
        d->counts.decoded_bytes[CHUNK_TS] += (uint64_t)d->meta.rows * sizeof *d->ts_ns;
        d->have |= HAVE_TS;
    }
    *ret_ts_ns = d->ts_ns;
    return 0;
}

int chunk_decoder_starts(struct chunk_decoder *d, const uint32_t **ret, struct err *err)
{
    if (!(d->have & HAVE_STARTS)) {
        int r = chunk_decoder_load(d, CHUNK_BIT_LEN, err);
        if (r < 0)
            return r;
        d->start = mem_grow(d->start, &d->cap_start, d->meta.rows + (size_t)1, sizeof *d->start);
        r = len_decode(chunk_stored_section(d, CHUNK_LEN), d->start, d->meta.rows, 1,
                       d->meta.raw_bytes, d->dctx, &d->planes, err);
        if (r < 0)
            return r;
        d->counts.decoded_bytes[CHUNK_LEN] += (uint64_t)d->meta.rows * sizeof *d->start;
        d->have |= HAVE_STARTS;
    }
    *ret = d->start;
    return 0;
}

static int decode_lines(struct chunk_decoder *d, struct err *err)
{
    struct str_view stored = chunk_stored_section(d, CHUNK_LIN);
    if (d->meta.lin_codec == CHUNK_LIN_RAW) {
        if (stored.len != d->meta.raw_bytes)
            return err_set(err, ERR_CORRUPT, "lines: %zu of %u bytes", stored.len,
                           d->meta.raw_bytes);
        d->lines = stored;
    } else if (d->meta.lin_codec == CHUNK_LIN_ZSTD) {
        buf_clear(&d->blob);
        buf_reserve(&d->blob, d->meta.raw_bytes + (size_t)SLACK_BYTES);
        int r = zframe_get(d->dctx, stored, d->blob.p, d->meta.raw_bytes, err);
        if (r < 0)
            return err_context(err, r, "lines");
        d->lines = sv(d->blob.p, d->meta.raw_bytes);
    } else {
        return err_set(err, ERR_UNSUPPORTED, "line codec %u is not known here", d->meta.lin_codec);
    }
    d->counts.decoded_bytes[CHUNK_LIN] += d->meta.raw_bytes;
    d->have |= HAVE_LINES;
    return 0;
}

int chunk_decoder_lines(struct chunk_decoder *d, struct chunk_lines *ret, struct err *err)
{
    int r = chunk_decoder_load(d, CHUNK_BIT_LEN | CHUNK_BIT_LIN, err);
    const uint32_t *start;
    if (r >= 0)
        r = chunk_decoder_starts(d, &start, err);
    if (r >= 0 && !(d->have & HAVE_LINES))
        r = decode_lines(d, err);
    if (r < 0)
        return r;
    *ret = (struct chunk_lines){d->lines.p, d->lines.len, start, d->meta.rows};
    return 0;
}

/* ---- entries ---- */

static bool same_sm_as_before(const struct chunk_decoder *d, uint32_t row)
{
    if (row == 0 || d->sm.opaque)
        return false;
    for (uint32_t i = 0; i < d->sm.n_keys; i++)
        if (d->sm_columns[i].row_value[row] != d->sm_columns[i].row_value[row - 1])
            return false;
    return true;
}

/* Offsets first, views once the buffer stands still.  All rows together must come to sm_bytes,
 * which also bounds what a chunk of few stored bytes can grow to. */
static int fill_sm(struct chunk_decoder *d, struct err *err)
{
    buf_clear(&d->sm_encoded);
    size_t from = 0;
    uint64_t total = 0;
    for (uint32_t row = 0; row < d->meta.rows && total <= d->meta.sm_bytes; row++) {
        if (!same_sm_as_before(d, row)) {
            from = d->sm_encoded.len;
            chunk_decoder_sm_row(d, row, &d->sm_encoded);
        }
        d->entries[row].sm = sv((const char *)from, d->sm_encoded.len - from);
        total += d->entries[row].sm.len;
    }
    if (total != d->meta.sm_bytes)
        return err_set(err, ERR_CORRUPT, "metadata is not of %u bytes", d->meta.sm_bytes);
    const char *base = buf_view(&d->sm_encoded).p;
    for (uint32_t row = 0; row < d->meta.rows; row++)
        d->entries[row].sm.p = base + (size_t)d->entries[row].sm.p;
    return 0;
}

int chunk_decoder_entries(struct chunk_decoder *d, const struct entry **ret, struct err *err)
{
    if (d->have & HAVE_ENTRIES) {
        *ret = d->entries;
        return 0;
    }
    const int64_t *ts_ns;
    struct chunk_lines lines;
    int r = chunk_decoder_load(d, CHUNK_BITS_ALL, err);
    if (r >= 0)
        r = chunk_decoder_ts(d, &ts_ns, err);
    if (r >= 0)
        r = chunk_decoder_lines(d, &lines, err);
    if (r >= 0)
        r = chunk_decoder_sm_all(d, err);
    if (r < 0)
        return r;
    d->entries = mem_grow(d->entries, &d->cap_entries, d->meta.rows, sizeof *d->entries);
    for (uint32_t row = 0; row < d->meta.rows; row++)
        d->entries[row] = (struct entry){ts_ns[row], chunk_line(&lines, row), SV_EMPTY};
    r = fill_sm(d, err);
    if (r < 0)
        return r;
    d->have |= HAVE_ENTRIES;
    *ret = d->entries;
    return 0;
}
