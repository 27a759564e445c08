/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash left in the stores: segments that the catalog does not name.  They are of a spill
 * that did not commit (the log still had its batches), of a flush that did not (its sources live),
 * or sources of one that did (objects have them).  A stray goes only when nothing can be lost with
 * it: this installation wrote it, all its batches are covered by the catalog or were replayed, and
 * every segment that the catalog names is there, so that the catalog is not an old copy. */
#include <stdlib.h>

#include "base/log.h"
#include "chunk/segment.h"
#include "ingester/state.h"
#include "store/object/object.h"

enum { LOG_MOST = 10 };

struct listing {
    struct tidy *t;
    enum segment_place place;
    const struct str_view *known; /* sorted */
    size_t n_known;
    bool *seen;
    int64_t before_ns;
};

static int by_key(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static int on_object(void *ctx, const struct object_info *info, struct err *err)
{
    struct listing *l = ctx;
    const struct str_view *hit =
        l->n_known ? bsearch(&info->key, l->known, l->n_known, sizeof *l->known, by_key) : NULL;
    if (hit) {
        l->seen[hit - l->known] = true;
        return 0;
    }
    if (info->mtime_ns >= l->before_ns || !sv_ends_with(info->key, SV(".seg")))
        return 0;
    struct tidy *t = l->t;
    t->keys = mem_grow(t->keys, &t->cap, t->n + 1, sizeof *t->keys);
    t->keys[t->n++] = arena_copy(&t->arena, info->key);
    return 0;
}

static void note_missing(struct listing *l)
{
    for (size_t i = 0; i < l->n_known; i++) {
        if (l->seen[i])
            continue;
        if (l->t->n_missing++ < LOG_MOST)
            LOG_ERROR("a segment that the catalog names is missing; what it held is lost, unless "
                      "its file comes back",
                      log_sv("key", l->known[i]));
    }
}

int tidy_list(struct ingester *in, enum segment_place place, int64_t before_ns, struct tidy *ret,
              struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct str_view *known = ARENA_ARRAY(&scratch, struct str_view, in->n_startup);
    struct listing l = {.t = ret, .place = place, .known = known, .before_ns = before_ns};
    for (size_t i = 0; i < in->n_startup; i++)
        if (in->startup[i]->info.place == place)
            known[l.n_known++] = in->startup[i]->info.key;
    if (l.n_known > 1)
        qsort(known, l.n_known, sizeof *known, by_key);
    l.seen = ARENA_ARRAY(&scratch, bool, l.n_known);
    int r = object_list(stores_of(&in->deps.stores, place), SV(""), on_object, &l, err);
    if (r == 0)
        note_missing(&l);
    return r;
}

void tidy_deinit(struct tidy *t)
{
    arena_deinit(&t->arena);
    free(t->keys);
    *t = (struct tidy){0};
}

void tidy_end(struct ingester *in)
{
    for (size_t i = 0; i < in->n_startup; i++)
        live_segment_unref(in->startup[i]);
    free(in->startup);
    in->startup = NULL;
    in->n_startup = 0;
    tidy_deinit(&in->strays);
}

/* --- removing ------------------------------------------------------------------------------ */

static bool is_covered(const struct ingester *in, const struct segment *s, uint64_t kept_lsn)
{
    for (uint32_t i = 0; i < s->n_coverage; i++)
        if (memcmp(s->coverage[i].source, in->installation.b, UUID_BYTES) != 0 ||
            s->coverage[i].last >= kept_lsn)
            return false;
    return s->n_coverage > 0;
}

/* Whether it is ours and holds nothing that is not kept elsewhere; then also its name. */
static bool may_go(struct ingester *in, enum segment_place place, struct str_view key,
                   uint64_t kept_lsn, struct uuid *ret)
{
    struct segment_file file;
    if (segment_file_open(&file, &in->deps.stores, place, key, NULL) < 0)
        return false;
    const struct segment *s = file.segment;
    bool may = memcmp(s->header.installation, in->installation.b, UUID_BYTES) == 0 &&
               is_covered(in, s, kept_lsn);
    *ret = uuid_of_bytes(s->header.uuid);
    segment_file_close(&file);
    return may;
}

void tidy_remove(struct ingester *in, enum segment_place place, struct tidy *t, uint64_t kept_lsn)
{
    struct leftovers gone = {0};
    size_t n_left = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct uuid uuid;
        if (may_go(in, place, t->keys[i], kept_lsn, &uuid))
            leftovers_add(&gone, uuid, place, t->keys[i]);
        else if (n_left++ < LOG_MOST)
            LOG_WARN("a segment that the catalog does not know, and that is not clearly a "
                     "left-over of ours: left alone",
                     log_sv("key", t->keys[i]));
    }
    if (gone.n)
        LOG_INFO("left-over segments removed", log_uint("segments", gone.n));
    publish_discard(in, &gone);
}
