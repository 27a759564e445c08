/* SPDX-License-Identifier: Apache-2.0 */
/* In this order: list, verify, decide, index rows, catalog.  Footers stay in memory meanwhile. */
#include "store/rebuild.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "chunk/segment.h"
#include "store/index/index.h"
#include "store/kv.h"
#include "store/object/object.h"

struct found {
    enum segment_place place;
    struct str_view key;
    struct segment *segment; /* NULL: damaged.  Its source is not to be read */
    uint64_t bytes;
    bool listed; /* a complete segment says that it replaces it */
    bool dead;
};

/* A range of some segment's coverage. */
struct covering {
    struct lsn_range range;
    uint64_t max_last; /* of all ranges of the source up to this one */
    struct found *by;
};

struct rebuild {
    const struct rebuild_conf *conf;
    struct rebuild_report report;
    struct arena arena; /* keys, and what the catalog gets */
    struct found *v;
    size_t n, cap;
    enum segment_place listing;
    struct buf payload, filter; /* scratch */
    struct covering *covers;    /* by source, first */
    size_t n_covers;
};

static int note(struct rebuild *rb, enum rebuild_event event, const struct found *f,
                const struct err *why, struct err *err)
{
    if (!rb->conf->note)
        return 0;
    return rb->conf->note(rb->conf->ctx, event, f->place, f->key, why, err);
}

/* --- list ------------------------------------------------------------------------------- */

static int take_key(void *ctx, const struct object_info *info, struct err *err)
{
    struct rebuild *rb = ctx;
    if (!sv_ends_with(info->key, SV(".seg")))
        return 0;
    rb->v = mem_grow(rb->v, &rb->cap, rb->n + 1, sizeof *rb->v);
    rb->v[rb->n++] = (struct found){.place = rb->listing, .key = arena_copy(&rb->arena, info->key)};
    return 0;
}

static int list_stores(struct rebuild *rb, struct err *err)
{
    rb->listing = PLACE_OBJECT;
    int r = object_list(rb->conf->stores.objects, SV(""), take_key, rb, err);
    rb->listing = PLACE_LOCAL;
    return r < 0 ? r : object_list(rb->conf->stores.local, SV(""), take_key, rb, err);
}

/* --- verify ----------------------------------------------------------------------------- */

static int verify_part(struct rebuild *rb, const struct segment *s, const struct segment_part *info,
                       struct err *err)
{
    struct part *p;
    int r = part_open(&p, s, info, err);
    if (r < 0)
        return r;
    struct part_source source = part_source_of(&s->source, p);
    for (uint32_t i = 0; r >= 0 && i < p->n_chunks; i++) {
        buf_clear(&rb->payload);
        buf_clear(&rb->filter);
        r = segment_read_chunk(&source, &p->chunks[i], &rb->payload, &rb->filter, err);
    }
    part_close(p);
    return r;
}

/* Keeps the footer, also where something else does not verify. */
static int verify_all(struct rebuild *rb, struct found *f, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &rb->conf->stores, f->place, f->key, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r >= 0 && i < file.segment->n_parts; i++)
        r = verify_part(rb, file.segment, &file.segment->parts[i], err);
    f->segment = TAKE(file.segment);
    segment_file_close(&file);
    return r;
}

/* Damaged is what the disk cannot read or what does not check; any other failure is no verdict. */
static int verify(struct rebuild *rb, struct found *f, struct err *err)
{
    struct err why = ERR_INIT;
    int r = verify_all(rb, f, &why);
    if (r >= 0)
        return note(rb, REBUILD_VERIFIED, f, NULL, err);
    segment_close(TAKE(f->segment));
    if (r != ERR_CORRUPT && r != -EIO)
        return err_set(err, r, "segment '%.*s': %s", SV_ARG(f->key), why.text);
    rb->report.n_damaged++;
    return note(rb, REBUILD_DAMAGED, f, &why, err);
}

