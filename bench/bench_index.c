/* SPDX-License-Identifier: Apache-2.0 */
/* bench_index [streams [segments [folder]]]: what the index costs at many streams.
 * Adds segments in which every stream has a run, as spills do; then asks.  Wall and CPU time; run
 * it on a quiet machine and believe ratios. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "regex/regex.h"
#include "store/index/index.h"
#include "store/view.h"

struct times {
    int64_t wall_ns, cpu_ns;
};

struct bench {
    uint32_t n_streams, n_segments;
    const char *folder;
    struct arena arena;
    struct index *index;
    struct index_part_series *series;
    struct segment_run *runs;
    struct views *views;
    struct view *view;
    uint32_t n_added; /* segments */
    struct times adding;
};

static struct times now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct times){clock_mono_ns(), t.tv_sec * NS_PER_S + t.tv_nsec};
}

static struct times since(struct times began)
{
    struct times t = now();
    return (struct times){t.wall_ns - began.wall_ns, t.cpu_ns - began.cpu_ns};
}

/* --- streams ---------------------------------------------------------------------------- */

/* Six labels: 3 regions, 50 namespaces, 500 apps, 20 containers, 5,000 nodes, each pod once. */
static void make_stream(struct bench *b, uint32_t i)
{
    struct label v[6] = {
        {SV("app"), arena_printf(&b->arena, "app-%03u", i % 500)},
        {SV("container"), arena_printf(&b->arena, "container-%02u", i % 20)},
        {SV("namespace"), arena_printf(&b->arena, "team-%02u", i % 50)},
        {SV("node"), arena_printf(&b->arena, "node-%04u.example.org", i * 7919u % 5000)},
        {SV("pod"), arena_printf(&b->arena, "app-%03u-%08x", i % 500, i * 2654435761u)},
        {SV("region"), i % 3 == 0   ? SV("eu")
                       : i % 3 == 1 ? SV("us")
                                    : SV("ap")},
    };
    CLEANUP(buf_deinit) struct buf e = BUF_INIT;
    labels_encode(&e, (struct labels){v, 6});
    struct str_view copy = arena_copy(&b->arena, buf_view(&e));
    b->series[i] = (struct index_part_series){
        .labels = copy, .hash = labels_hash_encoded(copy), .runs = &b->runs[i], .n_runs = 1};
}

/* Label order, as segments have them. */
static int cmp_labels(const void *x, const void *y)
{
    return sv_cmp(((const struct index_part_series *)x)->labels,
                  ((const struct index_part_series *)y)->labels);
}

static void make_streams(struct bench *b)
{
    b->series = mem_alloc(b->n_streams * sizeof *b->series);
    b->runs = mem_zalloc(b->n_streams, sizeof *b->runs);
    for (uint32_t i = 0; i < b->n_streams; i++)
        make_stream(b, i);
}

/* --- segments --------------------------------------------------------------------------- */

static struct uuid uuid_of(uint32_t n)
{
    struct uuid u = {{0}};
    st_le32(u.b, n);
    return u;
}

