/* SPDX-License-Identifier: Apache-2.0 */
/* A part in the file: chunks (each at a multiple of 8), all filters, directory.  The chunk in work
 * will get the next number, directory.n_chunks. */
#include <assert.h>
#include <inttypes.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "chunk/directory.h"
#include "model/labels.h"

enum { SINK_PIECE_BYTES = 1 << 20 };

struct segment_writer {
    struct segment_sink sink;
    bool usable; /* open, and nothing failed */
    int zstd_level;
    uint64_t written_bytes; /* those in `out` included */
    struct buf out;         /* not yet given to the sink */
    struct chunk_builder *builder;
    struct chunk_options options;
    ZSTD_CCtx *cctx;
    /* The segment. */
    struct segment_part *parts; /* tenants in `tenants` */
    size_t n_parts, cap_parts;
    struct arena tenants;
    /* The part in work. */
    bool in_part;
    struct segment_part part;
    struct directory directory;
    struct buf filters;
    /* The stream in work. */
    bool in_stream;
    struct buf labels;
    uint32_t stream_runs;
    struct segment_run run; /* rows == 0: none */
};

struct segment_writer *segment_writer_new(void)
{
    struct segment_writer *w = mem_zalloc(1, sizeof *w);
    w->cctx = ZSTD_createCCtx();
    assert(w->cctx);
    return w;
}

void segment_writer_free(struct segment_writer *w)
{
    if (!w)
        return;
    ZSTD_freeCCtx(w->cctx);
    chunk_builder_free(w->builder);
    buf_deinit(&w->out);
    free(w->parts);
    arena_deinit(&w->tenants);
    directory_deinit(&w->directory);
    buf_deinit(&w->filters);
    buf_deinit(&w->labels);
    free(w);
}

uint64_t segment_writer_mem_bytes(const struct segment_writer *w)
{
    return sizeof *w + ZSTD_sizeof_CCtx(w->cctx) + w->out.cap + w->filters.cap + w->labels.cap +
           (w->builder ? chunk_builder_mem_bytes(w->builder) : 0) +
           directory_mem_bytes(&w->directory) + w->cap_parts * sizeof *w->parts +
           w->tenants.used_bytes;
}

/* ---- bytes to the sink ---- */

static int flush_out(struct segment_writer *w, struct err *err)
{
    if (w->out.len == 0)
        return 0;
    int r = w->sink.write(w->sink.ctx, buf_view(&w->out), err);
    buf_clear(&w->out);
    if (r < 0)
        w->usable = false;
    return r < 0 ? r : 0;
}

static int emit(struct segment_writer *w, struct str_view data, struct err *err)
{
    buf_put(&w->out, data);
    w->written_bytes += data.len;
    return w->out.len >= SINK_PIECE_BYTES ? flush_out(w, err) : 0;
}

static void align(struct segment_writer *w)
{
    size_t n = (size_t)(segment_aligned(w->written_bytes) - w->written_bytes);
    buf_fill(&w->out, 0, n);
    w->written_bytes += n;
}

static int refuse(struct segment_writer *w, struct err *err, const char *what)
{
    w->usable = false;
    return err_set(err, ERR_INVALID, "segment writer: %s", what);
}

/* ---- chunks and runs ---- */

static void close_run(struct segment_writer *w)
{
    struct directory *d = &w->directory;
    if (w->run.rows == 0)
        return;
    d->runs = mem_grow(d->runs, &d->cap_runs, d->n_runs + 1, sizeof *d->runs);
    d->runs[d->n_runs++] = w->run;
    w->stream_runs++;
    w->part.rows += w->run.rows;
    w->part.line_bytes += w->run.line_bytes;
    w->part.sm_bytes += w->run.sm_bytes;
    w->run.rows = 0;
}

static void close_stream(struct segment_writer *w)
{
    close_run(w);
    if (w->in_stream && w->stream_runs)
        directory_add_stream(&w->directory, buf_view(&w->labels), w->stream_runs);
    w->in_stream = false;
    w->stream_runs = 0;
}

