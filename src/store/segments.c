/* SPDX-License-Identifier: Apache-2.0 */
/* Unused segments stay open in a list by last use.  What an open segment has read is published by
 * an atomic pointer, so a look-up of a filter or a directory that is there takes no lock. */
#include "store/segments.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "chunk/filter.h"
#include "store/damage.h"
#include "store/object/lazy_reader.h"
#include "store/view.h"

COUNTER(segments_opened, "halogi_segments_opened_total", "Segment files opened for queries");
COUNTER(segments_evicted, "halogi_segments_evicted_total",
        "Open segments dropped for others, or for want of memory");

enum { N_BUCKETS = 1024, DEFAULT_MAX_OPEN = 512, DEFAULT_MAX_FILES = 512 };
/* Beyond so many times max_bytes, used segments included, filters of whole parts are not kept. */
enum { KEEP_FILTERS = 2 };
#define DEFAULT_MAX_BYTES (UINT64_C(64) << 20)

/* Filters of all chunks of a part. */
struct filters {
    struct buf bytes;
};

/* What was read of one part. */
struct open_part {
    _Atomic(struct part *) part;
    _Atomic(struct filters *) filters;
    _Atomic uint32_t refused_at; /* open_segment.n_gets when memory for filters was short */
    struct part_source source;   /* set before `part` is */
};

struct open_segment {
    struct segments *cache; /* fixed at init, as the next two */
    struct uuid uuid;
    struct lazy_reader reader;
    struct open_segment *in_bucket;     /* guarded by cache->mu, as the next three */
    struct open_segment *older, *newer; /* among the unused */
    unsigned users;
    bool forgotten;               /* as well: out of the table; its last user frees it */
    _Atomic uint32_t n_gets;      /* written under cache->mu */
    _Atomic uint64_t mem_bytes;   /* charged */
    struct mutex load_mu;         /* one load at a time; the cache's locks may be taken inside */
    struct segment_source source; /* guarded by load_mu until `file` is set, as the next */
    struct open_part *parts;
    _Atomic(struct segment *) file;
};

struct segments {
    struct segments_conf conf; /* fixed at init */
    struct mutex mu;
    struct open_segment *buckets[N_BUCKETS]; /* guarded by mu, as the next four */
    struct open_segment *oldest, *newest;    /* unused ones */
    unsigned n_unused;
    uint64_t unused_bytes;      /* an unused segment's size does not change */
    _Atomic uint64_t mem_bytes; /* of all */
    struct lazy_readers readers;
    struct damage_list damage;
};

struct segments *segments_new(const struct segments_conf *conf)
{
    struct segments *c = mem_zalloc(1, sizeof *c);
    c->conf = *conf;
    if (c->conf.max_bytes == 0)
        c->conf.max_bytes = DEFAULT_MAX_BYTES;
    if (c->conf.max_open == 0)
        c->conf.max_open = DEFAULT_MAX_OPEN;
    if (c->conf.max_files == 0)
        c->conf.max_files = DEFAULT_MAX_FILES;
    mutex_init(&c->mu);
    damage_list_init(&c->damage);
    lazy_readers_init(&c->readers, c->conf.max_files);
    return c;
}

/* ---- table and list ---- */

static struct open_segment **bucket_of(struct segments *c, struct uuid uuid)
{
    return &c->buckets[ld_le16(uuid.b) % N_BUCKETS]; /* uuids are random */
}

static struct open_segment *find_locked(struct segments *c, struct uuid uuid)
{
    mutex_assert_held(&c->mu);
    struct open_segment *o = *bucket_of(c, uuid);
    while (o && !uuid_eq(o->uuid, uuid))
        o = o->in_bucket;
    return o;
}

static void leave_table_locked(struct open_segment *o)
{
    mutex_assert_held(&o->cache->mu);
    struct open_segment **at = bucket_of(o->cache, o->uuid);
    while (*at != o)
        at = &(*at)->in_bucket;
    *at = o->in_bucket;
    o->forgotten = true;
}

static void leave_unused_locked(struct open_segment *o)
{
    mutex_assert_held(&o->cache->mu);
    struct segments *c = o->cache;
    *(o->older ? &o->older->newer : &c->oldest) = o->newer;
    *(o->newer ? &o->newer->older : &c->newest) = o->older;
    o->older = o->newer = NULL;
    c->n_unused--;
    c->unused_bytes -= atomic_load(&o->mem_bytes);
}

