/* SPDX-License-Identifier: Apache-2.0 */
/* Where catalog and stores agree, as nearly always, this is two listings.  Else the footers of all
 * segments are read, for what they say that they replace. */
#include "store/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "chunk/segment.h"
#include "store/catalog.h"
#include "store/index/index.h"
#include "store/lineage.h"
#include "store/object/object.h"
#include "store/publish.h"
#include "store/segment_file.h"

enum { LOG_MOST = 10 };

/* One segment that is there and sound, by what its footer says. */
struct candidate {
    struct segment *segment;   /* owned; its source is not read */
    const struct stray *stray; /* NULL: the catalog names it, */
    enum segment_place place;  /* here */
    struct str_view key;
    bool is_ours, is_replaced, is_copy, is_damaged;
};

struct adopting {
    struct publisher *p;
    struct adoption *ret;
    struct arena arena;
    struct uuid self;
    struct candidate *v; /* the named ones first */
    size_t n, cap;
    struct candidate **by_uuid; /* all of v, in the arena */
    struct segment_info *add;
    size_t n_add;
    struct uuid *remove; /* from the catalog */
    size_t n_remove, cap_remove;
    struct leftovers gone; /* strays to be removed */
};

void adoption_deinit(struct adoption *a)
{
    strays_deinit(&a->strays);
}

bool adoption_misses(const struct adoption *a, const struct segment_info *info)
{
    for (size_t i = 0; i < a->n_missing; i++)
        if (a->strays.missing[i].place == info->place && sv_eq(a->strays.missing[i].key, info->key))
            return true;
    return false;
}

/* ---- footers ---- */

static void take_footer(struct adopting *a, struct segment_file *f, const struct stray *stray,
                        enum segment_place place, struct str_view key)
{
    struct segment *s = TAKE(f->segment);
    segment_file_close(f);
    a->v = mem_grow(a->v, &a->cap, a->n + 1, sizeof *a->v);
    a->v[a->n++] = (struct candidate){
        .segment = s,
        .stray = stray,
        .place = place,
        .key = key,
        .is_ours = memcmp(s->header.installation, a->self.b, UUID_BYTES) == 0,
    };
}

static struct uuid uuid_of(const struct candidate *c)
{
    return uuid_of_bytes(c->segment->header.uuid);
}

static int set_aside(struct adopting *a, const struct stray *s, const struct err *why,
                     struct err *err)
{
    struct str_view to = arena_printf(&a->arena, "%.*s.damaged", SV_ARG(s->key));
    LOG_ERROR("a segment that the catalog does not name does not check: set aside",
              log_sv("key", s->key), log_sv("as", to), log_str("err", why->text));
    a->ret->n_set_aside++;
    return object_rename(stores_of(&a->p->deps.stores, s->place), s->key, to, err);
}

static int read_stray(struct adopting *a, const struct stray *s, struct err *err)
{
    struct segment_file f;
    struct err why = ERR_INIT;
    int r = segment_file_open(&f, &a->p->deps.stores, s->place, s->key, &why);
    if (r == ERR_CORRUPT)
        return set_aside(a, s, &why, err);
    if (r < 0) /* a disk that cannot be read is no verdict */
        return err_set(err, r, "%s", why.text);
    take_footer(a, &f, s, s->place, s->key);
    return 0;
}

/* One that cannot be opened says nothing, so nothing goes on its word: queries meet it later.  A
 * file that is another segment than the catalog takes it for is a stray, and what it stood for is
 * missing. */
static void read_named(struct adopting *a, const struct segment_info *info)
{
    struct strays *s = &a->ret->strays;
    struct segment_file f;
    struct stray as = {info->place, arena_copy(&s->arena, info->key)};
    int r = segment_file_open(&f, &a->p->deps.stores, info->place, info->key, NULL);
    if (r == 0 && memcmp(f.segment->header.uuid, info->uuid.b, UUID_BYTES) == 0) {
        take_footer(a, &f, NULL, info->place, as.key);
        return;
    }
    if (r == ERR_CORRUPT)
        strays_note_missing(s, as);
    if (r == 0) {
        LOG_WARN("a file is another segment than the catalog takes it for", log_sv("key", as.key));
        strays_note_missing(s, as);
        strays_note(s, as);
        segment_file_close(&f);
    }
}

/* ---- who lives ---- */

static int cmp_uuid(const void *x, const void *y)
{
    const struct candidate *a = *(struct candidate *const *)x, *b = *(struct candidate *const *)y;
    int c = memcmp(a->segment->header.uuid, b->segment->header.uuid, UUID_BYTES);
    /* Of copies the one that the catalog names comes first. */
    return c ? c : (a->stray != NULL) - (b->stray != NULL);
}

/* The first of that uuid, NULL: none. */
static struct candidate *find(const struct adopting *a, const uint8_t uuid[UUID_BYTES])
{
    size_t lo = 0, hi = a->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (memcmp(a->by_uuid[mid]->segment->header.uuid, uuid, UUID_BYTES) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = lo < a->n && memcmp(a->by_uuid[lo]->segment->header.uuid, uuid, UUID_BYTES) == 0;
    return found ? a->by_uuid[lo] : NULL;
}

/* How many of those that it replaces are there. */
static uint32_t n_sources_there(const struct adopting *a, const struct candidate *c)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < c->segment->n_replaced; k++)
        n += find(a, c->segment->replaced[k]) != NULL;
    return n;
}

