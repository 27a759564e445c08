/* SPDX-License-Identifier: Apache-2.0 */
/* The index against a plain list of everything that was added to it. */
#include "folder.h"
/* folder.h brings cmocka and what it wants before. */
#include <errno.h>

#include "base/thread.h"
#include "model/matcher.h"
#include "regex/regex.h"
#include "store/index/index.h"
#include "store/index/table.h"
#include "store/index/table_verify.h"
#include "store/view.h"

enum {
    N_TENANTS = 3,
    N_PERIODS = 4,
    N_SERIES = 60, /* of a tenant */
    MAX_SEGMENTS = 40,
    MAX_RUNS = 4,
    PERIOD_NS = 1000,
    FIRST_PERIOD_NS = -2000,
};

/* ---- the plain list ---- */

struct model_series {
    struct str_view encoded;
    struct labels labels;
    struct segment_run runs[MAX_RUNS];
    size_t n_runs; /* 0: not in the part */
};
struct model_part {
    unsigned tenant, period;
    bool dropped;
    int64_t min_ts_ns, max_ts_ns;
    struct model_series series[N_SERIES];
};
struct model_segment {
    struct uuid uuid;
    struct live_segment *live;
    bool in_index, in_view;
    uint32_t n_parts; /* part number = index */
    struct model_part parts[N_TENANTS * N_PERIODS];
};

struct model {
    struct folder *folder;
    uint64_t seed;
    struct arena arena;
    struct index_conf conf;
    struct index *index;
    struct str_view label_sets[N_SERIES]; /* encoded */
    struct labels labels[N_SERIES];
    struct model_segment *segments[MAX_SEGMENTS];
    size_t n_segments;
    struct views *views;
    struct view *view;
};

static uint64_t below(struct model *m, uint64_t n)
{
    return next_random(&m->seed) % n;
}

static struct str_view tenant_name(unsigned t)
{
    static const char *const names[N_TENANTS] = {"fake", "tenant-b", "t"};
    return sv_of(names[t]);
}

/* Long texts share their first 396 bytes, so that cut keys meet. */
static struct str_view long_text(struct model *m, char start, unsigned n)
{
    struct str_view v = arena_printf(&m->arena, "%c%0400u%u", start, 0, n);
    return v;
}

static struct str_view random_value(struct model *m)
{
    static const char *const few[] = {"a", "b", "ab", "x\ny", "caf\xc3\xa9", "\xff\xfe", "A", "0"};
    switch (below(m, 6)) {
    case 0:
        return long_text(m, 'v', (unsigned)below(m, 5));
    case 1:
        return arena_printf(&m->arena, "pod-%u", (unsigned)below(m, 1000));
    default:
        return sv_of(few[below(m, 8)]);
    }
}

static struct str_view random_name(struct model *m)
{
    static const char *const few[] = {"app", "env", "a", "pod", "zone"};
    uint64_t n = below(m, 6);
    return n == 5 ? long_text(m, 'n', (unsigned)below(m, 2)) : sv_of(few[n]);
}

static void make_label_sets(struct model *m)
{
    for (unsigned i = 0; i < N_SERIES; i++) {
        struct label v[4];
        size_t n = 0;
        v[n++] = (struct label){SV("id"), arena_printf(&m->arena, "%u", i)};
        for (uint64_t k = below(m, 4); k > 0; k--)
            v[n++] = (struct label){random_name(m), random_value(m)};
        labels_sort(v, n, NULL);
        size_t kept = 1;
        for (size_t k = 1; k < n; k++)
            if (!sv_eq(v[k].name, v[kept - 1].name))
                v[kept++] = v[k];
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        labels_encode(&b, (struct labels){v, kept});
        m->label_sets[i] = arena_copy(&m->arena, buf_view(&b));
        assert_int_equal(labels_decode(&m->arena, m->label_sets[i], &m->labels[i], NULL), 0);
    }
}

static int64_t period_ns(unsigned period)
{
    return FIRST_PERIOD_NS + (int64_t)period * PERIOD_NS;
}

static void make_series(struct model *m, struct model_part *p, unsigned i, uint32_t *row)
{
    struct model_series *s = &p->series[i];
    int64_t start_ns = period_ns(p->period);
    s->encoded = m->label_sets[i];
    s->labels = m->labels[i];
    s->n_runs = below(m, 3) ? 0 : 1 + below(m, MAX_RUNS);
    for (size_t k = 0; k < s->n_runs; k++) {
        struct segment_run *run = &s->runs[k];
        /* Ends of the period now and then. */
        int64_t a = below(m, 8) ? (int64_t)below(m, PERIOD_NS) : 0;
        int64_t b = below(m, 8) ? (int64_t)below(m, PERIOD_NS) : PERIOD_NS - 1;
        *run = (struct segment_run){.chunk = (uint32_t)(k * 3 + below(m, 3)),
                                    .first_row = *row,
                                    .rows = 1 + (uint32_t)below(m, 50),
                                    .line_bytes = below(m, 5000),
                                    .sm_bytes = below(m, 100),
                                    .min_ts_ns = start_ns + (a < b ? a : b),
                                    .max_ts_ns = start_ns + (a < b ? b : a)};
        *row += run->rows;
        p->min_ts_ns = run->min_ts_ns < p->min_ts_ns ? run->min_ts_ns : p->min_ts_ns;
        p->max_ts_ns = run->max_ts_ns > p->max_ts_ns ? run->max_ts_ns : p->max_ts_ns;
    }
}

