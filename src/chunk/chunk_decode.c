/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "chunk/chunk.h"
#include "chunk/filter.h"
#include "chunk/len.h"
#include "chunk/sm.h"
#include "chunk/ts.h"
#include "chunk/zframe.h"
#include "model/labels.h"

enum { SLACK_BYTES = 64 };

/* What stands decoded for the chunk in work. */
enum have {
    HAVE_TS = 1 << 0,
    HAVE_STARTS = 1 << 1,
    HAVE_LINES = 1 << 2,
    HAVE_SM_HEADER = 1 << 3,
    HAVE_SM_ALL = 1 << 4,
    HAVE_ENTRIES = 1 << 5,
};

struct chunk_decoder {
    ZSTD_DCtx *dctx;
    struct chunk_source source;
    struct chunk_meta meta;
    unsigned loaded; /* section bits whose bytes stand in `stored`, checked */
    unsigned have;
    struct buf stored; /* the payload's place for every section */
    struct buf planes; /* scratch of the length column */
    struct buf blob;   /* decoded lines, where they are compressed */
    struct str_view lines;
    int64_t *ts_ns;
    uint32_t *start;
    struct entry *entries;
    size_t cap_ts, cap_start, cap_entries;
    struct arena sm_arena;
    struct sm_header sm;
    struct sm_column *sm_columns; /* of all keys */
    const uint32_t *opaque_start;
    struct str_view opaque_bytes;
    struct buf sm_encoded; /* rows' metadata, of the entries */
    struct chunk_counts counts;
};

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
    d->counts.n_chunks++;
}

