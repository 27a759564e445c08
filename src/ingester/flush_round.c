/* SPDX-License-Identifier: Apache-2.0 */
/* One merge: the oldest local segments become objects.  Order: objects durable, index rows, one
 * catalog transaction (objects in, sources out), views, and at the last reference the sources' rows
 * and files.  When a step fails everything stays as it was, and the whole is tried again.
 * Of several objects from the same sources only the last one says that it replaces them: a rebuild
 * from the store alone that meets the first ones without it keeps the sources, and reads what both
 * hold once. */
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/segment.h"
#include "ingester/flush_impl.h"
#include "store/catalog.h"

COUNTER(flushes_total, "halogi_ingester_flushes_total", "Merges of local segments into objects");
COUNTER_SCALED(flush_seconds_total, "halogi_ingester_flush_seconds_total",
               "Time spent merging local segments into objects", 1e-9);
COUNTER(copied_total, "halogi_ingester_flush_copied_chunks_total",
        "Chunks that merges copied as they were");
COUNTER(decoded_total, "halogi_ingester_flush_decoded_chunks_total",
        "Chunks that merges had to decode");

static void charge(struct flusher *f, uint64_t bytes)
{
    ledger_adjust(f->in->deps.ledger, LEDGER_SPILL, &f->charged_bytes, bytes);
}

/* --- the sources --------------------------------------------------------------------------- */

static bool is_damaged(const struct flusher *f, struct uuid uuid)
{
    for (size_t i = 0; i < f->n_damaged; i++)
        if (uuid_eq(f->damaged[i], uuid))
            return true;
    return false;
}

/* Keeps segments, not the view: that would keep heads in memory as long as a merge takes. */
void flush_round_init(struct flush_round *rd, struct flusher *f)
{
    struct view *view = view_pin(f->in->deps.views);
    *rd = (struct flush_round){.f = f};
    rd->live = ARENA_ARRAY(&rd->arena, struct live_segment *, view->n_segments);
    for (size_t i = 0; i < view->n_segments; i++) {
        struct live_segment *s = view->segments[i];
        if (s->info.place != PLACE_LOCAL || is_damaged(f, s->info.uuid))
            continue;
        rd->live[rd->n_live++] = live_segment_ref(s);
        rd->live_bytes += s->info.bytes;
    }
    view_unpin(view);
}

void flush_round_deinit(struct flush_round *rd)
{
    for (size_t i = 0; i < rd->n; i++)
        segment_file_close(&rd->files[i]);
    for (size_t i = 0; i < rd->n_live; i++)
        live_segment_unref(rd->live[i]);
    arena_deinit(&rd->arena);
}

static int open_source(struct flush_round *rd, struct err *err)
{
    const struct segment_info *info = &rd->live[rd->n]->info;
    struct segment_file *f = &rd->files[rd->n];
    int r = segment_file_open(f, &rd->f->in->deps.stores, info->place, info->key, err);
    if (r < 0)
        return err_context(err, r, "segment '%.*s'", SV_ARG(info->key));
    rd->segments[rd->n++] = f->segment;
    return 0;
}

static uint64_t largest_part_streams(const struct segment *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->n_parts; i++)
        most = s->parts[i].n_streams > most ? s->parts[i].n_streams : most;
    return most;
}

/* Opens one after another as long as one merge can take them. */
static int open_sources(struct flush_round *rd, struct err *err)
{
    struct merge_candidate v[MERGE_MAX_SOURCES];
    size_t most = rd->f->singly ? 1 : MERGE_MAX_SOURCES;
    int r = 0;
    rd->files = ARENA_ARRAY(&rd->arena, struct segment_file, most);
    rd->segments = ARENA_ARRAY(&rd->arena, struct segment *, most);
    while (r == 0 && rd->n < rd->n_live && rd->n < most) {
        size_t at = rd->n;
        r = open_source(rd, err);
        if (r < 0)
            break;
        v[at] = (struct merge_candidate){rd->live[at]->info.bytes,
                                         largest_part_streams(rd->segments[at])};
        if (merge_choose(v, rd->n, rd->f->in->conf.flush_object_bytes) < rd->n) {
            segment_file_close(&rd->files[at]);
            rd->n--;
            break;
        }
    }
    return r;
}

