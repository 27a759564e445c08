/* SPDX-License-Identifier: Apache-2.0 */
#include "store/damage.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"

void damage_list_init(struct damage_list *l)
{
    *l = (struct damage_list){.n = 0};
    mutex_init(&l->mu);
}

void damage_list_deinit(struct damage_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    free(l->v);
    mutex_deinit(&l->mu);
}

bool damage_is(int result)
{
    return result == ERR_CORRUPT || result == ERR_NOT_FOUND || result == ERR_UNSUPPORTED ||
           result == -EIO;
}

void damage_describe(struct buf *out, const struct damage_place *at, struct str_view why)
{
    size_t from = out->len;
    if (at->chunk != DAMAGE_ALL)
        buf_printf(out, "chunk %u of ", at->chunk);
    if (at->part_no != DAMAGE_ALL)
        buf_printf(out, "part %u of ", at->part_no);
    size_t segment = out->len;
    buf_printf(out, "segment '%.*s': ", SV_ARG(at->key));
    struct str_view named = sv_from(buf_view(out), segment);
    if (segment == from && sv_starts_with(why, named))
        why = sv_from(why, named.len); /* who opens a segment names it, too */
    buf_put(out, why);
}

static bool is_known_locked(const struct damage_list *l, const struct damage_place *at)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct damage *d = &l->v[i];
        if (uuid_eq(d->segment, at->segment) &&
            (d->part_no == DAMAGE_ALL ||
             (d->part_no == at->part_no && (d->chunk == DAMAGE_ALL || d->chunk == at->chunk))))
            return true;
    }
    return false;
}

bool damage_list_add(struct damage_list *l, const struct damage_place *at, struct str_view text)
{
    MUTEX_GUARD(&l->mu);
    if (is_known_locked(l, at))
        return false;
    if (l->n == DAMAGE_MAX) {
        l->n_more++;
        return true;
    }
    l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    l->v[l->n++] = (struct damage){at->segment, at->part_no, at->chunk, copy};
    return true;
}

void damage_list_forget(struct damage_list *l, struct uuid segment)
{
    MUTEX_GUARD(&l->mu);
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (uuid_eq(l->v[i].segment, segment))
            free(l->v[i].text);
        else
            l->v[n++] = l->v[i];
    }
    l->n = n;
}

uint64_t damage_list_count(struct damage_list *l)
{
    MUTEX_GUARD(&l->mu);
    return l->n + l->n_more;
}

uint64_t damage_list_each(struct damage_list *l, damage_fn *fn, void *ctx)
{
    MUTEX_GUARD(&l->mu);
    for (size_t i = 0; i < l->n; i++)
        fn(ctx, sv_of(l->v[i].text));
    return l->n_more;
}