/* Of one source at least the first batch. */
static bool covers_some(const struct segment *s, const struct segment *of)
{
    for (uint32_t i = 0; i < s->n_coverage; i++)
        for (uint32_t k = 0; k < of->n_coverage; k++)
            if (memcmp(s->coverage[i].source, of->coverage[k].source, UUID_BYTES) == 0 &&
                s->coverage[i].first <= of->coverage[k].last &&
                s->coverage[i].last >= of->coverage[k].first)
                return true;
    return false;
}

/* It lets others go, or is a reason for it: what stands beside the one that names them. */
static bool has_a_say(const struct adopting *a, const struct candidate *c)
{
    if (n_sources_there(a, c) > 0)
        return true;
    for (size_t i = 0; i < a->n && c->segment->header.level > 0; i++)
        if (a->v[i].segment->header.level >= c->segment->header.level &&
            a->v[i].segment != c->segment && covers_some(a->v[i].segment, c->segment) &&
            n_sources_there(a, &a->v[i]) > 0)
            return true;
    return false;
}

static void mark_copies(struct adopting *a)
{
    a->by_uuid = ARENA_ARRAY(&a->arena, struct candidate *, a->n);
    for (size_t i = 0; i < a->n; i++)
        a->by_uuid[i] = &a->v[i];
    if (a->n > 1)
        qsort(a->by_uuid, a->n, sizeof(struct candidate *), cmp_uuid);
    for (size_t i = 1; i < a->n; i++)
        a->by_uuid[i]->is_copy = uuid_eq(uuid_of(a->by_uuid[i]), uuid_of(a->by_uuid[i - 1]));
}

/* Who lets others go must be whole: all of it is read. */
static void check_replacers(struct adopting *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct candidate *c = &a->v[i];
        struct segment_file f;
        struct err why = ERR_INIT;
        if (!c->is_ours || c->is_copy || !has_a_say(a, c))
            continue;
        int r = segment_file_open(&f, &a->p->deps.stores, c->place, c->key, &why);
        if (r == 0) {
            r = segment_file_verify(&f, &why);
            segment_file_close(&f);
        }
        c->is_damaged = r < 0;
        if (r < 0)
            LOG_ERROR("a segment replaces others and does not check: they stay",
                      log_sv("key", c->key), log_str("err", why.text));
    }
}

/* Replaced is what another one names, and what is whole elsewhere all the same: where several
 * objects are made of some sources only the last one names them, and another may be missing. */
static void mark_replaced(struct adopting *a)
{
    struct lineage_segment *v = ARENA_ARRAY(&a->arena, struct lineage_segment, a->n);
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].is_ours && !a->v[i].is_copy && !a->v[i].is_damaged)
            v[n++] = (struct lineage_segment){
                .segment = a->v[i].segment, .place = a->v[i].place, .owner = &a->v[i]};
    lineage_find(v, n);
    for (size_t i = 0; i < n; i++)
        ((struct candidate *)v[i].owner)->is_replaced = v[i].is_listed && v[i].is_in_later;
}

static void note_removal(struct adopting *a, struct uuid uuid)
{
    a->remove = mem_grow(a->remove, &a->cap_remove, a->n_remove + 1, sizeof *a->remove);
    a->remove[a->n_remove++] = uuid;
}

/* ---- what follows ---- */

static int adopt_one(struct adopting *a, const struct stray *s, struct err *err)
{
    struct segment_file f;
    /* Killed before it synced the name, its writer left one that power loss may take, while the log
     * is used again on the word of this segment. */
    int r = object_settle(stores_of(&a->p->deps.stores, s->place), s->key, err);
    if (r == 0)
        r = segment_file_open(&f, &a->p->deps.stores, s->place, s->key, err);
    if (r < 0)
        return r;
    r = index_add_segment_file(a->p->deps.index, f.segment, err);
    if (r == 0)
        segment_info_of(&a->arena, f.segment, s->place, s->key, &a->add[a->n_add++]);
    segment_file_close(&f);
    if (r == 0 && a->ret->n_adopted++ < LOG_MOST)
        LOG_WARN("a segment that the catalog did not name is live again", log_sv("key", s->key));
    return r;
}

