/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk/head_order.h"

#include <assert.h>

#include "chunk/head_impl.h"

enum { POSITION_SHIFT = 3, AHEAD = 8, LINES_AHEAD = 3, CACHE_LINE_BYTES = 64 };

static size_t padded(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* first[s + 1] = where stream s begins: note_entry moves it to where it ends. */
static void place_streams(struct head_order *o)
{
    size_t sum = 0;
    for (uint32_t s = 0; s < o->n_streams; s++) {
        struct head_stream stat;
        o->first[s + 1] = (uint32_t)sum;
        if (head_stream_stat(o->h, s, &stat))
            sum += stat.n_entries;
    }
    assert(sum == o->n_entries);
}

static void note_block(struct head_order *o, const struct head_block *b, size_t used_bytes)
{
    for (size_t at = 0; at < used_bytes;) {
        const struct entry_record *r = (const struct entry_record *)(const void *)(b->p + at);
        uint64_t position = b->position + at;
        if (r->prev & 1) {
            const struct sm_record *m = (const struct sm_record *)(const void *)r;
            at += padded(sizeof *m + (m->tag >> 1));
            continue;
        }
        o->at[o->first[r->stream + 1]++] = (uint32_t)(position >> POSITION_SHIFT);
        at += padded(sizeof *r + r->line_bytes);
    }
}

void head_order_init(struct head_order *o, const struct head *h)
{
    assert(h->end >> POSITION_SHIFT <= UINT32_MAX && h->n_entries <= UINT32_MAX);
    *o = (struct head_order){
        .h = h, .n_streams = head_max_stream(h), .n_entries = head_n_entries(h)};
    o->first = mem_zalloc((size_t)o->n_streams + 1, sizeof *o->first);
    o->at = mem_alloc(o->n_entries * sizeof *o->at);
    place_streams(o);
    for (size_t i = 0; i < h->n_blocks; i++) {
        const struct head_block *b = &h->blocks[i];
        bool newest = i + 1 == h->n_blocks;
        note_block(o, b, newest ? (size_t)(h->room - b->p) : b->used_bytes);
    }
    assert(o->n_entries == 0 || o->first[o->n_streams] == o->n_entries);
}

void head_order_deinit(struct head_order *o)
{
    free(o->first);
    free(o->at);
    *o = (struct head_order){0};
}

uint64_t head_order_mem_bytes(const struct head_order *o)
{
    return ((uint64_t)o->n_streams + 1 + o->n_entries) * sizeof *o->at;
}

size_t head_order_count(const struct head_order *o, uint32_t stream)
{
    return stream < o->n_streams ? o->first[stream + 1] - o->first[stream] : 0;
}

static const struct entry_record *entry_at(const struct head_order *o, size_t i)
{
    return head_record_at(o->h, (uint64_t)o->at[i] << POSITION_SHIFT);
}

/* `at` goes on into the streams behind, which are likely to be asked for next. */
static void fetch(const struct head_order *o, size_t i)
{
    if (i >= o->n_entries)
        return;
    const char *p = (const char *)entry_at(o, i);
    for (int k = 0; k < LINES_AHEAD; k++)
        __builtin_prefetch(p + (ptrdiff_t)k * CACHE_LINE_BYTES);
}

void head_order_get(const struct head_order *o, uint32_t stream, struct entry *ret)
{
    size_t first = o->first[stream], n = head_order_count(o, stream);
    for (size_t i = 0; i < AHEAD && i < n; i++)
        fetch(o, first + i);
    for (size_t i = 0; i < n; i++) {
        fetch(o, first + i + AHEAD);
        ret[i] = head_entry_of(o->h, entry_at(o, first + i));
    }
}
