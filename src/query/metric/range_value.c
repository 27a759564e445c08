/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a leaf at each step, once its entries are gathered.
 *
 * A step's window is (t - range, t], so one entry lies in range / step of them: a day's range at a
 * step of 15 s makes 5,760.  To go through a window anew for each step would cost that many times
 * the entries; here an entry costs the same however many windows hold it.
 *
 * Counts and bytes: range_leaf.c has noted at which step they enter the windows and at which they
 * leave, as differences on the grid of steps.  The value is their running sum: one addition per
 * series and step, none where a page of differences was never made.  They are integers, so nothing
 * is lost by subtracting.
 *
 * Samples (what unwrap gives) are sorted by time, and a window moves along them: each enters once
 * and leaves once (window.c).  That needs values that can be taken out again without a trace: sums
 * are exact, minima and maxima keep a list of candidates, quantiles keep ranks or, where windows
 * hardly overlap, are found in each window by itself.  Workers sort their own samples before leaves
 * are joined, so that sorting the whole finds a few long rises and merges them.
 *
 * What must hold:
 * - Steps are asked for in order, k from 0 without gaps: sums and windows remember where they are.
 * - Series come in the order of their labels at every step: what is added up above a leaf is
 *   floating point, and equal input must give equal bits.
 * - All memory is charged before it is taken, for all series at once; `spare` and `keys` are
 * shared, so they are sized for the largest series. */
#include "base/clock.h"
#include "query/metric/range_leaf.h"

/* ---- order ---- */

static int charge(struct range_leaf *l, uint64_t bytes, struct err *err)
{
    return l->control ? query_charge(l->control, bytes, err) : 0;
}

static int sort_samples(struct range_leaf *l, struct leaf_series *s, struct err *err)
{
    uint64_t bytes = samples_spare_bytes(s->samples, s->n_samples);
    if (bytes == 0)
        return 0;
    int r = charge(l, bytes, err);
    if (r < 0)
        return r;
    struct sample *spare = mem_alloc(bytes);
    samples_sort(s->samples, s->n_samples, spare);
    free(spare);
    if (l->control)
        query_release(l->control, bytes);
    return 0;
}

int range_leaf_sort(struct range_leaf *l, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < l->n_series && r == 0; i++)
        r = sort_samples(l, &l->series[i], err);
    return r;
}

static int by_labels(const void *a, const void *b, void *ctx)
{
    const struct series_set *set = ctx;
    return labels_cmp(set->v[*(const uint32_t *)a].labels, set->v[*(const uint32_t *)b].labels);
}

static void order_series(struct range_leaf *l)
{
    l->order = mem_alloc((l->n_series + 1) * sizeof *l->order);
    for (size_t i = 0; i < l->n_series; i++)
        l->order[i] = (uint32_t)i;
    qsort_r(l->order, l->n_series, sizeof *l->order, by_labels, &l->set);
}

/* ---- windows ---- */

/* Samples that the fullest window may hold. */
static size_t most_in_window(const struct leaf_series *s, int64_t range_ns)
{
    size_t most = 0;
    for (size_t lo = 0, hi = 0; hi < s->n_samples; hi++) {
        while ((uint64_t)s->samples[hi].ts_ns - (uint64_t)s->samples[lo].ts_ns >=
               (uint64_t)range_ns)
            lo++;
        if (hi + 1 - lo > most)
            most = hi + 1 - lo;
    }
    return most;
}

static int make_keys(struct range_leaf *l, struct err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < l->n_series; i++) {
        if (l->windows[i].is_ranked)
            continue;
        size_t n = most_in_window(&l->series[i], l->range_ns);
        most = n > most ? n : most;
    }
    int r = charge(l, most * sizeof *l->kind.keys, err);
    if (r < 0)
        return r;
    l->charged_eval_bytes += most * sizeof *l->kind.keys;
    l->kind.keys = mem_alloc(most * sizeof *l->kind.keys);
    return 0;
}

/* Room in which the largest series is ranked. */
static uint64_t spare_bytes(const struct range_leaf *l)
{
    size_t most = 0;
    for (size_t i = 0; i < l->n_series; i++)
        if (l->windows[i].is_ranked && l->windows[i].n > most)
            most = l->windows[i].n;
    return KEYED_SORT_BYTES(most);
}

