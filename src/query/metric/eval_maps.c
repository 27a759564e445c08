/* SPDX-License-Identifier: Apache-2.0 */
#include "query/metric/eval_impl.h"

void series_map_deinit(struct series_map *m)
{
    free(m->v);
    *m = (struct series_map){0};
}

uint32_t *series_map_at(struct series_map *m, uint32_t key)
{
    if (key >= m->cap) {
        size_t before = m->cap;
        m->v = mem_grow(m->v, &m->cap, (size_t)key + 1, sizeof *m->v);
        memset(m->v + before, 0xff, (m->cap - before) * sizeof *m->v);
    }
    return &m->v[key];
}

void step_slots_deinit(struct step_slots *s)
{
    free(s->stamp);
    free(s->slot);
    *s = (struct step_slots){0};
}

void step_slots_clear(struct step_slots *s)
{
    s->now++;
}

uint32_t step_slots_get(const struct step_slots *s, uint32_t key)
{
    return key < s->cap_slot && s->stamp[key] == s->now ? s->slot[key] : NO_SERIES;
}

void step_slots_set(struct step_slots *s, uint32_t key, uint32_t slot)
{
    if (key >= s->cap_slot) {
        size_t before = s->cap_slot;
        s->slot = mem_grow(s->slot, &s->cap_slot, (size_t)key + 1, sizeof *s->slot);
        s->stamp = mem_realloc(s->stamp, s->cap_slot * sizeof *s->stamp);
        memset(s->stamp + before, 0, (s->cap_slot - before) * sizeof *s->stamp);
    }
    s->stamp[key] = s->now;
    s->slot[key] = slot;
}