static void join_unused_locked(struct open_segment *o)
{
    mutex_assert_held(&o->cache->mu);
    struct segments *c = o->cache;
    o->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = o;
    c->newest = o;
    c->n_unused++;
    c->unused_bytes += atomic_load(&o->mem_bytes);
}

/* ---- memory ---- */

static void charge_anyway(struct open_segment *o, uint64_t bytes)
{
    if (o->cache->conf.ledger)
        ledger_charge(o->cache->conf.ledger, LEDGER_CACHES, bytes);
    atomic_fetch_add(&o->mem_bytes, bytes);
    atomic_fetch_add(&o->cache->mem_bytes, bytes);
}

static void release(struct open_segment *o, uint64_t bytes)
{
    if (o->cache->conf.ledger)
        ledger_release(o->cache->conf.ledger, LEDGER_CACHES, bytes);
    atomic_fetch_sub(&o->mem_bytes, bytes);
    atomic_fetch_sub(&o->cache->mem_bytes, bytes);
}

static void open_segment_free(struct open_segment *o)
{
    struct segment *file = atomic_load(&o->file);
    for (uint32_t i = 0; file && i < file->n_parts; i++) {
        struct filters *f = atomic_load(&o->parts[i].filters);
        part_close(atomic_load(&o->parts[i].part));
        if (f)
            buf_deinit(&f->bytes);
        free(f);
    }
    segment_close(file);
    free(o->parts);
    lazy_reader_deinit(&o->reader);
    release(o, atomic_load(&o->mem_bytes));
    mutex_deinit(&o->load_mu);
    free(o);
}

/* Drops the longest unused segment; false when there is none. */
static bool evict_one(struct segments *c)
{
    mutex_lock(&c->mu);
    struct open_segment *o = c->oldest;
    if (o) {
        leave_unused_locked(o);
        leave_table_locked(o);
    }
    mutex_unlock(&c->mu);
    if (!o)
        return false;
    open_segment_free(o);
    metric_add(&segments_evicted, 1);
    return true;
}

/* Other segments make room, as long as there are unused ones. */
static bool try_charge(struct open_segment *o, uint64_t bytes)
{
    struct segments *c = o->cache;
    while (c->conf.ledger && !ledger_try_charge(c->conf.ledger, LEDGER_CACHES, bytes))
        if (!evict_one(c))
            return false;
    atomic_fetch_add(&o->mem_bytes, bytes);
    atomic_fetch_add(&c->mem_bytes, bytes);
    return true;
}

/* From what was charged before to what it came to. */
static void settle(struct open_segment *o, uint64_t charged_bytes, uint64_t bytes)
{
    if (bytes > charged_bytes)
        charge_anyway(o, bytes - charged_bytes);
    else
        release(o, charged_bytes - bytes);
}

static int memory_is_short(struct err *err, const char *what, uint64_t bytes)
{
    return err_set(
        err, ERR_UNAVAILABLE,
        "memory is short: %s of a segment needs %llu bytes more than the caches may hold", what,
        (unsigned long long)bytes);
}

/* ---- get and put ---- */

/* A use of the entry for the uuid, which is made where it is missing. */
static struct open_segment *use(struct segments *c, const struct segment_info *info)
{
    MUTEX_GUARD(&c->mu);
    struct open_segment *o = find_locked(c, info->uuid);
    if (!o) {
        o = mem_zalloc(1, sizeof *o);
        o->cache = c;
        o->uuid = info->uuid;
        lazy_reader_init(&o->reader, &c->readers, stores_of(&c->conf.stores, info->place),
                         info->key);
        mutex_init(&o->load_mu);
        o->in_bucket = *bucket_of(c, info->uuid);
        *bucket_of(c, info->uuid) = o;
    } else if (o->users == 0) {
        leave_unused_locked(o);
    }
    o->users++;
    atomic_fetch_add_explicit(&o->n_gets, 1, memory_order_relaxed);
    return o;
}

