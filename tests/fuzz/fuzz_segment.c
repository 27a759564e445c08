/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a segment, whose checksums and sizes are made right first, so that readers see the bytes.
 * Property: what can be read whole, written again stream by stream, reads the same. */
#include <assert.h>

#include "base/arena.h"
#include "base/crc32c.h"
#include "chunk/directory.h"

enum { MAX_ROWS = 200000 }; /* of a file, for speed */

static struct {
    struct chunk_decoder *decoder;
    struct segment_writer *writer;
} tools;

static void repair(struct buf *file)
{
    char *end = file->p + file->len - SEGMENT_TRAILER_BYTES;
    uint64_t footer_at = ld_le64(end), room = file->len - SEGMENT_TRAILER_BYTES;
    if (footer_at <= room) {
        st_le32(end + 8, (uint32_t)(room - footer_at));
        st_le32(end + 12, crc32c(sv(file->p + footer_at, room - footer_at)));
    }
    st_le64(end + 16, file->len);
    st_le32(end + 28, crc32c(sv(end, 28)));
    st_le32(file->p + 76, crc32c(sv(file->p, 76)));
}

static void repair_chunks(struct str_view bytes, struct part *p)
{
    for (uint32_t c = 0; c < p->n_chunks; c++) {
        struct chunk_meta *m = &p->chunks[c];
        for (int s = 0; s < CHUNK_N_SECTIONS; s++)
            m->section_crc[s] =
                crc32c(sv_sub(bytes, chunk_section_offset(m, s), m->section_bytes[s]));
        m->filter_crc = crc32c(sv_sub(bytes, m->filter_offset, (m->filter_bits + 7) / 8));
    }
}

/* --- a segment's content, as one text ---------------------------------------------------- */

static void put_entry(struct buf *out, const struct entry *e)
{
    buf_put_le64(out, (uint64_t)e->ts_ns);
    buf_put_str(out, e->line);
    bool no_pairs = e->sm.len == 1 && e->sm.p[0] == 0;
    buf_put_str(out, no_pairs ? SV_EMPTY : e->sm);
}

struct pass {
    struct buf text;
    bool write; /* into tools.writer as well */
    uint64_t rows;
};

/* False: it cannot be read, or the writer may refuse it. */
static bool pass_run(struct pass *pass, const struct part *p, const struct part_source *ps,
                     const struct segment_run *run)
{
    struct chunk_source source = chunk_source_of(ps);
    const struct entry *v;
    if ((pass->rows += run->rows + p->chunks[run->chunk].rows) > MAX_ROWS)
        return false;
    chunk_decoder_set(tools.decoder, &source, &p->chunks[run->chunk]);
    if (chunk_decoder_entries(tools.decoder, &v, NULL) < 0)
        return false;
    for (uint32_t i = run->first_row; i < run->first_row + run->rows; i++) {
        put_entry(&pass->text, &v[i]);
        if (pass->write && segment_writer_add(tools.writer, &v[i], NULL) < 0)
            return false;
    }
    return true;
}

static bool pass_part(struct pass *pass, const struct segment *s, const struct part *p)
{
    CLEANUP(buf_deinit) struct buf filters = BUF_INIT;
    struct part_source ps = part_source_of(&s->source, p);
    if (segment_read_filters(&ps, p, &filters, NULL) < 0)
        return false;
    for (uint32_t c = 0; c < p->n_chunks; c++)
        assert(part_filter(p, buf_view(&filters), c).len == (p->chunks[c].filter_bits + 7) / 8);
    for (uint32_t k = 0; k < p->n_streams; k++) {
        const struct segment_stream *stream = &p->streams[k];
        buf_put_str(&pass->text, stream->labels);
        if (pass->write && segment_writer_stream(tools.writer, stream->labels, NULL) < 0)
            return false;
        for (uint32_t i = 0; i < stream->n_runs; i++)
            if (!pass_run(pass, p, &ps, &p->runs[stream->first_run + i]))
                return false;
    }
    return true;
}

static bool pass_parts(struct pass *pass, const struct segment *s, struct str_view file,
                       bool repaired)
{
    for (uint32_t i = 0; i < s->n_parts; i++) {
        struct segment_part info = s->parts[i];
        struct str_view bytes = sv_sub(file, info.offset, info.bytes);
        if (repaired)
            info.directory_crc = crc32c(sv_sub(bytes, info.directory_at, info.directory_bytes));
        struct part *p;
        if (part_open(&p, s, &info, NULL) < 0)
            return false;
        if (repaired)
            repair_chunks(bytes, p);
        bool ok = p->n_runs > 0; /* a part without rows is not written */
        if (ok && pass->write)
            ok = segment_writer_part(tools.writer, info.tenant, info.period_start_ns,
                                     info.period_len_ns, NULL) == 0;
        buf_put_str(&pass->text, info.tenant);
        buf_put_le64(&pass->text, (uint64_t)info.period_start_ns);
        ok = ok && pass_part(pass, s, p);
        part_close(p);
        if (!ok)
            return false;
    }
    return true;
}

static void put_footer(struct buf *out, const struct segment *s)
{
    buf_put_bytes(out, s->header.uuid, SEGMENT_UUID_BYTES);
    buf_put_le64(out, s->header.generation);
    buf_put_bytes(out, s->coverage, s->n_coverage * sizeof *s->coverage);
    buf_put_bytes(out, s->replaced, s->n_replaced * sizeof *s->replaced);
}

static bool rewrite(const struct segment *s, struct str_view file, struct pass *pass,
                    struct buf *out)
{
    uint64_t bytes;
    segment_writer_open(tools.writer, &s->header, NULL, segment_sink_of_buf(out), NULL);
    if (!pass_parts(pass, s, file, true))
        return false;
    int r = segment_writer_finish(tools.writer, s->coverage, s->n_coverage,
                                  (const uint8_t(*)[SEGMENT_UUID_BYTES])s->replaced, s->n_replaced,
                                  &bytes, NULL);
    assert(r == 0 && bytes == out->len);
    put_footer(&pass->text, s);
    return true;
}

static void check_same(struct str_view file, struct str_view want)
{
    struct pass again = {0};
    struct segment_source source = segment_source_of_view(&file);
    struct segment *s;
    int r = segment_open(&s, &source, NULL);
    assert(r == 0);
    bool ok = pass_parts(&again, s, file, false);
    put_footer(&again.text, s);
    assert(ok && sv_eq(buf_view(&again.text), want));
    segment_close(s);
    buf_deinit(&again.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES)
        return 0;
    if (!tools.decoder) {
        tools.decoder = chunk_decoder_new();
        tools.writer = segment_writer_new();
    }
    CLEANUP(buf_deinit) struct buf file = BUF_INIT, out = BUF_INIT;
    buf_put_bytes(&file, data, len);
    repair(&file);
    struct str_view view = buf_view(&file);
    struct segment_source source = segment_source_of_view(&view);
    struct segment *s;
    if (segment_open(&s, &source, NULL) < 0)
        return 0;
    struct pass pass = {.write = true};
    if (rewrite(s, view, &pass, &out))
        check_same(buf_view(&out), buf_view(&pass.text));
    segment_close(s);
    buf_deinit(&pass.text);
    return 0;
}
