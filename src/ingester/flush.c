/* SPDX-License-Identifier: Apache-2.0 */
/* The flush thread: local segments become objects, one merge at a time.  Order: objects durable,
 * index rows, one catalog transaction (objects in, sources out), views, and at the last reference
 * the sources' rows and files.  When a step fails everything stays as it was, and the whole is
 * tried again.
 * Of several objects from the same sources only the last one says that it replaces them: a rebuild
 * from the store alone that meets the first ones without it keeps the sources, and reads what both
 * hold once. */
#include "base/log.h"
#include "base/metrics.h"
#include "chunk/segment.h"
#include "ingester/merge.h"
#include "ingester/state.h"
#include "store/catalog.h"
#include "store/object.h"

COUNTER(flushes_total, "halogi_ingester_flushes_total", "Merges of local segments into objects");
COUNTER(flush_failures_total, "halogi_ingester_flush_failures_total",
        "Merges of local segments into objects that failed and are tried again");
COUNTER_SCALED(flush_seconds_total, "halogi_ingester_flush_seconds_total",
               "Time spent merging local segments into objects", 1e-9);
COUNTER(copied_total, "halogi_ingester_flush_copied_chunks_total",
        "Chunks that merges copied as they were");
COUNTER(decoded_total, "halogi_ingester_flush_decoded_chunks_total",
        "Chunks that merges had to decode");

struct flusher {
    struct ingester *in;
    struct merge *merge;
    struct segment_writer *writer;
    struct merge_counts counted;
    struct leftovers failed;
    uint64_t charged_bytes;
    int64_t retry_at_ns, retry_ns;
    /* The oldest local segment: since when, on the monotonic clock. */
    struct uuid oldest;
    int64_t oldest_since_ns;
    /* Segments that do not verify: they stay as they are, so that the others can go on. */
    struct uuid *damaged;
    size_t n_damaged, cap_damaged;
    bool tidied;
    unsigned singly; /* merges of one segment still to do, to find the damaged one */
};

static bool stopping(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->stop_flush;
}

static void charge(struct flusher *f, uint64_t bytes)
{
    ledger_adjust(f->in->deps.ledger, LEDGER_SPILL, &f->charged_bytes, bytes);
}

/* --- the sources --------------------------------------------------------------------------- */

/* What one merge works on; everything in the arena. */
struct round {
    struct flusher *f;
    struct arena arena;
    struct live_segment **live; /* local ones, in order of arrival; with a reference each */
    size_t n_live;
    uint64_t live_bytes;
    size_t n; /* of live, the first ones: to be merged */
    struct object_reader **readers;
    struct segment **segments;
    struct merge_tenant *tenants;
    size_t n_tenants;
    struct new_segment *made;
    struct segment_info *infos;
    uint32_t n_objects;
};

static bool is_damaged(const struct flusher *f, struct uuid uuid)
{
    for (size_t i = 0; i < f->n_damaged; i++)
        if (uuid_eq(f->damaged[i], uuid))
            return true;
    return false;
}

