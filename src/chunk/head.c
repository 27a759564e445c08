/* SPDX-License-Identifier: Apache-2.0 */
/* A push brings a few lines each for some of perhaps a hundred thousand streams, and must cost
 * little more than copying them.  A buffer per stream would: idle streams would hold buffers, busy
 * ones would move theirs as they grow, and a reader would need a lock for each.  So there is one
 * log for all streams, as they come: entries stand one after the other in pages that never move,
 * and each knows where its stream's entry before it stands.  A stream is then a handful of numbers,
 * of which only `newest` is needed to walk it, newest first. Readers take no lock.  What makes that
 * right:
 *   - One writer at a time (its caller's lock), and nothing that was written changes again but the
 *     few numbers of a stream.
 *   - A record is complete before `newest` points to it with a release store, and a page stands in
 *     the table before a record in it: whoever loads `newest` with acquire sees all below.
 *   - The positions are ordered as the appends were, so one number, `visible`, says for all streams
 *     at once what a reader may see; it skips what stands above.  It is the log's word: entries are
 *     appended before they are durable and shown after (head_publish).
 *   - The ends of a stream's times are written before `newest`, so they cover every entry that a
 *     reader can reach, and may reach further.
 * Positions only grow and are multiples of 8, hence the low bit of a record's first word is free to
 * tell entries from metadata.  Neighbours often have equal metadata (one request's trace, one pod):
 * a small cache of recent sets finds them again, and the entry refers to the record that is there.
 * Memory comes in pages of 1 MiB from head_pages, which hands them from the generation that goes to
 * the one that comes; a line over a page's size gets an allocation of its own.  Whoever must read a
 * whole generation stream by stream does not follow back-pointers, each a cache miss, but passes
 * over the pages once (head_order.h).  The layout stands in head_impl.h. */
#include "chunk/head_impl.h"

#include <assert.h>
#include <xxhash.h>

static void add_mem(struct head *h, size_t bytes)
{
    atomic_fetch_add_explicit(&h->mem_bytes, bytes, memory_order_relaxed);
}

struct head *head_new(void)
{
    return head_new_in(NULL);
}

struct head *head_new_in(struct head_pages *pages)
{
    struct head *h = mem_zalloc(1, sizeof *h);
    h->min_ts_ns = INT64_MAX;
    h->max_ts_ns = INT64_MIN;
    h->source = pages ? head_pages_ref(pages) : NULL;
    h->page_tables = mem_zalloc(MAX_TABLES, sizeof *h->page_tables);
    h->stream_tables = head_map(MAX_STREAM_TABLES * sizeof *h->stream_tables);
    h->end = PAGE_BYTES; /* page 0 stays empty: position 0 is no record's */
    add_mem(h, sizeof *h + MAX_TABLES * sizeof *h->page_tables);
    return h;
}

static void free_block(struct head *h, const struct head_block *b)
{
    if (h->source && b->bytes == PAGE_BYTES)
        head_pages_give(h->source, b->p);
    else
        head_unmap(b->p, b->bytes);
}

void head_free(struct head *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_blocks; i++)
        free_block(h, &h->blocks[i]);
    free(h->blocks);
    head_pages_unref(h->source);
    for (size_t i = 0; i < MAX_TABLES; i++)
        free(h->page_tables[i]);
    free(h->page_tables);
    uint32_t tables = h->max_stream / STREAMS_PER_TABLE + 1;
    for (uint32_t i = 0; i < tables && i < MAX_STREAM_TABLES; i++)
        free(atomic_load_explicit(&h->stream_tables[i], memory_order_relaxed));
    head_unmap(h->stream_tables, MAX_STREAM_TABLES * sizeof *h->stream_tables);
    free(h);
}

static void set_page(struct head *h, uint64_t page, char *p)
{
    uint64_t table = page / PAGES_PER_TABLE;
    assert(table < MAX_TABLES);
    if (!h->page_tables[table]) {
        h->page_tables[table] = mem_zalloc(PAGES_PER_TABLE, sizeof(char *));
        add_mem(h, PAGES_PER_TABLE * sizeof(char *));
    }
    h->page_tables[table][page % PAGES_PER_TABLE] = p;
}