/* Streams first..first+n of the part, ten rows each, some 50 streams a chunk. */
static void add_segment(struct bench *b, uint32_t first, uint32_t n)
{
    int64_t start_ns = (int64_t)b->n_added * NS_PER_MIN % NS_PER_DAY;
    struct index_part_series *series = mem_alloc(n * sizeof *series);
    memcpy(series, b->series + first, n * sizeof *series);
    qsort(series, n, sizeof *series, cmp_labels);
    for (uint32_t i = 0; i < n; i++) {
        b->runs[first + i] = (struct segment_run){.chunk = i / 50,
                                                  .first_row = i % 50 * 10,
                                                  .rows = 10,
                                                  .line_bytes = 2000 + i % 100,
                                                  .sm_bytes = 300,
                                                  .min_ts_ns = start_ns + i % 1000 * NS_PER_MS,
                                                  .max_ts_ns = start_ns + 55 * NS_PER_S};
        series[i].runs = &b->runs[first + i];
    }
    struct index_part part = {.tenant = SV("fake"),
                              .period_length_ns = NS_PER_DAY,
                              .min_ts_ns = start_ns,
                              .max_ts_ns = start_ns + 55 * NS_PER_S,
                              .series = series,
                              .n_series = n};
    struct err err = ERR_INIT;
    struct times began = now();
    if (index_add_segment(b->index, uuid_of(b->n_added++), &part, 1, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    struct times took = since(began);
    b->adding.wall_ns += took.wall_ns;
    b->adding.cpu_ns += took.cpu_ns;
    free(series);
}

static void open_index(struct bench *b)
{
    struct err err = ERR_INIT;
    if (index_open(&b->index, b->folder, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void pin(struct bench *b)
{
    b->views = views_new();
    struct live_segment **live = mem_alloc(b->n_added * sizeof *live);
    for (uint32_t i = 0; i < b->n_added; i++) {
        struct lsn_range c = {.first = i, .last = i};
        struct segment_info info = {.uuid = uuid_of(i), .coverage = &c, .n_coverage = 1};
        live[i] = live_segment_new(&info, NULL, NULL);
    }
    struct views_change change = {.add = live, .n_add = b->n_added};
    views_apply(b->views, &change);
    for (uint32_t i = 0; i < b->n_added; i++)
        live_segment_unref(live[i]);
    free(live);
    b->view = view_pin(b->views);
}

/* --- memory ----------------------------------------------------------------------------- */

static uint64_t rss_kb(const char *field)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtoull(line + strlen(field) + 1, NULL, 10);
    if (f)
        fclose(f);
    return kb;
}

static uint64_t table_bytes(const struct bench *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/0-%lld/data.mdb", b->folder, (long long)NS_PER_DAY);
    struct file_info info = {0};
    file_stat(path, &info, NULL);
    return info.bytes;
}

static void print_memory(const struct bench *b, const char *when)
{
    printf("%-34s file %6.1f MB, RSS of files %6.1f MB, anonymous %6.1f MB\n", when,
           (double)table_bytes(b) / 1e6, (double)rss_kb("RssFile") * 1.024e-3,
           (double)rss_kb("RssAnon") * 1.024e-3);
}

/* --- adding ----------------------------------------------------------------------------- */

/* Since the last one. */
static void print_add(struct bench *b, const char *what, uint32_t n)
{
    struct times t = b->adding;
    b->adding = (struct times){0};
    printf("%-34s %7u streams %8.1f ms wall %8.1f ms CPU %8.0f streams/s\n", what, n,
           (double)t.wall_ns / 1e6, (double)t.cpu_ns / 1e6,
           (double)n * 1e9 / (double)(t.wall_ns ? t.wall_ns : 1));
}

/* Every stream is new to the table, in segments of `step` streams. */
static void bench_new_streams(struct bench *b, uint32_t step)
{
    file_remove_tree(b->folder, NULL);
    open_index(b);
    b->n_added = 0;
    for (uint32_t at = 0; at < b->n_streams; at += step)
        add_segment(b, at, b->n_streams - at < step ? b->n_streams - at : step);
    char what[64];
    snprintf(what, sizeof what, "new, %u a segment", step);
    print_add(b, what, b->n_streams);
    print_memory(b, "");
    index_close(b->index);
}

static void bench_known_streams(struct bench *b)
{
    for (uint32_t i = 1; i < b->n_segments; i++)
        add_segment(b, 0, b->n_streams);
    if (b->n_segments > 1)
        print_add(b, "known, all in each segment", b->n_streams * (b->n_segments - 1));
    print_memory(b, "");
}

/* A few new ones among the many: what a spill costs with a little churn. */
static void bench_churn(struct bench *b)
{
    uint32_t n = b->n_streams / 100 ? b->n_streams / 100 : 1;
    struct bench fresh = {.n_streams = n, .index = b->index, .n_added = b->n_added};
    fresh.series = mem_alloc(n * sizeof *fresh.series);
    fresh.runs = mem_zalloc(n, sizeof *fresh.runs);
    for (uint32_t i = 0; i < n; i++) {
        make_stream(&fresh, i);
        struct label v[2] = {{SV("app"), SV("app-001")},
                             {SV("pod"), arena_printf(&fresh.arena, "new-%u", i)}};
        CLEANUP(buf_deinit) struct buf e = BUF_INIT;
        labels_encode(&e, (struct labels){v, 2});
        fresh.series[i].labels = arena_copy(&fresh.arena, buf_view(&e));
        fresh.series[i].hash = labels_hash_encoded(fresh.series[i].labels);
    }
    add_segment(&fresh, 0, n);
    print_add(&fresh, "1 % new to the large table", n);
    b->n_added = fresh.n_added;
    free(fresh.series);
    free(fresh.runs);
    arena_deinit(&fresh.arena);
}

/* --- asking ----------------------------------------------------------------------------- */

struct question {
    const char *what;
    struct matcher v[3];
    size_t n;
    int64_t min_ts_ns, max_ts_ns;
};

typedef size_t ask_fn(struct bench *b, const struct index_query *q);

static size_t ask_select(struct bench *b, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_selection sel;
    index_select(b->index, q, &a, &sel, NULL);
    return sel.n_series;
}

static size_t ask_series(struct bench *b, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_series *v;
    size_t n = 0;
    index_series(b->index, q, &a, &v, &n, NULL);
    return n;
}

static size_t ask_names(struct bench *b, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_names names;
    index_label_names(b->index, q, &a, &names, NULL);
    return names.n;
}

static size_t ask_pods(struct bench *b, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_names names;
    index_label_values(b->index, q, SV("pod"), &a, &names, NULL);
    return names.n;
}

static size_t ask_nodes(struct bench *b, const struct index_query *q)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct index_names names;
    index_label_values(b->index, q, SV("node"), &a, &names, NULL);
    return names.n;
}

static size_t ask_stats(struct bench *b, const struct index_query *q)
{
    struct index_stats st = {0};
    index_stats(b->index, q, &st, NULL);
    return st.n_streams;
}

static int cmp_i64(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* Median CPU time of up to 21 runs, within a second or so. */
static void ask(struct bench *b, const char *call, ask_fn *fn, const struct question *x)
{
    struct regex_scratch *scratch = regex_scratch_new();
    struct index_query q = {.view = b->view,
                            .tenant = SV("fake"),
                            .matchers = x->v,
                            .n_matchers = x->n,
                            .min_ts_ns = x->min_ts_ns,
                            .max_ts_ns = x->max_ts_ns,
                            .scratch = scratch};
    int64_t took[21];
    size_t n = 0, n_found = 0;
    for (int64_t began = clock_mono_ns(); n < 21 && clock_mono_ns() - began < NS_PER_S; n++) {
        struct times from = now();
        n_found = fn(b, &q);
        took[n] = since(from).cpu_ns;
    }
    qsort(took, n, sizeof took[0], cmp_i64);
    printf("%-8s %-44s %10zu found %12.1f us CPU\n", call, x->what, n_found,
           (double)took[n / 2] / 1e3);
    regex_scratch_free(scratch);
}

static struct matcher is(const char *name, enum match_op op, const char *value)
{
    struct matcher m = {sv_of(name), op, sv_of(value), NULL};
    matcher_compile(&m, NULL);
    return m;
}

static void bench_questions(struct bench *b)
{
    int64_t last_ns = (int64_t)(b->n_added - 2) * NS_PER_MIN % NS_PER_DAY;
    const struct question three = {"{region, namespace, app}, one minute",
                                   {is("region", MATCH_EQ, "eu"),
                                    is("namespace", MATCH_EQ, "team-03"),
                                    is("app", MATCH_EQ, "app-003")},
                                   3,
                                   last_ns,
                                   last_ns + NS_PER_S};
    struct question three_all = three, one = three, regex = three, not_one = three, all = three;
    three_all.what = "{region, namespace, app}, all time";
    three_all.min_ts_ns = INT64_MIN;
    three_all.max_ts_ns = INT64_MAX;
    one.what = "{pod}, all time";
    one.n = 1;
    one.v[0] = is("pod", MATCH_EQ, "app-003-000000"); /* absent */
    one.min_ts_ns = INT64_MIN;
    one.max_ts_ns = INT64_MAX;
    regex.what = "{namespace, pod=~\".*-[0-9a-f]+5\"}, one minute";
    regex.n = 2;
    regex.v[0] = is("namespace", MATCH_EQ, "team-03");
    regex.v[1] = is("pod", MATCH_RE, ".*-[0-9a-f]+5");
    not_one.what = "{app!=\"app-003\"}, one minute";
    not_one.n = 1;
    not_one.v[0] = is("app", MATCH_NE, "app-003");
    all.what = "{}, all time";
    all.n = 0;
    all.min_ts_ns = INT64_MIN;
    all.max_ts_ns = INT64_MAX;
    struct question all_minute = all;
    all_minute.what = "{}, one minute";
    all_minute.min_ts_ns = last_ns;
    all_minute.max_ts_ns = last_ns + NS_PER_S;

    ask(b, "select", ask_select, &three);
    ask(b, "select", ask_select, &three_all);
    ask(b, "select", ask_select, &one);
    ask(b, "select", ask_select, &regex);
    ask(b, "select", ask_select, &not_one);
    ask(b, "select", ask_select, &all_minute);
    ask(b, "series", ask_series, &three_all);
    ask(b, "series", ask_series, &all);
    ask(b, "names", ask_names, &all);
    ask(b, "nodes", ask_nodes, &all_minute);
    ask(b, "nodes", ask_nodes, &all);
    ask(b, "nodes", ask_nodes, &three_all);
    ask(b, "pods", ask_pods, &all);
    ask(b, "stats", ask_stats, &three_all);
    struct question *v[] = {&one, &regex, &not_one};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < v[i]->n; k++)
            matcher_deinit(&v[i]->v[k]);
}

int main(int argc, char **argv)
{
    struct bench b = {.n_streams = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000,
                      .n_segments = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10,
                      .folder = argc > 3 ? argv[3] : "/tmp/halogi-bench-index"};
    mallopt(M_ARENA_MAX, 2); /* as the program does */
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    make_streams(&b);
    print_memory(&b, "streams made");
    for (uint32_t step = 1000; step < b.n_streams; step *= 10)
        bench_new_streams(&b, step);
    bench_new_streams(&b, b.n_streams);
    open_index(&b);
    print_memory(&b, "opened again");
    bench_known_streams(&b);
    bench_churn(&b);
    pin(&b);
    bench_questions(&b);
    print_memory(&b, "after all questions");
    view_unpin(b.view);
    views_free(b.views);
    index_close(b.index);
    print_memory(&b, "closed");
    file_remove_tree(b.folder, NULL);
    free(b.series);
    free(b.runs);
    arena_deinit(&b.arena);
    return 0;
}
