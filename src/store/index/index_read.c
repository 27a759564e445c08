/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that may span several tables: each table's own answer, then one set of series. */
#include <stdlib.h>

#include "base/bytes.h"
#include "regex/regex.h"
#include "store/index/table.h"

/* The caller's query with a scratch for its regexes. */
struct asking {
    struct index_query q;
    struct regex_scratch *own; /* made here */
    struct arena *arena;
};

static struct asking asking_of(const struct index_query *q, struct arena *arena)
{
    struct asking a = {.q = *q, .arena = arena};
    for (size_t i = 0; i < q->n_matchers && !a.q.scratch; i++)
        if (q->matchers[i].op == MATCH_RE || q->matchers[i].op == MATCH_NRE)
            a.q.scratch = a.own = regex_scratch_new();
    return a;
}

static void asking_deinit(struct asking *a)
{
    regex_scratch_free(a->own);
}

/* --- one set of series ------------------------------------------------------------------ */

/* Where a table's series stands in the joint list. */
struct tagged_series {
    struct index_series series;
    uint32_t *to; /* gets its joint number; may be NULL */
};

static int cmp_tagged(const void *x, const void *y)
{
    const struct index_series *a = &((const struct tagged_series *)x)->series;
    const struct index_series *b = &((const struct tagged_series *)y)->series;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return sv_cmp(a->labels, b->labels);
}

/* Numbers equal series alike; returns how many there are, listed in `out` (room for n). */
static size_t join_series(struct tagged_series *v, size_t n, struct index_series *out)
{
    size_t n_out = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, cmp_tagged);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || cmp_tagged(&v[i - 1], &v[i]) != 0)
            out[n_out++] = v[i].series;
        if (v[i].to)
            *v[i].to = (uint32_t)(n_out - 1);
    }
    return n_out;
}

/* --- select ----------------------------------------------------------------------------- */

struct selections {
    struct asking a;
    struct index_selection *v; /* of tables that had any */
    size_t n, cap;
    uint64_t n_parts_seen;
    size_t arena_before;
};

static int select_table(void *ctx, struct table *t, struct err *err)
{
    struct selections *s = ctx;
    struct index_query q = s->a.q;
    uint64_t used_bytes = s->a.arena->used_bytes - s->arena_before;
    if (q.max_bytes)
        q.max_bytes = used_bytes < q.max_bytes ? q.max_bytes - used_bytes : 1;
    struct index_selection one;
    int r = table_select(t, &q, s->a.arena, &one, err);
    if (r < 0)
        return r;
    s->n_parts_seen += one.n_parts_seen;
    if (one.n_parts == 0)
        return 0;
    s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
    s->v[s->n++] = one;
    return 0;
}

static int cmp_selected_part(const void *x, const void *y)
{
    const struct index_selected_part *a = x, *b = y;
    if (a->segment_order != b->segment_order)
        return a->segment_order < b->segment_order ? -1 : 1;
    return (a->part_no > b->part_no) - (a->part_no < b->part_no);
}

static void renumber(struct index_selection *s, const uint32_t *joint)
{
    for (size_t i = 0; i < s->n_parts; i++)
        for (size_t k = 0; k < s->parts[i].n_runs; k++)
            s->parts[i].runs[k].series = joint[s->parts[i].runs[k].series];
}

static void join_selections(struct selections *s, struct index_selection *ret)
{
    size_t n_series = 0, n_parts = 0, at = 0, at_part = 0;
    for (size_t i = 0; i < s->n; i++) {
        n_series += s->v[i].n_series;
        n_parts += s->v[i].n_parts;
    }
    struct tagged_series *tagged = mem_alloc(n_series * sizeof *tagged);
    uint32_t *joint = mem_alloc(n_series * sizeof *joint);
    ret->series = ARENA_ARRAY(s->a.arena, struct index_series, n_series);
    ret->parts = ARENA_ARRAY(s->a.arena, struct index_selected_part, n_parts);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->v[i].n_series; k++, at++)
            tagged[at] = (struct tagged_series){s->v[i].series[k], &joint[at]};
    ret->n_series = join_series(tagged, n_series, ret->series);
    at = 0;
    for (size_t i = 0; i < s->n; i++) {
        renumber(&s->v[i], joint + at);
        at += s->v[i].n_series;
        memcpy(ret->parts + at_part, s->v[i].parts, s->v[i].n_parts * sizeof *ret->parts);
        at_part += s->v[i].n_parts;
    }
    ret->n_parts = n_parts;
    if (n_parts > 1)
        qsort(ret->parts, n_parts, sizeof *ret->parts, cmp_selected_part);
    free(tagged);
    free(joint);
}

int index_select(struct index *ix, const struct index_query *q, struct arena *arena,
                 struct index_selection *ret, struct err *err)
{
    struct selections s = {.a = asking_of(q, arena), .arena_before = arena->used_bytes};
    *ret = (struct index_selection){0};
    int r = index_each_table(ix, q, select_table, &s, err);
    if (r == 0 && s.n == 1)
        *ret = s.v[0];
    else if (r == 0 && s.n > 1)
        join_selections(&s, ret);
    ret->n_parts_seen = s.n_parts_seen;
    asking_deinit(&s.a);
    free(s.v);
    return r;
}