/* Reads the footer.  The catalog's record bounds what is allocated before it is known. */
static int read_footer(struct open_segment *o, const struct segment_info *info, struct err *err)
{
    struct segment *file = NULL;
    uint64_t expected = sizeof *o + sizeof *file +
                        (uint64_t)info->n_parts * (sizeof *o->parts + sizeof *file->parts);
    if (!try_charge(o, expected))
        return memory_is_short(err, "the footer", expected);
    o->source = (struct segment_source){.ctx = &o->reader, .pread = lazy_reader_pread};
    int r = lazy_reader_bytes(&o->reader, &o->source.bytes, err);
    if (r == 0)
        r = segment_open(&file, &o->source, err);
    if (r == 0 && memcmp(file->header.uuid, o->uuid.b, UUID_BYTES) != 0)
        r = err_set(err, ERR_CORRUPT, "it says that it is another segment");
    if (r < 0) {
        segment_close(file);
        settle(o, expected, 0);
        return r;
    }
    o->parts = mem_zalloc(file->n_parts, sizeof *o->parts);
    settle(o, expected, sizeof *o + file->mem_bytes + (uint64_t)file->n_parts * sizeof *o->parts);
    metric_add(&segments_opened, 1);
    atomic_store_explicit(&o->file, file, memory_order_release);
    return 0;
}

/* Whoever comes first opens it; the others wait for that, and try again when it failed. */
static int open_once(struct open_segment *o, const struct segment_info *info, struct err *err)
{
    MUTEX_GUARD(&o->load_mu);
    if (atomic_load_explicit(&o->file, memory_order_relaxed))
        return 0;
    int r = read_footer(o, info, err);
    return r < 0 ? err_context(err, r, "segment '%.*s'", SV_ARG(info->key)) : 0;
}

int segments_get(struct segments *c, const struct live_segment *s, struct open_segment **ret,
                 struct err *err)
{
    struct open_segment *o = use(c, &s->info);
    if (!atomic_load_explicit(&o->file, memory_order_acquire)) {
        int r = open_once(o, &s->info, err);
        if (r < 0) {
            segments_put(c, o);
            return r;
        }
    }
    *ret = o;
    return 0;
}

void segments_put(struct segments *c, struct open_segment *o)
{
    if (!o)
        return;
    mutex_lock(&c->mu);
    assert(o->users > 0);
    bool drop = false;
    if (--o->users == 0) {
        if (!o->forgotten && !atomic_load(&o->file))
            leave_table_locked(o); /* it never opened */
        drop = o->forgotten;
        if (!drop)
            join_unused_locked(o);
    }
    bool crowded = c->n_unused > c->conf.max_open || c->unused_bytes > c->conf.max_bytes;
    mutex_unlock(&c->mu);
    if (drop)
        open_segment_free(o);
    while (crowded && evict_one(c)) {
        MUTEX_GUARD(&c->mu);
        crowded = c->n_unused > c->conf.max_open || c->unused_bytes > c->conf.max_bytes;
    }
}

void segments_forget(struct segments *c, struct uuid uuid)
{
    damage_list_forget(&c->damage, uuid);
    mutex_lock(&c->mu);
    struct open_segment *o = find_locked(c, uuid);
    bool drop = o && o->users == 0;
    if (drop)
        leave_unused_locked(o);
    if (o)
        leave_table_locked(o);
    mutex_unlock(&c->mu);
    if (drop)
        open_segment_free(o);
}

void segments_free(struct segments *c)
{
    if (!c)
        return;
    while (evict_one(c))
        ;
    for (size_t i = 0; i < N_BUCKETS; i++)
        assert(!c->buckets[i]);
    mutex_deinit(&c->mu);
    damage_list_deinit(&c->damage);
    lazy_readers_deinit(&c->readers);
    free(c);
}

/* ---- damage ---- */

void segments_note_damage(struct segments *c, const struct damage_place *at, struct str_view text)
{
    if (damage_list_add(&c->damage, at, text))
        LOG_ERROR("stored data is damaged or gone; queries leave it out", log_sv("what", text));
}

uint64_t segments_each_damage(struct segments *c, void (*fn)(void *ctx, struct str_view text),
                              void *ctx)
{
    return damage_list_each(&c->damage, fn, ctx);
}

/* ---- parts and filters ---- */

const struct segment *open_segment_file(const struct open_segment *o)
{
    return atomic_load_explicit(&o->file, memory_order_acquire);
}

/* A directory grows while it is decoded: by its fixed-size records, and labels by front coding. */
static uint64_t expected_part_bytes(const struct segment_part *info)
{
    return sizeof(struct part) + 4 * (uint64_t)info->directory_bytes +
           (uint64_t)info->n_chunks * sizeof(struct chunk_meta) +
           (uint64_t)info->n_streams * (sizeof(struct segment_stream) + sizeof(struct segment_run));
}