static int begin_windows(struct range_leaf *l, uint64_t state_bytes, struct err *err)
{
    uint64_t spare = spare_bytes(l);
    int r = charge(l, state_bytes + spare, err);
    if (r < 0)
        return r;
    l->charged_eval_bytes += state_bytes;
    l->window_state = mem_zalloc(state_bytes, 1);
    struct keyed *keys = mem_alloc(spare / 2);
    char *at = l->window_state;
    for (size_t i = 0; i < l->n_series; i++) {
        struct window *w = &l->windows[i];
        window_begin(w, &l->kind, at, keys);
        at += w->state_bytes;
    }
    free(keys);
    if (l->control)
        query_release(l->control, spare);
    return 0;
}

static double overlap_of(const struct range_leaf *l)
{
    double overlap = (double)l->range_ns / (double)l->grid.step_ns;
    return overlap < (double)l->grid.n ? overlap : (double)l->grid.n;
}

static int make_windows(struct range_leaf *l, struct err *err)
{
    uint64_t bytes = l->n_series * sizeof *l->windows, state_bytes = 0;
    int r = charge(l, bytes, err);
    if (r < 0)
        return r;
    l->charged_eval_bytes += bytes;
    l->windows = mem_alloc(bytes);
    l->kind = (struct window_kind){.op = l->op,
                                   .param = l->param,
                                   .range_ns = l->range_ns,
                                   .overlap = overlap_of(l),
                                   .n_steps = l->grid.n};
    for (size_t i = 0; i < l->n_series; i++) {
        struct leaf_series *s = &l->series[i];
        window_init(&l->windows[i], &l->kind, s->samples, s->n_samples);
        state_bytes += l->windows[i].state_bytes;
    }
    r = begin_windows(l, state_bytes, err);
    if (r == 0 && l->op == RANGE_QUANTILE)
        r = make_keys(l, err);
    return r;
}

int range_leaf_finish(struct range_leaf *l, struct err *err)
{
    if (l->has_error)
        return err_set(err, ERR_INVALID, "%.*s", SV_ARG(buf_view(&l->error_text)));
    int r = range_leaf_sort(l, err);
    if (r < 0)
        return r;
    order_series(l);
    return l->unwraps ? make_windows(l, err) : 0;
}

/* ---- steps ---- */

static bool step_counts(struct range_leaf *l, struct leaf_series *s, size_t k, double *ret)
{
    const int64_t *page = s->pages ? s->pages[k / l->page_steps] : NULL;
    bool wants_bytes = range_leaf_wants_bytes(l);
    if (page) {
        s->count += page[k % l->page_steps];
        if (wants_bytes)
            s->bytes += page[l->page_steps + k % l->page_steps];
    }
    double v = (double)(wants_bytes ? s->bytes : s->count);
    if (l->op == RANGE_RATE || l->op == RANGE_BYTES_RATE)
        v /= (double)l->range_ns / NS_PER_S;
    *ret = v;
    return s->count > 0;
}

static void step_all_counts(struct range_leaf *l, size_t k, range_value_fn *fn, void *ctx)
{
    for (size_t i = 0; i < l->n_series; i++) {
        double v;
        if (step_counts(l, &l->series[l->order[i]], k, &v))
            fn(ctx, l->order[i], v);
    }
}

static int64_t clamp(__int128 v)
{
    return v < INT64_MIN ? INT64_MIN : v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* (start, end] of step k. */
static void bounds_of(const struct range_leaf *l, size_t k, int64_t *ret_start, int64_t *ret_end)
{
    __int128 end = (__int128)eval_grid_at(&l->grid, k) - l->offset_ns;
    *ret_end = clamp(end);
    *ret_start = clamp((__int128)*ret_end - l->range_ns);
}

void range_leaf_step(struct range_leaf *l, size_t k, range_value_fn *fn, void *ctx)
{
    if (!l->unwraps) {
        step_all_counts(l, k, fn, ctx);
        return;
    }
    int64_t start, end;
    bounds_of(l, k, &start, &end);
    for (size_t i = 0; i < l->n_series; i++) {
        struct window *w = &l->windows[l->order[i]];
        if (window_move(w, &l->kind, start, end))
            fn(ctx, l->order[i], window_value(w, &l->kind, start, end));
    }
}