/* --- series ----------------------------------------------------------------------------- */

struct listings {
    struct asking a;
    struct tagged_series *v;
    size_t n, cap;
};

static int list_table(void *ctx, struct table *t, struct err *err)
{
    struct listings *l = ctx;
    struct index_series *found;
    size_t n;
    int r = table_list_series(t, &l->a.q, l->a.arena, &found, &n, err);
    if (r < 0)
        return r;
    l->v = mem_grow(l->v, &l->cap, l->n + n, sizeof *l->v);
    for (size_t i = 0; i < n; i++)
        l->v[l->n++] = (struct tagged_series){found[i], NULL};
    return 0;
}

int index_series(struct index *ix, const struct index_query *q, struct arena *arena,
                 struct index_series **ret, size_t *ret_n, struct err *err)
{
    struct listings l = {.a = asking_of(q, arena)};
    int r = index_each_table(ix, q, list_table, &l, err);
    if (r == 0) {
        *ret = ARENA_ARRAY(arena, struct index_series, l.n);
        *ret_n = join_series(l.v, l.n, *ret);
    }
    asking_deinit(&l.a);
    free(l.v);
    return r;
}

/* --- names and values ------------------------------------------------------------------- */

struct texts {
    struct asking a;
    size_t arena_before;
    const struct str_view *name; /* NULL: names */
    struct str_view *v;
    size_t n, cap;
};

static int take_text(void *ctx, struct str_view text, struct err *err)
{
    struct texts *ts = ctx;
    uint64_t max_bytes = ts->a.q.max_bytes;
    ts->v = mem_grow(ts->v, &ts->cap, ts->n + 1, sizeof *ts->v);
    ts->v[ts->n++] = arena_copy(ts->a.arena, text);
    uint64_t bytes = ts->a.arena->used_bytes - ts->arena_before + ts->n * sizeof *ts->v;
    if (max_bytes == 0 || bytes <= max_bytes)
        return 0;
    return err_set(err, ERR_OVER_BUDGET,
                   "the request finds too many label %s: their list takes more than %llu bytes",
                   ts->name ? "values" : "names", (unsigned long long)max_bytes);
}

static int texts_of_table(void *ctx, struct table *t, struct err *err)
{
    struct texts *ts = ctx;
    if (ts->name)
        return table_label_values(t, &ts->a.q, *ts->name, take_text, ts, err);
    return table_label_names(t, &ts->a.q, take_text, ts, err);
}

static int cmp_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static bool is_sorted(const struct str_view *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (sv_cmp(v[i - 1], v[i]) > 0)
            return false;
    return true;
}

static int list_texts(struct index *ix, const struct index_query *q, const struct str_view *name,
                      struct arena *arena, struct index_names *ret, struct err *err)
{
    struct texts ts = {.a = asking_of(q, arena), .arena_before = arena->used_bytes, .name = name};
    int r = index_each_table(ix, q, texts_of_table, &ts, err);
    if (r == 0) {
        if (!is_sorted(ts.v, ts.n)) /* one table yields them nearly so */
            qsort(ts.v, ts.n, sizeof *ts.v, cmp_text);
        ret->v = ARENA_ARRAY(arena, struct str_view, ts.n);
        ret->n = 0;
        for (size_t i = 0; i < ts.n; i++)
            if (i == 0 || !sv_eq(ts.v[i - 1], ts.v[i]))
                ret->v[ret->n++] = ts.v[i];
    }
    asking_deinit(&ts.a);
    free(ts.v);
    return r;
}

int index_label_names(struct index *ix, const struct index_query *q, struct arena *arena,
                      struct index_names *ret, struct err *err)
{
    return list_texts(ix, q, NULL, arena, ret, err);
}

int index_label_values(struct index *ix, const struct index_query *q, struct str_view name,
                       struct arena *arena, struct index_names *ret, struct err *err)
{
    return list_texts(ix, q, &name, arena, ret, err);
}

/* --- stats ------------------------------------------------------------------------------ */

int index_stats(struct index *ix, const struct index_query *q, struct index_stats *ret,
                struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct index_selection sel;
    int r = index_select(ix, q, &arena, &sel, err);
    if (r < 0)
        return r;
    struct index_stats st = {.n_streams = sel.n_series};
    for (size_t i = 0; i < sel.n_parts; i++) {
        const struct index_selected_part *p = &sel.parts[i];
        for (size_t k = 0; k < p->n_runs; k++) {
            const struct segment_run *run = &p->runs[k].run;
            st.n_chunks += k == 0 || run->chunk != p->runs[k - 1].run.chunk;
            st.n_entries += run->rows;
            st.n_bytes += run->line_bytes;
        }
    }
    *ret = st;
    return 0;
}
