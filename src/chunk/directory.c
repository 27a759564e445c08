/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of a part's directory (tagged.h), in this order:
 * CHUNKS: varint n;  varint filters_at, varint filters_bytes;  per chunk:
 *   varint zigzag((offset - end of the chunk before, both / 8));  varint rows, raw_bytes, sm_bytes;
 *   varint zigzag(min_ts - part's min_ts);  varint max_ts - min_ts;  varint flags, level_mask;
 *   u8 lin_codec, u8 ts_unit;  5 times: varint section bytes, u32 crc where not 0;
 *   varint filter bits, u32 filter crc where not 0 (filters lie one after another).
 * STREAMS: varint n;  per stream: varint bytes shared with the labels before, str the rest, varint
 *   number of runs.
 * RUNS: varint n;  per run: varint zigzag(chunk - chunk of the run before);  varint
 *   zigzag(first_row - end of the run before if in the same chunk, else 0);  varint rows,
 *   line_bytes, sm_bytes;  varint min_ts - chunk's min_ts;  varint chunk's max_ts - max_ts.
 * SM_KEYS: varint n;  per key: str name, varint number of chunks. */
#include "chunk/directory.h"

#include "chunk/tagged.h"
#include "model/labels.h"

enum { CHUNK_ALIGNMENT = 8, MIN_CHUNK_RECORD_BYTES = 12, MIN_RUN_RECORD_BYTES = 7 };

void directory_deinit(struct directory *d)
{
    buf_deinit(&d->streams);
    buf_deinit(&d->before);
    free(d->runs);
    free(d->chunks);
    free(d->sm_keys);
    arena_deinit(&d->names);
    *d = (struct directory){0};
}

void directory_clear(struct directory *d)
{
    buf_clear(&d->streams);
    buf_clear(&d->before);
    d->n_streams = 0;
    d->n_runs = d->n_chunks = d->n_sm_keys = 0;
    arena_clear(&d->names);
}

void directory_add_stream(struct directory *d, struct str_view labels, uint32_t n_runs)
{
    struct str_view before = buf_view(&d->before);
    size_t shared = 0, most = before.len < labels.len ? before.len : labels.len;
    while (shared < most && before.p[shared] == labels.p[shared])
        shared++;
    buf_put_varint(&d->streams, shared);
    buf_put_str(&d->streams, sv_from(labels, shared));
    buf_put_varint(&d->streams, n_runs);
    d->before.len = shared;
    buf_put(&d->before, sv_from(labels, shared));
    d->n_streams++;
}

void directory_count_sm_key(struct directory *d, struct str_view name)
{
    size_t low = 0;
    for (size_t high = d->n_sm_keys; low < high;) {
        size_t mid = low + (high - low) / 2;
        int c = sv_cmp(name, d->sm_keys[mid].name);
        if (c == 0) {
            d->sm_keys[mid].n_chunks++;
            return;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    d->sm_keys = mem_grow(d->sm_keys, &d->cap_sm_keys, d->n_sm_keys + 1, sizeof *d->sm_keys);
    memmove(d->sm_keys + low + 1, d->sm_keys + low, (d->n_sm_keys - low) * sizeof *d->sm_keys);
    d->sm_keys[low] = (struct segment_sm_key){arena_copy(&d->names, name), 1};
    d->n_sm_keys++;
}

/* --- encode ------------------------------------------------------------------------------ */

static uint64_t aligned(uint64_t v)
{
    return (v + CHUNK_ALIGNMENT - 1) & ~(uint64_t)(CHUNK_ALIGNMENT - 1);
}

static void put_chunk(struct buf *out, const struct chunk_meta *m, uint64_t expected_at,
                      int64_t base_ts_ns)
{
    buf_put_varint(out, zigzag((int64_t)(m->offset - expected_at) / CHUNK_ALIGNMENT));
    buf_put_varint(out, m->rows);
    buf_put_varint(out, m->raw_bytes);
    buf_put_varint(out, m->sm_bytes);
    buf_put_varint(out, zigzag((int64_t)((uint64_t)m->min_ts_ns - (uint64_t)base_ts_ns)));
    buf_put_varint(out, (uint64_t)m->max_ts_ns - (uint64_t)m->min_ts_ns);
    buf_put_varint(out, m->flags);
    buf_put_varint(out, m->level_mask);
    buf_put_u8(out, m->lin_codec);
    buf_put_u8(out, m->ts_unit);
    for (int s = 0; s < CHUNK_N_SECTIONS; s++) {
        buf_put_varint(out, m->section_bytes[s]);
        if (m->section_bytes[s])
            buf_put_le32(out, m->section_crc[s]);
    }
    buf_put_varint(out, m->filter_bits);
    if (m->filter_bits)
        buf_put_le32(out, m->filter_crc);
}

static void put_chunks(struct buf *out, const struct directory *d, const struct segment_part *info,
                       uint64_t filters_at)
{
    uint64_t filters_bytes = 0, expected_at = 0;
    for (size_t i = 0; i < d->n_chunks; i++)
        filters_bytes += (d->chunks[i].filter_bits + 7) / 8;
    buf_put_varint(out, d->n_chunks);
    buf_put_varint(out, filters_at);
    buf_put_varint(out, filters_bytes);
    for (size_t i = 0; i < d->n_chunks; i++) {
        const struct chunk_meta *m = &d->chunks[i];
        put_chunk(out, m, expected_at, info->min_ts_ns);
        expected_at = aligned(m->offset + chunk_payload_bytes(m));
    }
}

static void put_runs(struct buf *out, const struct directory *d)
{
    struct segment_run before = {0};
    buf_put_varint(out, d->n_runs);
    for (size_t i = 0; i < d->n_runs; i++) {
        const struct segment_run *r = &d->runs[i];
        const struct chunk_meta *m = &d->chunks[r->chunk];
        uint32_t expected = r->chunk == before.chunk ? before.first_row + before.rows : 0;
        buf_put_varint(out, zigzag((int64_t)r->chunk - before.chunk));
        buf_put_varint(out, zigzag((int64_t)r->first_row - expected));
        buf_put_varint(out, r->rows);
        buf_put_varint(out, r->line_bytes);
        buf_put_varint(out, r->sm_bytes);
        buf_put_varint(out, (uint64_t)r->min_ts_ns - (uint64_t)m->min_ts_ns);
        buf_put_varint(out, (uint64_t)m->max_ts_ns - (uint64_t)r->max_ts_ns);
        before = *r;
    }
}

void directory_encode(struct buf *out, const struct directory *d, const struct segment_part *info,
                      uint64_t filters_at, ZSTD_CCtx *cctx, int level)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    put_chunks(&raw, d, info, filters_at);
    tagged_put(out, DIRECTORY_CHUNKS, buf_view(&raw), cctx, level);
    buf_clear(&raw);
    buf_put_varint(&raw, d->n_streams);
    buf_put(&raw, buf_view(&d->streams));
    tagged_put(out, DIRECTORY_STREAMS, buf_view(&raw), cctx, level);
    buf_clear(&raw);
    put_runs(&raw, d);
    tagged_put(out, DIRECTORY_RUNS, buf_view(&raw), cctx, level);
    if (d->n_sm_keys == 0)
        return;
    buf_clear(&raw);
    buf_put_varint(&raw, d->n_sm_keys);
    for (size_t i = 0; i < d->n_sm_keys; i++) {
        buf_put_str(&raw, d->sm_keys[i].name);
        buf_put_varint(&raw, d->sm_keys[i].n_chunks);
    }
    tagged_put(out, DIRECTORY_SM_KEYS, buf_view(&raw), cctx, level);
}

/* --- decode ------------------------------------------------------------------------------ */

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "directory: %s", what);
}

