/* SPDX-License-Identifier: Apache-2.0 */
#include "query/metric/range_leaf.h"

#include <assert.h>

#include "model/tenant_label.h"

enum { PAGE_STEPS = 64 };

struct eval_grid eval_grid_of(int64_t start_ns, int64_t end_ns, int64_t step_ns)
{
    if (step_ns <= 0 || end_ns <= start_ns)
        return (struct eval_grid){start_ns, 1, 1};
    __int128 span = (__int128)end_ns - start_ns;
    return (struct eval_grid){start_ns, step_ns, (size_t)(span / step_ns) + 1};
}

void range_leaf_init(struct range_leaf *l, const struct range_agg *agg,
                     const struct eval_grid *grid, struct query_control *control)
{
    *l = (struct range_leaf){
        .grid = *grid,
        .op = agg->op,
        .param = agg->param,
        .range_ns = agg->range_ns,
        .offset_ns = agg->offset_ns,
        .unwraps = agg->unwrap.present && agg->op != RANGE_ABSENT,
        .control = control,
    };
    series_set_init(&l->set);
    l->page_steps = grid->n < PAGE_STEPS ? grid->n : PAGE_STEPS;
    l->n_pages = (grid->n + l->page_steps - 1) / l->page_steps;
}

void range_leaf_deinit(struct range_leaf *l)
{
    if (!l)
        return;
    uint64_t samples = 0;
    for (size_t i = 0; i < l->n_series; i++) {
        samples += l->series[i].cap_samples * sizeof(struct sample);
        free(l->series[i].samples);
    }
    if (l->control)
        query_release(l->control, samples + l->charged_bytes + l->charged_eval_bytes);
    free(l->series);
    free(l->order);
    free(l->windows);
    free(l->window_state);
    free(l->kind.keys);
    arena_deinit(&l->pages);
    series_set_deinit(&l->set);
    buf_deinit(&l->error_text);
    *l = (struct range_leaf){0};
}