static void make_part(struct model *m, struct model_segment *s, unsigned tenant, unsigned period)
{
    struct model_part *p = &s->parts[s->n_parts];
    *p = (struct model_part){
        .tenant = tenant, .period = period, .min_ts_ns = INT64_MAX, .max_ts_ns = INT64_MIN};
    uint32_t row = 0;
    for (unsigned i = 0; i < N_SERIES; i++)
        make_series(m, p, i, &row);
    if (row > 0)
        s->n_parts++;
}

static void add_to_index(struct model *m, const struct model_segment *s)
{
    struct index_part parts[N_TENANTS * N_PERIODS];
    struct index_part_series *series =
        mem_zalloc((size_t)N_TENANTS * N_PERIODS * N_SERIES, sizeof *series);
    size_t n = 0, at = 0;
    for (unsigned period = 0; period < N_PERIODS; period++) { /* parts come grouped by period */
        for (uint32_t no = 0; no < s->n_parts; no++) {
            const struct model_part *p = &s->parts[no];
            if (p->period != period)
                continue;
            parts[n] = (struct index_part){.part_no = no,
                                           .tenant = tenant_name(p->tenant),
                                           .period_start_ns = period_ns(period),
                                           .period_length_ns = PERIOD_NS,
                                           .min_ts_ns = p->min_ts_ns,
                                           .max_ts_ns = p->max_ts_ns,
                                           .series = series + at};
            for (unsigned i = 0; i < N_SERIES; i++)
                if (p->series[i].n_runs)
                    series[at++] = (struct index_part_series){
                        .labels = p->series[i].encoded,
                        .hash = labels_hash_encoded(p->series[i].encoded),
                        .runs = p->series[i].runs,
                        .n_runs = p->series[i].n_runs};
            parts[n].n_series = (size_t)(series + at - parts[n].series);
            n++;
        }
    }
    struct err err = ERR_INIT;
    int r = index_add_segment(m->index, s->uuid, parts, n, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    free(series);
}

/* Parts in the order of a segment: by tenant, then period. */
static void add_segment(struct model *m)
{
    struct model_segment *s = mem_zalloc(1, sizeof *s);
    s->uuid = uuid_new();
    s->in_index = s->in_view = true;
    for (unsigned t = 0; t < N_TENANTS; t++)
        for (unsigned p = 0; p < N_PERIODS; p++)
            if (below(m, 2))
                make_part(m, s, t, p);
    struct lsn_range coverage = {.first = m->n_segments, .last = m->n_segments};
    struct segment_info info = {.uuid = s->uuid, .coverage = &coverage, .n_coverage = 1};
    s->live = live_segment_new(&info, NULL, NULL);
    m->segments[m->n_segments++] = s;
    add_to_index(m, s);
    if (below(m, 4) == 0)
        add_to_index(m, s); /* changes nothing */
}

static void pin_view(struct model *m)
{
    view_unpin(m->view);
    views_free(m->views);
    m->views = views_new();
    struct live_segment *live[MAX_SEGMENTS];
    size_t n = 0;
    for (size_t i = 0; i < m->n_segments; i++)
        if (m->segments[i]->in_view)
            live[n++] = m->segments[i]->live;
    struct views_change change = {.add = live, .n_add = n};
    views_apply(m->views, &change);
    m->view = view_pin(m->views);
}

/* ---- asking the plain list ---- */

static bool model_has(const struct model *m, const struct model_segment *s,
                      const struct index_query *q, const struct model_part *p)
{
    return s->in_index && s->in_view && !p->dropped && sv_eq(tenant_name(p->tenant), q->tenant) &&
           p->min_ts_ns <= q->max_ts_ns && p->max_ts_ns >= q->min_ts_ns;
}

static bool run_overlaps(const struct segment_run *run, const struct index_query *q)
{
    return run->min_ts_ns <= q->max_ts_ns && run->max_ts_ns >= q->min_ts_ns;
}

static bool same_run(const struct segment_run *a, const struct segment_run *b)
{
    return a->chunk == b->chunk && a->first_row == b->first_row && a->rows == b->rows &&
           a->line_bytes == b->line_bytes && a->sm_bytes == b->sm_bytes &&
           a->min_ts_ns == b->min_ts_ns && a->max_ts_ns == b->max_ts_ns;
}

/* All texts that a walk finds, to be compared as sets. */
struct texts {
    struct str_view v[4096];
    size_t n;
};

static void note_text(struct texts *t, struct str_view v)
{
    for (size_t i = 0; i < t->n; i++)
        if (sv_eq(t->v[i], v))
            return;
    t->v[t->n++] = v;
}

static int cmp_text(const void *a, const void *b)
{
    return sv_cmp(*(const struct str_view *)a, *(const struct str_view *)b);
}

static void assert_same_texts(struct texts *expected, const struct str_view *v, size_t n)
{
    if (expected->n > 1)
        qsort(expected->v, expected->n, sizeof *expected->v, cmp_text);
    assert_int_equal(n, expected->n);
    for (size_t i = 0; i < n; i++)
        assert_true(sv_eq(v[i], expected->v[i]));
}

/* Checks one selected part against the model's; returns how many of its runs match. */
static size_t check_part(const struct model_part *p, const struct index_selection *sel,
                         const struct index_selected_part *got, const struct index_query *q,
                         struct regex_scratch *scratch, struct texts *streams,
                         struct index_stats *stats)
{
    size_t n = 0;
    bool chunks[MAX_RUNS * 3 + 3] = {false};
    for (unsigned i = 0; i < N_SERIES; i++) {
        const struct model_series *s = &p->series[i];
        if (!s->n_runs || !matchers_match(q->matchers, q->n_matchers, scratch, s->labels))
            continue;
        for (size_t k = 0; k < s->n_runs; k++) {
            if (!run_overlaps(&s->runs[k], q))
                continue;
            n++;
            note_text(streams, s->encoded);
            stats->n_entries += s->runs[k].rows;
            stats->n_bytes += s->runs[k].line_bytes;
            stats->n_chunks += !chunks[s->runs[k].chunk];
            chunks[s->runs[k].chunk] = true;
            size_t hits = 0;
            for (size_t g = 0; got && g < got->n_runs; g++)
                hits += same_run(&got->runs[g].run, &s->runs[k]) &&
                        sv_eq(sel->series[got->runs[g].series].labels, s->encoded);
            assert_int_equal(hits, 1);
        }
    }
    return n;
}

static void check_order(const struct index_selection *sel, const struct view *v)
{
    for (size_t i = 0; i < sel->n_parts; i++) {
        const struct index_selected_part *p = &sel->parts[i];
        assert_ptr_equal(p->segment, v->segments[p->segment_order]);
        if (i > 0) {
            const struct index_selected_part *before = &sel->parts[i - 1];
            assert_true(
                before->segment_order < p->segment_order ||
                (before->segment_order == p->segment_order && before->part_no < p->part_no));
        }
        for (size_t k = 1; k < p->n_runs; k++) {
            const struct segment_run *a = &p->runs[k - 1].run, *b = &p->runs[k].run;
            assert_true(a->chunk < b->chunk ||
                        (a->chunk == b->chunk && a->first_row < b->first_row));
        }
        for (size_t k = 0; k < p->n_runs; k++)
            for (size_t g = 0; g < p->n_runs; g++) /* runs are numbered as they were added */
                if (p->runs[k].series == p->runs[g].series &&
                    p->runs[k].run.first_row < p->runs[g].run.first_row)
                    assert_true(p->runs[k].arrival < p->runs[g].arrival);
    }
}

static const struct index_selected_part *selected(const struct index_selection *sel,
                                                  const struct live_segment *live, uint32_t part_no)
{
    for (size_t i = 0; i < sel->n_parts; i++)
        if (sel->parts[i].segment == live && sel->parts[i].part_no == part_no)
            return &sel->parts[i];
    return NULL;
}

/* select, stats and series. */
static void check_select(struct model *m, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_selection sel;
    struct err err = ERR_INIT;
    int r = index_select(m->index, q, &a, &sel, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    check_order(&sel, m->view);
    struct regex_scratch *scratch = regex_scratch_new();
    static struct texts streams;
    streams.n = 0;
    size_t n_parts = 0, n_seen = 0;
    struct index_stats expected = {0};
    for (size_t i = 0; i < m->n_segments; i++) {
        const struct model_segment *s = m->segments[i];
        for (uint32_t no = 0; no < s->n_parts; no++) {
            const struct model_part *p = &s->parts[no];
            if (!model_has(m, s, q, p))
                continue;
            n_seen++;
            const struct index_selected_part *got = selected(&sel, s->live, no);
            size_t n = check_part(p, &sel, got, q, scratch, &streams, &expected);
            assert_int_equal(got ? got->n_runs : 0, n);
            if (!got)
                continue;
            n_parts++;
            assert_int_equal(got->min_ts_ns, p->min_ts_ns);
            assert_int_equal(got->max_ts_ns, p->max_ts_ns);
        }
    }
    regex_scratch_free(scratch);
    assert_int_equal(sel.n_parts, n_parts);
    assert_int_equal(sel.n_parts_seen, n_seen);
    assert_int_equal(sel.n_series, streams.n);
    for (size_t i = 0; i < sel.n_series; i++)
        assert_int_equal(sel.series[i].hash, labels_hash_encoded(sel.series[i].labels));

    expected.n_streams = streams.n;
    struct index_stats stats;
    assert_int_equal(index_stats(m->index, q, &stats, NULL), 0);
    assert_memory_equal(&stats, &expected, sizeof stats);

    struct index_series *series;
    size_t n_series;
    assert_int_equal(index_series(m->index, q, &a, &series, &n_series, NULL), 0);
    struct str_view *texts = ARENA_ARRAY(&a, struct str_view, n_series);
    for (size_t i = 0; i < n_series; i++)
        texts[i] = series[i].labels;
    if (n_series > 1)
        qsort(texts, n_series, sizeof *texts, cmp_text);
    assert_same_texts(&streams, texts, n_series);
}

static void check_names(struct model *m, const struct index_query *q, struct str_view name)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct regex_scratch *scratch = regex_scratch_new();
    static struct texts names, values;
    names.n = values.n = 0;
    for (size_t i = 0; i < m->n_segments; i++) {
        const struct model_segment *s = m->segments[i];
        for (uint32_t no = 0; no < s->n_parts; no++)
            for (unsigned k = 0; k < N_SERIES && model_has(m, s, q, &s->parts[no]); k++) {
                const struct model_series *one = &s->parts[no].series[k];
                bool live = false;
                for (size_t g = 0; g < one->n_runs; g++)
                    live |= run_overlaps(&one->runs[g], q);
                if (!live || !matchers_match(q->matchers, q->n_matchers, scratch, one->labels))
                    continue;
                for (size_t g = 0; g < one->labels.n; g++)
                    note_text(&names, one->labels.v[g].name);
                struct str_view v = labels_get(one->labels, name);
                if (v.p)
                    note_text(&values, v);
            }
    }
    regex_scratch_free(scratch);
    struct index_names got;
    assert_int_equal(index_label_names(m->index, q, &a, &got, NULL), 0);
    assert_same_texts(&names, got.v, got.n);
    assert_int_equal(index_label_values(m->index, q, name, &a, &got, NULL), 0);
    assert_same_texts(&values, got.v, got.n);
}

/* ---- random questions ---- */

static struct matcher random_matcher(struct model *m)
{
    static const char *const regexes[] = {
        ".*", ".+", "", "a|b", "a|", "(?i)ab?", "pod-.*", ".*1", "[^a]*", "x.y", "v0+[0-3]", "()",
    };
    struct matcher x = {.name = below(m, 10) == 0  ? SV("absent")
                                : below(m, 6) == 0 ? SV("id")
                                                   : random_name(m),
                        .op = (enum match_op)below(m, 4)};
    if (x.op == MATCH_RE || x.op == MATCH_NRE)
        x.value = sv_of(regexes[below(m, sizeof regexes / sizeof regexes[0])]);
    else
        x.value = below(m, 4) ? random_value(m) : SV_EMPTY;
    if (sv_eq(x.name, SV("id")) && below(m, 2))
        x.value = arena_printf(&m->arena, "%u", (unsigned)below(m, N_SERIES));
    assert_int_equal(matcher_compile(&x, NULL), 0);
    return x;
}

static void random_range(struct model *m, struct index_query *q)
{
    int64_t span_ns = (N_PERIODS + 2) * PERIOD_NS, first_ns = FIRST_PERIOD_NS - PERIOD_NS;
    switch (below(m, 4)) {
    case 0:
        q->min_ts_ns = INT64_MIN;
        q->max_ts_ns = INT64_MAX;
        return;
    case 1: /* one period, to the nanosecond or one off */
        q->min_ts_ns = period_ns((unsigned)below(m, N_PERIODS)) + (int64_t)below(m, 3) - 1;
        q->max_ts_ns = q->min_ts_ns + PERIOD_NS + (int64_t)below(m, 3) - 2;
        return;
    case 2: /* an instant */
        q->min_ts_ns = q->max_ts_ns = first_ns + (int64_t)below(m, (uint64_t)span_ns);
        return;
    default:
        q->min_ts_ns = first_ns + (int64_t)below(m, (uint64_t)span_ns);
        q->max_ts_ns = q->min_ts_ns + (int64_t)below(m, (uint64_t)span_ns);
    }
}

static void ask(struct model *m, unsigned n_times)
{
    for (unsigned i = 0; i < n_times; i++) {
        struct matcher v[3];
        struct index_query q = {.view = m->view,
                                .tenant = below(m, 20) ? tenant_name((unsigned)below(m, N_TENANTS))
                                                       : SV("nobody"),
                                .matchers = v,
                                .n_matchers = below(m, 4)};
        for (size_t k = 0; k < q.n_matchers; k++)
            v[k] = random_matcher(m);
        random_range(m, &q);
        check_select(m, &q);
        check_names(m, &q, random_name(m));
        for (size_t k = 0; k < q.n_matchers; k++)
            matcher_deinit(&v[k]);
    }
}

/* ---- random changes ---- */

static bool is_alive(void *ctx, struct uuid uuid)
{
    const struct model *m = ctx;
    for (size_t i = 0; i < m->n_segments; i++)
        if (uuid_eq(m->segments[i]->uuid, uuid))
            return m->segments[i]->in_index;
    return false;
}

static void remove_some(struct model *m)
{
    struct uuid v[3];
    size_t n = 0;
    for (unsigned i = 0; i < 2 && m->n_segments > 0; i++) {
        struct model_segment *s = m->segments[below(m, m->n_segments)];
        s->in_index = s->in_view = false;
        v[n++] = s->uuid;
    }
    v[n++] = uuid_new(); /* an unknown one */
    assert_int_equal(index_remove_segments(m->index, v, n, NULL, 0, NULL), 0);
}

/* Rows that nobody removed, as after a crash. */
static void sweep(struct model *m)
{
    uint64_t n_expected = 0, n_removed = 0;
    for (unsigned i = 0; i < 2 && m->n_segments > 0; i++) {
        struct model_segment *s = m->segments[below(m, m->n_segments)];
        bool periods[N_PERIODS] = {false};
        for (uint32_t no = 0; no < s->n_parts && s->in_index; no++)
            if (!periods[s->parts[no].period] && !s->parts[no].dropped) {
                periods[s->parts[no].period] = true;
                n_expected++; /* counted once in each table */
            }
        s->in_index = s->in_view = false;
    }
    assert_int_equal(index_sweep(m->index, is_alive, m, &n_removed, NULL), 0);
    assert_int_equal(n_removed, n_expected);
    assert_int_equal(index_sweep(m->index, is_alive, m, &n_removed, NULL), 0);
    assert_int_equal(n_removed, 0);
}

static void drop_period(struct model *m)
{
    unsigned period = (unsigned)below(m, N_PERIODS);
    assert_int_equal(
        index_drop_period(m->index, (struct period){period_ns(period), PERIOD_NS}, NULL), 0);
    for (size_t i = 0; i < m->n_segments; i++) {
        struct model_segment *s = m->segments[i];
        for (uint32_t no = 0; no < s->n_parts; no++)
            if (s->parts[no].period == period)
                s->parts[no].dropped = true;
    }
}

/* Whatever was added and removed: what a writer wrote is sound. */
static int verify_folder(void *ctx, const char *name, bool is_dir, struct err *err)
{
    const struct model *m = ctx;
    char path[64];
    snprintf(path, sizeof path, "index/%s", name);
    return table_verify(in_folder(m->folder, path), NULL, err);
}

static void verify_all(struct model *m)
{
    struct err err = ERR_INIT;
    int r = file_list_dir(in_folder(m->folder, "index"), verify_folder, m, &err);
    if (r < 0)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
}

static void reopen(struct model *m)
{
    index_close(m->index);
    verify_all(m);
    assert_int_equal(index_open(&m->index, in_folder(m->folder, "index"), &m->conf, NULL), 0);
}

static void hide_some(struct model *m)
{
    for (size_t i = 0; i < m->n_segments; i++)
        m->segments[i]->in_view = m->segments[i]->in_index && below(m, 4) > 0;
}

static void change(struct model *m)
{
    switch (below(m, 10)) {
    case 0:
        remove_some(m);
        break;
    case 1:
        sweep(m);
        break;
    case 2:
        drop_period(m);
        break;
    case 3:
        reopen(m);
        break;
    default:
        if (m->n_segments < MAX_SEGMENTS)
            add_segment(m);
    }
    hide_some(m);
    pin_view(m);
}

static void play(struct folder *folder, uint64_t seed, const struct index_conf *conf,
                 unsigned n_changes)
{
    struct model m = {.folder = folder, .seed = seed * 7919 + 1, .conf = *conf};
    assert_int_equal(index_open(&m.index, in_folder(folder, "index"), conf, NULL), 0);
    make_label_sets(&m);
    pin_view(&m);
    for (unsigned i = 0; i < n_changes; i++) {
        change(&m);
        ask(&m, 12);
    }
    view_unpin(m.view);
    views_free(m.views);
    index_close(m.index);
    verify_all(&m);
    for (size_t i = 0; i < m.n_segments; i++) {
        live_segment_unref(m.segments[i]->live);
        free(m.segments[i]);
    }
    arena_deinit(&m.arena);
    file_remove_tree(in_folder(folder, "index"), NULL);
}

static void test_every_answer_is_that_of_a_plain_list(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        play(*state, seed, &(struct index_conf){0}, 30);
}

static void test_the_same_with_one_open_table_and_a_map_that_must_grow(void **state)
{
    struct index_conf conf = {.map_bytes = 128 << 10, .max_open = 1};
    for (uint64_t seed = 10; seed <= 12; seed++)
        play(*state, seed, &conf, 30);
}

/* ---- many series ---- */

struct simple {
    struct arena arena;
    struct index *index;
    struct views *views;
    struct view *view;
    struct live_segment *live;
    struct index_part part;
    struct index_part_series *series;
    struct segment_run *runs;
    size_t n;
};

static const struct uuid only = {{1}};

/* One part of tenant "t" in 0..999 with n series {all="1", id="<i>", third="<i % 3>"}. */
static void simple_init(struct simple *x, struct folder *folder, size_t n)
{
    *x = (struct simple){.n = n};
    assert_int_equal(index_open(&x->index, in_folder(folder, "index"), NULL, NULL), 0);
    x->series = mem_zalloc(n, sizeof *x->series);
    x->runs = mem_zalloc(n, sizeof *x->runs);
    for (size_t i = 0; i < n; i++) {
        struct label v[3] = {{SV("all"), SV("1")},
                             {SV("id"), arena_printf(&x->arena, "%06zu", i)},
                             {SV("third"), arena_printf(&x->arena, "%zu", i % 3)}};
        CLEANUP(buf_deinit) struct buf b = BUF_INIT;
        labels_encode(&b, (struct labels){v, 3});
        x->series[i].labels = arena_copy(&x->arena, buf_view(&b));
        x->series[i].hash = labels_hash_encoded(x->series[i].labels);
        x->series[i].runs = &x->runs[i];
        x->series[i].n_runs = 1;
        x->runs[i] = (struct segment_run){
            .chunk = (uint32_t)i / 10, .first_row = (uint32_t)i, .rows = 1, .max_ts_ns = 999};
    }
    x->part = (struct index_part){.tenant = SV("t"),
                                  .period_length_ns = PERIOD_NS,
                                  .max_ts_ns = 999,
                                  .series = x->series,
                                  .n_series = n};
    struct lsn_range c = {0};
    struct segment_info info = {.uuid = only, .coverage = &c, .n_coverage = 1};
    x->live = live_segment_new(&info, NULL, NULL);
    x->views = views_new();
    struct views_change change = {.add = &x->live, .n_add = 1};
    views_apply(x->views, &change);
    x->view = view_pin(x->views);
}

static void simple_deinit(struct simple *x)
{
    view_unpin(x->view);
    views_free(x->views);
    live_segment_unref(x->live);
    index_close(x->index);
    free(x->series);
    free(x->runs);
    arena_deinit(&x->arena);
}

static int simple_add(struct simple *x, struct err *err)
{
    return index_add_segment(x->index, only, &x->part, 1, err);
}

static size_t simple_count(struct simple *x, const struct matcher *v, size_t n)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_query q = {
        .view = x->view, .tenant = SV("t"), .matchers = v, .n_matchers = n, .max_ts_ns = 999};
    struct index_series *series;
    size_t n_found = 0;
    assert_int_equal(index_series(x->index, &q, &a, &series, &n_found, NULL), 0);
    return n_found;
}

