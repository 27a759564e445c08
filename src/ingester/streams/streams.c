/* SPDX-License-Identifier: Apache-2.0 */
#include "ingester/streams/streams.h"

#include <assert.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "ingester/streams/pairs.h"
#include "ingester/streams/table.h"

GAUGE_BY(memory_streams, "loki_ingester_memory_streams", "Live streams", "tenant");
COUNTER_BY(created_total, "loki_ingester_streams_created_total", "Streams that began", "tenant");
COUNTER_BY(removed_total, "loki_ingester_streams_removed_total", "Streams that left memory",
           "tenant");

struct streams *streams_new(void)
{
    struct streams *s = mem_zalloc(1, sizeof *s);
    rwlock_init(&s->lock);
    pairs_init(&s->pairs);
    s->blocks = mem_zalloc(STREAMS_MAX_BLOCKS, sizeof *s->blocks);
    s->began_mono_ns = clock_mono_ns();
    return s;
}

static void tenant_free(struct stream_tenant *t)
{
    free(t->sorted);
    free(t->fresh);
    free(t);
}

void streams_free(struct streams *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        free(streams_get(s, i)->pairs);
    for (uint32_t i = 0; i < STREAMS_MAX_BLOCKS; i++)
        free(s->blocks[i]);
    for (size_t i = 0; i < STREAMS_TENANT_BUCKETS; i++)
        for (struct stream_tenant *t = s->tenants[i], *next; t; t = next) {
            next = t->next;
            tenant_free(t);
        }
    free(s->blocks);
    free(s->free_list);
    idx_table_deinit(&s->table);
    pairs_deinit(&s->pairs);
    rwlock_deinit(&s->lock);
    free(s);
}

/* ---- tenants ---- */

static struct stream_tenant **tenant_bucket(struct streams *s, struct str_view name)
{
    return &s->tenants[XXH64(name.p, name.len, 0) % STREAMS_TENANT_BUCKETS];
}

struct stream_tenant *streams_find_tenant(struct streams *s, struct str_view name)
{
    for (struct stream_tenant *t = *tenant_bucket(s, name); t; t = t->next)
        if (sv_eq(t->name, name))
            return t;
    return NULL;
}

static struct stream_tenant *tenant_add(struct streams *s, struct str_view name)
{
    struct stream_tenant *t = mem_zalloc(1, sizeof *t + name.len);
    char *own = (char *)(t + 1);
    memcpy(own, name.p, name.len);
    t->name = sv(own, name.len);
    t->memory_streams = METRIC_CELL(&memory_streams, name);
    t->created = METRIC_CELL(&created_total, name);
    t->removed = METRIC_CELL(&removed_total, name);
    struct stream_tenant **bucket = tenant_bucket(s, name);
    t->next = *bucket;
    *bucket = t;
    s->n_tenants++;
    return t;
}

static void tenant_remove(struct streams *s, struct stream_tenant *t)
{
    struct stream_tenant **at = tenant_bucket(s, t->name);
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    s->n_tenants--;
    tenant_free(t);
}

/* ---- finding and adding ---- */

struct live_stream *streams_get(struct streams *s, uint32_t idx)
{
    return &s->blocks[idx / STREAMS_PER_BLOCK][idx % STREAMS_PER_BLOCK];
}

struct wanted_stream {
    struct streams *s;
    const struct stream_tenant *tenant;
    struct str_view labels;
    uint64_t hash;
};

/* An encoded set is its count and its pairs one after the other, so it is compared piecewise. */
static bool same_stream(const void *ctx, uint32_t idx)
{
    const struct wanted_stream *w = ctx;
    const struct live_stream *st = streams_get(w->s, idx);
    if (st->hash != w->hash || st->tenant != w->tenant)
        return false;
    struct reader in = reader_of(w->labels);
    if (rd_varint(&in) != st->n_pairs)
        return false;
    for (uint32_t i = 0; i < st->n_pairs; i++) {
        struct str_view mine = pair_encoded(pairs_get(&w->s->pairs, st->pairs[i]));
        if (!sv_eq(mine, rd_bytes(&in, mine.len)))
            return false;
    }
    return reader_done(&in) && !in.bad;
}

static uint32_t slot_hash(const struct stream_tenant *t, uint64_t hash)
{
    uint64_t h = hash ^ (uintptr_t)t * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h ^ h >> 32);
}

uint32_t streams_find(struct streams *s, const struct stream_tenant *t, struct str_view labels,
                      uint64_t hash)
{
    struct wanted_stream w = {s, t, labels, hash};
    return idx_table_find(&s->table, slot_hash(t, hash), same_stream, &w);
}

static uint32_t take_number(struct streams *s)
{
    if (s->n_free)
        return s->free_list[--s->n_free];
    assert(s->n < STREAMS_PER_BLOCK * STREAMS_MAX_BLOCKS);
    struct live_stream **block = &s->blocks[s->n / STREAMS_PER_BLOCK];
    if (!*block) {
        *block = mem_zalloc(STREAMS_PER_BLOCK, sizeof **block);
        s->mem_bytes += STREAMS_PER_BLOCK * sizeof **block;
    }
    return s->n++;
}