static uint32_t rd_u32_varint(struct reader *in)
{
    uint64_t v = rd_varint(in);
    if (v > UINT32_MAX)
        in->bad = true;
    return (uint32_t)v;
}

static uint16_t rd_u16_varint(struct reader *in)
{
    uint32_t v = rd_u32_varint(in);
    if (v > UINT16_MAX)
        in->bad = true;
    return (uint16_t)v;
}

static void read_chunk(struct reader *in, struct chunk_meta *m, uint64_t expected_at,
                       int64_t base_ts_ns)
{
    m->offset = expected_at + (uint64_t)unzigzag(rd_varint(in)) * CHUNK_ALIGNMENT;
    m->rows = rd_u32_varint(in);
    m->raw_bytes = rd_u32_varint(in);
    m->sm_bytes = rd_u32_varint(in);
    m->min_ts_ns = (int64_t)((uint64_t)base_ts_ns + (uint64_t)unzigzag(rd_varint(in)));
    m->max_ts_ns = (int64_t)((uint64_t)m->min_ts_ns + rd_varint(in));
    m->flags = rd_u16_varint(in);
    m->level_mask = rd_u16_varint(in);
    m->lin_codec = rd_u8(in);
    m->ts_unit = rd_u8(in);
    for (int s = 0; s < CHUNK_N_SECTIONS; s++) {
        m->section_bytes[s] = rd_u32_varint(in);
        m->section_crc[s] = m->section_bytes[s] ? rd_le32(in) : 0;
    }
    m->filter_bits = rd_u32_varint(in);
    m->filter_crc = m->filter_bits ? rd_le32(in) : 0;
}