static struct matcher compiled(const char *name, enum match_op op, struct str_view value)
{
    struct matcher m = {.name = sv_of(name), .op = op, .value = value};
    assert_int_equal(matcher_compile(&m, NULL), 0);
    return m;
}

static void test_more_series_than_one_posting_holds_are_all_found(void **state)
{
    enum { N = 2 * POSTING_MAX + 1000 };
    struct simple x;
    simple_init(&x, *state, N);
    assert_int_equal(simple_add(&x, NULL), 0);
    struct matcher all = compiled("all", MATCH_EQ, SV("1"));
    struct matcher third = compiled("third", MATCH_EQ, SV("2"));
    struct matcher others = compiled("third", MATCH_NRE, SV("2|x"));
    struct matcher any = compiled("id", MATCH_RE, SV(".+"));
    struct matcher some = compiled("id", MATCH_RE, SV("1310.."));
    struct matcher both[2] = {third, some};
    assert_int_equal(simple_count(&x, &all, 1), N);
    assert_int_equal(simple_count(&x, &third, 1), N / 3);
    assert_int_equal(simple_count(&x, &others, 1), N - N / 3);
    assert_int_equal(simple_count(&x, &any, 1), N);
    assert_int_equal(simple_count(&x, &some, 1), 100);
    assert_int_equal(simple_count(&x, both, 2), 34);
    for (size_t i = 0; i < N; i += 4999) {
        struct matcher one = compiled("id", MATCH_EQ, arena_printf(&x.arena, "%06zu", i));
        assert_int_equal(simple_count(&x, &one, 1), 1);
    }
    matcher_deinit(&others);
    matcher_deinit(&any);
    matcher_deinit(&some);
    simple_deinit(&x);
}

