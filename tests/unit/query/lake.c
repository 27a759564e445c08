/* SPDX-License-Identifier: Apache-2.0 */
#include "lake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "chunk/collapse.h"
#include "regex/regex.h"

#define MUST(call) must_be_0((call), &err, #call)
static void must_be_0(int r, const struct err *err, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, err->text);
    abort();
}

static int64_t period_of(int64_t ts_ns)
{
    int64_t length = LAKE_PERIOD_S * NS_PER_S;
    return ts_ns - (ts_ns % length + length) % length;
}

/* ---- the peer ---- */

static int recent_open(void *self, struct str_view tenant, const struct matcher *matchers,
                       size_t n_matchers, struct arena *arena, struct recent *ret, struct err *err)
{
    struct lake *l = self;
    *ret = (struct recent){.view = view_pin(l->views)};
    ret->streams = ARENA_ARRAY(arena, struct recent_stream, l->n_streams);
    struct regex_scratch *scratch = regex_scratch_new();
    for (size_t i = 0; i < l->n_streams; i++) {
        struct labels labels;
        struct head_iter it;
        struct entry e;
        bool has_entry = false;
        labels_decode(arena, l->streams[i].labels, &labels, NULL);
        for (size_t h = 0; h < ret->view->n_heads && !has_entry; h++) {
            head_iter_init(&it, ret->view->heads[h]->head, (uint32_t)i, ret->view->visible[h]);
            has_entry = head_iter_next(&it, &e, NULL);
        }
        if (has_entry && sv_eq(l->streams[i].tenant, tenant) &&
            matchers_match(matchers, n_matchers, scratch, labels))
            ret->streams[ret->n_streams++] = (struct recent_stream){
                (uint32_t)i, l->streams[i].hash, arena_copy(arena, l->streams[i].labels)};
    }
    regex_scratch_free(scratch);
    return 0;
}

/* ---- open, close ---- */

static void head_gone(void *ctx, struct generation *g)
{
    head_free(g->head);
}

static void add_head(struct lake *l)
{
    l->first_batch[l->n_heads] = l->n_batches + 1;
    l->heads[l->n_heads++] = generation_new(head_new(), ++l->n_generations, head_gone, NULL);
}

static void show_heads(struct lake *l, struct views_change *change)
{
    change->set_heads = true;
    change->n_heads = l->n_heads;
    for (size_t i = 0; i < l->n_heads; i++)
        change->heads[i] = l->heads[i];
    views_apply(l->views, change);
}

void lake_open(struct lake *l, unsigned n_threads)
{
    struct err err = ERR_INIT;
    *l = (struct lake){.use_filters = true};
    /* In memory where there is such a place: the index syncs. */
    snprintf(l->folder, sizeof l->folder, "/dev/shm/halogi-lake-XXXXXX");
    if (!mkdtemp(l->folder)) {
        snprintf(l->folder, sizeof l->folder, "/tmp/halogi-lake-XXXXXX");
        assert(mkdtemp(l->folder));
    }
    l->views = views_new();
    l->local = object_mem_new();
    l->objects = object_mem_new();
    ledger_init(&l->ledger, UINT64_C(1) << 30);
    MUST(index_open(&l->index, l->folder, &(struct index_conf){.map_bytes = 16 << 20}, &err));
    l->cache = segments_new(&(struct segments_conf){.stores = {l->local, l->objects}});
    if (n_threads)
        MUST(pool_open(&l->pool, "lake", n_threads, &err));
    query_damage_init(&l->damage, false);
    l->source = (struct query_source){{recent_open, l}, l->index, l->cache};
    add_head(l);
    show_heads(l, &(struct views_change){0});
}

struct query_env lake_env(struct lake *l, const char *tenant, struct query_control *control,
                          struct query_stats *stats)
{
    return (struct query_env){.source = &l->source,
                              .pool = l->pool,
                              .use_filters = l->use_filters,
                              .tenant = sv_of(tenant),
                              .scope = &READ_SCOPE_ALL,
                              .deletes = &DELETE_FILTERS_NONE,
                              .limits = &l->limits,
                              .control = control,
                              .damage = &l->damage,
                              .stats = stats};
}