static int settle_stray(struct adopting *a, const struct candidate *c, struct err *err)
{
    struct err why = ERR_INIT;
    if (!c->is_ours) {
        if (a->ret->n_foreign++ < LOG_MOST)
            LOG_WARN("a segment of another installation: left alone", log_sv("key", c->stray->key));
        return 0;
    }
    if (c->is_copy) {
        if (a->ret->n_copies++ < LOG_MOST)
            LOG_WARN("a second copy of a segment: left alone", log_sv("key", c->stray->key));
        return 0;
    }
    bool is_needless =
        c->segment->n_replaced > 0 && n_sources_there(a, c) == c->segment->n_replaced;
    if (c->is_damaged && is_needless) { /* all that it was made of is there */
        err_set(&why, ERR_CORRUPT, "a part of it does not check");
        return set_aside(a, c->stray, &why, err);
    }
    if (c->is_replaced) {
        leftovers_add(&a->gone, uuid_of(c), c->stray->place, c->stray->key);
        return 0;
    }
    int r = adopt_one(a, c->stray, &why);
    if (r == ERR_CORRUPT) /* its directories: as good as its footer */
        return set_aside(a, c->stray, &why, err);
    return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

static bool is_named_as_replaced(const struct adopting *a, struct uuid uuid)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct segment *s = a->v[i].segment;
        for (uint32_t k = 0; k < s->n_replaced && a->v[i].is_ours && !a->v[i].is_damaged; k++)
            if (memcmp(s->replaced[k], uuid.b, UUID_BYTES) == 0)
                return true;
    }
    return false;
}

static bool is_added(const struct adopting *a, struct uuid uuid)
{
    for (size_t i = 0; i < a->n_add; i++)
        if (uuid_eq(a->add[i].uuid, uuid))
            return true;
    return false;
}

static const struct segment_info *info_of(const struct stray *s, const struct segment_info *named,
                                          size_t n_named)
{
    for (size_t i = 0; i < n_named; i++)
        if (named[i].place == s->place && sv_eq(named[i].key, s->key))
            return &named[i];
    return NULL;
}

/* Of those that are not there, the ones that somebody replaces are not missed. */
static void settle_missing(struct adopting *a, const struct segment_info *named, size_t n_named)
{
    struct strays *s = &a->ret->strays;
    for (size_t i = 0; i < s->n_missing; i++) {
        const struct segment_info *info = info_of(&s->missing[i], named, n_named);
        if (info && is_named_as_replaced(a, info->uuid)) {
            note_removal(a, info->uuid);
            continue;
        }
        if (info && is_added(a, info->uuid))
            continue; /* it is there, under another name */
        if (a->ret->n_missing < LOG_MOST)
            LOG_ERROR("a segment that the catalog names is missing or damaged; what it held is "
                      "lost, unless its file comes back",
                      log_sv("key", s->missing[i].key));
        s->missing[a->ret->n_missing++] = s->missing[i];
    }
}

static int settle(struct adopting *a, const struct segment_info *named, size_t n_named,
                  struct err *err)
{
    mark_copies(a);
    check_replacers(a);
    mark_replaced(a);
    a->add = ARENA_ARRAY(&a->arena, struct segment_info, a->n);
    int r = 0;
    for (size_t i = 0; i < a->n && r == 0; i++) {
        if (a->v[i].stray)
            r = settle_stray(a, &a->v[i], err);
        else if (a->v[i].is_replaced)
            note_removal(a, uuid_of(&a->v[i]));
    }
    settle_missing(a, named, n_named);
    return r;
}

static int commit(struct adopting *a, struct err *err)
{
    struct catalog_change change = {
        .add = a->add, .n_add = a->n_add, .remove = a->remove, .n_remove = a->n_remove};
    int r = a->n_add + a->n_remove ? catalog_commit(a->p->deps.catalog, &change, err) : 0;
    a->ret->n_replaced = a->gone.n + a->n_remove;
    if (r < 0)
        return r;
    struct err why = ERR_INIT;
    if (leftovers_remove(&a->gone, a->p->deps.index, &a->p->deps.stores, &why) < 0)
        LOG_WARN("replaced segments were not removed", log_str("err", why.text));
    return 0;
}

/* Named ones that an adopted one replaces leave the catalog; their files go at the next start. */
static int work(struct adopting *a, const struct segment_info *named, size_t n_named,
                struct err *err)
{
    struct strays *s = &a->ret->strays;
    int r = strays_list(s, &a->p->deps.stores, PLACE_LOCAL, named, n_named, err);
    if (r == 0)
        r = strays_list(s, &a->p->deps.stores, PLACE_OBJECT, named, n_named, err);
    if (r < 0 || s->n + s->n_missing == 0)
        return r;
    for (size_t i = 0; i < n_named; i++)
        read_named(a, &named[i]);
    for (size_t i = 0; i < s->n && r == 0; i++)
        r = read_stray(a, &s->v[i], err);
    if (r == 0)
        r = settle(a, named, n_named, err);
    return r < 0 ? r : commit(a, err);
}

int adopt(struct publisher *p, const struct segment_info *named, size_t n_named,
          struct adoption *ret, struct err *err)
{
    struct adopting a = {.p = p, .ret = ret, .self = catalog_installation(p->deps.catalog).uuid};
    *ret = (struct adoption){0};
    int r = work(&a, named, n_named, err);
    for (size_t i = 0; i < a.n; i++)
        segment_close(a.v[i].segment);
    free(a.v);
    free(a.remove);
    leftovers_deinit(&a.gone);
    arena_deinit(&a.arena);
    return r < 0 ? err_context(err, r, "segments and catalog") : 0;
}