static void take_pairs(struct streams *s, struct live_stream *st, struct str_view labels)
{
    struct reader in = reader_of(labels);
    uint64_t n = rd_varint(&in);
    assert(n <= LABELS_MAX_PAIRS);
    st->n_pairs = (uint32_t)n;
    st->pairs = mem_alloc(n * sizeof *st->pairs);
    s->mem_bytes += n * sizeof *st->pairs;
    for (uint64_t i = 0; i < n; i++) {
        size_t from = in.at;
        struct str_view name = rd_str(&in, LABELS_MAX_BYTES);
        struct str_view value = rd_str(&in, LABELS_MAX_BYTES);
        assert(!in.bad);
        st->pairs[i] = pairs_ref(&s->pairs, sv_sub(labels, from, in.at - from), name, value);
    }
}

uint32_t streams_add(struct streams *s, struct str_view tenant, struct str_view labels,
                     uint64_t hash)
{
    rwlock_wrlock(&s->lock);
    struct stream_tenant *t = streams_find_tenant(s, tenant);
    if (!t)
        t = tenant_add(s, tenant);
    uint32_t idx = take_number(s);
    struct live_stream *st = streams_get(s, idx);
    *st = (struct live_stream){
        .hash = hash, .tenant = t, .limiter_tokens = -1, .max_ts_ns = INT64_MIN};
    take_pairs(s, st, labels);
    idx_table_add(&s->table, slot_hash(t, hash), idx);
    t->fresh = mem_grow(t->fresh, &t->cap_fresh, t->n_fresh + 1, sizeof *t->fresh);
    t->fresh[t->n_fresh++] = idx;
    t->n_streams++;
    s->n_live++;
    rwlock_unlock(&s->lock);
    metric_cell_add(t->memory_streams, 1);
    metric_cell_add(t->created, 1);
    return idx;
}

bool stream_rate_allows(struct streams *s, struct live_stream *st, uint64_t bytes,
                        uint64_t rate_bytes_per_s, uint64_t burst_bytes, int64_t now_mono_ns)
{
    uint32_t now_ms = (uint32_t)((now_mono_ns - s->began_mono_ns) / NS_PER_MS);
    double tokens = (double)burst_bytes;
    if (st->limiter_tokens >= 0) {
        uint32_t passed_ms = now_ms - st->limiter_ms; /* wraps after 49 days: a full bucket */
        tokens = st->limiter_tokens + (double)rate_bytes_per_s * passed_ms / 1000;
    }
    if (tokens > (double)burst_bytes)
        tokens = (double)burst_bytes;
    bool allowed = tokens >= (double)bytes;
    st->limiter_tokens = allowed ? tokens - (double)bytes : tokens;
    st->limiter_ms = now_ms;
    return allowed;
}

uint64_t streams_count(const struct streams *s)
{
    return s->n_live;
}

uint64_t streams_mem_bytes(const struct streams *s)
{
    return s->mem_bytes + s->pairs.mem_bytes +
           (s->table.mask + s->pairs.table.mask + 2) * sizeof(struct idx_slot) +
           s->n_live * 2 * sizeof(uint32_t) + s->n_tenants * sizeof(struct stream_tenant);
}

/* ---- labels and order ---- */

void stream_labels(struct streams *s, const struct live_stream *st, struct buf *out)
{
    buf_put_varint(out, st->n_pairs);
    for (uint32_t i = 0; i < st->n_pairs; i++)
        buf_put(out, pair_encoded(pairs_get(&s->pairs, st->pairs[i])));
}

/* As sv_cmp of the encoded sets: pairs are self-delimiting, so the first one that differs
 * decides, and a pair that both share is the same number. */
static int cmp_streams(const void *a, const void *b, void *ctx)
{
    struct streams *s = ctx;
    const struct live_stream *x = streams_get(s, *(const uint32_t *)a);
    const struct live_stream *y = streams_get(s, *(const uint32_t *)b);
    if (x->n_pairs != y->n_pairs) {
        char xc[10], yc[10]; /* varints */
        struct buf xb = {xc, 0, sizeof xc}, yb = {yc, 0, sizeof yc};
        buf_put_varint(&xb, x->n_pairs);
        buf_put_varint(&yb, y->n_pairs);
        return sv_cmp(buf_view(&xb), buf_view(&yb));
    }
    for (uint32_t i = 0; i < x->n_pairs; i++)
        if (x->pairs[i] != y->pairs[i])
            return sv_cmp(pair_encoded(pairs_get(&s->pairs, x->pairs[i])),
                          pair_encoded(pairs_get(&s->pairs, y->pairs[i])));
    return 0;
}

