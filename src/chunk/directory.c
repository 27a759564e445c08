/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of a part's directory (tagged.h), in this order:
 * CHUNKS: varint n;  varint filters_at, varint filters_bytes;  per chunk:
 *   varint (offset - end of the chunk before rounded up to 8) / 8;  varint rows, raw_bytes,
 * sm_bytes; varint zigzag(min_ts - part's min_ts);  varint max_ts - min_ts;  varint flags,
 * level_mask; u8 lin_codec, u8 ts_unit;  5 times: varint section bytes, u32 crc where not 0; varint
 * filter bits, u32 filter crc where not 0 (filters lie one after another). STREAMS: varint n;  per
 * stream: varint bytes shared with the labels before, str the rest, varint number of runs. RUNS:
 * varint n;  per run: varint zigzag(chunk - chunk of the run before);  varint zigzag(first_row -
 * end of the run before if in the same chunk, else 0);  varint rows, line_bytes, sm_bytes;  varint
 * min_ts - chunk's min_ts;  varint chunk's max_ts - max_ts. SM_KEYS: varint n;  per key: str name,
 * varint number of chunks. */
#include "chunk/directory.h"

#include <xxhash.h>

#include "chunk/tagged.h"

enum { FIRST_KEY_SLOTS = 64 };

void directory_deinit(struct directory *d)
{
    buf_deinit(&d->streams);
    buf_deinit(&d->before);
    free(d->runs);
    free(d->chunks);
    free(d->sm_keys);
    free(d->key_slots);
    arena_deinit(&d->names);
    *d = (struct directory){0};
}

void directory_clear(struct directory *d)
{
    buf_clear(&d->streams);
    buf_clear(&d->before);
    d->n_streams = 0;
    d->label_bytes = 0;
    d->n_runs = d->n_chunks = d->n_sm_keys = 0;
    if (d->n_key_slots)
        memset(d->key_slots, 0, d->n_key_slots * sizeof *d->key_slots);
    arena_clear(&d->names);
}

uint64_t directory_mem_bytes(const struct directory *d)
{
    return d->streams.cap + d->before.cap + d->cap_runs * sizeof *d->runs +
           d->cap_chunks * sizeof *d->chunks + d->cap_sm_keys * sizeof *d->sm_keys +
           d->n_key_slots * sizeof *d->key_slots + d->names.used_bytes;
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
    d->label_bytes += labels.len;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t *key_slot(const struct directory *d, struct str_view name)
{
    /* An address as seed: who sends metadata must not know what collides. */
    size_t mask = d->n_key_slots - 1;
    size_t at = XXH3_64bits_withSeed(name.p, name.len, (uintptr_t)d->key_slots) & mask;
    while (d->key_slots[at] && !sv_eq(d->sm_keys[d->key_slots[at] - 1].name, name))
        at = (at + 1) & mask;
    return &d->key_slots[at];
}

static void grow_key_slots(struct directory *d)
{
    free(d->key_slots);
    d->n_key_slots = d->n_key_slots ? d->n_key_slots * 2 : FIRST_KEY_SLOTS;
    d->key_slots = mem_zalloc(d->n_key_slots, sizeof *d->key_slots);
    for (size_t i = 0; i < d->n_sm_keys; i++)
        *key_slot(d, d->sm_keys[i].name) = (uint32_t)i + 1;
}

void directory_count_sm_key(struct directory *d, struct str_view name)
{
    if ((d->n_sm_keys + 1) * 2 > d->n_key_slots)
        grow_key_slots(d);
    uint32_t *slot = key_slot(d, name);
    if (!*slot) {
        d->sm_keys = mem_grow(d->sm_keys, &d->cap_sm_keys, d->n_sm_keys + 1, sizeof *d->sm_keys);
        d->sm_keys[d->n_sm_keys++] = (struct segment_sm_key){arena_copy(&d->names, name), 0};
        *slot = (uint32_t)d->n_sm_keys;
    }
    d->sm_keys[*slot - 1].n_chunks++;
}

/* ---- encode ---- */

static void put_chunk(struct buf *out, const struct chunk_meta *m, uint64_t expected_at,
                      int64_t base_ts_ns)
{
    buf_put_varint(out, (m->offset - expected_at) / SEGMENT_ALIGNMENT);
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
        expected_at = segment_aligned(m->offset + chunk_payload_bytes(m));
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

static int cmp_key_names(const void *a, const void *b)
{
    const struct segment_sm_key *x = a, *y = b;
    return sv_cmp(x->name, y->name);
}

/* Sorts the keys, which nothing counts any more. */
static void put_sm_keys(struct buf *out, struct directory *d)
{
    qsort(d->sm_keys, d->n_sm_keys, sizeof *d->sm_keys, cmp_key_names);
    buf_put_varint(out, d->n_sm_keys);
    for (size_t i = 0; i < d->n_sm_keys; i++) {
        buf_put_str(out, d->sm_keys[i].name);
        buf_put_varint(out, d->sm_keys[i].n_chunks);
    }
}

int directory_encode(struct buf *out, struct directory *d, const struct segment_part *info,
                     uint64_t filters_at, ZSTD_CCtx *cctx, int level, struct err *err)
{
    CLEANUP(buf_deinit) struct buf raw = BUF_INIT;
    if (d->label_bytes > SEGMENT_MAX_LABEL_BYTES)
        return err_set(err, ERR_INVALID, "part: labels of %llu bytes, the limit is %u",
                       (unsigned long long)d->label_bytes, SEGMENT_MAX_LABEL_BYTES);
    put_chunks(&raw, d, info, filters_at);
    int r = tagged_put(out, DIRECTORY_CHUNKS, buf_view(&raw), cctx, level, err);
    if (r < 0)
        return r;
    buf_clear(&raw);
    buf_put_varint(&raw, d->n_streams);
    buf_put(&raw, buf_view(&d->streams));
    r = tagged_put(out, DIRECTORY_STREAMS, buf_view(&raw), cctx, level, err);
    if (r < 0)
        return r;
    buf_clear(&raw);
    put_runs(&raw, d);
    r = tagged_put(out, DIRECTORY_RUNS, buf_view(&raw), cctx, level, err);
    if (r < 0 || d->n_sm_keys == 0)
        return r;
    buf_clear(&raw);
    put_sm_keys(&raw, d);
    return tagged_put(out, DIRECTORY_SM_KEYS, buf_view(&raw), cctx, level, err);
}
