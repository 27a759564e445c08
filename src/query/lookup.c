/* SPDX-License-Identifier: Apache-2.0 */
#include "query/lookup.h"

#include "chunk/head.h"
#include "query/text_set.h"
#include "store/view.h"

enum { CHECK_EVERY = 1024 };

/* --- open ------------------------------------------------------------------------------- */

static int compile_matchers(struct lookup *l, struct err *err)
{
    const struct lookup_ask *ask = &l->ask;
    l->matchers = ARENA_ARRAY(ask->arena, struct matcher, ask->n_matchers);
    for (size_t i = 0; i < ask->n_matchers; i++) {
        l->matchers[i] = ask->matchers[i];
        l->matchers[i].regex = NULL;
    }
    for (size_t i = 0; i < ask->n_matchers; i++) {
        int r = matcher_compile(&l->matchers[i], err);
        if (r == 0 && l->matchers[i].regex)
            r = compile_charge(&l->compile, regex_mem_bytes(l->matchers[i].regex), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool in_range(const struct lookup *l, int64_t ts_ns)
{
    return ts_ns >= l->ask.min_ts_ns && ts_ns <= l->ask.max_ts_ns;
}

static bool has_entry(const struct lookup *l, uint32_t idx)
{
    const struct view *v = l->recent.view;
    struct entry e;
    uint64_t position;
    for (size_t g = v->n_heads; g-- > 0;) {
        struct head_iter it;
        head_iter_init(&it, v->heads[g]->head, idx, v->visible[g]);
        while (head_iter_next(&it, &e, &position))
            if (in_range(l, e.ts_ns))
                return true;
    }
    return false;
}

static int keep_streams_in_range(struct lookup *l, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < l->recent.n_streams; i++) {
        if (i % CHECK_EVERY == 0) {
            int r = query_check(l->ask.control, err);
            if (r < 0)
                return r;
        }
        if (has_entry(l, l->recent.streams[i].idx))
            l->recent.streams[n++] = l->recent.streams[i];
    }
    l->recent.n_streams = n;
    return 0;
}

/* Whoever charges an answer has one: the query may have ended in the middle of a regex. */
static int charge(struct lookup *l, struct err *err)
{
    int r = query_check(l->ask.control, err);
    return r < 0 ? r : query_charge_arena(l->ask.control, l->ask.arena, &l->charged_bytes, err);
}

int lookup_open(struct lookup *l, const struct lookup_ask *ask, struct err *err)
{
    *l = (struct lookup){.ask = *ask,
                         .compile = {.control = ask->control},
                         .scratch = query_scratch_new(ask->control),
                         .charged_bytes = ask->arena->used_bytes};
    int r = compile_matchers(l, err);
    if (r < 0)
        return r;
    const struct recent_source *recent = &ask->source->recent;
    r = recent->open(recent->self, ask->tenant, l->matchers, ask->n_matchers, ask->arena,
                     &l->recent, err);
    if (r == 0)
        r = charge(l, err);
    return r < 0 ? r : keep_streams_in_range(l, err);
}

void lookup_close(struct lookup *l)
{
    view_unpin(l->recent.view);
    for (size_t i = 0; l->matchers && i < l->ask.n_matchers; i++)
        matcher_deinit(&l->matchers[i]);
    regex_scratch_free(l->scratch);
    if (l->ask.control)
        query_release(l->ask.control, l->compile.charged_bytes);
    *l = (struct lookup){0};
}

static struct index_query stored_of(const struct lookup *l)
{
    return (struct index_query){
        .view = l->recent.view,
        .tenant = l->ask.tenant,
        .matchers = l->matchers,
        .n_matchers = l->ask.n_matchers,
        .min_ts_ns = l->ask.min_ts_ns,
        .max_ts_ns = l->ask.max_ts_ns,
        .scratch = l->scratch,
        .max_bytes = l->ask.control->max_bytes,
    };
}

/* --- names, values, sets ---------------------------------------------------------------- */

/* name NULL: the names themselves. */
static int recent_texts(struct lookup *l, const struct str_view *name, struct text_set *to,
                        struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    for (size_t i = 0; i < l->recent.n_streams; i++) {
        struct labels labels;
        arena_clear(&scratch);
        int r = labels_decode(&scratch, l->recent.streams[i].labels, &labels, err);
        if (r < 0)
            return r;
        for (size_t k = 0; k < labels.n; k++)
            if (!name)
                text_set_add(to, labels.v[k].name);
            else if (sv_eq(labels.v[k].name, *name))
                text_set_add(to, labels.v[k].value);
    }
    return 0;
}

static int all_texts(struct lookup *l, const struct str_view *name, struct index_names *ret,
                     struct err *err)
{
    CLEANUP(text_set_deinit) struct text_set set = {0};
    struct index_query q = stored_of(l);
    int r = name ? index_label_values(l->ask.source->index, &q, *name, l->ask.arena, ret, err)
                 : index_label_names(l->ask.source->index, &q, l->ask.arena, ret, err);
    if (r == 0)
        r = charge(l, err);
    if (r == 0 && l->recent.n_streams > 0) {
        for (size_t i = 0; i < ret->n; i++)
            text_set_add(&set, ret->v[i]);
        r = recent_texts(l, name, &set, err);
        if (r == 0)
            text_set_sorted(&set, l->ask.arena, &ret->v, &ret->n);
    }
    return r < 0 ? r : charge(l, err);
}

int lookup_names(struct lookup *l, struct index_names *ret, struct err *err)
{
    return all_texts(l, NULL, ret, err);
}

int lookup_values(struct lookup *l, struct str_view name, struct index_names *ret, struct err *err)
{
    return all_texts(l, &name, ret, err);
}

int lookup_series(struct lookup *l, struct series_set *set, struct err *err)
{
    struct index_query q = stored_of(l);
    struct index_series *v;
    size_t n;
    int r = index_series(l->ask.source->index, &q, l->ask.arena, &v, &n, err);
    if (r < 0)
        return r;
    uint64_t before = series_set_bytes(set);
    for (size_t i = 0; i < n; i++)
        series_set_add_encoded(set, v[i].labels);
    for (size_t i = 0; i < l->recent.n_streams; i++)
        series_set_add_encoded(set, l->recent.streams[i].labels);
    r = query_charge(l->ask.control, series_set_bytes(set) - before, err);
    return r < 0 ? r : charge(l, err);
}

/* --- sizes ------------------------------------------------------------------------------ */

static void recent_pieces(struct lookup *l, const struct recent_stream *s,
                          const struct lookup_sizes *to)
{
    const struct view *v = l->recent.view;
    struct entry e;
    uint64_t position;
    uint32_t series = to->series(to->ctx, s->labels);
    for (size_t g = 0; g < v->n_heads; g++) {
        struct head_iter it;
        bool is_first = true;
        head_iter_init(&it, v->heads[g]->head, s->idx, v->visible[g]);
        while (head_iter_next(&it, &e, &position)) {
            if (!in_range(l, e.ts_ns))
                continue;
            to->piece(to->ctx,
                      &(struct lookup_piece){series, 1, e.line.len, e.ts_ns, e.ts_ns, is_first});
            is_first = false;
        }
    }
}

/* A run that the range cuts counts for the share of its time. */
static struct lookup_piece piece_of(const struct lookup *l, const struct segment_run *run)
{
    struct lookup_piece p = {.n_entries = run->rows,
                             .n_bytes = run->line_bytes,
                             .min_ts_ns = run->min_ts_ns,
                             .max_ts_ns = run->max_ts_ns};
    if (in_range(l, run->min_ts_ns) && in_range(l, run->max_ts_ns))
        return p;
    if (p.min_ts_ns < l->ask.min_ts_ns)
        p.min_ts_ns = l->ask.min_ts_ns;
    if (p.max_ts_ns > l->ask.max_ts_ns)
        p.max_ts_ns = l->ask.max_ts_ns;
    double share = ((double)p.max_ts_ns - (double)p.min_ts_ns + 1) /
                   ((double)run->max_ts_ns - (double)run->min_ts_ns + 1);
    p.n_entries = (uint64_t)((double)run->rows * share);
    p.n_bytes = (uint64_t)((double)run->line_bytes * share);
    return p;
}

static void stored_pieces(struct lookup *l, const struct index_selection *sel,
                          const uint32_t *numbers, const struct lookup_sizes *to)
{
    for (size_t i = 0; i < sel->n_parts; i++) {
        const struct index_selected_part *part = &sel->parts[i];
        for (size_t k = 0; k < part->n_runs; k++) {
            const struct index_selected_run *run = &part->runs[k];
            struct lookup_piece p = piece_of(l, &run->run);
            p.series = numbers[run->series];
            p.begins_chunk = k == 0 || run->run.chunk != part->runs[k - 1].run.chunk;
            to->piece(to->ctx, &p);
        }
    }
}

int lookup_sizes(struct lookup *l, const struct lookup_sizes *to, struct err *err)
{
    struct index_query q = stored_of(l);
    struct index_selection sel;
    int r = index_select(l->ask.source->index, &q, l->ask.arena, &sel, err);
    if (r < 0 || (r = charge(l, err)) < 0)
        return r;
    uint32_t *numbers = ARENA_ARRAY(l->ask.arena, uint32_t, sel.n_series);
    for (size_t i = 0; i < sel.n_series; i++)
        numbers[i] = to->series(to->ctx, sel.series[i].labels);
    stored_pieces(l, &sel, numbers, to);
    for (size_t i = 0; i < l->recent.n_streams; i++) {
        if (i % CHECK_EVERY == 0 && (r = query_check(l->ask.control, err)) < 0)
            return r;
        recent_pieces(l, &l->recent.streams[i], to);
    }
    return charge(l, err);
}

struct summing {
    struct series_set set;
    struct index_stats stats;
};

static uint32_t sum_series(void *ctx, struct str_view labels)
{
    return series_set_add_encoded(&((struct summing *)ctx)->set, labels);
}

static void sum_piece(void *ctx, const struct lookup_piece *p)
{
    struct index_stats *st = &((struct summing *)ctx)->stats;
    st->n_chunks += p->begins_chunk;
    st->n_entries += p->n_entries;
    st->n_bytes += p->n_bytes;
}

int lookup_stats(struct lookup *l, struct index_stats *ret, struct err *err)
{
    struct summing s = {0};
    series_set_init(&s.set);
    int r = lookup_sizes(l, &(struct lookup_sizes){&s, sum_series, sum_piece}, err);
    s.stats.n_streams = s.set.n;
    series_set_deinit(&s.set);
    if (r == 0)
        *ret = s.stats;
    return r;
}
