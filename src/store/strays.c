/* SPDX-License-Identifier: Apache-2.0 */
#include "store/strays.h"

#include <stdlib.h>
#include <string.h>

#include "store/object/object.h"
#include "store/segment_file.h"

void strays_deinit(struct strays *s)
{
    arena_deinit(&s->arena);
    free(s->v);
    free(s->missing);
    *s = STRAYS_INIT;
}

void strays_note(struct strays *s, struct stray stray)
{
    s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n++] = stray;
}

void strays_note_missing(struct strays *s, struct stray missing)
{
    s->missing = mem_grow(s->missing, &s->cap_missing, s->n_missing + 1, sizeof *s->missing);
    s->missing[s->n_missing++] = missing;
}

/* ---- listing ---- */

struct stray_search {
    struct strays *found;
    enum segment_place place;
    const struct str_view *known; /* sorted */
    size_t n_known;
    bool *seen;
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
    if (!sv_ends_with(info->key, SV(".seg")))
        return 0;
    struct strays *s = l->found;
    strays_note(s, (struct stray){l->place, arena_copy(&s->arena, info->key)});
    return 0;
}

static void note_missing(const struct stray_search *l)
{
    struct strays *s = l->found;
    for (size_t i = 0; i < l->n_known; i++) {
        if (l->seen[i])
            continue;
        strays_note_missing(s, (struct stray){l->place, arena_copy(&s->arena, l->known[i])});
    }
}

int strays_list(struct strays *s, const struct stores *stores, enum segment_place place,
                const struct segment_info *named, size_t n_named, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    struct str_view *known = ARENA_ARRAY(&scratch, struct str_view, n_named);
    struct stray_search l = {.found = s, .place = place, .known = known};
    for (size_t i = 0; i < n_named; i++)
        if (named[i].place == place)
            known[l.n_known++] = named[i].key;
    if (l.n_known > 1)
        qsort(known, l.n_known, sizeof *known, by_key);
    l.seen = ARENA_ARRAY(&scratch, bool, l.n_known);
    int r = object_list(stores_of(stores, place), SV(""), on_object, &l, err);
    if (r == 0)
        note_missing(&l);
    return r;
}