/* Opens room for a record of `bytes` at a page start. */
static void new_page(struct head *h, size_t bytes)
{
    size_t size = bytes > PAGE_BYTES ? bytes : PAGE_BYTES;
    char *p = h->source && size == PAGE_BYTES ? head_pages_take(h->source) : head_map(size);
    add_mem(h, size);
    if (h->n_blocks)
        h->blocks[h->n_blocks - 1].used_bytes = (size_t)(h->room - h->blocks[h->n_blocks - 1].p);
    uint64_t page = (h->end + PAGE_BYTES - 1) >> PAGE_SHIFT;
    for (size_t at = 0; at < size; at += PAGE_BYTES)
        set_page(h, page + (at >> PAGE_SHIFT), p + at);
    h->end = page << PAGE_SHIFT;
    h->blocks = mem_grow(h->blocks, &h->cap_blocks, h->n_blocks + 1, sizeof *h->blocks);
    h->blocks[h->n_blocks++] = (struct head_block){.p = p, .position = h->end, .bytes = size};
    h->room = p;
    h->room_bytes = size;
}

static void *append_record(struct head *h, size_t bytes, uint64_t *ret_position)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if (bytes > h->room_bytes)
        new_page(h, bytes);
    void *p = h->room;
    *ret_position = h->end;
    h->room += bytes;
    h->room_bytes -= bytes;
    h->end += bytes;
    return p;
}

/* The position of a record that holds `sm`: one of the recent ones, or a new one. */
static uint64_t intern_sm(struct head *h, struct str_view sm)
{
    if (sm.len == 0)
        return 0;
    assert(sm.len <= UINT32_MAX / 2);
    uint64_t hash = XXH3_64bits(sm.p, sm.len);
    struct recent_set *slot = &h->recent[hash & (RECENT_SETS - 1)];
    if (slot->position && slot->hash == hash) {
        const struct sm_record *r = head_record_at(h, slot->position);
        if (r->tag >> 1 == sm.len && memcmp(r->encoded, sm.p, sm.len) == 0)
            return slot->position;
    }
    uint64_t position;
    struct sm_record *r = append_record(h, sizeof *r + sm.len, &position);
    r->tag = (uint32_t)sm.len << 1 | 1;
    memcpy(r->encoded, sm.p, sm.len);
    *slot = (struct recent_set){hash, position};
    return position;
}

static struct stream_state *stream_of_writer(struct head *h, uint32_t stream)
{
    uint32_t table = stream / STREAMS_PER_TABLE;
    assert(table < MAX_STREAM_TABLES);
    struct stream_state *t = atomic_load_explicit(&h->stream_tables[table], memory_order_relaxed);
    if (!t) {
        t = mem_zalloc(STREAMS_PER_TABLE, sizeof *t);
        add_mem(h, STREAMS_PER_TABLE * sizeof *t);
        atomic_store_explicit(&h->stream_tables[table], t, memory_order_release);
    }
    if (stream >= h->max_stream)
        h->max_stream = stream + 1;
    return &t[stream % STREAMS_PER_TABLE];
}

static const struct stream_state *stream_of_reader(const struct head *h, uint32_t stream)
{
    uint32_t table = stream / STREAMS_PER_TABLE;
    if (table >= MAX_STREAM_TABLES)
        return NULL;
    struct stream_state *t = atomic_load_explicit(&h->stream_tables[table], memory_order_acquire);
    return t ? &t[stream % STREAMS_PER_TABLE] : NULL;
}

/* Times never fell exactly as long as each new one reached the latest so far, so the entry before,
 * somewhere in cold memory, need not be looked at. */
static void count_entry(struct head *h, struct stream_state *s, const struct entry *e)
{
    uint64_t n_x2 = LOAD(s->n_entries_x2);
    if (n_x2 == 0) {
        STORE(s->min_ts_ns, e->ts_ns);
        STORE(s->max_ts_ns, e->ts_ns);
    } else if (e->ts_ns >= LOAD(s->max_ts_ns)) {
        STORE(s->max_ts_ns, e->ts_ns);
    } else {
        n_x2 |= 1;
        if (e->ts_ns < LOAD(s->min_ts_ns))
            STORE(s->min_ts_ns, e->ts_ns);
    }
    STORE(s->n_entries_x2, n_x2 + 2);
    s->line_bytes += e->line.len;
    s->sm_bytes += e->sm.len;
    if (e->ts_ns < h->min_ts_ns)
        h->min_ts_ns = e->ts_ns;
    if (e->ts_ns > h->max_ts_ns)
        h->max_ts_ns = e->ts_ns;
    h->n_entries++;
    h->line_bytes += e->line.len;
}