/* --- one object ---------------------------------------------------------------------------- */

static int64_t oldest_ts(const struct flush_round *rd, uint32_t object)
{
    int64_t oldest_ns = INT64_MAX;
    for (size_t t = 0; t < rd->n_tenants; t++) {
        if (rd->tenants[t].object != object)
            continue;
        for (size_t s = 0; s < rd->n; s++)
            for (uint32_t i = 0; i < rd->segments[s]->n_parts; i++) {
                const struct segment_part *p = &rd->segments[s]->parts[i];
                if (p->min_ts_ns < oldest_ns && sv_eq(p->tenant, rd->tenants[t].name))
                    oldest_ns = p->min_ts_ns;
            }
    }
    return oldest_ns;
}

static int write_tenants(struct flush_round *rd, uint32_t object, struct err *err)
{
    struct flusher *f = rd->f;
    int r = 0;
    for (size_t t = 0; t < rd->n_tenants && r == 0; t++) {
        if (rd->tenants[t].object != object)
            continue;
        if (flush_is_stopping(f->in))
            return err_set(err, ERR_CANCELLED, "the server is stopping");
        bool heavy = publish_heavy_begin(&f->in->publisher);
        r = merge_write_tenant(f->merge, rd->segments, rd->n, rd->tenants[t].name, f->writer, err);
        publish_heavy_end(&f->in->publisher, heavy);
        charge(f, merge_peak_bytes(f->merge) + segment_writer_mem_bytes(f->writer));
    }
    return r;
}

/* The union of what the sources cover; `replaced` for the last object alone. */
static int finish(struct flush_round *rd, bool last, uint64_t *ret_bytes, struct err *err)
{
    size_t n_coverage = 0, n = 0;
    for (size_t s = 0; s < rd->n; s++)
        n_coverage += rd->segments[s]->n_coverage;
    struct segment_coverage *coverage =
        ARENA_ARRAY(&rd->arena, struct segment_coverage, n_coverage);
    uint8_t(*replaced)[SEGMENT_UUID_BYTES] =
        arena_alloc(&rd->arena, rd->n * sizeof(uint8_t[SEGMENT_UUID_BYTES]));
    for (size_t s = 0; s < rd->n; s++) {
        memcpy(replaced[s], rd->segments[s]->header.uuid, SEGMENT_UUID_BYTES);
        for (uint32_t i = 0; i < rd->segments[s]->n_coverage; i++)
            coverage[n++] = rd->segments[s]->coverage[i];
    }
    return segment_writer_finish(rd->f->writer, coverage, n_coverage,
                                 (const uint8_t(*)[SEGMENT_UUID_BYTES])replaced, last ? rd->n : 0,
                                 ret_bytes, err);
}

static int write_one(struct flush_round *rd, uint32_t object, struct err *err)
{
    struct ingester *in = rd->f->in;
    struct segment_draft *d = &rd->made[object];
    *d = publish_draft(&in->publisher, PLACE_OBJECT, SEGMENT_OBJECT, oldest_ts(rd, object),
                       &rd->arena);
    int r = segment_file_create(d, &in->deps.stores, rd->f->writer, err);
    if (r == 0)
        r = write_tenants(rd, object, err);
    if (r == 0)
        r = finish(rd, object + 1 == rd->n_objects, &d->bytes, err);
    if (r == 0)
        return segment_file_commit(d, err);
    segment_file_abort(d);
    return r;
}

/* --- one merge ----------------------------------------------------------------------------- */