static int64_t clamp(__int128 v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : (int64_t)v;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The windows of ts as an interval of steps, before it is cut to the grid: [first, last].  Both
 * rise with ts, so equal values at two times hold for all times between them. */
static void raw_steps(const struct range_leaf *l, int64_t ts_ns, int64_t *first, int64_t *last)
{
    __int128 enters = (__int128)ts_ns + l->offset_ns - l->grid.start_ns;
    __int128 leaves = enters + l->range_ns - 1;
    int64_t n = (int64_t)l->grid.n, step = l->grid.step_ns;
    int64_t span = clamp((__int128)n * step, 0, INT64_MAX);
    *first = floor_div(clamp(enters, -step, span) - 1, step) + 1;
    *last = floor_div(clamp(leaves, -step, span), step);
    if (*first < 0)
        *first = 0;
    if (*last >= n)
        *last = n - 1;
}

bool range_leaf_steps(const struct range_leaf *l, int64_t ts_ns, size_t *ret_first,
                      size_t *ret_last)
{
    int64_t first, last;
    raw_steps(l, ts_ns, &first, &last);
    if (last < first)
        return false;
    *ret_first = (size_t)first;
    *ret_last = (size_t)last;
    return true;
}

bool range_leaf_same_steps(const struct range_leaf *l, int64_t min_ns, int64_t max_ns)
{
    int64_t first_a, last_a, first_b, last_b;
    raw_steps(l, min_ns, &first_a, &last_a);
    raw_steps(l, max_ns, &first_b, &last_b);
    return first_a == first_b && last_a == last_b;
}

/* The first step of ts stays until a step's instant is passed, the last until a window begins. */
struct leaf_cell range_leaf_cell(const struct range_leaf *l, int64_t ts_ns)
{
    int64_t first, last, n = (int64_t)l->grid.n;
    raw_steps(l, ts_ns, &first, &last);
    __int128 instant = (__int128)l->grid.start_ns - l->offset_ns, begin = instant - l->range_ns;
    __int128 step = l->grid.step_ns, lo = INT64_MIN, hi = INT64_MAX;
    if (first > 0 && instant + (first - 1) * step + 1 > lo)
        lo = instant + (first - 1) * step + 1;
    if (last >= 0 && begin + last * step + 1 > lo)
        lo = begin + last * step + 1;
    if (first < n && instant + first * step < hi)
        hi = instant + first * step;
    if (last < n - 1 && begin + (last + 1) * step < hi)
        hi = begin + (last + 1) * step;
    bool any = last >= first;
    return (struct leaf_cell){(int64_t)lo, (int64_t)hi, any ? (size_t)first : 0,
                              any ? (size_t)last : 0, any};
}

bool range_leaf_bounds(const struct range_leaf *l, int64_t *ret_min_ns, int64_t *ret_max_ns)
{
    __int128 end = (__int128)eval_grid_at(&l->grid, l->grid.n - 1) - l->offset_ns;
    __int128 start = (__int128)l->grid.start_ns - l->offset_ns - l->range_ns + 1;
    if (l->range_ns <= 0 || start > INT64_MAX || end < INT64_MIN)
        return false;
    *ret_min_ns = clamp(start, INT64_MIN, INT64_MAX);
    *ret_max_ns = clamp(end, INT64_MIN, INT64_MAX);
    return true;
}

/* What set, series and pages hold now is charged as one sum. */
static int charge_growth(struct range_leaf *l, struct err *err)
{
    if (!l->control)
        return 0;
    uint64_t now =
        series_set_bytes(&l->set) + l->cap_series * sizeof *l->series + l->pages.used_bytes;
    if (now <= l->charged_bytes)
        return 0;
    int r = query_charge(l->control, now - l->charged_bytes, err);
    if (r == 0)
        l->charged_bytes = now;
    return r;
}

static int cover_set(struct range_leaf *l, struct err *err)
{
    if (l->n_series == l->set.n)
        return 0;
    l->series = mem_grow(l->series, &l->cap_series, l->set.n, sizeof *l->series);
    while (l->n_series < l->set.n)
        l->series[l->n_series++] = (struct leaf_series){0};
    return charge_growth(l, err);
}

int range_leaf_series(struct range_leaf *l, struct labels labels, uint32_t *ret, struct err *err)
{
    *ret = series_set_add(&l->set, labels);
    return cover_set(l, err);
}

static int64_t *page_of(struct range_leaf *l, struct leaf_series *s, size_t k)
{
    if (!s->pages)
        s->pages = ARENA_ARRAY(&l->pages, int64_t *, l->n_pages);
    int64_t **page = &s->pages[k / l->page_steps];
    if (!*page)
        *page =
            ARENA_ARRAY(&l->pages, int64_t, l->page_steps * (range_leaf_wants_bytes(l) ? 2 : 1));
    return *page;
}

static void add_difference(struct range_leaf *l, struct leaf_series *s, size_t k, int64_t n,
                           int64_t bytes)
{
    int64_t *page = page_of(l, s, k);
    page[k % l->page_steps] += n;
    if (range_leaf_wants_bytes(l))
        page[l->page_steps + k % l->page_steps] += bytes;
}

int range_leaf_count_in(struct range_leaf *l, uint32_t series, const struct leaf_cell *cell,
                        uint64_t n, uint64_t bytes, struct err *err)
{
    assert(series < l->n_series && !l->unwraps);
    if (!cell->any)
        return 0;
    struct leaf_series *s = &l->series[series];
    add_difference(l, s, cell->first, (int64_t)n, (int64_t)bytes);
    if (cell->last + 1 < l->grid.n)
        add_difference(l, s, cell->last + 1, -(int64_t)n, -(int64_t)bytes);
    return l->pages.used_bytes + series_set_bytes(&l->set) > l->charged_bytes
               ? charge_growth(l, err)
               : 0;
}

int range_leaf_count(struct range_leaf *l, uint32_t series, int64_t ts_ns, uint64_t n,
                     uint64_t bytes, struct err *err)
{
    struct leaf_cell cell = {.any = false};
    cell.any = range_leaf_steps(l, ts_ns, &cell.first, &cell.last);
    return range_leaf_count_in(l, series, &cell, n, bytes, err);
}

int range_leaf_sample(struct range_leaf *l, uint32_t series, int64_t ts_ns, uint64_t order,
                      double value, struct err *err)
{
    assert(series < l->n_series && l->unwraps);
    size_t first, last;
    if (!range_leaf_steps(l, ts_ns, &first, &last))
        return 0;
    struct leaf_series *s = &l->series[series];
    if (s->n_samples == s->cap_samples) {
        int r = query_grow(l->control, &s->samples, &s->cap_samples, s->n_samples + 1,
                           sizeof *s->samples, err);
        if (r < 0)
            return r;
    }
    s->samples[s->n_samples++] = (struct sample){.ts_ns = ts_ns, .order = order, .value = value};
    return 0;
}

static void put_error_text(struct buf *out, struct str_view error, struct labels labels)
{
    buf_printf(out, "pipeline error: '%.*s' for series: '", SV_ARG(error));
    labels_print(out, labels);
    buf_printf(out,
               "'.\nUse a label filter to intentionally skip this error. (e.g | "
               "__error__!=\"%.*s\").\nTo skip all potential errors you can match empty "
               "errors.(e.g __error__=\"\")\nThe label filter can also be specified after unwrap. "
               "(e.g | unwrap latency | __error__=\"\" )\n",
               SV_ARG(error));
}

/* Of several errors the earliest is told, of equal times the smallest text: always the same. */
static void keep_error(struct range_leaf *l, int64_t ts_ns, struct buf *take_text)
{
    if (!l->has_error || ts_ns < l->error_ts_ns ||
        (ts_ns == l->error_ts_ns && sv_cmp(buf_view(take_text), buf_view(&l->error_text)) < 0)) {
        struct buf old = l->error_text;
        l->error_text = *take_text;
        *take_text = old;
        l->error_ts_ns = ts_ns;
    }
    l->has_error = true;
}

void range_leaf_error(struct range_leaf *l, int64_t ts_ns, struct str_view error,
                      struct labels labels)
{
    size_t first, last;
    if (!range_leaf_steps(l, ts_ns, &first, &last) || (l->has_error && ts_ns > l->error_ts_ns))
        return;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    put_error_text(&text, error, labels);
    keep_error(l, ts_ns, &text);
}

/* Takes the samples over where there are none yet; what they are charged for goes with them. */
static int merge_samples(struct range_leaf *l, uint32_t to, struct leaf_series *from,
                         struct err *err)
{
    struct leaf_series *s = &l->series[to];
    if (!s->samples) {
        s->n_samples = from->n_samples;
        s->cap_samples = from->cap_samples;
        s->samples = TAKE(from->samples);
        from->n_samples = from->cap_samples = 0;
        return 0;
    }
    int r = 0;
    for (size_t i = 0; i < from->n_samples && r == 0; i++) {
        const struct sample *x = &from->samples[i];
        r = range_leaf_sample(l, to, x->ts_ns, x->order, x->value, err);
    }
    return r;
}

static int merge_series(struct range_leaf *l, uint32_t to, struct leaf_series *s, struct err *err)
{
    for (size_t p = 0; s->pages && p < l->n_pages; p++) {
        if (!s->pages[p])
            continue;
        int64_t *page = page_of(l, &l->series[to], p * l->page_steps);
        for (size_t i = 0; i < l->page_steps * (range_leaf_wants_bytes(l) ? 2 : 1); i++)
            page[i] += s->pages[p][i];
    }
    int r = merge_samples(l, to, s, err);
    return r < 0 ? r : charge_growth(l, err);
}

int range_leaf_merge(struct range_leaf *l, struct range_leaf *from, struct err *err)
{
    return range_leaf_merge_tenant(l, from, SV_EMPTY, err);
}

int range_leaf_merge_tenant(struct range_leaf *l, struct range_leaf *from, struct str_view tenant,
                            struct err *err)
{
    CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
    int r = 0;
    for (uint32_t i = 0; i < from->n_series && r == 0; i++) {
        arena_clear(&scratch);
        uint32_t to =
            tenant.len
                ? series_set_add(&l->set, tenant_label_add(&scratch, from->set.v[i].labels, tenant))
                : series_set_add_encoded(&l->set, from->set.v[i].encoded);
        if ((r = cover_set(l, err)) == 0)
            r = merge_series(l, to, &from->series[i], err);
    }
    if (from->has_error)
        keep_error(l, from->error_ts_ns, &from->error_text);
    range_leaf_deinit(from);
    return r;
}