void lake_close(struct lake *l)
{
    if (l->pool)
        pool_close(l->pool);
    query_damage_deinit(&l->damage);
    segments_free(l->cache);
    index_close(l->index);
    for (size_t i = 0; i < l->n_heads; i++)
        generation_unref(l->heads[i]);
    views_free(l->views);
    for (size_t i = 0; i < l->n_segments; i++)
        live_segment_unref(l->segments[i].live);
    object_store_free(l->local);
    object_store_free(l->objects);
    file_remove_tree(l->folder, NULL);
    free(l->streams);
    free(l->entries);
    free(l->segments);
    arena_deinit(&l->arena);
}

/* ---- push ---- */

uint32_t lake_stream(struct lake *l, const char *tenant, const char *text)
{
    struct err err = ERR_INIT;
    struct label *v;
    size_t n;
    MUST(labels_parse(&l->arena, sv_of(text), &v, &n, &err));
    CLEANUP(buf_deinit) struct buf encoded = BUF_INIT;
    labels_encode(&encoded, (struct labels){v, n});
    for (size_t i = 0; i < l->n_streams; i++)
        if (sv_eq(l->streams[i].labels, buf_view(&encoded)) &&
            sv_eq(l->streams[i].tenant, sv_of(tenant)))
            return (uint32_t)i;
    l->streams = mem_grow(l->streams, &l->cap_streams, l->n_streams + 1, sizeof *l->streams);
    l->streams[l->n_streams] = (struct lake_stream){arena_copy(&l->arena, sv_of(tenant)),
                                                    arena_copy(&l->arena, buf_view(&encoded)),
                                                    labels_hash_encoded(buf_view(&encoded))};
    return (uint32_t)l->n_streams++;
}

void lake_push(struct lake *l, uint32_t stream, int64_t ts_ns, struct str_view line,
               struct str_view sm)
{
    struct entry e = {ts_ns, arena_copy(&l->arena, line), arena_copy(&l->arena, sm)};
    struct head *h = l->heads[l->n_heads - 1]->head;
    head_publish(h, head_append(h, stream, &e));
    l->n_batches++;
    l->entries = mem_grow(l->entries, &l->cap_entries, l->n_entries + 1, sizeof *l->entries);
    l->entries[l->n_entries++] = (struct lake_entry){stream, e};
}

/* ---- segments ---- */

static int by_labels(const void *x, const void *y, void *ctx)
{
    const struct lake *l = ctx;
    const struct lake_stream *a = &l->streams[*(const uint32_t *)x];
    const struct lake_stream *b = &l->streams[*(const uint32_t *)y];
    int c = sv_cmp(a->tenant, b->tenant);
    return c ? c : sv_cmp(a->labels, b->labels);
}

static uint32_t *sorted_streams(struct lake *l)
{
    uint32_t *v = mem_alloc((l->n_streams + 1) * sizeof *v);
    for (size_t i = 0; i < l->n_streams; i++)
        v[i] = (uint32_t)i;
    qsort_r(v, l->n_streams, sizeof *v, by_labels, l);
    return v;
}

struct periods {
    int64_t v[1000];
    size_t n;
};

static void add_period(struct periods *p, int64_t start_ns)
{
    size_t at = p->n;
    while (at > 0 && p->v[at - 1] > start_ns)
        at--;
    if (at > 0 && p->v[at - 1] == start_ns)
        return;
    assert(p->n < 1000);
    memmove(&p->v[at + 1], &p->v[at], (p->n - at) * sizeof *p->v);
    p->v[at] = start_ns;
    p->n++;
}

static struct segment_writer *start_segment(struct lake *l, struct buf *out, struct uuid uuid)
{
    struct err err = ERR_INIT;
    struct segment_header header = {.generation = ++l->n_generations};
    memcpy(header.uuid, uuid.b, UUID_BYTES);
    struct segment_writer *w = segment_writer_new();
    MUST(segment_writer_open(w, &header, &l->chunks, segment_sink_of_buf(out), &err));
    return w;
}

static int read_object(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    return object_pread(ctx, to, len, at, err);
}