static void widen_part(struct segment_writer *w, const struct chunk_meta *m)
{
    struct segment_part *p = &w->part;
    bool first = p->n_chunks++ == 0;
    if (first || m->min_ts_ns < p->min_ts_ns)
        p->min_ts_ns = m->min_ts_ns;
    if (first || m->max_ts_ns > p->max_ts_ns)
        p->max_ts_ns = m->max_ts_ns;
}

static int count_sm_keys(struct segment_writer *w, const struct chunk_meta *m,
                         struct str_view payload, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct sm_header sm;
    struct str_view section = sv_sub(payload, 0, m->section_bytes[CHUNK_SMH]);
    int r = sm_decode_header(&a, section, m->rows, UINT64_MAX, &sm, err);
    for (uint32_t i = 0; r >= 0 && i < sm.n_keys; i++)
        directory_count_sm_key(&w->directory, sm.keys[i].name);
    return r;
}

/* Writes a chunk's payload and keeps its filter for the end of the part. */
static int put_chunk(struct segment_writer *w, const struct chunk_meta *meta,
                     struct str_view payload, struct str_view filter, struct err *err)
{
    struct directory *d = &w->directory;
    d->chunks = mem_grow(d->chunks, &d->cap_chunks, d->n_chunks + 1, sizeof *d->chunks);
    struct chunk_meta *m = &d->chunks[d->n_chunks++];
    *m = *meta;
    align(w);
    m->offset = w->written_bytes - w->part.offset;
    buf_put(&w->filters, filter);
    widen_part(w, m);
    int r = m->section_bytes[CHUNK_SMH] ? count_sm_keys(w, m, payload, err) : 0;
    if (r < 0)
        w->usable = false;
    return r < 0 ? r : emit(w, payload, err);
}

static int flush_chunk(struct segment_writer *w, struct err *err)
{
    close_run(w);
    if (chunk_builder_rows(w->builder) == 0)
        return 0;
    struct chunk_encoded e;
    chunk_builder_finish(w->builder, &e);
    return put_chunk(w, &e.meta, e.payload, e.filter, err);
}

/* ---- parts ---- */

static int close_part(struct segment_writer *w, struct err *err)
{
    if (!w->in_part)
        return 0;
    int r = flush_chunk(w, err);
    if (r < 0)
        return r;
    close_stream(w);
    w->in_part = false;
    struct segment_part *p = &w->part;
    p->n_streams = w->directory.n_streams;
    if (p->n_chunks == 0) /* nothing was added: no part */
        return 0;
    align(w);
    uint64_t filters_at = w->written_bytes - p->offset;
    r = emit(w, buf_view(&w->filters), err);
    if (r < 0)
        return r;
    align(w);
    p->directory_at = w->written_bytes - p->offset;
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    r = directory_encode(&bytes, &w->directory, p, filters_at, w->cctx, w->zstd_level, err);
    if (r < 0) {
        w->usable = false;
        return r;
    }
    if (bytes.len > SEGMENT_MAX_DIRECTORY_BYTES)
        return refuse(w, err, "directory of a part over 256 MiB");
    p->directory_bytes = (uint32_t)bytes.len;
    p->directory_crc = crc32c(buf_view(&bytes));
    p->bytes = p->directory_at + bytes.len;
    w->parts = mem_grow(w->parts, &w->cap_parts, w->n_parts + 1, sizeof *w->parts);
    w->parts[w->n_parts++] = *p;
    return emit(w, buf_view(&bytes), err);
}

