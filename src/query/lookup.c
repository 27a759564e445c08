/* SPDX-License-Identifier: Apache-2.0 */
#include "query/lookup.h"

#include "chunk/head.h"
#include "query/text_set.h"
#include "store/view.h"

enum { CHECK_EVERY = 1024 };

/* ---- recent streams ---- */

static bool has_entry(const struct selection *s, uint32_t idx)
{
    const struct view *v = s->recent.view;
    struct entry e;
    uint64_t position;
    for (size_t g = v->n_heads; g-- > 0;) {
        struct head_iter it;
        head_iter_init(&it, v->heads[g]->head, idx, v->visible[g]);
        while (head_iter_next(&it, &e, &position))
            if (span_holds(s->within, e.ts_ns))
                return true;
    }
    return false;
}

static int keep_streams_in_range(struct selection *s, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < s->recent.n_streams; i++) {
        if (i % CHECK_EVERY == 0) {
            int r = query_check(s->env->control, err);
            if (r < 0)
                return r;
        }
        if (has_entry(s, s->recent.streams[i].idx))
            s->recent.streams[n++] = s->recent.streams[i];
    }
    s->recent.n_streams = n;
    return 0;
}

/* ---- names, values, sets ---- */

/* name NULL: the names themselves. */
static int add_recent_texts(const struct selection *s, const struct str_view *name,
                            struct text_set *to, struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    for (size_t i = 0; i < s->recent.n_streams; i++) {
        struct labels labels;
        arena_clear(&scratch);
        int r = labels_decode(&scratch, s->recent.streams[i].labels, &labels, err);
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

/* Joins those of recent streams to the stored ones in *ret. */
static int join_recent_texts(const struct selection *s, const struct str_view *name,
                             struct arena *a, struct index_names *ret, struct err *err)
{
    CLEANUP(text_set_deinit) struct text_set set = {0};
    if (s->recent.n_streams == 0)
        return 0;
    for (size_t i = 0; i < ret->n; i++)
        text_set_add(&set, ret->v[i]);
    int r = add_recent_texts(s, name, &set, err);
    if (r == 0)
        text_set_sorted(&set, a, &ret->v, &ret->n);
    return r;
}

static int find_texts(struct selection *s, const struct str_view *name, struct arena *a,
                      struct index_names *ret, struct err *err)
{
    uint64_t charged_bytes = a->used_bytes;
    int r = keep_streams_in_range(s, err);
    if (r == 0)
        r = name ? selection_label_values(s, *name, a, ret, err)
                 : selection_label_names(s, a, ret, err);
    if (r == 0)
        r = query_charge_arena(s->env->control, a, &charged_bytes, err);
    if (r == 0)
        r = join_recent_texts(s, name, a, ret, err);
    return r < 0 ? r : query_charge_arena(s->env->control, a, &charged_bytes, err);
}

int lookup_names(struct selection *s, struct arena *a, struct index_names *ret, struct err *err)
{
    return find_texts(s, NULL, a, ret, err);
}

int lookup_values(struct selection *s, struct str_view name, struct arena *a,
                  struct index_names *ret, struct err *err)
{
    return find_texts(s, &name, a, ret, err);
}

int lookup_series(struct selection *s, struct series_set *set, struct err *err)
{
    struct index_series *v;
    size_t n;
    int r = keep_streams_in_range(s, err);
    if (r == 0)
        r = selection_series(s, &s->arena, &v, &n, err);
    if (r == 0)
        r = query_charge_arena(s->env->control, &s->arena, &s->charged_bytes, err);
    if (r < 0)
        return r;
    uint64_t before = series_set_bytes(set);
    for (size_t i = 0; i < n; i++)
        series_set_add_encoded(set, v[i].labels);
    for (size_t i = 0; i < s->recent.n_streams; i++)
        series_set_add_encoded(set, s->recent.streams[i].labels);
    return query_charge(s->env->control, series_set_bytes(set) - before, err);
}

/* ---- amounts ---- */

static void add_recent_amounts(const struct selection *s, const struct recent_stream *stream,
                               const struct amount_sink *to)
{
    const struct view *v = s->recent.view;
    struct lookup_amount x = {.n_entries = 1};
    struct entry e;
    uint64_t position;
    bool is_known = false;
    for (size_t g = 0; g < v->n_heads; g++) {
        struct head_iter it;
        x.begins_chunk = true;
        head_iter_init(&it, v->heads[g]->head, stream->idx, v->visible[g]);
        while (head_iter_next(&it, &e, &position)) {
            if (!span_holds(s->within, e.ts_ns))
                continue;
            if (!is_known)
                x.series = to->series(to->ctx, stream->labels);
            is_known = true;
            x.n_bytes = e.line.len;
            x.min_ts_ns = x.max_ts_ns = e.ts_ns;
            to->add(to->ctx, &x);
            x.begins_chunk = false;
        }
    }
}

static struct lookup_amount amount_of(const struct selection *s, const struct segment_run *run)
{
    struct lookup_amount x = {.n_entries = run->rows,
                              .n_bytes = run->line_bytes,
                              .min_ts_ns = run->min_ts_ns,
                              .max_ts_ns = run->max_ts_ns};
    if (span_holds(s->within, run->min_ts_ns) && span_holds(s->within, run->max_ts_ns))
        return x;
    if (x.min_ts_ns < s->within.min_ns)
        x.min_ts_ns = s->within.min_ns;
    if (x.max_ts_ns > s->within.max_ns)
        x.max_ts_ns = s->within.max_ns;
    double part = ((double)x.max_ts_ns - (double)x.min_ts_ns + 1) /
                  ((double)run->max_ts_ns - (double)run->min_ts_ns + 1);
    x.n_entries = (uint64_t)((double)run->rows * part);
    x.n_bytes = (uint64_t)((double)run->line_bytes * part);
    return x;
}

static void add_stored_amounts(const struct selection *s, const struct index_selection *stored,
                               const uint32_t *numbers, const struct amount_sink *to)
{
    for (size_t i = 0; i < stored->n_parts; i++) {
        const struct index_selected_part *part = &stored->parts[i];
        for (size_t k = 0; k < part->n_runs; k++) {
            const struct index_selected_run *run = &part->runs[k];
            struct lookup_amount x = amount_of(s, &run->run);
            x.series = numbers[run->series];
            x.begins_chunk = k == 0 || run->run.chunk != part->runs[k - 1].run.chunk;
            to->add(to->ctx, &x);
        }
    }
}

int lookup_amounts(struct selection *s, const struct amount_sink *to, struct err *err)
{
    struct index_selection stored;
    int r = selection_runs(s, &s->arena, &stored, err);
    if (r < 0)
        return r;
    uint32_t *numbers = ARENA_ARRAY(&s->arena, uint32_t, stored.n_series);
    r = query_charge_arena(s->env->control, &s->arena, &s->charged_bytes, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < stored.n_series; i++)
        numbers[i] = to->series(to->ctx, stored.series[i].labels);
    add_stored_amounts(s, &stored, numbers, to);
    for (size_t i = 0; i < s->recent.n_streams; i++) {
        if (i % CHECK_EVERY == 0 && (r = query_check(s->env->control, err)) < 0)
            return r;
        add_recent_amounts(s, &s->recent.streams[i], to);
    }
    return 0;
}

/* ---- their sums ---- */

struct summing {
    struct series_set set;
    struct index_stats *stats;
};

static uint32_t sum_series(void *ctx, struct str_view labels)
{
    return series_set_add_encoded(&((struct summing *)ctx)->set, labels);
}

static void sum_amount(void *ctx, const struct lookup_amount *x)
{
    struct index_stats *st = ((struct summing *)ctx)->stats;
    st->n_chunks += x->begins_chunk;
    st->n_entries += x->n_entries;
    st->n_bytes += x->n_bytes;
}

int lookup_stats(struct selection *s, struct index_stats *to, struct err *err)
{
    struct summing sum = {.stats = to};
    series_set_init(&sum.set);
    int r = lookup_amounts(s, &(struct amount_sink){&sum, sum_series, sum_amount}, err);
    to->n_streams += sum.set.n;
    series_set_deinit(&sum.set);
    return r;
}
