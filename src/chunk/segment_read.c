/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "chunk/directory.h"

static void free_dctx(ZSTD_DCtx **dctx)
{
    ZSTD_freeDCtx(*dctx);
}

/* Reads [at, at + len) of the file into *to, emptied before. */
static int read_into(const struct segment_source *source, uint64_t at, uint64_t len, struct buf *to,
                     struct err *err)
{
    if (at > source->bytes || len > source->bytes - at)
        return err_set(err, ERR_CORRUPT, "segment: %llu bytes at %llu lie past its end",
                       (unsigned long long)len, (unsigned long long)at);
    buf_clear(to);
    int r = source->pread(source->ctx, buf_add(to, len), len, at, err);
    return r < 0 ? r : 0;
}

static int read_checked(const struct segment_source *source, uint64_t at, uint64_t len,
                        uint32_t crc, const char *what, struct buf *to, struct err *err)
{
    if (len > SEGMENT_MAX_DIRECTORY_BYTES)
        return err_set(err, ERR_CORRUPT, "segment: %s of %llu bytes", what,
                       (unsigned long long)len);
    int r = read_into(source, at, len, to, err);
    if (r < 0)
        return r;
    if (crc32c(buf_view(to)) != crc)
        return err_set(err, ERR_CORRUPT, "segment: checksum of %s is wrong", what);
    return 0;
}

static int read_header_and_trailer(struct segment *s, struct segment_trailer *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    const struct segment_source *source = &s->source;
    if (source->bytes < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES)
        return err_set(err, ERR_CORRUPT, "segment: only %llu bytes",
                       (unsigned long long)source->bytes);
    int r = read_into(source, 0, SEGMENT_HEADER_BYTES, &b, err);
    if (r >= 0)
        r = segment_header_decode(buf_view(&b), &s->header, err);
    if (r >= 0)
        r = read_into(source, source->bytes - SEGMENT_TRAILER_BYTES, SEGMENT_TRAILER_BYTES, &b,
                      err);
    if (r >= 0)
        r = segment_trailer_decode(buf_view(&b), ret, err);
    if (r < 0)
        return r;
    uint64_t end = source->bytes - SEGMENT_TRAILER_BYTES;
    if (ret->file_bytes != source->bytes || ret->footer_at < SEGMENT_HEADER_BYTES ||
        ret->footer_at > end || ret->footer_bytes != end - ret->footer_at)
        return err_set(err, ERR_CORRUPT, "segment: trailer speaks of another size");
    return 0;
}

static int open_into(struct segment *s, struct err *err)
{
    struct segment_trailer t;
    CLEANUP(buf_deinit) struct buf footer = BUF_INIT;
    CLEANUP(free_dctx) ZSTD_DCtx *dctx = ZSTD_createDCtx();
    assert(dctx);
    int r = read_header_and_trailer(s, &t, err);
    if (r >= 0)
        r = read_checked(&s->source, t.footer_at, t.footer_bytes, t.footer_crc, "the footer",
                         &footer, err);
    if (r >= 0)
        r = footer_decode(buf_view(&footer), s, t.footer_at, dctx, err);
    s->mem_bytes =
        sizeof *s + sizeof *s->arena + s->arena->used_bytes + s->n_coverage * sizeof *s->coverage;
    return r;
}