int segment_writer_open(struct segment_writer *w, const struct segment_header *header,
                        const struct chunk_options *options, struct segment_sink sink,
                        struct err *err)
{
    chunk_builder_free(w->builder);
    w->options = options ? *options : (struct chunk_options){0};
    w->builder = chunk_builder_new(&w->options);
    w->zstd_level = w->options.zstd_level ? w->options.zstd_level : 1;
    w->sink = sink;
    w->usable = true;
    w->in_part = w->in_stream = false;
    w->run.rows = 0;
    w->stream_runs = 0;
    w->n_parts = 0;
    arena_clear(&w->tenants);
    buf_clear(&w->out);
    segment_header_encode(&w->out, header);
    w->written_bytes = w->out.len;
    return 0;
}

int segment_writer_part(struct segment_writer *w, struct str_view tenant, int64_t period_start_ns,
                        int64_t period_len_ns, struct err *err)
{
    if (!w->usable)
        return refuse(w, err, "not open, or it failed before");
    int r = close_part(w, err);
    if (r < 0)
        return r;
    if (tenant.len > SEGMENT_MAX_TENANT_BYTES || period_len_ns < 0)
        return refuse(w, err, "tenant name over 1024 bytes, or a negative period");
    const struct segment_part *before = w->n_parts ? &w->parts[w->n_parts - 1] : NULL;
    int order = before ? sv_cmp(before->tenant, tenant) : -1;
    if (order > 0 || (order == 0 && before->period_start_ns >= period_start_ns))
        return refuse(w, err, "parts must come sorted by tenant and period");
    directory_clear(&w->directory);
    buf_clear(&w->filters);
    chunk_builder_set_filter(w->builder, w->options.filter);
    align(w);
    w->part = (struct segment_part){.tenant = arena_copy(&w->tenants, tenant),
                                    .period_start_ns = period_start_ns,
                                    .period_len_ns = period_len_ns,
                                    .offset = w->written_bytes};
    w->in_part = true;
    return 0;
}

void segment_writer_set_filter(struct segment_writer *w, enum chunk_filter_mode mode)
{
    chunk_builder_set_filter(w->builder, mode);
}

int segment_writer_stream(struct segment_writer *w, struct str_view labels, struct err *err)
{
    if (!w->usable || !w->in_part)
        return refuse(w, err, "no part to put a stream in");
    if (w->in_stream && sv_eq(labels, buf_view(&w->labels)))
        return refuse(w, err, "the same stream twice");
    if (labels.len > LABELS_MAX_BYTES)
        return refuse(w, err, "labels over the limit");
    close_stream(w);
    buf_clear(&w->labels);
    buf_put(&w->labels, labels);
    w->in_stream = true;
    return 0;
}

static bool in_period(const struct segment_part *p, int64_t ts_ns)
{
    return p->period_len_ns == 0 ||
           (ts_ns >= p->period_start_ns &&
            (uint64_t)ts_ns - (uint64_t)p->period_start_ns < (uint64_t)p->period_len_ns);
}

int segment_writer_add(struct segment_writer *w, const struct entry *e, struct err *err)
{
    if (!w->usable || !w->in_stream)
        return refuse(w, err, "no stream to put an entry in");
    if (e->line.len > CHUNK_MAX_ENTRY_BYTES || e->sm.len > CHUNK_MAX_ENTRY_BYTES)
        return refuse(w, err, "an entry over 32 MiB");
    if (!in_period(&w->part, e->ts_ns))
        return refuse(w, err, "an entry outside the part's period");
    if (chunk_builder_is_full(w->builder, e)) {
        int r = flush_chunk(w, err);
        if (r < 0)
            return r;
    }
    struct segment_run *run = &w->run;
    if (run->rows == 0)
        *run = (struct segment_run){.chunk = (uint32_t)w->directory.n_chunks,
                                    .first_row = chunk_builder_rows(w->builder),
                                    .min_ts_ns = e->ts_ns,
                                    .max_ts_ns = e->ts_ns};
    if (e->ts_ns < run->min_ts_ns)
        run->min_ts_ns = e->ts_ns;
    if (e->ts_ns > run->max_ts_ns)
        run->max_ts_ns = e->ts_ns;
    uint64_t sm_before = chunk_builder_sm_bytes(w->builder);
    chunk_builder_add(w->builder, e);
    run->rows++;
    run->line_bytes += e->line.len;
    run->sm_bytes += chunk_builder_sm_bytes(w->builder) - sm_before;
    return 0;
}

