/* SPDX-License-Identifier: Apache-2.0 */
/* A finished segment becomes live.  Its rows are made from what was written, read back, so the
 * index says what the file says. */
#include "base/log.h"
#include "chunk/segment.h"
#include "ingester/state.h"
#include "store/index/index.h"
#include "store/object/object.h"
#include "store/segments.h"

struct segment_draft publish_draft(struct ingester *in, enum segment_place place, int64_t min_ts_ns,
                                   struct arena *arena)
{
    struct uuid uuid = uuid_new();
    struct segment_draft d = {.place = place, .key = segment_key(arena, uuid, min_ts_ns)};
    d.header.generation = catalog_next_generation(in->deps.catalog);
    d.header.created_ns = clock_wall_ns();
    d.header.level = place == PLACE_LOCAL ? SEGMENT_LOCAL : SEGMENT_OBJECT;
    memcpy(d.header.installation, in->installation.b, UUID_BYTES);
    memcpy(d.header.uuid, uuid.b, UUID_BYTES);
    return d;
}

void publish_trim_writer(struct segment_writer **w)
{
    enum { KEEP_BYTES = 8 << 20 };
    if (segment_writer_mem_bytes(*w) <= KEEP_BYTES)
        return;
    segment_writer_free(*w);
    *w = segment_writer_new();
}

bool heavy_begin(struct ingester *in)
{
    enum { MANY_STREAMS = 50000 };
    mutex_lock(&in->mu);
    bool many = streams_count(in->streams) > MANY_STREAMS;
    mutex_unlock(&in->mu);
    if (many)
        mutex_lock(&in->heavy);
    return many;
}

void heavy_end(struct ingester *in, bool begun)
{
    if (begun)
        mutex_unlock(&in->heavy);
}

/* What the index holds of a segment while it adds its rows, about. */
static uint64_t directory_bytes(const struct segment *s)
{
    enum { BYTES_PER_STREAM = 400 };
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->n_parts; i++)
        n += s->parts[i].n_streams;
    return n * BYTES_PER_STREAM;
}

static int prepare(struct ingester *in, const struct segment_draft *s, struct arena *arena,
                   struct segment_info *ret, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &in->deps.stores, s->place, s->key, err);
    if (r < 0)
        return r;
    uint64_t charged = 0;
    ledger_adjust(in->deps.ledger, LEDGER_SPILL, &charged, directory_bytes(file.segment));
    r = index_add_segment_file(in->deps.index, file.segment, err);
    ledger_adjust(in->deps.ledger, LEDGER_SPILL, &charged, 0);
    segment_info_of(arena, file.segment, s->place, s->key, ret);
    segment_file_close(&file);
    return r;
}

int publish_prepare(struct ingester *in, const struct segment_draft *s, struct arena *arena,
                    struct segment_info *ret, struct err *err)
{
    int r = prepare(in, s, arena, ret, err);
    if (r < 0) {
        struct leftovers l = {0};
        leftovers_add(&l, uuid_of_bytes(s->header.uuid), s->place, s->key);
        publish_discard(in, &l);
        leftovers_deinit(&l);
    }
    return r;
}

/* --- what goes again ---------------------------------------------------------------------- */

void leftovers_add(struct leftovers *l, struct uuid uuid, enum segment_place place,
                   struct str_view key)
{
    l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = (struct leftover){uuid, place, strndup(key.p, key.len), NULL, 0};
}

void leftovers_add_info(struct leftovers *l, const struct segment_info *info)
{
    leftovers_add(l, info->uuid, info->place, info->key);
    struct leftover *last = &l->v[l->n - 1];
    last->n_periods = info->n_periods;
    last->periods = mem_alloc((info->n_periods + 1) * sizeof *last->periods);
    memcpy(last->periods, info->periods, info->n_periods * sizeof *last->periods);
}

void leftovers_deinit(struct leftovers *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].key);
        free(l->v[i].periods);
    }
    free(l->v);
    *l = (struct leftovers){0};
}

/* The uuids in an array of their own; the caller frees it. */
static struct uuid *uuids_of(const struct leftovers *l, size_t extra)
{
    struct uuid *v = mem_alloc((l->n + extra) * sizeof *v);
    for (size_t i = 0; i < l->n; i++)
        v[i] = l->v[i].uuid;
    return v;
}

/* Of all of them; NULL when some are not known.  The caller frees it. */
static struct period *periods_of(const struct leftovers *l, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (!l->v[i].periods)
            return NULL;
        n += l->v[i].n_periods;
    }
    struct period *v = mem_alloc((n + 1) * sizeof *v);
    *ret_n = 0;
    for (size_t i = 0; i < l->n; i++) {
        memcpy(v + *ret_n, l->v[i].periods, l->v[i].n_periods * sizeof *v);
        *ret_n += l->v[i].n_periods;
    }
    return v;
}

static int remove_rows(struct ingester *in, const struct leftovers *l, struct err *err)
{
    size_t n_periods = 0;
    struct uuid *uuids = uuids_of(l, 0);
    struct period *periods = periods_of(l, &n_periods);
    int r = index_remove_segments(in->deps.index, uuids, l->n, periods, n_periods, err);
    free(periods);
    free(uuids);
    return r;
}

/* Rows first: without them nobody finds the file. */
void publish_discard(struct ingester *in, struct leftovers *l)
{
    struct err err = ERR_INIT;
    int r = l->n ? remove_rows(in, l, &err) : 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        struct err why = ERR_INIT;
        if (object_delete(stores_of(&in->deps.stores, l->v[i].place), sv_of(l->v[i].key), &why) < 0)
            LOG_WARN("a dead segment was not removed", log_str("key", l->v[i].key),
                     log_str("err", why.text));
    }
    if (r < 0)
        LOG_WARN("dead segments were not removed", log_uint("segments", l->n),
                 log_str("err", err.text));
    leftovers_deinit(l);
}

int publish_commit(struct ingester *in, struct leftovers *failed,
                   const struct catalog_change *change, struct err *err)
{
    struct catalog_change both = *change;
    struct uuid *remove = uuids_of(failed, change->n_remove);
    if (change->n_remove)
        memcpy(remove + failed->n, change->remove, change->n_remove * sizeof *remove);
    both.remove = remove;
    both.n_remove += failed->n;
    int r = catalog_commit(in->deps.catalog, &both, err);
    free(remove);
    if (r == 0) {
        publish_discard(in, failed);
        return 0;
    }
    for (size_t i = 0; i < change->n_add; i++)
        leftovers_add_info(failed, &change->add[i]);
    return r;
}

void publish_remove_dead(struct ingester *in)
{
    mutex_lock(&in->dead_mu);
    struct leftovers dead = in->dead;
    in->dead = (struct leftovers){0};
    mutex_unlock(&in->dead_mu);
    publish_discard(in, &dead);
}

/* On whatever thread held the last view, a query's maybe: the work is the flush thread's. */
static void on_gone(void *ctx, const struct segment_info *info, bool doomed)
{
    struct ingester *in = ctx;
    if (in->deps.segments)
        segments_forget(in->deps.segments, info->uuid);
    if (!doomed)
        return;
    MUTEX_GUARD(&in->dead_mu);
    leftovers_add_info(&in->dead, info);
}

struct live_segment *publish_live(struct ingester *in, const struct segment_info *info)
{
    return live_segment_new(info, on_gone, in);
}
