/* SPDX-License-Identifier: Apache-2.0 */
#include "query/text_set.h"

#include <xxhash.h>

#include "base/bytes.h"

void text_set_deinit(struct text_set *s)
{
    free(s->slots);
    arena_deinit(&s->arena);
    *s = (struct text_set){0};
}

/* The slot that holds the text, or the free one where it would go. */
static const struct str_view **slot_of(const struct text_set *s, struct str_view text)
{
    size_t at = XXH3_64bits(text.p, text.len) & (s->n_slots - 1);
    while (s->slots[at] && !sv_eq(*s->slots[at], text))
        at = (at + 1) & (s->n_slots - 1);
    return &s->slots[at];
}

static void grow(struct text_set *s)
{
    struct text_set bigger = {.n_slots = s->n_slots ? 2 * s->n_slots : 64};
    bigger.slots = mem_zalloc(bigger.n_slots, sizeof *bigger.slots);
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i])
            *slot_of(&bigger, *s->slots[i]) = s->slots[i];
    free(s->slots);
    s->slots = bigger.slots;
    s->n_slots = bigger.n_slots;
}

void text_set_add(struct text_set *s, struct str_view text)
{
    if (2 * (s->n + 1) > s->n_slots)
        grow(s);
    const struct str_view **slot = slot_of(s, text);
    if (*slot)
        return;
    struct str_view *copy = ARENA_NEW(&s->arena, struct str_view);
    *copy = arena_copy(&s->arena, text);
    *slot = copy;
    s->n++;
}

static int by_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

void text_set_sorted(const struct text_set *s, struct arena *a, struct str_view **ret,
                     size_t *ret_n)
{
    struct str_view *v = ARENA_ARRAY(a, struct str_view, s->n);
    size_t n = 0;
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i])
            v[n++] = arena_copy(a, *s->slots[i]);
    if (n > 1)
        qsort(v, n, sizeof *v, by_text);
    *ret = v;
    *ret_n = n;
}
