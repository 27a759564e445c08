/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields in the order in which they came, of a request and of an answer. */
#include "http/request.h"

/* Copied: a handler reads and writes them on its own thread, perhaps after the connection is gone.
 */
void headers_add(struct header_list *l, struct arena *arena, struct str_view name,
                 struct str_view value)
{
    l->v = arena_grow(arena, l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = (struct header){arena_copy(arena, name), arena_copy(arena, value)};
}

struct str_view headers_get(const struct header_list *l, struct str_view name)
{
    for (size_t i = 0; i < l->n; i++)
        if (sv_eq_nocase(l->v[i].name, name))
            return l->v[i].value;
    return (struct str_view){NULL, 0};
}

size_t headers_count(const struct header_list *l, struct str_view name)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += sv_eq_nocase(l->v[i].name, name);
    return n;
}