/* {id="<60 bytes>"}: all with one `group` have one XXH64, which a clever pusher might bring about.
 * Its second lane takes bytes 8..15 and 40..47 of the encoded pairs: what the first change to it,
 * the second take back. */
static struct str_view colliding(struct simple *x, char group, uint64_t n)
{
    const uint64_t p1 = UINT64_C(11400714785074694791), p2 = UINT64_C(14029467366897019727);
    uint64_t inverse = 1; /* of p2, modulo 2^64 */
    for (int i = 0; i < 6; i++)
        inverse *= 2 - p2 * inverse;
    char value[60];
    memset(value, group, sizeof value);
    uint64_t lane[2];
    for (int i = 0; i < 2; i++) {
        uint64_t v = p2 + (i ? n : 0) * p2;
        lane[i] = (v << 31 | v >> 33) * p1;
    }
    st_le64(value + 4, n);
    st_le64(value + 36, (lane[0] - lane[1]) * inverse);
    struct label l = {SV("id"), sv(value, sizeof value)};
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    labels_encode(&b, (struct labels){&l, 1});
    return arena_copy(&x->arena, buf_view(&b));
}

static void test_labels_that_share_a_hash_stay_apart(void **state)
{
    struct simple x;
    simple_init(&x, *state, 6);
    for (size_t i = 0; i < 6; i++) {
        x.series[i].labels = colliding(&x, i < 4 ? 'a' : 'b', i);
        x.series[i].hash = labels_hash_encoded(x.series[i].labels);
        assert_true(i % 4 == 0 || x.series[i].hash == x.series[i - 1].hash);
    }
    x.part.n_series = 3; /* some at once, the others later, among known ones */
    assert_int_equal(simple_add(&x, NULL), 0);
    assert_int_equal(simple_count(&x, NULL, 0), 3);
    x.part.n_series = 6;
    x.part.part_no = 1;
    assert_int_equal(simple_add(&x, NULL), 0);
    assert_int_equal(simple_add(&x, NULL), 0);
    assert_int_equal(simple_count(&x, NULL, 0), 6);
    for (size_t i = 0; i < 6; i++) {
        struct matcher one = compiled("id", MATCH_EQ, sv_from(x.series[i].labels, 5));
        assert_int_equal(simple_count(&x, &one, 1), 1);
    }
    index_close(x.index);
    const struct period period = {0, PERIOD_NS};
    assert_int_equal(table_verify(in_folder(*state, "index/0-1000"), &period, NULL), 0);
    assert_int_equal(index_open(&x.index, in_folder(*state, "index"), NULL, NULL), 0);
    simple_deinit(&x);
}