/* Keeps segments, not the view: that would keep heads in memory as long as a merge takes. */
static void round_init(struct round *rd, struct flusher *f)
{
    struct view *view = view_pin(f->in->deps.views);
    *rd = (struct round){.f = f};
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

static void round_deinit(struct round *rd)
{
    for (size_t i = 0; i < rd->n; i++) {
        segment_close(rd->segments[i]);
        object_close(rd->readers[i]);
    }
    for (size_t i = 0; i < rd->n_live; i++)
        live_segment_unref(rd->live[i]);
    arena_deinit(&rd->arena);
}

static int pread_object(void *ctx, void *to, size_t len, uint64_t at, struct err *err)
{
    return object_pread(ctx, to, len, at, err);
}

static int open_source(struct round *rd, struct err *err)
{
    const struct segment_info *info = &rd->live[rd->n]->info;
    struct object_reader *reader = NULL;
    struct segment *segment = NULL;
    int r = object_open(rd->f->in->deps.local, info->key, &reader, err);
    struct segment_source source = {reader, r == 0 ? object_bytes(reader) : 0, pread_object};
    if (r == 0)
        r = segment_open(&segment, &source, err);
    if (r < 0) {
        object_close(reader);
        return err_context(err, r, "segment '%.*s'", SV_ARG(info->key));
    }
    rd->readers[rd->n] = reader;
    rd->segments[rd->n++] = segment;
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
static int open_sources(struct round *rd, struct err *err)
{
    struct merge_candidate v[MERGE_MAX_SOURCES];
    size_t most = rd->f->singly ? 1 : MERGE_MAX_SOURCES;
    int r = 0;
    rd->readers = ARENA_ARRAY(&rd->arena, struct object_reader *, most);
    rd->segments = ARENA_ARRAY(&rd->arena, struct segment *, most);
    while (r == 0 && rd->n < rd->n_live && rd->n < most) {
        size_t at = rd->n;
        r = open_source(rd, err);
        if (r < 0)
            break;
        v[at] = (struct merge_candidate){rd->live[at]->info.bytes,
                                         largest_part_streams(rd->segments[at])};
        if (merge_choose(v, rd->n, rd->f->in->conf.flush_object_bytes) < rd->n) {
            segment_close(rd->segments[at]);
            object_close(rd->readers[at]);
            rd->n--;
            break;
        }
    }
    return r;
}

/* --- one object ---------------------------------------------------------------------------- */

static int write_object(void *ctx, struct str_view data, struct err *err)
{
    return object_write(ctx, data, err);
}

static int64_t oldest_ts(const struct round *rd, uint32_t object)
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

static int write_tenants(struct round *rd, uint32_t object, struct err *err)
{
    struct flusher *f = rd->f;
    int r = 0;
    for (size_t t = 0; t < rd->n_tenants && r == 0; t++) {
        if (rd->tenants[t].object != object)
            continue;
        if (stopping(f->in))
            return err_set(err, ERR_CANCELLED, "the server is stopping");
        bool heavy = heavy_begin(f->in);
        r = merge_write_tenant(f->merge, rd->segments, rd->n, rd->tenants[t].name, f->writer, err);
        heavy_end(f->in, heavy);
        charge(f, merge_peak_bytes(f->merge) + segment_writer_mem_bytes(f->writer));
    }
    return r;
}

/* The union of what the sources cover; `replaced` for the last object alone. */
static int finish(struct round *rd, bool last, uint64_t *ret_bytes, struct err *err)
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

static int write_one(struct round *rd, uint32_t object, struct err *err)
{
    struct flusher *f = rd->f;
    struct ingester *in = f->in;
    struct new_segment *s = &rd->made[object];
    *s = (struct new_segment){.uuid = uuid_new(),
                              .place = PLACE_OBJECT,
                              .generation = catalog_next_generation(in->deps.catalog),
                              .created_ns = clock_wall_ns()};
    s->key = segment_key(&rd->arena, s->uuid, oldest_ts(rd, object));
    struct segment_header header = {
        .generation = s->generation, .created_ns = s->created_ns, .level = SEGMENT_OBJECT};
    memcpy(header.installation, in->installation.b, UUID_BYTES);
    memcpy(header.uuid, s->uuid.b, UUID_BYTES);
    struct object_writer *out = NULL;
    int r = object_create(in->deps.objects, s->key, &out, err);
    if (r < 0)
        return r;
    struct chunk_options options = {0};
    r = segment_writer_open(f->writer, &header, &options, (struct segment_sink){out, write_object},
                            err);
    if (r == 0)
        r = write_tenants(rd, object, err);
    if (r == 0)
        r = finish(rd, object + 1 == rd->n_objects, &s->bytes, err);
    if (r < 0) {
        object_abort(out);
        return r;
    }
    return object_commit(out, err);
}

/* --- one merge ----------------------------------------------------------------------------- */

static int write_objects(struct round *rd, struct err *err)
{
    struct ingester *in = rd->f->in;
    rd->n_tenants = merge_list_tenants(&rd->arena, rd->segments, rd->n, &rd->tenants);
    rd->n_objects = merge_plan_objects(rd->tenants, rd->n_tenants, in->conf.flush_object_bytes);
    rd->made = ARENA_ARRAY(&rd->arena, struct new_segment, rd->n_objects);
    rd->infos = ARENA_ARRAY(&rd->arena, struct segment_info, rd->n_objects);
    int r = 0;
    for (uint32_t i = 0; i < rd->n_objects && r == 0; i++) {
        r = write_one(rd, i, err);
        publish_trim_writer(&rd->f->writer);
        charge(rd->f, segment_writer_mem_bytes(rd->f->writer));
        bool heavy = heavy_begin(in);
        if (r == 0)
            r = publish_prepare(in, &rd->made[i], &rd->arena, &rd->infos[i], err);
        heavy_end(in, heavy);
        if (r < 0 && i > 0) {
            struct leftovers l = {0};
            for (uint32_t k = 0; k < i; k++)
                leftovers_add(&l, rd->made[k].uuid, PLACE_OBJECT, rd->made[k].key);
            publish_discard(in, &l);
        }
    }
    return r;
}

static int make_live(struct round *rd, struct err *err)
{
    struct ingester *in = rd->f->in;
    struct uuid *gone = ARENA_ARRAY(&rd->arena, struct uuid, rd->n);
    struct live_segment **live = ARENA_ARRAY(&rd->arena, struct live_segment *, rd->n_objects);
    for (size_t i = 0; i < rd->n; i++)
        gone[i] = rd->live[i]->info.uuid;
    struct catalog_change change = {
        .add = rd->infos, .n_add = rd->n_objects, .remove = gone, .n_remove = rd->n};
    int r = publish_commit(in, &rd->f->failed, &change, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < rd->n_objects; i++)
        live[i] = publish_live(in, &rd->infos[i]);
    struct views_change views = {.add = live,
                                 .n_add = rd->n_objects,
                                 .remove = gone,
                                 .n_remove = rd->n,
                                 .doom_removed = true};
    views_apply(in->deps.views, &views);
    for (uint32_t i = 0; i < rd->n_objects; i++)
        live_segment_unref(live[i]);
    return 0;
}

static void note_merged(const struct round *rd)
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
static void note_damage(struct round *rd, const struct err *err)
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

/* The oldest local segments, as many as one merge takes; *ret_done when there are none. */
static int merge_some(struct flusher *f, bool *ret_done, struct err *err)
{
    struct round rd;
    int64_t began_ns = clock_mono_ns();
    round_init(&rd, f);
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
    round_deinit(&rd);
    charge(f, 0);
    publish_remove_dead(f->in);
    metric_add(&flush_seconds_total, clock_mono_ns() - began_ns);
    return r;
}

static void note_failure(struct flusher *f, const struct err *err)
{
    enum { FIRST_S = 1, MOST_S = 60 };
    metric_add(&flush_failures_total, 1);
    LOG_ERROR("local segments did not become objects, they stay where they are",
              log_str("err", err->text));
    f->retry_ns = f->retry_ns ? f->retry_ns * 2 : FIRST_S * NS_PER_S;
    if (f->retry_ns > MOST_S * NS_PER_S)
        f->retry_ns = MOST_S * NS_PER_S;
    f->retry_at_ns = clock_mono_ns() + f->retry_ns;
}

/* Until there are none, or it fails. */
static int merge_all(struct flusher *f, struct err *err)
{
    bool done = false;
    int r = 0;
    while (!done && (r == 0 || r == ERR_CORRUPT)) {
        if (stopping(f->in))
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        size_t n_damaged = f->n_damaged;
        unsigned singly = f->singly;
        r = merge_some(f, &done, err);
        if (r == ERR_CORRUPT && f->n_damaged == n_damaged && singly)
            break;
    }
    if (r == 0)
        f->retry_ns = 0;
    return r;
}

/* --- when ---------------------------------------------------------------------------------- */

/* The wall clock says how old a segment of an earlier run is, once; from then on time is counted
 * by the clock that never jumps. */
static int64_t oldest_age_ns(struct flusher *f, const struct round *rd, int64_t now_ns)
{
    const struct segment_info *info = &rd->live[0]->info;
    if (!uuid_eq(info->uuid, f->oldest)) {
        int64_t age_ns = clock_wall_ns() - info->created_ns;
        int64_t most_ns = f->in->conf.flush_local_age_ns;
        f->oldest = info->uuid;
        f->oldest_since_ns = now_ns - (age_ns < 0 ? 0 : age_ns > most_ns ? most_ns : age_ns);
    }
    return now_ns - f->oldest_since_ns;
}

static bool is_due(struct flusher *f)
{
    const struct ingester_conf *c = &f->in->conf;
    int64_t now_ns = clock_mono_ns();
    if (now_ns < f->retry_at_ns)
        return false;
    struct round rd;
    round_init(&rd, f);
    bool due =
        rd.n_live > 0 && (rd.live_bytes >= c->flush_local_bytes || rd.n_live >= MERGE_MAX_SOURCES ||
                          f->singly || oldest_age_ns(f, &rd, now_ns) >= c->flush_local_age_ns);
    round_deinit(&rd);
    return due;
}

/* --- flush requests ------------------------------------------------------------------------ */

static void enqueue_locked(struct ingester *in, struct flush_request *q)
{
    q->next = in->flushes;
    in->flushes = q;
    cond_broadcast(&in->changed);
}

void flush_request(struct ingester *in, void (*done)(void *ctx, int result, const struct err *err),
                   void *ctx)
{
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    *q = (struct flush_request){.done = done, .ctx = ctx};
    mutex_lock(&in->mu);
    bool ready = in->state == INGESTER_READY;
    if (ready)
        enqueue_locked(in, q);
    mutex_unlock(&in->mu);
    if (ready)
        return;
    struct err err = ERR_INIT;
    free(q);
    done(ctx, err_set(&err, ERR_UNAVAILABLE, "the ingester is starting or stopping"), &err);
}

struct waited {
    struct mutex mu;
    struct cond done;
    bool ran;
    int result;
    struct err err;
};

static void wake(void *ctx, int result, const struct err *err)
{
    struct waited *w = ctx;
    MUTEX_GUARD(&w->mu);
    w->ran = true;
    w->result = result;
    if (result < 0)
        w->err = *err;
    cond_signal(&w->done);
}

int flush_and_wait(struct ingester *in, struct err *err)
{
    struct waited w = {0};
    mutex_init(&w.mu);
    cond_init(&w.done);
    struct flush_request *q = mem_zalloc(1, sizeof *q);
    *q = (struct flush_request){.done = wake, .ctx = &w};
    mutex_lock(&in->mu);
    enqueue_locked(in, q);
    mutex_unlock(&in->mu);
    mutex_lock(&w.mu);
    while (!w.ran)
        cond_wait(&w.done, &w.mu);
    mutex_unlock(&w.mu);
    cond_deinit(&w.done);
    mutex_deinit(&w.mu);
    return w.result < 0 ? err_set(err, w.result, "%s", w.err.text) : 0;
}

/* Everything in the head now gets into a segment. */
static int wait_spilled(struct ingester *in, struct err *err)
{
    MUTEX_GUARD(&in->mu);
    uint64_t last = in->spilling.g ? in->spilling.g->number : 0;
    if (in->active.began_mono_ns != 0) {
        last = in->active.g->number;
        in->swap_wanted = true;
        cond_broadcast(&in->changed);
    }
    while (in->n_spilled < last) {
        if (in->stop_flush)
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        if (in->spill_err.code)
            return err_set(err, ERR_UNAVAILABLE, "the head could not be written: %s",
                           in->spill_err.text);
        cond_wait(&in->changed, &in->mu);
    }
    return 0;
}

static struct flush_request *take_requests(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    struct flush_request *q = in->flushes;
    in->flushes = NULL;
    return q;
}

static void answer(struct flush_request *q, int result, const struct err *err)
{
    while (q) {
        struct flush_request *next = q->next;
        q->done(q->ctx, result, err);
        free(q);
        q = next;
    }
}

static void serve(struct flusher *f, struct flush_request *requests)
{
    struct err err = ERR_INIT;
    int r = wait_spilled(f->in, &err);
    if (r == 0)
        r = merge_all(f, &err);
    if (r == 0 && f->n_damaged)
        r = err_set(&err, ERR_CORRUPT, "%zu damaged local segments cannot become objects",
                    f->n_damaged);
    if (r < 0)
        note_failure(f, &err);
    answer(requests, r, &err);
}

/* --- what the last run left ----------------------------------------------------------------- */

/* Once, before the first object is written. */
static void tidy_up(struct flusher *f)
{
    struct ingester *in = f->in;
    struct tidy objects = {0};
    struct err err = ERR_INIT;
    f->tidied = true;
    int r = tidy_list(in, PLACE_OBJECT, in->began_wall_ns, &objects, &err);
    uint64_t n_missing = in->strays.n_missing + objects.n_missing;
    if (r < 0) {
        LOG_WARN("the object store cannot be listed", log_str("err", err.text));
    } else if (n_missing) {
        LOG_ERROR("left-over segments are not removed, since others are missing",
                  log_uint("missing", n_missing));
    } else {
        tidy_remove(in, PLACE_LOCAL, &in->strays, in->kept_lsn);
        tidy_remove(in, PLACE_OBJECT, &objects, in->kept_lsn);
    }
    tidy_deinit(&objects);
    tidy_end(in);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void wait_a_moment(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    if (!in->flushes && !in->stop_flush)
        cond_wait_for(&in->changed, &in->mu, NS_PER_S);
}

static bool may_work(struct ingester *in)
{
    MUTEX_GUARD(&in->mu);
    return in->wal != NULL; /* recovery is over */
}

static void work(struct flusher *f)
{
    struct err err = ERR_INIT;
    bool done;
    if (!may_work(f->in))
        return;
    if (!f->tidied)
        tidy_up(f);
    struct flush_request *requests = take_requests(f->in);
    if (requests)
        serve(f, requests);
    else if (is_due(f)) {
        if (merge_some(f, &done, &err) < 0)
            note_failure(f, &err);
        else
            f->retry_ns = 0;
    }
    publish_remove_dead(f->in);
}

void flush_thread_run(void *ctx)
{
    struct flusher f = {.in = ctx, .merge = merge_new(), .writer = segment_writer_new()};
    while (!stopping(f.in)) {
        work(&f);
        wait_a_moment(f.in);
    }
    struct err err = ERR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
    answer(take_requests(f.in), err.code, &err);
    leftovers_deinit(&f.failed);
    merge_free(f.merge);
    segment_writer_free(f.writer);
    free(f.damaged);
}