int segment_open(struct segment **ret, const struct segment_source *source, struct err *err)
{
    struct segment *s = mem_zalloc(1, sizeof *s);
    s->source = *source;
    s->arena = mem_zalloc(1, sizeof *s->arena);
    int r = open_into(s, err);
    if (r < 0) {
        segment_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void segment_close(struct segment *s)
{
    if (!s)
        return;
    arena_deinit(s->arena);
    free(s->arena);
    free(s->coverage);
    free(s);
}

const struct segment_part *segment_find_part(const struct segment *s, struct str_view tenant,
                                             int64_t period_start_ns)
{
    for (uint32_t low = 0, high = s->n_parts; low < high;) {
        uint32_t mid = low + (high - low) / 2;
        const struct segment_part *p = &s->parts[mid];
        int c = sv_cmp(tenant, p->tenant);
        if (c == 0)
            c = (period_start_ns > p->period_start_ns) - (period_start_ns < p->period_start_ns);
        if (c == 0)
            return p;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* ---- parts ---- */

int part_open(struct part **ret, const struct segment *s, const struct segment_part *info,
              struct err *err)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
    int r = read_checked(&s->source, info->offset + info->directory_at, info->directory_bytes,
                         info->directory_crc, "a directory", &bytes, err);
    if (r < 0)
        return r;
    struct part *p = mem_zalloc(1, sizeof *p);
    p->arena = mem_zalloc(1, sizeof *p->arena);
    p->info = *info;
    p->info.tenant = arena_copy(p->arena, info->tenant);
    CLEANUP(free_dctx) ZSTD_DCtx *dctx = ZSTD_createDCtx();
    assert(dctx);
    r = directory_decode(buf_view(&bytes), p, dctx, err);
    if (r < 0) {
        r = err_context(err, r, "tenant '%.*s'", SV_ARG(sv_sub(info->tenant, 0, 200)));
        part_close(p);
        return r;
    }
    p->mem_bytes = sizeof *p + sizeof *p->arena + p->arena->used_bytes;
    *ret = p;
    return 0;
}

void part_close(struct part *p)
{
    if (!p)
        return;
    arena_deinit(p->arena);
    free(p->arena);
    free(p);
}

struct part_source part_source_of(const struct segment_source *source, const struct part *p)
{
    return (struct part_source){source, p->info.offset, p->info.bytes};
}

static int pread_in_part(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct part_source *ps = ctx;
    if (at > ps->bytes || len > ps->bytes - at)
        return err_set(err, ERR_CORRUPT, "segment: a chunk lies outside its part");
    return ps->source->pread(ps->source->ctx, to, len, ps->offset + at, err);
}

struct chunk_source chunk_source_of(const struct part_source *ps)
{
    union { /* the callback takes any pointer; this one is only read */
        const void *given;
        void *ctx;
    } u = {ps};
    return (struct chunk_source){u.ctx, pread_in_part};
}

/* Appends len bytes of the part. */
static int append_part_bytes(const struct part_source *ps, uint64_t at, uint64_t len,
                             struct buf *out, struct err *err)
{
    if (at > ps->bytes || len > ps->bytes - at)
        return err_set(err, ERR_CORRUPT, "segment: bytes outside their part");
    size_t from = out->len;
    int r = ps->source->pread(ps->source->ctx, buf_add(out, len), len, ps->offset + at, err);
    if (r < 0)
        out->len = from;
    return r < 0 ? r : 0;
}

static int check_filter(const struct chunk_meta *m, struct str_view filter, struct err *err)
{
    if (filter.len != (m->filter_bits + 7) / 8 || crc32c(filter) != m->filter_crc)
        return err_set(err, ERR_CORRUPT, "segment: checksum of a filter is wrong");
    return 0;
}

int segment_read_filter(const struct part_source *ps, const struct chunk_meta *meta,
                        struct buf *out, struct err *err)
{
    if (meta->filter_bits == 0)
        return 0;
    size_t from = out->len;
    int r = append_part_bytes(ps, meta->filter_offset, (meta->filter_bits + 7) / 8, out, err);
    return r < 0 ? r : check_filter(meta, sv_from(buf_view(out), from), err);
}

int segment_read_filters(const struct part_source *ps, const struct part *p, struct buf *out,
                         struct err *err)
{
    size_t from = out->len;
    int r = append_part_bytes(ps, p->filters_at, p->filters_bytes, out, err);
    struct str_view filters = sv_from(buf_view(out), from);
    for (uint32_t i = 0; r >= 0 && i < p->n_chunks; i++)
        if (p->chunks[i].filter_bits)
            r = check_filter(&p->chunks[i], part_filter(p, filters, i), err);
    return r;
}

int segment_read_chunk(const struct part_source *ps, const struct chunk_meta *meta,
                       struct buf *out_payload, struct buf *out_filter, struct err *err)
{
    size_t from = out_payload->len;
    int r = append_part_bytes(ps, meta->offset, chunk_payload_bytes(meta), out_payload, err);
    if (r < 0)
        return r;
    struct str_view rest = sv_from(buf_view(out_payload), from);
    for (int s = 0; s < CHUNK_N_SECTIONS; s++) {
        if (crc32c(sv_sub(rest, 0, meta->section_bytes[s])) != meta->section_crc[s])
            return err_set(err, ERR_CORRUPT, "segment: checksum of a chunk is wrong");
        rest = sv_from(rest, meta->section_bytes[s]);
    }
    return segment_read_filter(ps, meta, out_filter, err);
}

static int pread_view(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct str_view *v = ctx;
    if (at > v->len || len > v->len - at)
        return err_set(err, ERR_CORRUPT, "read past the end");
    if (len)
        memcpy(to, v->p + at, len);
    return 0;
}

struct segment_source segment_source_of_view(const struct str_view *v)
{
    union {
        const void *given;
        void *ctx;
    } u = {v};
    return (struct segment_source){u.ctx, v->len, pread_view};
}