static void add_to_index(struct lake *l, const struct segment_info *info)
{
    struct err err = ERR_INIT;
    struct object_reader *reader;
    struct segment *segment;
    MUST(object_open(info->place == PLACE_LOCAL ? l->local : l->objects, info->key, &reader, &err));
    struct segment_source source = {reader, object_bytes(reader), read_object};
    MUST(segment_open(&segment, &source, &err));
    MUST(index_add_segment_file(l->index, segment, &err));
    segment_close(segment);
    object_close(reader);
}

static void finish_segment(struct lake *l, struct segment_writer *w, struct buf *bytes,
                           struct segment_info *info, struct lsn_range covered,
                           struct views_change *change)
{
    struct err err = ERR_INIT;
    struct segment_coverage c = {.first = covered.first, .last = covered.last};
    MUST(segment_writer_finish(w, &c, 1, NULL, 0, &info->bytes, &err));
    segment_writer_free(w);
    info->key = segment_key(&l->arena, info->uuid, 0);
    info->generation = l->n_generations;
    struct lsn_range *coverage = ARENA_NEW(&l->arena, struct lsn_range);
    *coverage = covered;
    info->coverage = coverage;
    info->n_coverage = 1;
    MUST(object_put(info->place == PLACE_LOCAL ? l->local : l->objects, info->key, buf_view(bytes),
                    &err));
    buf_deinit(bytes);
    add_to_index(l, info);
    struct live_segment *live = live_segment_new(info, NULL, NULL);
    l->segments = mem_grow(l->segments, &l->cap_segments, l->n_segments + 1, sizeof *l->segments);
    l->segments[l->n_segments++] = (struct lake_segment){live, *info, false};
    change->add = &live;
    change->n_add = 1;
    show_heads(l, change);
}

/* ---- spill ---- */

static struct entry *entries_of(struct head *h, uint32_t stream, size_t *ret_n)
{
    struct entry *v = NULL, e;
    size_t n = 0, cap = 0;
    struct head_iter it;
    head_iter_init(&it, h, stream, head_visible(h));
    while (head_iter_next(&it, &e, NULL)) {
        v = mem_grow(v, &cap, n + 1, sizeof *v);
        v[n++] = e;
    }
    for (size_t a = 0, b = n; a + 1 < b; a++, b--) {
        e = v[a];
        v[a] = v[b - 1];
        v[b - 1] = e;
    }
    *ret_n = n ? entries_sort_collapse(v, n) : 0;
    return v;
}

static void spill_part(struct lake *l, struct segment_writer *w, struct head *h,
                       const uint32_t *streams, size_t n_streams, int64_t start_ns)
{
    struct err err = ERR_INIT;
    MUST(segment_writer_part(w, l->streams[streams[0]].tenant, start_ns, LAKE_PERIOD_S * NS_PER_S,
                             &err));
    for (size_t i = 0; i < n_streams; i++) {
        size_t n;
        struct entry *v = entries_of(h, streams[i], &n);
        MUST(segment_writer_stream(w, l->streams[streams[i]].labels, &err));
        for (size_t k = 0; k < n; k++)
            if (period_of(v[k].ts_ns) == start_ns)
                MUST(segment_writer_add(w, &v[k], &err));
        free(v);
    }
}

static void spill_tenant(struct lake *l, struct segment_writer *w, struct head *h,
                         const uint32_t *streams, size_t n_streams)
{
    struct periods periods = {.n = 0};
    for (size_t i = 0; i < n_streams; i++) {
        size_t n;
        struct entry *v = entries_of(h, streams[i], &n);
        for (size_t k = 0; k < n; k++)
            add_period(&periods, period_of(v[k].ts_ns));
        free(v);
    }
    for (size_t p = 0; p < periods.n; p++)
        spill_part(l, w, h, streams, n_streams, periods.v[p]);
}

/* Calls per tenant with its streams in label order. */
static void each_tenant(struct lake *l, struct segment_writer *w, struct head *h)
{
    uint32_t *sorted = sorted_streams(l);
    for (size_t from = 0, to; from < l->n_streams; from = to) {
        for (to = from; to < l->n_streams &&
                        sv_eq(l->streams[sorted[to]].tenant, l->streams[sorted[from]].tenant);)
            to++;
        spill_tenant(l, w, h, sorted + from, to - from);
    }
    free(sorted);
}

