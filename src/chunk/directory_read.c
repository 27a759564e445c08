/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are described in directory.c and docs/formats.md. */
#include "chunk/directory.h"
#include "chunk/tagged.h"
#include "model/labels.h"

enum { MIN_CHUNK_RECORD_BYTES = 12, MIN_STREAM_RECORD_BYTES = 3, MIN_RUN_RECORD_BYTES = 7 };

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
    uint64_t gap = rd_varint(in);
    if (gap > (UINT64_MAX - expected_at) / SEGMENT_ALIGNMENT)
        in->bad = true;
    m->offset = expected_at + gap * SEGMENT_ALIGNMENT;
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
    /* A chunk is eight bytes or more, so the file's size bounds the memory taken here. */
    if (in.bad || n != p->info.n_chunks || n > reader_left(&in) / MIN_CHUNK_RECORD_BYTES ||
        p->filters_at > limit || p->filters_bytes > limit - p->filters_at ||
        n > p->filters_at / SEGMENT_ALIGNMENT + 1)
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
        if (m->offset + chunk_payload_bytes(m) > p->filters_at)
            return bad(err, "chunks reach into the filters");
        expected_at = segment_aligned(m->offset + chunk_payload_bytes(m));
    }
    if (!reader_done(&in) || filter_at != p->filters_at + p->filters_bytes)
        return bad(err, "chunk list does not add up");
    return 0;
}

static int read_streams(struct str_view raw, struct part *p, struct err *err)
{
    struct reader in = reader_of(raw);
    uint64_t n = rd_varint(&in), label_bytes = 0, run = 0;
    if (in.bad || n != p->info.n_streams || n > reader_left(&in) / MIN_STREAM_RECORD_BYTES)
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
    uint64_t from_min = rd_varint(in), to_max = rd_varint(in);
    uint64_t width = (uint64_t)m->max_ts_ns - (uint64_t)m->min_ts_ns;
    if (from_min > width || to_max > width - from_min)
        return false;
    r->min_ts_ns = (int64_t)((uint64_t)m->min_ts_ns + from_min);
    r->max_ts_ns = (int64_t)((uint64_t)m->max_ts_ns - to_max);
    if (in->bad || first_row < 0 || first_row >= m->rows || rows < 1 ||
        rows > m->rows - (uint64_t)first_row || r->line_bytes > m->raw_bytes ||
        r->sm_bytes > m->sm_bytes)
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
    if (in.bad || n != expected || n > reader_left(&in) / MIN_RUN_RECORD_BYTES)
        return bad(err, "bad run list");
    p->runs = ARENA_ARRAY(p->arena, struct segment_run, n);
    p->n_runs = (uint32_t)n;
    struct segment_run before = {0};
    uint64_t rows = 0, line_bytes = 0, sm_bytes = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!read_run(&in, p, &p->runs[i], &before))
            return bad(err, "run list does not decode");
        before = p->runs[i];
        rows += before.rows;
        line_bytes += before.line_bytes;
        sm_bytes += before.sm_bytes;
    }
    if (!reader_done(&in) || rows != p->info.rows || line_bytes != p->info.line_bytes ||
        sm_bytes != p->info.sm_bytes)
        return bad(err, "run list does not add up");
    return 0;
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
