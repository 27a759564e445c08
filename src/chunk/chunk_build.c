/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "chunk/chunk.h"
#include "chunk/filter.h"
#include "chunk/len.h"
#include "chunk/sm_sets.h"
#include "chunk/text_flags.h"
#include "chunk/ts.h"
#include "chunk/zframe.h"

enum { FILTER_MAX_PERCENT = 12, KEEP_BYTES = 4 << 20 /* of a buffer, from chunk to chunk */ };

struct chunk_builder {
    struct chunk_options options;
    ZSTD_CCtx *cctx;
    /* The rows. */
    struct buf blob; /* lines, each with its \n */
    int64_t *ts_ns;
    uint32_t *lens, *row_set;
    uint32_t rows;
    size_t cap_ts, cap_lens, cap_sets;
    struct sm_sets sets;
    uint64_t sm_bytes;
    /* Reused by every finish. */
    struct filter_builder filter_map;
    struct arena scratch;
    struct buf planes, payload, data, filter;
};

struct chunk_builder *chunk_builder_new(const struct chunk_options *options)
{
    struct chunk_builder *b = mem_zalloc(1, sizeof *b);
    if (options)
        b->options = *options;
    if (b->options.target_raw_bytes == 0)
        b->options.target_raw_bytes = CHUNK_TARGET_RAW_BYTES;
    if (b->options.target_raw_bytes > CHUNK_LIMIT_RAW_BYTES - CHUNK_MAX_ENTRY_BYTES)
        b->options.target_raw_bytes = CHUNK_LIMIT_RAW_BYTES - CHUNK_MAX_ENTRY_BYTES;
    if (b->options.max_rows == 0 || b->options.max_rows > CHUNK_MAX_ROWS)
        b->options.max_rows = CHUNK_MAX_ROWS;
    if (b->options.zstd_level == 0)
        b->options.zstd_level = 1;
    b->cctx = ZSTD_createCCtx();
    assert(b->cctx);
    filter_builder_init(&b->filter_map);
    return b;
}

void chunk_builder_free(struct chunk_builder *b)
{
    if (!b)
        return;
    ZSTD_freeCCtx(b->cctx);
    buf_deinit(&b->blob);
    free(b->ts_ns);
    free(b->lens);
    free(b->row_set);
    sm_sets_deinit(&b->sets);
    filter_builder_deinit(&b->filter_map);
    arena_deinit(&b->scratch);
    buf_deinit(&b->planes);
    buf_deinit(&b->payload);
    buf_deinit(&b->data);
    buf_deinit(&b->filter);
    free(b);
}

void chunk_builder_set_filter(struct chunk_builder *b, enum chunk_filter_mode mode)
{
    b->options.filter = mode;
}

bool chunk_builder_is_full(const struct chunk_builder *b, const struct entry *e)
{
    if (b->rows == 0)
        return false;
    return b->rows >= b->options.max_rows ||
           b->blob.len + e->line.len + 1 > b->options.target_raw_bytes ||
           b->sm_bytes + e->sm.len > CHUNK_MAX_SM_BYTES;
}

/* One entry of 32 MiB must not cost its writer that much for ever. */
static void drop_if_huge(struct buf *b)
{
    if (b->cap > KEEP_BYTES)
        buf_deinit(b);
}

static void drop_huge(struct chunk_builder *b)
{
    drop_if_huge(&b->blob);
    drop_if_huge(&b->payload);
    drop_if_huge(&b->data);
    drop_if_huge(&b->planes);
}

void chunk_builder_add(struct chunk_builder *b, const struct entry *e)
{
    assert(e->line.len <= CHUNK_MAX_ENTRY_BYTES && e->sm.len <= CHUNK_MAX_ENTRY_BYTES);
    assert(b->rows < CHUNK_MAX_ROWS);
    if (b->rows == 0)
        drop_huge(b);
    uint32_t row = b->rows++;
    b->ts_ns = mem_grow(b->ts_ns, &b->cap_ts, b->rows, sizeof *b->ts_ns);
    b->lens = mem_grow(b->lens, &b->cap_lens, b->rows, sizeof *b->lens);
    b->row_set = mem_grow(b->row_set, &b->cap_sets, b->rows, sizeof *b->row_set);
    b->ts_ns[row] = e->ts_ns;
    b->lens[row] = (uint32_t)e->line.len;
    char *to = buf_add(&b->blob, e->line.len + 1);
    if (e->line.len)
        memcpy(to, e->line.p, e->line.len);
    to[e->line.len] = '\n';
    b->row_set[row] = sm_sets_add(&b->sets, e->sm);
    if (b->row_set[row] != SM_EMPTY_SET)
        b->sm_bytes += e->sm.len;
}