void lake_spill(struct lake *l, enum segment_place place)
{
    struct generation *g = l->heads[0];
    struct lsn_range covered = {.first = l->first_batch[0],
                                .last = l->n_heads > 1 ? l->first_batch[1] - 1 : l->n_batches};
    l->heads[0] = l->heads[1];
    l->first_batch[0] = l->first_batch[1];
    if (--l->n_heads == 0)
        add_head(l);
    struct views_change change = {0};
    if (head_n_entries(g->head) == 0) {
        show_heads(l, &change);
        generation_unref(g);
        return;
    }
    struct buf bytes = BUF_INIT;
    struct segment_info info = {.uuid = uuid_new(), .place = place};
    struct segment_writer *w = start_segment(l, &bytes, info.uuid);
    each_tenant(l, w, g->head);
    finish_segment(l, w, &bytes, &info, covered, &change);
    generation_unref(g);
}

void lake_rotate(struct lake *l)
{
    if (l->n_heads == VIEW_MAX_HEADS)
        lake_spill(l, PLACE_LOCAL);
    add_head(l);
    show_heads(l, &(struct views_change){0});
}

/* ---- merge ---- */

struct merge_input {
    struct open_segment *open;
    const struct part *part; /* of the tenant and period at hand, or NULL */
    const struct part_source *source;
    uint32_t *copied_to; /* per chunk, or UINT32_MAX */
};

static void copy_chunks(struct segment_writer *w, struct merge_input *in, uint32_t copy_rows)
{
    struct err err = ERR_INIT;
    in->copied_to = mem_alloc((in->part->n_chunks + 1) * sizeof *in->copied_to);
    for (uint32_t c = 0; c < in->part->n_chunks; c++) {
        const struct chunk_meta *meta = &in->part->chunks[c];
        struct buf payload = BUF_INIT, filter = BUF_INIT;
        in->copied_to[c] = UINT32_MAX;
        if (meta->rows >= copy_rows) {
            MUST(segment_read_chunk(in->source, meta, &payload, &filter, &err));
            MUST(segment_writer_copy_chunk(w, meta, buf_view(&payload), buf_view(&filter),
                                           &in->copied_to[c], &err));
        }
        buf_deinit(&payload);
        buf_deinit(&filter);
    }
}

struct loose {
    struct arena arena;
    struct entry *v;
    size_t n, cap;
};

static void flush_loose(struct segment_writer *w, struct loose *l)
{
    struct err err = ERR_INIT;
    size_t n = l->n ? entries_sort_collapse(l->v, l->n) : 0;
    for (size_t i = 0; i < n; i++)
        MUST(segment_writer_add(w, &l->v[i], &err));
    l->n = 0;
}

static void take_loose(struct loose *l, const struct merge_input *in, const struct segment_run *run)
{
    struct err err = ERR_INIT;
    struct chunk_decoder *d = chunk_decoder_new();
    const struct entry *e;
    struct chunk_source source = chunk_source_of(in->source);
    chunk_decoder_set(d, &source, &in->part->chunks[run->chunk]);
    MUST(chunk_decoder_entries(d, &e, &err));
    for (uint32_t i = 0; i < run->rows; i++) {
        const struct entry *from = &e[run->first_row + i];
        l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
        l->v[l->n++] = (struct entry){from->ts_ns, arena_copy(&l->arena, from->line),
                                      arena_copy(&l->arena, from->sm)};
    }
    chunk_decoder_free(d);
}