/* Of equal ones the object comes last, to live. */
static int cmp_age(const void *x, const void *y)
{
    const struct found *a = x, *b = y;
    const struct segment_header *h = &a->segment->header, *k = &b->segment->header;
    if (h->level != k->level)
        return h->level < k->level ? -1 : 1;
    if (h->generation != k->generation)
        return h->generation < k->generation ? -1 : 1;
    int c = memcmp(h->uuid, k->uuid, UUID_BYTES);
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

/* Leaves the complete ones, oldest first. */
static int verify_each(struct rebuild *rb, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < rb->n; i++) {
        int r = verify(rb, &rb->v[i], err);
        if (r < 0)
            return r;
        struct found f = rb->v[i];
        rb->v[i].segment = NULL;
        if (f.segment)
            rb->v[n++] = f;
    }
    rb->n = n;
    if (n > 1)
        qsort(rb->v, n, sizeof *rb->v, cmp_age);
    return 0;
}

/* --- decide ----------------------------------------------------------------------------- */

static int cmp_covering(const void *x, const void *y)
{
    const struct lsn_range *a = &((const struct covering *)x)->range;
    const struct lsn_range *b = &((const struct covering *)y)->range;
    int c = uuid_cmp(a->source, b->source);
    return c ? c : (a->first > b->first) - (a->first < b->first);
}

static void gather_coverage(struct rebuild *rb)
{
    size_t n = 0;
    for (size_t i = 0; i < rb->n; i++)
        n += rb->v[i].segment->n_coverage;
    rb->covers = mem_alloc(n * sizeof *rb->covers);
    for (size_t i = 0; i < rb->n; i++) {
        const struct segment *s = rb->v[i].segment;
        for (uint32_t k = 0; k < s->n_coverage; k++)
            rb->covers[rb->n_covers++] =
                (struct covering){.range = {uuid_of_bytes(s->coverage[k].source),
                                            s->coverage[k].first, s->coverage[k].last},
                                  .by = &rb->v[i]};
    }
    if (n > 1)
        qsort(rb->covers, n, sizeof *rb->covers, cmp_covering);
    for (size_t i = 0; i < n; i++) {
        struct covering *c = &rb->covers[i];
        c->max_last = c->range.last;
        if (i > 0 && uuid_eq(c[-1].range.source, c->range.source) && c[-1].max_last > c->max_last)
            c->max_last = c[-1].max_last;
    }
}

