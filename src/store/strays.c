/* SPDX-License-Identifier: Apache-2.0 */
#include "store/strays.h"

#include <stdlib.h>
#include <string.h>

#include "chunk/segment.h"
#include "store/object/object.h"
#include "store/segment_file.h"
#include "store/view.h"

void strays_deinit(struct strays *s)
{
    arena_deinit(&s->arena);
    free(s->v);
    free(s->missing);
    *s = STRAYS_INIT;
}

/* ---- listing ---- */

struct stray_search {
    struct strays *found;
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
    struct stray_search *l = ctx;
    const struct str_view *hit =
        l->n_known ? bsearch(&info->key, l->known, l->n_known, sizeof *l->known, by_key) : NULL;
    if (hit) {
        l->seen[hit - l->known] = true;
        return 0;
    }
    if (info->mtime_ns >= l->before_ns || !sv_ends_with(info->key, SV(".seg")))
        return 0;
    struct strays *s = l->found;
    s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n++] = (struct stray){l->place, arena_copy(&s->arena, info->key)};
    return 0;
}

static void note_missing(const struct stray_search *l)
{
    struct strays *s = l->found;
    for (size_t i = 0; i < l->n_known; i++) {
        if (l->seen[i])
            continue;
        s->missing = mem_grow(s->missing, &s->cap_missing, s->n_missing + 1, sizeof *s->missing);
        s->missing[s->n_missing++] = (struct stray){l->place, arena_copy(&s->arena, l->known[i])};
    }
}

int strays_list(struct strays *s, const struct stores *stores, enum segment_place place,
                struct live_segment *const *live, size_t n_live, int64_t before_ns, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct str_view *known = ARENA_ARRAY(&scratch, struct str_view, n_live);
    struct stray_search l = {.found = s, .place = place, .known = known, .before_ns = before_ns};
    for (size_t i = 0; i < n_live; i++)
        if (live[i]->info.place == place)
            known[l.n_known++] = live[i]->info.key;
    if (l.n_known > 1)
        qsort(known, l.n_known, sizeof *known, by_key);
    l.seen = ARENA_ARRAY(&scratch, bool, l.n_known);
    int r = object_list(stores_of(stores, place), SV(""), on_object, &l, err);
    if (r == 0)
        note_missing(&l);
    return r;
}

/* ---- judging ---- */

static bool is_covered(const struct segment *s, struct uuid source, uint64_t kept_lsn)
{
    for (uint32_t i = 0; i < s->n_coverage; i++)
        if (memcmp(s->coverage[i].source, source.b, UUID_BYTES) != 0 ||
            s->coverage[i].last >= kept_lsn)
            return false;
    return s->n_coverage > 0;
}

enum stray_verdict stray_judge(const struct stray *s, const struct stores *stores,
                               struct uuid source, uint64_t kept_lsn, struct uuid *ret_uuid)
{
    struct segment_file f;
    if (segment_file_open(&f, stores, s->place, s->key, NULL) < 0)
        return STRAY_UNCLEAR;
    const struct segment_header *h = &f.segment->header;
    bool kept = memcmp(h->installation, source.b, UUID_BYTES) == 0 &&
                is_covered(f.segment, source, kept_lsn);
    if (kept)
        *ret_uuid = uuid_of_bytes(h->uuid);
    segment_file_close(&f);
    return kept ? STRAY_KEPT_ELSEWHERE : STRAY_UNCLEAR;
}