int segment_writer_copy_chunk(struct segment_writer *w, const struct chunk_meta *meta,
                              struct str_view payload, struct str_view filter, uint32_t *ret_chunk,
                              struct err *err)
{
    if (!w->usable || !w->in_part)
        return refuse(w, err, "no part to put a chunk in");
    if (payload.len != chunk_payload_bytes(meta) || filter.len != (meta->filter_bits + 7) / 8)
        return refuse(w, err, "a copied chunk's bytes do not fit its description");
    if (!in_period(&w->part, meta->min_ts_ns) || !in_period(&w->part, meta->max_ts_ns))
        return refuse(w, err, "a copied chunk outside the part's period");
    int r = flush_chunk(w, err);
    if (r < 0)
        return r;
    *ret_chunk = (uint32_t)w->directory.n_chunks;
    return put_chunk(w, meta, payload, filter, err);
}

static bool run_in_chunk(const struct segment_run *r, const struct chunk_meta *m)
{
    return r->rows >= 1 && r->first_row < m->rows && r->rows <= m->rows - r->first_row &&
           r->line_bytes <= m->raw_bytes && r->sm_bytes <= m->sm_bytes &&
           r->min_ts_ns >= m->min_ts_ns && r->max_ts_ns <= m->max_ts_ns &&
           r->min_ts_ns <= r->max_ts_ns;
}

int segment_writer_run(struct segment_writer *w, const struct segment_run *run, struct err *err)
{
    if (!w->usable || !w->in_stream)
        return refuse(w, err, "no stream to put a run in");
    close_run(w);
    if (run->chunk >= w->directory.n_chunks || !run_in_chunk(run, &w->directory.chunks[run->chunk]))
        return refuse(w, err, "a run outside its chunk");
    w->run = *run;
    close_run(w);
    return 0;
}

static int put_footer(struct segment_writer *w, struct str_view footer, uint64_t *ret_bytes,
                      struct err *err)
{
    align(w);
    if (footer.len > SEGMENT_MAX_DIRECTORY_BYTES)
        return refuse(w, err, "footer over 256 MiB");
    struct segment_trailer t = {.footer_at = w->written_bytes,
                                .file_bytes = w->written_bytes + footer.len + SEGMENT_TRAILER_BYTES,
                                .footer_bytes = (uint32_t)footer.len,
                                .footer_crc = crc32c(footer)};
    int r = emit(w, footer, err);
    if (r < 0)
        return r;
    segment_trailer_encode(&w->out, &t);
    *ret_bytes = t.file_bytes;
    return flush_out(w, err);
}

int segment_writer_finish(struct segment_writer *w, const struct segment_coverage *coverage,
                          size_t n_coverage, const uint8_t (*replaced)[SEGMENT_UUID_BYTES],
                          size_t n_replaced, uint64_t *ret_bytes, struct err *err)
{
    if (!w->usable)
        return refuse(w, err, "not open, or it failed before");
    int r = close_part(w, err);
    if (r < 0)
        return r;
    CLEANUP(buf_deinit) struct buf footer = BUF_INIT;
    r = footer_put_parts(&footer, w->parts, w->n_parts, w->cctx, w->zstd_level, err);
    if (r == 0)
        r = footer_put_coverage(&footer, coverage, n_coverage, w->cctx, w->zstd_level, err);
    footer_put_replaced(&footer, replaced, n_replaced);
    if (r == 0)
        r = put_footer(w, buf_view(&footer), ret_bytes, err);
    w->usable = false;
    return r;
}

static int append_to_buf(void *ctx, struct str_view data, struct err *err)
{
    buf_put(ctx, data);
    return 0;
}

struct segment_sink segment_sink_of_buf(struct buf *b)
{
    return (struct segment_sink){b, append_to_buf};
}