int chunk_meta_check(const struct chunk_meta *m, uint64_t part_bytes, struct err *err)
{
    uint64_t payload = chunk_payload_bytes(m);
    bool sizes_ok = m->rows >= 1 && m->rows <= CHUNK_MAX_ROWS && m->raw_bytes >= m->rows &&
                    m->raw_bytes <= CHUNK_LIMIT_RAW_BYTES && m->sm_bytes <= CHUNK_LIMIT_SM_BYTES;
    bool place_ok = m->offset <= part_bytes && payload <= part_bytes - m->offset;
    bool filter_ok = m->filter_bits == 0 ||
                     (filter_bits_valid(m->filter_bits) && m->filter_offset <= part_bytes &&
                      (m->filter_bits + 7) / 8 <= part_bytes - m->filter_offset);
    if (!sizes_ok || !place_ok || !filter_ok || m->min_ts_ns > m->max_ts_ns)
        return err_set(err, ERR_CORRUPT, "chunk of %u rows at %llu: bad description", m->rows,
                       (unsigned long long)m->offset);
    return 0;
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

static struct str_view stored_section(const struct chunk_decoder *d, enum chunk_section s)
{
    return sv(d->stored.p + place_of(&d->meta, s), d->meta.section_bytes[s]);
}

static int check_section(struct chunk_decoder *d, enum chunk_section s, struct err *err)
{
    static const char *const names[] = {"metadata header", "metadata", "times", "lengths", "lines"};
    if (crc32c(stored_section(d, s)) != d->meta.section_crc[s])
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
        r = ts_decode(stored_section(d, CHUNK_TS), d->ts_ns, d->meta.rows, err);
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
        r = len_decode(stored_section(d, CHUNK_LEN), d->start, d->meta.rows, 1, d->meta.raw_bytes,
                       d->dctx, &d->planes, err);
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
    struct str_view stored = stored_section(d, CHUNK_LIN);
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

/* --- metadata ---------------------------------------------------------------------------- */

int chunk_decoder_sm_header(struct chunk_decoder *d, const struct sm_header **ret, struct err *err)
{
    if (!(d->have & HAVE_SM_HEADER)) {
        int r = chunk_decoder_load(d, CHUNK_BIT_SMH, err);
        if (r < 0)
            return r;
        uint64_t limit = 3 * (uint64_t)d->meta.sm_bytes + 4 * (uint64_t)d->meta.rows +
                         (uint64_t)SM_MAX_KEYS * (d->meta.rows / 8 + 64);
        r = sm_decode_header(&d->sm_arena, stored_section(d, CHUNK_SMH), d->meta.rows, limit,
                             &d->sm, err);
        if (r < 0)
            return r;
        d->counts.decoded_bytes[CHUNK_SMH] += d->meta.section_bytes[CHUNK_SMH];
        d->have |= HAVE_SM_HEADER;
    }
    *ret = &d->sm;
    return 0;
}

static int load_opaque(struct chunk_decoder *d, struct err *err)
{
    if (d->opaque_start && d->have & HAVE_SM_ALL)
        return 0;
    d->counts.decoded_bytes[CHUNK_SMD] += d->sm.opaque_raw_bytes;
    return sm_decode_opaque(&d->sm_arena, stored_section(d, CHUNK_SMD), &d->sm, d->meta.rows,
                            d->dctx, &d->opaque_start, &d->opaque_bytes, err);
}

static struct str_view opaque_row(const struct chunk_decoder *d, uint32_t row)
{
    return sv_sub(d->opaque_bytes, d->opaque_start[row],
                  d->opaque_start[row + 1] - d->opaque_start[row]);
}

/* The value of a name in a row that may be no proper encoding; empty when it cannot be found. */
static struct str_view find_in_row(struct str_view encoded, struct str_view name)
{
    struct reader in = reader_of(encoded);
    uint64_t n = rd_varint(&in);
    for (uint64_t i = 0; i < n && !in.bad; i++) {
        struct str_view key = rd_str(&in, encoded.len), value = rd_str(&in, encoded.len);
        if (!in.bad && sv_eq(key, name))
            return value;
    }
    return SV_EMPTY;
}

static int opaque_column(struct chunk_decoder *d, struct str_view name, struct sm_column *ret,
                         struct err *err)
{
    int r = load_opaque(d, err);
    if (r < 0)
        return r;
    uint32_t *row_value = ARENA_ARRAY(&d->sm_arena, uint32_t, d->meta.rows);
    struct str_view *values = ARENA_ARRAY(&d->sm_arena, struct str_view, d->meta.rows);
    uint32_t n = 0;
    for (uint32_t row = 0; row < d->meta.rows; row++) {
        struct str_view v = find_in_row(opaque_row(d, row), name);
        if (v.len) {
            values[n] = v;
            row_value[row] = ++n;
        }
    }
    *ret = (struct sm_column){row_value, n ? values : NULL, n};
    return 0;
}

static int decode_column(struct chunk_decoder *d, const struct sm_key *key, struct sm_column *ret,
                         struct err *err)
{
    d->counts.decoded_bytes[CHUNK_SMD] += key->raw_bytes;
    return sm_decode_column(&d->sm_arena, stored_section(d, CHUNK_SMD), key, d->meta.rows, d->dctx,
                            ret, err);
}

int chunk_decoder_sm_column(struct chunk_decoder *d, struct str_view name, struct sm_column *ret,
                            struct err *err)
{
    const struct sm_header *h;
    int r = chunk_decoder_sm_header(d, &h, err);
    if (r < 0)
        return r;
    *ret = (struct sm_column){0};
    const struct sm_key *key = sm_header_find(h, name);
    if (!key && !h->opaque)
        return 0;
    if (d->have & HAVE_SM_ALL && key) {
        *ret = d->sm_columns[key - h->keys];
        return 0;
    }
    r = chunk_decoder_load(d, CHUNK_BIT_SMD, err);
    if (r < 0)
        return r;
    return key ? decode_column(d, key, ret, err) : opaque_column(d, name, ret, err);
}

int chunk_decoder_sm_all(struct chunk_decoder *d, struct err *err)
{
    if (d->have & HAVE_SM_ALL)
        return 0;
    const struct sm_header *h;
    int r = chunk_decoder_load(d, CHUNK_BIT_SMH | CHUNK_BIT_SMD, err);
    if (r >= 0)
        r = chunk_decoder_sm_header(d, &h, err);
    if (r >= 0 && h->opaque)
        r = load_opaque(d, err);
    if (r < 0)
        return r;
    d->sm_columns = ARENA_ARRAY(&d->sm_arena, struct sm_column, h->n_keys);
    for (uint32_t i = 0; i < h->n_keys; i++) {
        r = decode_column(d, &h->keys[i], &d->sm_columns[i], err);
        if (r < 0)
            return r;
    }
    d->have |= HAVE_SM_ALL;
    return 0;
}

void chunk_decoder_sm_row(struct chunk_decoder *d, uint32_t row, struct buf *out)
{
    assert(d->have & HAVE_SM_ALL && row < d->meta.rows);
    if (d->sm.opaque) {
        buf_put(out, opaque_row(d, row));
        return;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->sm.n_keys; i++)
        n += d->sm_columns[i].row_value[row] != 0;
    if (n == 0)
        return;
    buf_put_varint(out, n);
    for (uint32_t i = 0; i < d->sm.n_keys; i++) {
        uint32_t value = d->sm_columns[i].row_value[row];
        if (!value)
            continue;
        buf_put_str(out, d->sm.keys[i].name);
        buf_put_str(out, d->sm_columns[i].values[value - 1]);
    }
}

/* --- entries ----------------------------------------------------------------------------- */

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
    *ret = d->entries;
    if (d->have & HAVE_ENTRIES)
        return 0;
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