/* ---- refusals ---- */

static void test_parts_that_cannot_be_right_are_refused_and_leave_nothing(void **state)
{
    struct simple x;
    struct err err = ERR_INIT;
    simple_init(&x, *state, 5);
    x.series[3] = x.series[1];
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "lists a series twice"));
    simple_deinit(&x);

    simple_init(&x, *state, 5);
    x.runs[2].max_ts_ns = 1000;
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "out of its time"));
    x.runs[2].max_ts_ns = 999;
    x.part.period_length_ns = 0;
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    x.part.period_length_ns = PERIOD_NS;
    x.part.tenant = SV("");
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    x.part.tenant = arena_printf(&x.arena, "%0401u", 0);
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    x.part.tenant = SV("t");
    struct str_view good = x.series[4].labels;
    x.series[4].labels = SV("\x02no labels");
    assert_int_equal(simple_add(&x, &err), ERR_INVALID);
    assert_int_equal(simple_count(&x, NULL, 0), 0);
    x.series[4].labels = good;
    assert_int_equal(simple_add(&x, &err), 0);
    assert_int_equal(simple_count(&x, NULL, 0), 5);
    simple_deinit(&x);
}

static void test_an_answer_over_its_budget_is_an_error(void **state)
{
    struct simple x;
    simple_init(&x, *state, 2000);
    assert_int_equal(simple_add(&x, NULL), 0);
    for (int call = 0; call < 3; call++) {
        for (uint64_t max_bytes = 1000; max_bytes < 10 << 20; max_bytes *= 4) {
            CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
            arena_alloc(&a, 5000); /* what was there before does not count */
            struct index_query q = {
                .view = x.view, .tenant = SV("t"), .max_ts_ns = 999, .max_bytes = max_bytes};
            struct index_selection sel;
            struct index_series *v;
            size_t n;
            struct err err = ERR_INIT;
            struct index_names names;
            int r = call == 0   ? index_series(x.index, &q, &a, &v, &n, &err)
                    : call == 1 ? index_select(x.index, &q, &a, &sel, &err)
                                : index_label_values(x.index, &q, SV("id"), &a, &names, &err);
            /* 2,000 texts of 6 bytes, or series of some 40, or those and as many runs of 56. */
            if (max_bytes < 40000)
                assert_int_equal(r, ERR_OVER_BUDGET);
            if (max_bytes > 1 << 20)
                assert_int_equal(r, 0);
            if (r < 0)
                assert_non_null(
                    strstr(err.text, call == 2 ? "too many label values" : "too many streams"));
        }
    }
    simple_deinit(&x);
}