static int write_objects(struct flush_round *rd, struct err *err)
{
    struct ingester *in = rd->f->in;
    rd->n_tenants = merge_list_tenants(&rd->arena, rd->segments, rd->n, &rd->tenants);
    rd->n_objects = merge_plan_objects(rd->tenants, rd->n_tenants, in->conf.flush_object_bytes);
    rd->made = ARENA_ARRAY(&rd->arena, struct segment_draft, rd->n_objects);
    rd->infos = ARENA_ARRAY(&rd->arena, struct segment_info, rd->n_objects);
    int r = 0;
    for (uint32_t i = 0; i < rd->n_objects && r == 0; i++) {
        r = write_one(rd, i, err);
        segment_file_trim_writer(&rd->f->writer);
        charge(rd->f, segment_writer_mem_bytes(rd->f->writer));
        bool heavy = publish_heavy_begin(&in->publisher);
        if (r == 0)
            r = publish_prepare(&in->publisher, &rd->made[i], &rd->arena, &rd->infos[i], err);
        publish_heavy_end(&in->publisher, heavy);
        if (r < 0 && i > 0) {
            struct leftovers l = {0};
            for (uint32_t k = 0; k < i; k++)
                leftovers_add_info(&l, &rd->infos[k]);
            publish_give_up(&in->publisher, &l, err);
        }
    }
    return r;
}

static int make_live(struct flush_round *rd, struct err *err)
{
    struct ingester *in = rd->f->in;
    struct uuid *gone = ARENA_ARRAY(&rd->arena, struct uuid, rd->n);
    for (size_t i = 0; i < rd->n; i++)
        gone[i] = rd->live[i]->info.uuid;
    struct publication what = {
        .add = rd->infos, .n_add = rd->n_objects, .replaced = gone, .n_replaced = rd->n};
    return publish_commit(&in->publisher, &rd->f->failed, &what, err);
}

static void note_merged(const struct flush_round *rd)
{
    struct flusher *f = rd->f;
    struct merge_counts c = merge_counts(f->merge);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < rd->n_objects; i++)
        bytes += rd->made[i].bytes;
    metric_add(&flushes_total, 1);
    metric_add(&copied_total, (int64_t)(c.copied_chunks - f->counted.copied_chunks));
    metric_add(&decoded_total, (int64_t)(c.decoded_chunks - f->counted.decoded_chunks));
    f->counted = c;
    LOG_INFO("local segments became objects", log_uint("segments", rd->n),
             log_uint("objects", rd->n_objects), log_uint("bytes", bytes));
}

/* A source that does not verify is found by merging them one by one. */
static void note_damage(struct flush_round *rd, const struct err *err)
{
    struct flusher *f = rd->f;
    if (!f->singly) {
        f->singly = rd->n_live < UINT32_MAX ? (unsigned)rd->n_live : UINT32_MAX;
        return;
    }
    const struct segment_info *info = &rd->live[0]->info;
    f->damaged = mem_grow(f->damaged, &f->cap_damaged, f->n_damaged + 1, sizeof *f->damaged);
    f->damaged[f->n_damaged++] = info->uuid;
    LOG_ERROR("a local segment is damaged; it stays where it is, what can be read of it is read",
              log_sv("key", info->key), log_str("err", err->text));
}

int flush_merge_some(struct flusher *f, bool *ret_done, struct err *err)
{
    struct flush_round rd;
    int64_t began_ns = clock_mono_ns();
    flush_round_init(&rd, f);
    *ret_done = rd.n_live == 0;
    int r = 0;
    if (rd.n_live > 0) {
        r = open_sources(&rd, err);
        if (r == 0)
            r = write_objects(&rd, err);
        if (r == 0)
            r = make_live(&rd, err);
        if (r == 0)
            note_merged(&rd);
        if (r == ERR_CORRUPT)
            note_damage(&rd, err);
        f->singly -= f->singly > 0;
    }
    flush_round_deinit(&rd);
    charge(f, 0);
    flush_remove_dead(f);
    metric_add(&flush_seconds_total, clock_mono_ns() - began_ns);
    return r;
}
