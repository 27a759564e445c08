/* SPDX-License-Identifier: Apache-2.0 */
/* Input: u8 line codec; varint rows, raw_bytes, sm_bytes; varint bytes of SMH, SMD, TS, LEN; then
 * the sections, LIN being the rest.  Checksums are made right, so that decoders see the bytes.
 * Properties: columns decoded one by one are those decoded together; entries that decode, built
 * into a chunk again, decode to the same entries. */
#include <assert.h>

#include "base/crc32c.h"
#include "chunk/chunk.h"

static struct {
    struct chunk_decoder *decoder, *again;
    struct chunk_builder *builder;
} tools;

static int pread_view(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    const struct str_view *v = ctx;
    if (at > v->len || len > v->len - at)
        return err_set(err, ERR_CORRUPT, "outside");
    if (len)
        memcpy(to, v->p + at, len);
    return 0;
}

static bool read_description(struct reader *in, struct chunk_meta *m)
{
    m->lin_codec = rd_u8(in);
    m->rows = (uint32_t)rd_varint(in);
    m->raw_bytes = (uint32_t)rd_varint(in);
    m->sm_bytes = (uint32_t)rd_varint(in);
    for (int s = 0; s < CHUNK_LIN; s++)
        m->section_bytes[s] = (uint32_t)rd_varint(in);
    struct str_view rest = sv_sub(sv(in->p, in->len), in->at, reader_left(in));
    for (int s = 0; s < CHUNK_N_SECTIONS; s++) {
        if (s == CHUNK_LIN)
            m->section_bytes[s] = (uint32_t)rest.len;
        struct str_view section = sv_sub(rest, 0, m->section_bytes[s]);
        m->section_crc[s] = crc32c(section);
        rest = sv_from(rest, m->section_bytes[s]);
    }
    return !in->bad;
}

static void check_round_trip(const struct entry *v, uint32_t rows, const struct chunk_meta *before)
{
    for (uint32_t i = 0; i < rows; i++)
        if (v[i].line.len > CHUNK_MAX_ENTRY_BYTES || v[i].sm.len > CHUNK_MAX_ENTRY_BYTES)
            return;
    for (uint32_t i = 0; i < rows; i++)
        chunk_builder_add(tools.builder, &v[i]);
    struct chunk_encoded e;
    chunk_builder_finish(tools.builder, &e);
    assert(e.meta.rows == rows && e.meta.raw_bytes == before->raw_bytes);
    int r = chunk_meta_check(&e.meta, e.payload.len + e.filter.len, NULL);
    assert(r == 0);
    struct chunk_source source = {&e.payload, pread_view};
    const struct entry *got;
    chunk_decoder_set(tools.again, &source, &e.meta);
    r = chunk_decoder_entries(tools.again, &got, NULL);
    assert(r == 0);
    for (uint32_t i = 0; i < rows; i++) {
        bool no_pairs = v[i].sm.len == 1 && v[i].sm.p[0] == 0;
        assert(got[i].ts_ns == v[i].ts_ns && sv_eq(got[i].line, v[i].line));
        assert(sv_eq(got[i].sm, no_pairs ? SV_EMPTY : v[i].sm));
    }
}

/* Columns alone, in another order than all at once. */
static void check_columns(struct chunk_decoder *d, const struct entry *v, uint32_t rows)
{
    const struct sm_header *h;
    const uint32_t *start;
    const int64_t *ts_ns;
    struct sm_column c;
    CLEANUP(buf_deinit) struct buf row_sm = BUF_INIT;
    int r = chunk_decoder_sm_header(d, &h, NULL);
    assert(r == 0);
    for (uint32_t k = h->n_keys; k > 0; k--) {
        r = chunk_decoder_sm_column(d, h->keys[k - 1].name, &c, NULL);
        assert(r == 0 && c.row_value);
    }
    r = chunk_decoder_starts(d, &start, NULL);
    assert(r == 0 && chunk_decoder_ts(d, &ts_ns, NULL) == 0);
    r = chunk_decoder_sm_all(d, NULL);
    assert(r == 0);
    for (uint32_t i = 0; i < rows; i++) {
        assert(start[i + 1] - start[i] - 1 == v[i].line.len && ts_ns[i] == v[i].ts_ns);
        buf_clear(&row_sm);
        chunk_decoder_sm_row(d, i, &row_sm);
        assert(sv_eq(buf_view(&row_sm), v[i].sm));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader in = reader_of(sv((const char *)data, len));
    struct chunk_meta m = {0};
    if (!read_description(&in, &m))
        return 0;
    if (!tools.decoder) {
        tools.decoder = chunk_decoder_new();
        tools.again = chunk_decoder_new();
        tools.builder = chunk_builder_new(NULL);
    }
    struct str_view payload = sv_sub(sv((const char *)data, len), in.at, len - in.at);
    struct chunk_source source = {&payload, pread_view};
    const struct entry *v;
    chunk_decoder_set(tools.decoder, &source, &m);
    if (chunk_decoder_entries(tools.decoder, &v, NULL) < 0)
        return 0;
    chunk_decoder_set(tools.again, &source, &m);
    check_columns(tools.again, v, m.rows);
    check_round_trip(v, m.rows, &m);
    return 0;
}