static void test_what_a_crash_left_of_a_table_is_removed(void **state)
{
    struct index *ix;
    assert_int_equal(file_mkdirs(in_folder(*state, "index/0-1000.old"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "index/-1000-1000.new"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "index/0-1000.rebuild"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "index/0-1000.rebuild.new"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "index/0-1000.bad"), NULL), 0);
    assert_int_equal(file_mkdirs(in_folder(*state, "index/notes.old"), NULL), 0);
    assert_int_equal(index_open(&ix, in_folder(*state, "index"), NULL, NULL), 0);
    assert_false(file_exists(in_folder(*state, "index/0-1000.old")));
    assert_false(file_exists(in_folder(*state, "index/-1000-1000.new")));
    assert_false(file_exists(in_folder(*state, "index/0-1000.rebuild")));
    assert_false(file_exists(in_folder(*state, "index/0-1000.rebuild.new")));
    assert_false(file_exists(in_folder(*state, "index/0-1000.bad")));
    assert_true(file_exists(in_folder(*state, "index/notes.old")));
    index_close(ix);
}

static struct file_fault fail_nth(void *ctx, enum file_op op, const char *path, int fd)
{
    int *left = ctx;
    return (struct file_fault){.errnum = (*left)-- == 0 ? EIO : 0};
}