static int load_part(struct open_segment *o, uint32_t part_no, struct part **ret, struct err *err)
{
    const struct segment *file = open_segment_file(o);
    struct open_part *op = &o->parts[part_no];
    MUTEX_GUARD(&o->load_mu);
    *ret = atomic_load_explicit(&op->part, memory_order_relaxed);
    if (*ret)
        return 0;
    uint64_t expected = expected_part_bytes(&file->parts[part_no]);
    if (!try_charge(o, expected))
        return memory_is_short(err, "a directory", expected);
    int r = part_open(ret, file, &file->parts[part_no], err);
    settle(o, expected, r == 0 ? (*ret)->mem_bytes : 0);
    if (r < 0)
        return r;
    op->source = part_source_of(&file->source, *ret);
    atomic_store_explicit(&op->part, *ret, memory_order_release);
    return 0;
}

int open_segment_part(struct open_segment *o, uint32_t part_no, const struct part **ret,
                      struct err *err)
{
    const struct segment *file = open_segment_file(o);
    if (part_no >= file->n_parts)
        return err_set(err, ERR_CORRUPT, "part %u of a segment that has %u", part_no,
                       file->n_parts);
    struct part *p = atomic_load_explicit(&o->parts[part_no].part, memory_order_acquire);
    int r = p ? 0 : load_part(o, part_no, &p, err);
    if (r == 0)
        *ret = p;
    return r;
}

const struct part_source *open_segment_source(struct open_segment *o, uint32_t part_no)
{
    struct open_part *op = &o->parts[part_no];
    assert(atomic_load_explicit(&op->part, memory_order_acquire));
    return &op->source;
}

/* *ret is NULL when memory is short. */
static int load_filters(struct open_segment *o, struct open_part *op, const struct part *p,
                        struct filters **ret, struct err *err)
{
    struct segments *c = o->cache;
    MUTEX_GUARD(&o->load_mu);
    *ret = atomic_load_explicit(&op->filters, memory_order_relaxed);
    if (*ret)
        return 0;
    uint64_t bytes = sizeof **ret + p->filters_bytes;
    if (atomic_load(&c->mem_bytes) + bytes > KEEP_FILTERS * c->conf.max_bytes ||
        !try_charge(o, bytes)) {
        /* Not asked again before the next segments_get. */
        atomic_store(&op->refused_at, atomic_load(&o->n_gets));
        return 0;
    }
    struct filters *f = mem_zalloc(1, sizeof *f);
    buf_reserve(&f->bytes, p->filters_bytes);
    int r = segment_read_filters(&op->source, p, &f->bytes, err);
    if (r < 0) {
        buf_deinit(&f->bytes);
        free(f);
        release(o, bytes);
        atomic_store(&op->refused_at, atomic_load(&o->n_gets));
        return r;
    }
    atomic_store_explicit(&op->filters, f, memory_order_release);
    *ret = f;
    return 0;
}

/* Into memory of the thread: no filter is larger. */
static int read_one_filter(const struct open_part *op, const struct chunk_meta *meta,
                           struct str_view *ret, struct err *err)
{
    static _Thread_local char own[FILTER_MAX_BITS / 8];
    struct buf b = {own, 0, sizeof own};
    assert(meta->filter_bits <= FILTER_MAX_BITS);
    int r = segment_read_filter(&op->source, meta, &b, err);
    assert(b.p == own);
    if (r == 0)
        *ret = buf_view(&b);
    return r;
}

int open_segment_filter(struct open_segment *o, uint32_t part_no, uint32_t chunk,
                        struct str_view *ret, struct err *err)
{
    struct open_part *op = &o->parts[part_no];
    struct part *p = atomic_load_explicit(&op->part, memory_order_acquire);
    assert(p && chunk < p->n_chunks);
    *ret = SV_EMPTY;
    if (p->chunks[chunk].filter_bits == 0)
        return 0;
    struct filters *f = atomic_load_explicit(&op->filters, memory_order_acquire);
    if (!f && atomic_load(&op->refused_at) != atomic_load(&o->n_gets)) {
        int r = load_filters(o, op, p, &f, err);
        if (r < 0 && r != ERR_CORRUPT) /* it may be another's */
            return r;
    }
    if (!f)
        return read_one_filter(op, &p->chunks[chunk], ret, err);
    *ret = part_filter(p, buf_view(&f->bytes), chunk);
    return 0;
}