/* The first range behind those of this source that begin at or below `first`. */
static size_t covers_end(const struct rebuild *rb, const struct lsn_range *range)
{
    struct covering key = {.range = *range};
    size_t lo = 0, hi = rb->n_covers;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_covering(&rb->covers[mid], &key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool range_is_in(const struct segment_coverage *c, const struct segment *by)
{
    for (uint32_t i = 0; i < by->n_coverage; i++)
        if (memcmp(by->coverage[i].source, c->source, UUID_BYTES) == 0 &&
            by->coverage[i].first <= c->first && by->coverage[i].last >= c->last)
            return true;
    return false;
}

/* Ranges neither overlap nor touch within a segment, so each lies in one of the other's. */
static bool covers_all(const struct segment *by, const struct segment *s)
{
    for (uint32_t i = 0; i < s->n_coverage; i++)
        if (!range_is_in(&s->coverage[i], by))
            return false;
    return true;
}

/* Does a later segment that covers all batches of f have this part, too? */
static bool part_is_in_later(const struct rebuild *rb, const struct found *f,
                             const struct segment_part *part)
{
    const struct segment_coverage *c = &f->segment->coverage[0];
    struct lsn_range first = {uuid_of_bytes(c->source), c->first, c->last};
    for (size_t i = covers_end(rb, &first); i > 0; i--) {
        const struct covering *cover = &rb->covers[i - 1];
        if (!uuid_eq(cover->range.source, first.source) || cover->max_last < first.last)
            return false;
        if (cover->by > f && cover->range.last >= first.last &&
            segment_find_part(cover->by->segment, part->tenant, part->period_start_ns) &&
            covers_all(cover->by->segment, f->segment))
            return true;
    }
    return false;
}

static bool is_in_later(const struct rebuild *rb, const struct found *f)
{
    if (f->segment->n_coverage == 0)
        return false; /* nothing tells */
    for (uint32_t i = 0; i < f->segment->n_parts; i++)
        if (!part_is_in_later(rb, f, &f->segment->parts[i]))
            return false;
    return true;
}

static int cmp_found_uuid(const void *x, const void *y)
{
    const struct found *a = *(struct found *const *)x, *b = *(struct found *const *)y;
    return memcmp(a->segment->header.uuid, b->segment->header.uuid, UUID_BYTES);
}

/* Marks what others replace, and all but the last of copies of one segment. */
static void mark_listed(struct rebuild *rb)
{
    struct found **by_uuid = mem_alloc(rb->n * sizeof *by_uuid);
    for (size_t i = 0; i < rb->n; i++) {
        by_uuid[i] = &rb->v[i];
        if (i > 0 && cmp_found_uuid(&by_uuid[i - 1], &by_uuid[i]) == 0)
            rb->v[i - 1].dead = true;
    }
    if (rb->n > 1)
        qsort(by_uuid, rb->n, sizeof *by_uuid, cmp_found_uuid);
    for (size_t i = 0; i < rb->n; i++) {
        for (uint32_t k = 0; k < rb->v[i].segment->n_replaced; k++) {
            struct segment wanted = {0};
            struct found key = {.segment = &wanted}, *at = &key;
            memcpy(wanted.header.uuid, rb->v[i].segment->replaced[k], UUID_BYTES);
            struct found **hit = bsearch(&at, by_uuid, rb->n, sizeof *by_uuid, cmp_found_uuid);
            if (hit && *hit < &rb->v[i]) /* older: nothing replaces itself, even in a circle */
                (*hit)->listed = true;
        }
    }
    free(by_uuid);
}

static int decide(struct rebuild *rb, struct err *err)
{
    gather_coverage(rb);
    mark_listed(rb);
    for (size_t i = 0; i < rb->n; i++) {
        struct found *f = &rb->v[i];
        f->dead |= (f->listed && rb->report.n_damaged == 0) || is_in_later(rb, f);
        if (!f->dead)
            continue;
        rb->report.n_replaced++;
        int r = note(rb, REBUILD_REPLACED, f, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The newest local segment's, or else the newest object's. */
static struct uuid choose_installation(const struct rebuild *rb)
{
    const struct found *best = NULL;
    if (rb->conf->installation)
        return *rb->conf->installation;
    for (size_t i = 0; i < rb->n; i++) {
        const struct found *f = &rb->v[i];
        if (!best || (best->place == PLACE_OBJECT && f->place == PLACE_LOCAL) ||
            (best->place == f->place &&
             f->segment->header.created_ns >= best->segment->header.created_ns))
            best = f;
    }
    return best ? uuid_of_bytes(best->segment->header.installation) : uuid_new();
}

/* rb->covers stand by first LSN within a source. */
static uint64_t covered_lsn(const struct rebuild *rb, struct uuid source)
{
    uint64_t end = 0, gap = rb->conf->wal_first_lsn;
    for (size_t i = 0; i < rb->n_covers; i++) {
        const struct lsn_range *c = &rb->covers[i].range;
        if (!uuid_eq(c->source, source) || c->last == UINT64_MAX)
            continue;
        if (c->first <= gap && c->last >= gap)
            gap = c->last + 1;
        if (c->last >= end)
            end = c->last + 1;
    }
    return rb->report.n_damaged > 0 && gap < end ? gap : end;
}

static void describe_installation(struct rebuild *rb)
{
    struct rebuild_report *rp = &rb->report;
    rp->installation = (struct installation){choose_installation(rb), clock_wall_ns()};
    for (size_t i = 0; i < rb->n; i++) {
        const struct segment_header *h = &rb->v[i].segment->header;
        if (memcmp(h->installation, rp->installation.uuid.b, UUID_BYTES) == 0 &&
            h->created_ns < rp->installation.created_ns)
            rp->installation.created_ns = h->created_ns;
    }
    rp->covered_lsn = covered_lsn(rb, rp->installation.uuid);
}

/* --- write ------------------------------------------------------------------------------ */

static int index_one(struct rebuild *rb, struct index *ix, const struct found *f,
                     struct segment_info *ret, struct err *err)
{
    struct segment_file file;
    int r = segment_file_open(&file, &rb->conf->stores, f->place, f->key, err);
    if (r >= 0) {
        r = index_add_segment_file(ix, file.segment, err);
        segment_info_of(&rb->arena, file.segment, f->place, f->key, ret);
        segment_file_close(&file);
    }
    if (r < 0)
        return err_context(err, r, "segment '%.*s'", SV_ARG(f->key));
    rb->report.n_live++;
    rb->report.n_rows += ret->n_rows;
    rb->report.n_parts += ret->n_parts;
    return note(rb, REBUILD_INDEXED, f, NULL, err);
}

static int write_index(struct rebuild *rb, struct segment_info *infos, size_t *ret_n,
                       struct err *err)
{
    struct index *ix;
    int r = index_open(&ix, rb->conf->index_folder, NULL, err);
    if (r < 0)
        return r;
    for (size_t i = 0; r >= 0 && i < rb->n; i++)
        if (!rb->v[i].dead)
            r = index_one(rb, ix, &rb->v[i], &infos[(*ret_n)++], err);
    index_close(ix);
    return r;
}

static int write_catalog(struct rebuild *rb, const struct segment_info *infos, size_t n,
                         struct err *err)
{
    struct catalog *c;
    int r = catalog_create(&c, rb->conf->catalog_folder, &rb->report.installation, err);
    if (r < 0)
        return r;
    struct catalog_change change = {
        .add = infos, .n_add = n, .covered_lsn = rb->report.covered_lsn};
    r = catalog_commit(c, &change, err);
    catalog_close(c);
    return r;
}

static int refuse_entry(void *ctx, const char *name, bool is_dir, struct err *err)
{
    return err_set(err, -EEXIST, "'%s' is not empty", (const char *)ctx);
}

static int check_folders(const struct rebuild_conf *conf, struct err *err)
{
    union { /* the callback takes any pointer; this one is only read */
        const char *given;
        void *ctx;
    } folders[] = {{conf->catalog_folder}, {conf->index_folder}};
    for (size_t i = 0; i < 2; i++) {
        if (!file_exists(folders[i].given))
            continue;
        int r = file_list_dir(folders[i].given, refuse_entry, folders[i].ctx, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(struct rebuild *rb, struct err *err)
{
    int r = check_folders(rb->conf, err);
    if (r >= 0)
        r = list_stores(rb, err);
    if (r >= 0)
        r = verify_each(rb, err);
    if (r >= 0)
        r = decide(rb, err);
    if (r < 0)
        return r;
    describe_installation(rb);
    struct segment_info *infos = ARENA_ARRAY(&rb->arena, struct segment_info, rb->n);
    size_t n = 0;
    r = write_index(rb, infos, &n, err);
    return r < 0 ? r : write_catalog(rb, infos, n, err);
}

int rebuild_index(const struct rebuild_conf *conf, struct rebuild_report *ret, struct err *err)
{
    struct rebuild rb = {.conf = conf};
    int r = run(&rb, err);
    for (size_t i = 0; i < rb.n; i++)
        segment_close(rb.v[i].segment);
    free(rb.v);
    free(rb.covers);
    buf_deinit(&rb.payload);
    buf_deinit(&rb.filter);
    arena_deinit(&rb.arena);
    if (r < 0)
        return err_context(err, r, "rebuild of the index");
    *ret = rb.report;
    return 0;
}
