/* SPDX-License-Identifier: Apache-2.0 */
#include "store/leftovers.h"

#include <stdlib.h>
#include <string.h>

#include "store/index/index.h"
#include "store/object/object.h"
#include "store/segment_file.h"

void leftovers_deinit(struct leftovers *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].key);
        free(l->v[i].periods);
    }
    free(l->v);
    *l = LEFTOVERS_INIT;
}

static struct leftover *add(struct leftovers *l)
{
    l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    return &l->v[l->n++];
}

void leftovers_add(struct leftovers *l, struct uuid uuid, enum segment_place place,
                   struct str_view key)
{
    char *own = mem_alloc(key.len + 1);
    memcpy(own, key.p, key.len);
    own[key.len] = '\0';
    *add(l) = (struct leftover){.uuid = uuid, .place = place, .key = own};
}

void leftovers_add_info(struct leftovers *l, const struct segment_info *info)
{
    leftovers_add(l, info->uuid, info->place, info->key);
    struct leftover *last = &l->v[l->n - 1];
    last->n_periods = info->n_periods;
    last->periods = mem_alloc((info->n_periods + 1) * sizeof *last->periods);
    memcpy(last->periods, info->periods, info->n_periods * sizeof *last->periods);
}

void leftovers_move(struct leftovers *to, struct leftovers *from)
{
    for (size_t i = 0; i < from->n; i++)
        *add(to) = from->v[i];
    from->n = 0;
    leftovers_deinit(from);
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

static int remove_rows(const struct leftovers *l, struct index *index, struct err *err)
{
    size_t n_periods = 0;
    struct uuid *uuids = mem_alloc(l->n * sizeof *uuids);
    for (size_t i = 0; i < l->n; i++)
        uuids[i] = l->v[i].uuid;
    struct period *periods = periods_of(l, &n_periods);
    int r = index_remove_segments(index, uuids, l->n, periods, n_periods, err);
    free(periods);
    free(uuids);
    return r;
}

static int remove_files(const struct leftovers *l, const struct stores *stores, struct err *err)
{
    int first = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct str_view key = sv_of(l->v[i].key);
        struct err why = ERR_INIT;
        int r = object_delete(stores_of(stores, l->v[i].place), key, &why);
        if (r < 0 && first == 0)
            first = err_set(err, r, "segment '%.*s': %s", SV_ARG(key), why.text);
    }
    return first;
}

int leftovers_remove(struct leftovers *l, struct index *index, const struct stores *stores,
                     struct err *err)
{
    if (l->n == 0)
        return 0;
    int r = remove_rows(l, index, err);
    if (r == 0)
        r = remove_files(l, stores, err);
    leftovers_deinit(l);
    return r < 0 ? err_context(err, r, "dead segments were not removed") : 0;
}