uint64_t head_append(struct head *h, uint32_t stream, const struct entry *e)
{
    assert(e->line.len <= UINT32_MAX);
    struct stream_state *s = stream_of_writer(h, stream);
    uint64_t newest = atomic_load_explicit(&s->newest, memory_order_relaxed);
    uint64_t sm = intern_sm(h, e->sm);
    uint64_t position;
    struct entry_record *r = append_record(h, sizeof *r + e->line.len, &position);
    r->prev = newest;
    r->ts_ns = e->ts_ns;
    r->sm = sm;
    r->line_bytes = (uint32_t)e->line.len;
    r->stream = stream;
    if (e->line.len)
        memcpy(r->line, e->line.p, e->line.len);
    count_entry(h, s, e);
    atomic_store_explicit(&s->newest, position, memory_order_release);
    return h->end;
}

uint64_t head_end(const struct head *h)
{
    return h->end;
}

uint64_t head_mem_bytes(const struct head *h)
{
    return atomic_load_explicit(&h->mem_bytes, memory_order_relaxed);
}

uint64_t head_line_bytes(const struct head *h)
{
    return h->line_bytes;
}

uint64_t head_n_entries(const struct head *h)
{
    return h->n_entries;
}

bool head_times(const struct head *h, int64_t *ret_min_ns, int64_t *ret_max_ns)
{
    *ret_min_ns = h->min_ts_ns;
    *ret_max_ns = h->max_ts_ns;
    return h->n_entries > 0;
}

void head_publish(struct head *h, uint64_t end)
{
    atomic_store_explicit(&h->visible, end, memory_order_release);
}

uint64_t head_visible(const struct head *h)
{
    return atomic_load_explicit(&h->visible, memory_order_acquire);
}

bool head_stream_stat(const struct head *h, uint32_t stream, struct head_stream *ret)
{
    const struct stream_state *s = stream_of_reader(h, stream);
    if (!s || LOAD(s->n_entries_x2) == 0)
        return false;
    *ret = (struct head_stream){
        .n_entries = LOAD(s->n_entries_x2) >> 1,
        .line_bytes = s->line_bytes,
        .sm_bytes = s->sm_bytes,
        .min_ts_ns = LOAD(s->min_ts_ns),
        .max_ts_ns = LOAD(s->max_ts_ns),
        .out_of_order = LOAD(s->n_entries_x2) & 1,
    };
    return true;
}

bool head_stream_bounds(const struct head *h, uint32_t stream, struct head_bounds *ret)
{
    const struct stream_state *s = stream_of_reader(h, stream);
    if (!s || atomic_load_explicit(&s->newest, memory_order_acquire) == 0)
        return false;
    *ret = (struct head_bounds){
        .min_ts_ns = LOAD(s->min_ts_ns),
        .max_ts_ns = LOAD(s->max_ts_ns),
        .in_order = !(LOAD(s->n_entries_x2) & 1),
    };
    return true;
}

uint32_t head_max_stream(const struct head *h)
{
    return h->max_stream;
}

void head_iter_init(struct head_iter *it, const struct head *h, uint32_t stream, uint64_t visible)
{
    *it = (struct head_iter){.h = h};
    const struct stream_state *s = stream_of_reader(h, stream);
    if (!s)
        return;
    it->ref = atomic_load_explicit(&s->newest, memory_order_acquire);
    while (it->ref >= visible && it->ref)
        it->ref = ((const struct entry_record *)head_record_at(h, it->ref))->prev;
}

bool head_iter_next(struct head_iter *it, struct entry *ret, uint64_t *ret_position)
{
    if (it->ref == 0)
        return false;
    const struct entry_record *r = head_record_at(it->h, it->ref);
    *ret = head_entry_of(it->h, r);
    if (ret_position)
        *ret_position = it->ref;
    it->ref = r->prev;
    if (it->ref)
        __builtin_prefetch(head_record_at(it->h, it->ref));
    return true;
}