static int read_chunks(struct str_view raw, struct part *p, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in);
    p->filters_at = rd_varint(&in);
    p->filters_bytes = rd_varint(&in);
    uint64_t limit = p->info.directory_at;
    if (in.bad || n != p->info.n_chunks || n > reader_left(&in) / MIN_CHUNK_RECORD_BYTES ||
        p->filters_at > limit || p->filters_bytes > limit - p->filters_at)
        return bad(err, "bad chunk list");
    p->chunks = ARENA_ARRAY(p->arena, struct chunk_meta, n);
    p->n_chunks = (uint32_t)n;
    uint64_t expected_at = 0, filter_at = p->filters_at;
    for (uint64_t i = 0; i < n; i++) {
        struct chunk_meta *m = &p->chunks[i];
        read_chunk(&in, m, expected_at, p->info.min_ts_ns);
        if (in.bad)
            return bad(err, "chunk list is cut short");
        if (m->filter_bits) {
            m->filter_offset = filter_at;
            filter_at += (m->filter_bits + 7) / 8;
        }
        int r = chunk_meta_check(m, limit, err);
        if (r < 0)
            return r;
        expected_at = aligned(m->offset + chunk_payload_bytes(m));
    }
    if (!reader_done(&in) || filter_at != p->filters_at + p->filters_bytes)
        return bad(err, "chunk list does not add up");
    return 0;
}

static int read_streams(struct str_view raw, struct part *p, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in), label_bytes = 0, run = 0;
    if (in.bad || n != p->info.n_streams || n > reader_left(&in) / 3)
        return bad(err, "bad stream list");
    p->streams = ARENA_ARRAY(p->arena, struct segment_stream, n);
    p->n_streams = (uint32_t)n;
    struct str_view before = SV_EMPTY;
    for (uint64_t i = 0; i < n; i++) {
        struct segment_stream *s = &p->streams[i];
        uint64_t shared = rd_varint(&in);
        struct str_view rest = rd_str(&in, LABELS_MAX_BYTES);
        uint64_t n_runs = rd_varint(&in);
        if (in.bad || shared > before.len || shared + rest.len > LABELS_MAX_BYTES || n_runs < 1 ||
            n_runs > UINT32_MAX - run)
            return bad(err, "stream list does not decode");
        label_bytes += shared + rest.len;
        if (label_bytes > SEGMENT_MAX_LABEL_BYTES)
            return bad(err, "labels over the limit");
        char *labels = arena_alloc(p->arena, shared + rest.len);
        memcpy(labels, before.p, shared);
        memcpy(labels + shared, rest.p, rest.len);
        s->labels = before = sv(labels, shared + rest.len);
        s->hash = labels_hash_encoded(s->labels);
        s->first_run = (uint32_t)run;
        s->n_runs = (uint32_t)n_runs;
        run += n_runs;
    }
    return reader_done(&in) ? 0 : bad(err, "stream list is too long");
}