static void merge_stream(struct segment_writer *w, struct merge_input *in, size_t n,
                         struct str_view labels)
{
    struct err err = ERR_INIT;
    struct loose loose = {0};
    MUST(segment_writer_stream(w, labels, &err));
    for (size_t i = 0; i < n; i++)
        for (uint32_t s = 0; in[i].part && s < in[i].part->n_streams; s++) {
            const struct segment_stream *st = &in[i].part->streams[s];
            for (uint32_t k = 0; sv_eq(st->labels, labels) && k < st->n_runs; k++) {
                struct segment_run run = in[i].part->runs[st->first_run + k];
                if (in[i].copied_to[run.chunk] == UINT32_MAX) {
                    take_loose(&loose, &in[i], &run);
                    continue;
                }
                flush_loose(w, &loose);
                run.chunk = in[i].copied_to[run.chunk];
                MUST(segment_writer_run(w, &run, &err));
            }
        }
    flush_loose(w, &loose);
    free(loose.v);
    arena_deinit(&loose.arena);
}

static void merge_part(struct lake *l, struct segment_writer *w, struct merge_input *in, size_t n,
                       struct str_view tenant, int64_t start_ns, uint32_t copy_rows)
{
    struct err err = ERR_INIT;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const struct segment *s = open_segment_file(in[i].open);
        const struct segment_part *p = segment_find_part(s, tenant, start_ns);
        in[i].part = NULL;
        if (!p)
            continue;
        uint32_t no = (uint32_t)(p - s->parts);
        MUST(open_segment_part(in[i].open, no, &in[i].part, &err));
        in[i].source = open_segment_source(in[i].open, no);
        any = true;
    }
    if (!any)
        return;
    MUST(segment_writer_part(w, tenant, start_ns, LAKE_PERIOD_S * NS_PER_S, &err));
    for (size_t i = 0; i < n; i++)
        if (in[i].part)
            copy_chunks(w, &in[i], copy_rows);
    uint32_t *sorted = sorted_streams(l);
    for (size_t i = 0; i < l->n_streams; i++)
        if (sv_eq(l->streams[sorted[i]].tenant, tenant))
            merge_stream(w, in, n, l->streams[sorted[i]].labels);
    free(sorted);
    for (size_t i = 0; i < n; i++)
        if (in[i].part)
            free(in[i].copied_to);
}

void lake_merge(struct lake *l, size_t from, size_t to, uint32_t copy_rows)
{
    struct err err = ERR_INIT;
    size_t n = 0;
    struct merge_input *in = mem_zalloc(to - from + 1, sizeof *in);
    struct uuid *removed = mem_zalloc(to - from + 1, sizeof *removed);
    struct periods periods = {.n = 0};
    struct lsn_range covered = {.first = UINT64_MAX};
    for (size_t i = from; i < to; i++) {
        if (l->segments[i].gone)
            continue;
        MUST(segments_get(l->cache, l->segments[i].live, &in[n].open, &err));
        const struct segment *s = open_segment_file(in[n].open);
        for (uint32_t p = 0; p < s->n_parts; p++)
            add_period(&periods, s->parts[p].period_start_ns);
        const struct lsn_range *c = &l->segments[i].info.coverage[0];
        covered.first = c->first < covered.first ? c->first : covered.first;
        covered.last = c->last > covered.last ? c->last : covered.last;
        removed[n++] = l->segments[i].info.uuid;
        l->segments[i].gone = true;
    }
    if (n) {
        struct buf bytes = BUF_INIT;
        struct segment_info info = {.uuid = uuid_new(), .place = PLACE_OBJECT};
        struct segment_writer *w = start_segment(l, &bytes, info.uuid);
        uint32_t *sorted = sorted_streams(l);
        for (size_t i = 0; i < l->n_streams; i++)
            if (i == 0 || !sv_eq(l->streams[sorted[i]].tenant, l->streams[sorted[i - 1]].tenant))
                for (size_t p = 0; p < periods.n; p++)
                    merge_part(l, w, in, n, l->streams[sorted[i]].tenant, periods.v[p], copy_rows);
        free(sorted);
        struct views_change change = {.remove = removed, .n_remove = n};
        finish_segment(l, w, &bytes, &info, covered, &change);
    }
    for (size_t i = from; i < to; i++)
        if (l->segments[i].live && l->segments[i].gone) {
            live_segment_unref(l->segments[i].live);
            l->segments[i].live = NULL;
        }
    for (size_t i = 0; i < n; i++)
        segments_put(l->cache, in[i].open);
    free(in);
    free(removed);
}
