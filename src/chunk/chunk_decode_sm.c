/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "chunk/chunk_decode.h"

int chunk_decoder_sm_header(struct chunk_decoder *d, const struct sm_header **ret, struct err *err)
{
    if (!(d->have & HAVE_SM_HEADER)) {
        int r = chunk_decoder_load(d, CHUNK_BIT_SMH, err);
        if (r < 0)
            return r;
        uint64_t limit = 3 * (uint64_t)d->meta.sm_bytes + 4 * (uint64_t)d->meta.rows +
                         (uint64_t)SM_MAX_KEYS * (d->meta.rows / 8 + 64);
        r = sm_decode_header(&d->sm_arena, chunk_stored_section(d, CHUNK_SMH), d->meta.rows, limit,
                             &d->sm, err);
        if (r < 0)
            return r;
        d->sm_columns = ARENA_ARRAY(&d->sm_arena, struct sm_column, d->sm.n_keys);
        d->counts.decoded_bytes[CHUNK_SMH] += d->meta.section_bytes[CHUNK_SMH];
        d->have |= HAVE_SM_HEADER;
    }
    *ret = &d->sm;
    return 0;
}

static int load_opaque(struct chunk_decoder *d, struct err *err)
{
    if (d->have & HAVE_SM_OPAQUE)
        return 0;
    int r = sm_decode_opaque(&d->sm_arena, chunk_stored_section(d, CHUNK_SMD), &d->sm, d->meta.rows,
                             d->dctx, &d->opaque_start, &d->opaque_bytes, err);
    if (r < 0)
        return r;
    d->counts.decoded_bytes[CHUNK_SMD] += d->sm.opaque_raw_bytes;
    d->have |= HAVE_SM_OPAQUE;
    return 0;
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

/* SMD is loaded.  Each key is decoded once for a chunk. */
static int decode_column(struct chunk_decoder *d, const struct sm_key *key, struct sm_column *ret,
                         struct err *err)
{
    struct sm_column *c = &d->sm_columns[key - d->sm.keys];
    if (!c->row_value) {
        struct sm_column decoded;
        int r = sm_decode_column(&d->sm_arena, chunk_stored_section(d, CHUNK_SMD), key,
                                 d->meta.rows, d->dctx, &decoded, err);
        if (r < 0)
            return r;
        d->counts.decoded_bytes[CHUNK_SMD] += key->raw_bytes;
        *c = decoded;
    }
    *ret = *c;
    return 0;
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
    struct sm_column column;
    for (uint32_t i = 0; i < h->n_keys; i++) {
        r = decode_column(d, &h->keys[i], &column, err);
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