static uint32_t *merge_sorted(struct streams *s, const uint32_t *a, size_t n_a, const uint32_t *b,
                              size_t n_b)
{
    uint32_t *out = mem_alloc((n_a + n_b) * sizeof *out);
    size_t i = 0, j = 0, n = 0;
    while (i < n_a && j < n_b)
        out[n++] = cmp_streams(&a[i], &b[j], s) <= 0 ? a[i++] : b[j++];
    while (i < n_a)
        out[n++] = a[i++];
    while (j < n_b)
        out[n++] = b[j++];
    return out;
}

/* Only the spill thread changes `sorted`, and numbers and addresses last, so the sorting itself
 * needs no lock. */
static void sort_tenant(struct streams *s, struct stream_tenant *t)
{
    rwlock_rdlock(&s->lock);
    size_t n = t->n_fresh;
    uint32_t *fresh = mem_alloc(n * sizeof *fresh);
    if (n)
        memcpy(fresh, t->fresh, n * sizeof *fresh);
    rwlock_unlock(&s->lock);
    if (n == 0) {
        free(fresh);
        return;
    }
    qsort_r(fresh, n, sizeof *fresh, cmp_streams, s);
    uint32_t *merged = merge_sorted(s, t->sorted, t->n_sorted, fresh, n);
    free(fresh);
    rwlock_wrlock(&s->lock);
    uint32_t *old = t->sorted;
    t->sorted = merged;
    t->n_sorted += n;
    t->cap_sorted = t->n_sorted;
    t->n_fresh -= n;
    memmove(t->fresh, t->fresh + n, t->n_fresh * sizeof *t->fresh);
    if (t->n_fresh == 0) {
        free(t->fresh);
        t->fresh = NULL;
        t->cap_fresh = 0;
    }
    rwlock_unlock(&s->lock);
    free(old);
}

static int cmp_tenants(const void *a, const void *b)
{
    struct stream_tenant *const *x = a, *const *y = b;
    return sv_cmp((*x)->name, (*y)->name);
}

size_t streams_sort(struct streams *s, struct arena *arena, struct sorted_tenant **ret)
{
    rwlock_rdlock(&s->lock);
    struct stream_tenant **v = arena_alloc(arena, s->n_tenants * sizeof(struct stream_tenant *));
    size_t n = 0;
    for (size_t i = 0; i < STREAMS_TENANT_BUCKETS; i++)
        for (struct stream_tenant *t = s->tenants[i]; t; t = t->next)
            v[n++] = t;
    rwlock_unlock(&s->lock);
    if (n)
        qsort(v, n, sizeof(struct stream_tenant *), cmp_tenants);
    struct sorted_tenant *out = ARENA_ARRAY(arena, struct sorted_tenant, n);
    for (size_t i = 0; i < n; i++) {
        sort_tenant(s, v[i]);
        out[i] = (struct sorted_tenant){v[i]->name, v[i]->sorted, v[i]->n_sorted};
    }
    *ret = out;
    return n;
}

/* ---- leaving ---- */

static void evict(struct streams *s, uint32_t idx)
{
    struct live_stream *st = streams_get(s, idx);
    idx_table_remove(&s->table, slot_hash(st->tenant, st->hash), idx);
    for (uint32_t i = 0; i < st->n_pairs; i++)
        pairs_unref(&s->pairs, st->pairs[i]);
    s->mem_bytes -= st->n_pairs * sizeof *st->pairs;
    free(st->pairs);
    metric_cell_add(st->tenant->memory_streams, -1);
    metric_cell_add(st->tenant->removed, 1);
    st->tenant->n_streams--;
    *st = (struct live_stream){0};
    s->free_list = mem_grow(s->free_list, &s->cap_free, s->n_free + 1, sizeof *s->free_list);
    s->free_list[s->n_free++] = idx;
    s->n_live--;
}

static size_t evict_of(struct streams *s, uint32_t *v, size_t n, uint64_t oldest_generation,
                       int64_t idle_since_mono_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct live_stream *st = streams_get(s, v[i]);
        if (st->last_push_ns < idle_since_mono_ns && st->last_generation < oldest_generation)
            evict(s, v[i]);
        else
            v[kept++] = v[i];
    }
    return kept;
}

uint64_t streams_evict(struct streams *s, uint64_t oldest_generation, int64_t idle_since_mono_ns)
{
    rwlock_wrlock(&s->lock);
    uint64_t before = s->n_live;
    for (size_t i = 0; i < STREAMS_TENANT_BUCKETS; i++)
        for (struct stream_tenant *t = s->tenants[i], *next; t; t = next) {
            next = t->next;
            t->n_sorted =
                evict_of(s, t->sorted, t->n_sorted, oldest_generation, idle_since_mono_ns);
            t->n_fresh = evict_of(s, t->fresh, t->n_fresh, oldest_generation, idle_since_mono_ns);
            if (t->n_streams == 0)
                tenant_remove(s, t);
        }
    uint64_t gone = before - s->n_live;
    rwlock_unlock(&s->lock);
    return gone;
}