uint32_t chunk_builder_rows(const struct chunk_builder *b)
{
    return b->rows;
}

uint64_t chunk_builder_sm_bytes(const struct chunk_builder *b)
{
    return b->sm_bytes;
}

uint64_t chunk_builder_mem_bytes(const struct chunk_builder *b)
{
    return sizeof *b + ZSTD_sizeof_CCtx(b->cctx) + b->blob.cap + b->planes.cap + b->payload.cap +
           b->data.cap + b->filter.cap + FILTER_MAX_BITS + b->scratch.used_bytes +
           sm_sets_mem_bytes(&b->sets) + b->cap_ts * sizeof *b->ts_ns +
           (b->cap_lens + b->cap_sets) * sizeof *b->lens;
}

static void min_max_ts(const struct chunk_builder *b, struct chunk_meta *m)
{
    m->min_ts_ns = m->max_ts_ns = b->ts_ns[0];
    for (uint32_t i = 1; i < b->rows; i++) {
        m->min_ts_ns = b->ts_ns[i] < m->min_ts_ns ? b->ts_ns[i] : m->min_ts_ns;
        m->max_ts_ns = b->ts_ns[i] > m->max_ts_ns ? b->ts_ns[i] : m->max_ts_ns;
    }
}

/* The bytes since `from` are section s. */
static void seal(struct chunk_builder *b, struct chunk_meta *m, enum chunk_section s, size_t from)
{
    m->section_bytes[s] = (uint32_t)(b->payload.len - from);
    m->section_crc[s] = crc32c(sv_from(buf_view(&b->payload), from));
}

static void put_sm(struct chunk_builder *b, struct chunk_meta *m)
{
    struct sm_rows rows = {b->row_set, b->rows, b->sets.sets, b->sets.n_sets};
    bool opaque;
    buf_clear(&b->data);
    sm_encode(&rows, b->cctx, b->options.zstd_level, &b->scratch, &b->payload, &b->data,
              &m->level_mask, &opaque);
    if (opaque)
        m->flags |= CHUNK_UNKNOWN_LEVEL;
    seal(b, m, CHUNK_SMH, 0);
    size_t from = b->payload.len;
    buf_put(&b->payload, buf_view(&b->data));
    seal(b, m, CHUNK_SMD, from);
}

static void put_columns(struct chunk_builder *b, struct chunk_meta *m)
{
    size_t from = b->payload.len;
    enum ts_unit unit;
    ts_encode(&b->payload, b->ts_ns, b->rows, &unit);
    m->ts_unit = (uint8_t)unit;
    seal(b, m, CHUNK_TS, from);
    from = b->payload.len;
    len_encode(&b->payload, b->lens, b->rows, b->cctx, b->options.zstd_level, &b->planes);
    seal(b, m, CHUNK_LEN, from);
    from = b->payload.len;
    m->lin_codec = CHUNK_LIN_ZSTD;
    if (!zframe_put_if_smaller(b->cctx, b->options.zstd_level, buf_view(&b->blob), &b->payload)) {
        m->lin_codec = CHUNK_LIN_RAW;
        buf_put(&b->payload, buf_view(&b->blob));
    }
    seal(b, m, CHUNK_LIN, from);
}

static void put_filter(struct chunk_builder *b, struct chunk_meta *m)
{
    if (b->options.filter == CHUNK_FILTER_NEVER)
        return;
    m->filter_bits = filter_build(&b->filter_map, buf_view(&b->blob), &b->filter);
    if (b->options.filter == CHUNK_FILTER_AUTO &&
        b->filter.len * 100 > chunk_payload_bytes(m) * FILTER_MAX_PERCENT) {
        m->filter_bits = 0;
        buf_clear(&b->filter);
    }
    m->filter_crc = m->filter_bits ? crc32c(buf_view(&b->filter)) : 0;
}

void chunk_builder_finish(struct chunk_builder *b, struct chunk_encoded *ret)
{
    assert(b->rows >= 1);
    *ret = (struct chunk_encoded){0};
    struct chunk_meta *m = &ret->meta;
    m->rows = b->rows;
    m->raw_bytes = (uint32_t)b->blob.len;
    m->sm_bytes = (uint32_t)b->sm_bytes;
    min_max_ts(b, m);
    m->flags = text_flags(buf_view(&b->blob), b->rows);
    buf_clear(&b->payload);
    buf_clear(&b->filter);
    put_sm(b, m);
    put_columns(b, m);
    put_filter(b, m);
    ret->payload = buf_view(&b->payload);
    ret->filter = buf_view(&b->filter);
    b->rows = 0;
    b->sm_bytes = 0;
    buf_clear(&b->blob);
    sm_sets_clear(&b->sets);
    arena_clear(&b->scratch);
}