/* Fails the nth call, and watches whether the name of a table that was renamed is synced since. */
struct name_watch {
    int left;
    bool is_open;
};

static struct file_fault watch_names(void *ctx, enum file_op op, const char *path, int fd)
{
    struct name_watch *w = ctx;
    bool fails = w->left-- == 0;
    if (!fails && op == FILE_OP_RENAME)
        w->is_open = true;
    if (!fails && op == FILE_OP_SYNC_DIR && sv_ends_with(sv_of(path), SV("/index")))
        w->is_open = false;
    return (struct file_fault){.errnum = fails ? EIO : 0};
}

/* A catalog may name its rows then: power loss must not take the table. */
static void test_rows_are_durable_only_in_a_table_whose_name_is(void **state)
{
    for (int nth = 0;; nth++) {
        struct simple x;
        simple_init(&x, *state, 3);
        struct name_watch w = {.left = nth};
        file_fault_set(watch_names, &w);
        int r = simple_add(&x, NULL);
        assert_true(r < 0 || !w.is_open);
        bool met = w.left < 0;
        w.left = -1;
        assert_int_equal(simple_add(&x, NULL), 0);
        assert_false(w.is_open);
        file_fault_set(NULL, NULL);
        assert_int_equal(simple_count(&x, NULL, 0), 3);
        assert_int_equal(index_drop_period(x.index, (struct period){0, PERIOD_NS}, NULL), 0);
        simple_deinit(&x);
        if (!met) {
            assert_true(nth > 4);
            break;
        }
    }
}

