/* SPDX-License-Identifier: Apache-2.0 */
/* Which live streams match.  An equality is one comparison of numbers, since each pair exists
 * once; a regex is asked once per pair, as far as a small cache remembers. */
#include "ingester/streams/table.h"
#include "model/matcher.h"
#include "regex/regex.h"

enum { VERDICTS = 1024 };

struct stream_condition {
    const struct matcher *m;
    bool by_pair;       /* the stream matches iff it has (EQ) or has not (NE) that pair */
    uint32_t pair;      /* UINT32_MAX: no stream has it */
    bool absent_passes; /* the verdict on the empty value */
    struct {
        uint32_t pair_plus_1;
        bool passes;
    } * verdicts;
};

static void condition_init(struct stream_condition *c, struct streams *s, const struct matcher *m,
                           struct regex_scratch *scratch, struct arena *arena)
{
    *c = (struct stream_condition){.m = m};
    c->by_pair = (m->op == MATCH_EQ || m->op == MATCH_NE) && m->value.len > 0;
    if (c->by_pair)
        c->pair = pairs_find(&s->pairs, m->name, m->value);
    else
        c->absent_passes = matcher_matches(m, scratch, SV_EMPTY);
    if (m->op == MATCH_RE || m->op == MATCH_NRE)
        c->verdicts = arena_zalloc(arena, VERDICTS, sizeof *c->verdicts);
}

static bool ask_pair(struct stream_condition *c, struct streams *s, uint32_t idx,
                     struct regex_scratch *scratch)
{
    const struct label_pair *p = pairs_get(&s->pairs, idx);
    if (!c->verdicts)
        return matcher_matches(c->m, scratch, pair_value(p));
    if (c->verdicts[idx % VERDICTS].pair_plus_1 != idx + 1) {
        c->verdicts[idx % VERDICTS].pair_plus_1 = idx + 1;
        c->verdicts[idx % VERDICTS].passes = matcher_matches(c->m, scratch, pair_value(p));
    }
    return c->verdicts[idx % VERDICTS].passes;
}

static bool condition_holds(struct stream_condition *c, struct streams *s,
                            const struct live_stream *st, struct regex_scratch *scratch)
{
    for (uint32_t i = 0; i < st->n_pairs; i++) {
        if (c->by_pair && st->pairs[i] == c->pair)
            return c->m->op == MATCH_EQ;
        if (!c->by_pair && sv_eq(pair_name(pairs_get(&s->pairs, st->pairs[i])), c->m->name))
            return ask_pair(c, s, st->pairs[i], scratch);
    }
    return c->by_pair ? c->m->op == MATCH_NE : c->absent_passes;
}

struct selecting_streams {
    struct streams *s;
    struct stream_condition *conditions;
    size_t n_conditions;
    struct regex_scratch *scratch;
    uint64_t oldest_generation;
    struct arena *arena;
    struct buf labels; /* scratch */
    struct recent_stream *out;
    size_t n, cap;
};

static void select_from(struct selecting_streams *sel, const uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct live_stream *st = streams_get(sel->s, v[i]);
        bool holds = atomic_load_explicit(&st->last_generation, memory_order_relaxed) >=
                     sel->oldest_generation;
        for (size_t c = 0; c < sel->n_conditions && holds; c++)
            holds = condition_holds(&sel->conditions[c], sel->s, st, sel->scratch);
        if (!holds)
            continue;
        buf_clear(&sel->labels);
        stream_labels(sel->s, st, &sel->labels);
        sel->out = mem_grow(sel->out, &sel->cap, sel->n + 1, sizeof *sel->out);
        sel->out[sel->n++] =
            (struct recent_stream){.idx = v[i],
                                   .hash = st->hash,
                                   .labels = arena_copy(sel->arena, buf_view(&sel->labels))};
    }
}

static bool needs_scratch(const struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m[i].op == MATCH_RE || m[i].op == MATCH_NRE)
            return true;
    return false;
}

int streams_select(struct streams *s, struct str_view tenant, const struct matcher *matchers,
                   size_t n_matchers, streams_pin_fn *pin, void *ctx, struct arena *arena,
                   struct recent_stream **ret, size_t *ret_n, struct err *err)
{
    struct selecting_streams sel = {.s = s, .n_conditions = n_matchers, .arena = arena};
    sel.scratch = needs_scratch(matchers, n_matchers) ? regex_scratch_new() : NULL;
    sel.conditions = ARENA_ARRAY(arena, struct stream_condition, n_matchers);
    rwlock_rdlock(&s->lock);
    sel.oldest_generation = pin(ctx);
    const struct stream_tenant *t = streams_find_tenant(s, tenant);
    if (t) {
        for (size_t i = 0; i < n_matchers; i++)
            condition_init(&sel.conditions[i], s, &matchers[i], sel.scratch, arena);
        select_from(&sel, t->sorted, t->n_sorted);
        select_from(&sel, t->fresh, t->n_fresh);
    }
    rwlock_unlock(&s->lock);
    *ret = arena_alloc(arena, sel.n * sizeof *sel.out);
    if (sel.n)
        memcpy(*ret, sel.out, sel.n * sizeof *sel.out);
    *ret_n = sel.n;
    free(sel.out);
    buf_deinit(&sel.labels);
    regex_scratch_free(sel.scratch);
    return 0;
}