static bool read_run(struct reader *in, const struct part *p, struct segment_run *r,
                     const struct segment_run *before)
{
    int64_t chunk = (int64_t)((uint64_t)unzigzag(rd_varint(in)) + before->chunk);
    if (in->bad || chunk < 0 || chunk >= p->n_chunks)
        return false;
    const struct chunk_meta *m = &p->chunks[chunk];
    uint32_t expected = chunk == before->chunk ? before->first_row + before->rows : 0;
    int64_t first_row = (int64_t)((uint64_t)unzigzag(rd_varint(in)) + expected);
    uint64_t rows = rd_varint(in);
    r->line_bytes = rd_varint(in);
    r->sm_bytes = rd_varint(in);
    r->min_ts_ns = (int64_t)((uint64_t)m->min_ts_ns + rd_varint(in));
    r->max_ts_ns = (int64_t)((uint64_t)m->max_ts_ns - rd_varint(in));
    if (in->bad || first_row < 0 || first_row >= m->rows || rows < 1 ||
        rows > m->rows - (uint64_t)first_row || r->line_bytes > m->raw_bytes ||
        r->sm_bytes > m->sm_bytes || r->min_ts_ns > r->max_ts_ns)
        return false;
    r->chunk = (uint32_t)chunk;
    r->first_row = (uint32_t)first_row;
    r->rows = (uint32_t)rows;
    return true;
}

static int read_runs(struct str_view raw, struct part *p, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in), expected = 0;
    for (uint32_t i = 0; i < p->n_streams; i++)
        expected += p->streams[i].n_runs;
    if (in.bad || n != expected || n > reader_left(&in) / MIN_RUN_RECORD_BYTES || !p->chunks != !n)
        return bad(err, "bad run list");
    p->runs = ARENA_ARRAY(p->arena, struct segment_run, n);
    p->n_runs = (uint32_t)n;
    struct segment_run before = {0};
    for (uint64_t i = 0; i < n; i++) {
        if (!read_run(&in, p, &p->runs[i], &before))
            return bad(err, "run list does not decode");
        before = p->runs[i];
    }
    return reader_done(&in) ? 0 : bad(err, "run list is too long");
}

static int read_sm_keys(struct str_view raw, struct part *p, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in);
    if (in.bad || n > reader_left(&in) / 2)
        return bad(err, "bad list of metadata names");
    p->sm_keys = ARENA_ARRAY(p->arena, struct segment_sm_key, n);
    p->n_sm_keys = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++) {
        p->sm_keys[i].name = arena_copy(p->arena, rd_str(&in, raw.len));
        p->sm_keys[i].n_chunks = rd_u32_varint(&in);
    }
    return reader_done(&in) && !in.bad ? 0 : bad(err, "metadata names do not decode");
}

int directory_decode(struct str_view bytes, struct part *p, ZSTD_DCtx *dctx, struct err *err)
{
    CLEANUP(buf_deinit) struct buf scratch = BUF_INIT;
    struct reader in = reader_of(bytes);
    struct tagged t;
    unsigned seen = 0;
    int r;
    while ((r = tagged_next(&in, &t, dctx, &scratch, err)) > 0) {
        /* Runs refer to streams and chunks: those come first, each once. */
        if (t.type == DIRECTORY_CHUNKS && seen == 0)
            r = read_chunks(t.raw, p, err);
        else if (t.type == DIRECTORY_STREAMS && seen == 1)
            r = read_streams(t.raw, p, err);
        else if (t.type == DIRECTORY_RUNS && seen == 2)
            r = read_runs(t.raw, p, err);
        else if (t.type == DIRECTORY_SM_KEYS && !p->sm_keys)
            r = read_sm_keys(t.raw, p, err);
        else if (t.type >= DIRECTORY_CHUNKS && t.type <= DIRECTORY_RUNS)
            r = bad(err, "sections out of order");
        else
            r = tagged_skip(&t, err);
        if (r < 0)
            return r;
        seen += t.type >= DIRECTORY_CHUNKS && t.type <= DIRECTORY_RUNS;
    }
    if (r == 0 && seen != 3)
        r = bad(err, "sections are missing");
    return r;
}