/* A period is dropped or not, and dropping it again ends well. */
static void test_a_fault_while_a_period_is_dropped_leaves_it_whole_or_gone(void **state)
{
    struct simple x;
    simple_init(&x, *state, 50);
    for (int nth = 0;; nth++) {
        assert_int_equal(simple_add(&x, NULL), 0);
        int left = nth;
        file_fault_set(fail_nth, &left);
        int r = index_drop_period(x.index, (struct period){0, PERIOD_NS}, NULL);
        file_fault_set(NULL, NULL);
        size_t n = simple_count(&x, NULL, 0);
        assert_true(n == 0 || (n == 50 && r < 0));
        index_close(x.index);
        assert_int_equal(index_open(&x.index, in_folder(*state, "index"), NULL, NULL), 0);
        assert_true(simple_count(&x, NULL, 0) == n || r < 0);
        assert_int_equal(index_drop_period(x.index, (struct period){0, PERIOD_NS}, NULL), 0);
        assert_int_equal(simple_count(&x, NULL, 0), 0);
        if (left >= 0) {
            assert_int_equal(r, 0);
            assert_true(nth > 3);
            break;
        }
    }
    simple_deinit(&x);
}

/* ---- threads ---- */

struct reading {
    struct simple *x;
    _Atomic bool stop;
    _Atomic unsigned n_reads;
};

/* Either the whole part is there, or nothing of it. */
static void read_until_stopped(void *ctx)
{
    struct reading *rd = ctx;
    while (!atomic_load(&rd->stop)) {
        size_t n = simple_count(rd->x, NULL, 0);
        if (n != 0 && n != rd->x->n)
            abort();
        atomic_fetch_add(&rd->n_reads, 1);
    }
}

static void test_readers_see_a_part_whole_or_not_while_it_comes_and_goes(void **state)
{
    struct simple x;
    simple_init(&x, *state, 300);
    struct reading rd = {.x = &x};
    struct thread t[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(thread_start(&t[i], "reader", read_until_stopped, &rd, NULL), 0);
    for (unsigned i = 0; i < 60 || atomic_load(&rd.n_reads) < 20; i++) {
        assert_int_equal(simple_add(&x, NULL), 0);
        if (i % 3 == 0)
            assert_int_equal(index_drop_period(x.index, (struct period){0, PERIOD_NS}, NULL), 0);
        else if (i % 3 == 1)
            assert_int_equal(index_remove_segments(x.index, &only, 1, NULL, 0, NULL), 0);
    }
    atomic_store(&rd.stop, true);
    for (unsigned i = 0; i < 2; i++)
        thread_join(&t[i]);
    simple_deinit(&x);
}

static void test_rows_are_removed_from_the_named_tables_alone(void **state)
{
    struct simple x;
    simple_init(&x, *state, 5);
    assert_int_equal(simple_add(&x, NULL), 0);
    const struct period other = {PERIOD_NS, PERIOD_NS}, both[] = {other, {0, PERIOD_NS}};
    assert_int_equal(index_remove_segments(x.index, &only, 1, &other, 1, NULL), 0);
    assert_int_equal(simple_count(&x, NULL, 0), 5);
    assert_int_equal(index_remove_segments(x.index, &only, 1, both, 2, NULL), 0);
    assert_int_equal(simple_count(&x, NULL, 0), 0);
    simple_deinit(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_every_answer_is_that_of_a_plain_list),
        FOLDER_TEST(test_the_same_with_one_open_table_and_a_map_that_must_grow),
        FOLDER_TEST(test_more_series_than_one_posting_holds_are_all_found),
        FOLDER_TEST(test_labels_that_share_a_hash_stay_apart),
        FOLDER_TEST(test_parts_that_cannot_be_right_are_refused_and_leave_nothing),
        FOLDER_TEST(test_an_answer_over_its_budget_is_an_error),
        FOLDER_TEST(test_what_a_crash_left_of_a_table_is_removed),
        FOLDER_TEST(test_rows_are_durable_only_in_a_table_whose_name_is),
        FOLDER_TEST(test_a_fault_while_a_period_is_dropped_leaves_it_whole_or_gone),
        FOLDER_TEST(test_rows_are_removed_from_the_named_tables_alone),
        FOLDER_TEST(test_readers_see_a_part_whole_or_not_while_it_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
