/* SPDX-License-Identifier: Apache-2.0 */
/* Queries over data spread at random over heads, local segments and objects answer the same as a
 * plain walk over what was pushed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "lake_fill.h"
#include "logql/parse.h"
#include "query/engine.h"
#include "query/rows/pipeline.h"
#include "wire/stats.h"

static unsigned seed_number; /* HALOGI_SEED=... runs that one alone */

/* ---- the plain walk ---- */

static int by_rank(const void *x, const void *y, void *ctx)
{
    const struct lake *l = ctx;
    const struct lake_stream *a = &l->streams[*(const uint32_t *)x];
    const struct lake_stream *b = &l->streams[*(const uint32_t *)y];
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return sv_cmp(a->labels, b->labels);
}

/* Entries of a stream in time order, repeats left out; stable, quadratic. */
static size_t plain_entries(const struct lake *l, uint32_t stream, int64_t min_ns, int64_t max_ns,
                            struct entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_entries; i++) {
        const struct entry *e = &l->entries[i].e;
        if (l->entries[i].stream != stream || e->ts_ns < min_ns || e->ts_ns > max_ns)
            continue;
        bool seen = false;
        for (size_t k = 0; k < n; k++)
            seen |=
                out[k].ts_ns == e->ts_ns && sv_eq(out[k].line, e->line) && sv_eq(out[k].sm, e->sm);
        if (seen)
            continue;
        size_t at = n++;
        for (; at > 0 && out[at - 1].ts_ns > e->ts_ns; at--)
            out[at] = out[at - 1];
        out[at] = *e;
    }
    return n;
}

typedef void plain_fn(void *ctx, struct pipeline_runner *r, uint32_t rank, size_t at);

static void plain_walk(struct lake *l, const struct pipeline *p, const struct log_query *q,
                       int64_t min_ns, int64_t max_ns, plain_fn *fn, void *ctx)
{
    struct arena a = ARENA_INIT;
    struct pipeline_runner r;
    pipeline_runner_init(&r, p);
    size_t n_tests;
    const struct line_test *tests = pipeline_line_tests(p, &n_tests);
    uint32_t *ranked = ARENA_ARRAY(&a, uint32_t, l->n_streams + 1);
    struct matcher *m = ARENA_ARRAY(&a, struct matcher, q->n_matchers);
    struct entry *v = mem_alloc((l->n_entries + 1) * sizeof *v);
    for (size_t i = 0; i < q->n_matchers; i++) {
        m[i] = q->matchers[i];
        assert_int_equal(matcher_compile(&m[i], NULL), 0);
    }
    for (size_t i = 0; i < l->n_streams; i++)
        ranked[i] = (uint32_t)i;
    qsort_r(ranked, l->n_streams, sizeof *ranked, by_rank, l);
    for (uint32_t i = 0; i < l->n_streams; i++) {
        struct labels labels;
        assert_int_equal(labels_decode(&a, l->streams[ranked[i]].labels, &labels, NULL), 0);
        if (!sv_eq(l->streams[ranked[i]].tenant, SV("t")) ||
            !matchers_match(m, q->n_matchers, r.scratch, labels))
            continue;
        pipeline_runner_stream(&r, labels);
        size_t n = plain_entries(l, ranked[i], min_ns, max_ns, v);
        for (size_t k = 0; k < n; k++) {
            bool passes = true;
            for (size_t t = 0; t < n_tests; t++)
                passes = passes && line_test_passes(&tests[t], r.scratch, v[k].line);
            if (passes && pipeline_runner_row(&r, v[k].ts_ns, v[k].line, v[k].sm))
                fn(ctx, &r, i, k);
        }
    }
    for (size_t i = 0; i < q->n_matchers; i++)
        matcher_deinit(&m[i]);
    free(v);
    pipeline_runner_deinit(&r);
    arena_deinit(&a);
}

/* ---- log queries ---- */

struct plain_row {
    int64_t ts_ns;
    uint32_t rank;
    size_t at;
    struct str_view text;
};
struct plain_rows {
    struct arena arena;
    struct plain_row *v;
    size_t n, cap;
    bool backward, categorize;
};

static void print_row(struct buf *out, int64_t ts_ns, struct str_view line, struct labels stream,
                      struct labels sm, struct labels parsed)
{
    buf_printf(out, "%lld ", (long long)ts_ns);
    labels_print(out, stream);
    labels_print(out, sm);
    labels_print(out, parsed);
    buf_put(out, line);
}

static void take_plain_row(void *ctx, struct pipeline_runner *r, uint32_t rank, size_t at)
{
    struct plain_rows *rows = ctx;
    struct buf b = BUF_INIT;
    buf_printf(&b, "%lld ", (long long)r->ts_ns);
    if (rows->categorize) {
        labels_print(&b, labels_builder_of(&r->b, LABEL_STREAM));
        labels_print(&b, labels_builder_of(&r->b, LABEL_METADATA));
        labels_print(&b, labels_builder_of(&r->b, LABEL_PARSED));
    } else {
        labels_print(&b, labels_builder_result(&r->b));
        buf_put(&b, SV("{}{}"));
    }
    buf_put(&b, r->line);
    rows->v = mem_grow(rows->v, &rows->cap, rows->n + 1, sizeof *rows->v);
    rows->v[rows->n++] =
        (struct plain_row){r->ts_ns, rank, at, arena_copy(&rows->arena, buf_view(&b))};
    buf_deinit(&b);
}

static int by_answer(const void *x, const void *y, void *ctx)
{
    const struct plain_row *a = x, *b = y;
    int sign = *(bool *)ctx ? -1 : 1;
    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -sign : sign;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->at < b->at ? -sign : sign;
}

/* The limit first, then the interval. */
static size_t cut(struct plain_rows *rows, const struct log_options *o, int64_t interval_ns)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n && i < o->limit; i++) {
        int64_t gap = n ? rows->v[i].ts_ns - rows->v[n - 1].ts_ns : 0;
        if (n == 0 || (o->backward ? -gap : gap) >= interval_ns)
            rows->v[n++] = rows->v[i];
    }
    return n;
}

struct query_fixture {
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_env env;
    const struct logql_expr *expr;
};

static void parse_query(struct query_fixture *q, struct lake *l, const char *text)
{
    struct err err = ERR_INIT;
    *q = (struct query_fixture){
        .control = {.deadline_mono_ns = INT64_MAX, .ledger = &l->ledger},
    };
    q->env = lake_env(l, "t", &q->control, &q->stats);
    if (logql_parse(&q->arena, sv_of(text), &q->expr, &err) < 0)
        fail_msg("seed %u: %s: %s", seed_number, text, err.text);
}

static void query_end(struct query_fixture *q)
{
    arena_deinit(&q->arena);
    query_control_deinit(&q->control);
}

static void check_log_query(struct lake *l, const char *text, const struct log_options *o,
                            int64_t interval_ns)
{
    struct query_fixture q;
    struct err err = ERR_INIT;
    parse_query(&q, l, text);
    struct pipeline *p;
    assert_int_equal(pipeline_new(&p, &q.expr->log, NULL, NULL, NULL, NULL), 0);
    struct plain_rows want = {.backward = o->backward, .categorize = o->categorize};
    plain_walk(l, p, &q.expr->log, o->start_ns, o->end_ns - 1, take_plain_row, &want);
    if (want.n)
        qsort_r(want.v, want.n, sizeof *want.v, by_answer, &want.backward);
    size_t n = cut(&want, o, interval_ns);
    struct log_result got;
    if (engine_log(&q.env, 1, &q.expr->log, o, &got, &err) < 0)
        fail_msg("seed %u: %s: %s", seed_number, text, err.text);
    log_result_thin(&got, interval_ns);
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n && i < got.n_rows; i++) {
        const struct log_row *row = &got.rows[i];
        buf_clear(&b);
        print_row(&b, row->ts_ns, row->line, series_set_labels(&got.streams, row->stream), row->sm,
                  row->parsed);
        if (!sv_eq(buf_view(&b), want.v[i].text))
            fail_msg("seed %u: %s, row %zu of %zu: got\n%.*s\nwant\n%.*s", seed_number, text, i, n,
                     SV_ARG(buf_view(&b)), SV_ARG(want.v[i].text));
    }
    if (n != got.n_rows)
        fail_msg("seed %u: %s: got %zu rows, want %zu", seed_number, text, got.n_rows, n);
    buf_deinit(&b);
    log_result_deinit(&got);
    pipeline_free(p);
    free(want.v);
    arena_deinit(&want.arena);
    query_end(&q);
    assert_int_equal(ledger_used(&l->ledger), 0);
}

/* ---- metric queries ---- */

struct plain_leaf {
    struct range_leaf *leaf;
};

static void take_plain_sample(void *ctx, struct pipeline_runner *r, uint32_t rank, size_t at)
{
    struct range_leaf *leaf = ctx;
    if (pipeline_runner_failed(r)) {
        range_leaf_error(leaf, r->ts_ns, r->b.error, labels_builder_result(&r->b));
        return;
    }
    uint32_t series;
    assert_int_equal(range_leaf_series(leaf, pipeline_runner_labels(r), &series, NULL), 0);
    int rc = leaf->unwraps ? range_leaf_sample(leaf, series, r->ts_ns, (uint64_t)rank << 32 | at,
                                               r->value, NULL)
                           : range_leaf_count(leaf, series, r->ts_ns, 1, r->line.len, NULL);
    assert_int_equal(rc, 0);
}

static void print_result(struct buf *out, int r, const struct eval_result *res,
                         const struct err *err)
{
    if (r < 0) {
        buf_printf(out, "error %d %s", r, err->text);
        return;
    }
    for (size_t i = 0; i < res->n_series; i++) {
        labels_print(out, res->series[i].labels);
        for (size_t k = 0; k < res->series[i].n_points; k++) {
            uint64_t bits;
            memcpy(&bits, &res->series[i].points[k].value, sizeof bits);
            buf_printf(out, " %u:%.17g/%llx", res->series[i].points[k].step,
                       res->series[i].points[k].value, (unsigned long long)bits);
        }
        buf_put(out, SV("\n"));
    }
}

static void plain_metric(struct lake *l, struct query_fixture *q, const struct eval_grid *grid,
                         struct buf *out)
{
    struct err err = ERR_INIT;
    struct eval *e;
    const struct eval_result *res = NULL;
    struct eval_options options = {0};
    assert_int_equal(eval_new(&e, q->expr, grid, NULL, &options, &err), 0);
    for (size_t i = 0; i < eval_n_leaves(e); i++) {
        struct eval_leaf *leaf = eval_leaf(e, i);
        struct pipeline *p;
        int64_t min_ns, max_ns;
        assert_int_equal(
            pipeline_new(&p, &leaf->agg->log, &leaf->agg->unwrap, &leaf->need, NULL, &err), 0);
        if (range_leaf_bounds(&leaf->leaf, &min_ns, &max_ns))
            plain_walk(l, p, &leaf->agg->log, min_ns, max_ns, take_plain_sample, &leaf->leaf);
        pipeline_free(p);
    }
    int r = eval_run(e, &res, &err);
    print_result(out, r, res, &err);
    eval_free(e);
}

static void check_metric_query(struct lake *l, const char *text, const struct eval_grid *grid)
{
    struct query_fixture q;
    struct err err = ERR_INIT;
    CLEANUP(buf_deinit) struct buf want = BUF_INIT;
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    parse_query(&q, l, text);
    plain_metric(l, &q, grid, &want);
    struct eval *e;
    const struct eval_result *res = NULL;
    int r = engine_metric(&q.env, 1, q.expr, grid, &(struct eval_options){0}, &e, &res, &err);
    print_result(&got, r, res, &err);
    if (!sv_eq(buf_view(&want), buf_view(&got)))
        fail_msg("seed %u: %s [%lld + %zu * %lld]: got\n%.*s\nwant\n%.*s", seed_number, text,
                 (long long)grid->start_ns, grid->n, (long long)grid->step_ns,
                 SV_ARG(buf_view(&got)), SV_ARG(buf_view(&want)));
    eval_free(e);
    query_end(&q);
    assert_int_equal(ledger_used(&l->ledger), 0);
}

/* ---- random queries ---- */

static const char *const selectors[] = {
    "{app=\"web\"}",      "{app=~\".+\"}", "{env=\"prod\"}",
    "{app=~\"db|cron\"}", "{host=\"h2\"}", "{app!=\"db\",env=~\".+\"}",
    "{app=\"none\"}",
};
static const char *const stages[] = {
    "",
    "",
    "|= \"error\"",
    "|= \"needle-0000000\"",
    "|= \"needle-00000003\"",
    "|= \"needle\" |= \"timeout\"",
    "!= \"error\"",
    "|~ \"(?i)EXCEPTION\"",
    "|~ \"time.*refused|Exception\"",
    "!~ \"[a-z]+ok\"",
    "|= \"absent\" or \"timeout\"",
    "|> \"<_> timeout <_>\"",
    "|= \"second\"",
    "|~ \"^second\"",
    "| detected_level=\"error\"",
    "| detected_level=\"error\" |= \"timeout\"",
    "| detected_level!=\"info\"",
    "| detected_level=~\"err.*|weird\"",
    "| detected_level=\"\"",
    "| detected_level=\"info\"",
    "| detected_level=\"trace\"",
    "| level=\"error\"",
    "| env=\"prod\"",
    "| env=\"prod\" or detected_level=\"warn\"",
    "| trace_id=\"t17\"",
    "| trace_id!=\"\"",
    "| app_extracted=\"info\"",
    "| drop detected_level, trace_id",
    "| keep app",
    "| json",
    "| json | level=\"error\"",
    "| json | status >= 400",
    "| json | status=\"200\" and level=~\"error|warn\"",
    "| json | level=~\"error|war.\" | drop level",
    "|= \"kilogram\"",
    "|~ \"(?i)QUAGmire|zeppelin\"",
    "| json | level=\"xylophone\"",
    "| json | level=\"kilogram\"",
    "| json | level=~\"quagmire|zeppelin\"",
    "| logfmt | level=\"zeppelin\"",
    "| json took | took=\"7ms\"",
    "| json l=\"level\" | l=\"debug\"",
    "| json | app_extracted=\"inner\" | app=\"web\"",
    "| json | label_format level=\"error\" | level=\"error\"",
    "| logfmt | msg=\"a \\\"b\\\"\"",
    "| logfmt | level=\"error\" or status=\"200\"",
    "| logfmt | line_format \"level=x\" | logfmt | status=\"300\"",
    "| pattern \"<level> <rest>\" | level=\"error\"",
    "| regexp \"(?P<level>[a-z]+)\" | level=\"timeout\"",
    "| json | __error__=\"\"",
    "| json | level=\"error\" | __error__=\"\"",
    "| logfmt",
    "| logfmt | level=\"error\"",
    "| logfmt | status=\"500\"",
    "| logfmt | app_extracted=\"x\"",
    "| regexp \"(?P<word>[a-z]+) (?P<n>[0-9]+)\"",
    "| pattern \"<a> <b>\"",
    "| line_format \"{{.app}} {{__line__}}\" |= \"error\"",
    "| label_format level=\"{{.detected_level}}\"",
    "| decolorize |= \"error\"",
};
static const char *const ranges[] = {"[1s]", "[30s]", "[5m]", "[1h]", "[2h] offset 30m"};
static const char *const metrics[] = {
    "count_over_time(%s %s %s)",
    "rate(%s %s %s)",
    "bytes_over_time(%s %s %s)",
    "sum(count_over_time(%s %s %s))",
    "sum by (app) (count_over_time(%s %s %s))",
    "sum by (detected_level) (count_over_time(%s %s %s))",
    "sum by (app, trace_id) (bytes_rate(%s %s %s))",
    "sum by (level) (count_over_time(%s %s %s))",
    "sum without (trace_id) (count_over_time(%s %s %s))",
    "topk(2, sum by (env) (rate(%s %s %s)))",
    "absent_over_time(%s %s %s)",
    "max by (app) (count_over_time(%s %s %s))",
};
static const char *const unwraps[] = {
    "sum_over_time(%s %s | logfmt | unwrap status | __error__=\"\" %s)",
    "sum by (app) (sum_over_time(%s %s | logfmt | unwrap status | __error__=\"\" %s))",
    "quantile_over_time(0.9, %s %s | logfmt | unwrap duration(took) | __error__=\"\" %s) by (app)",
    "first_over_time(%s %s | logfmt | unwrap bytes(bytes) | __error__=\"\" %s) by (env)",
    "last_over_time(%s %s | json | unwrap status | __error__=\"\" %s)",
    "avg_over_time(%s %s | logfmt | unwrap status | __error__=\"\" %s) without (trace_id)",
    "rate_counter(%s %s | logfmt | unwrap status | __error__=\"\" %s)",
    "stddev_over_time(%s %s | logfmt | unwrap status %s) by (app)",
    "absent_over_time(%s %s | logfmt | unwrap status %s)",
};
#define PICK(list) list[random_below(sizeof(list) / sizeof((list)[0]))]

static int64_t random_bound(void)
{
    return random_below(LAKE_SPAN_S + 200) * NS_PER_S - 100 * NS_PER_S +
           (one_in(3) ? random_below(1000000) : 0);
}

static void random_log_query(struct lake *l)
{
    char text[512];
    snprintf(text, sizeof text, "%s %s", PICK(selectors), PICK(stages));
    struct log_options o = {.start_ns = random_bound(),
                            .limit = one_in(2) ? 1 + random_below(20) : 5000,
                            .backward = one_in(2),
                            .categorize = one_in(4)};
    o.end_ns = o.start_ns + 1 + random_below(LAKE_SPAN_S) * NS_PER_S;
    check_log_query(l, text, &o, one_in(5) ? random_below(300) * NS_PER_S : 0);
}

static void random_metric_query(struct lake *l)
{
    char text[1024], one[512];
    snprintf(one, sizeof one, one_in(3) ? PICK(unwraps) : PICK(metrics), PICK(selectors),
             PICK(stages), PICK(ranges));
    snprintf(text, sizeof text, one_in(6) ? "%s / %s" : "%s", one, one);
    int64_t start = random_bound();
    int64_t step = (one_in(2) ? 1 + random_below(60) : 60 + random_below(4000)) * NS_PER_S;
    struct eval_grid grid = eval_grid_of(start, start + step * random_below(200), step);
    check_metric_query(l, text, &grid);
}

static unsigned n_seeds(void)
{
    const char *text = getenv("HALOGI_SEEDS");
    return text ? (unsigned)atoi(text) : 20;
}

static void run_seeds(void (*query)(struct lake *), unsigned n_threads)
{
    const char *only = getenv("HALOGI_SEED");
    for (unsigned i = only ? (unsigned)atoi(only) : 1;
         i <= (only ? (unsigned)atoi(only) : n_seeds()); i++) {
        random_start(UINT64_C(0x9e3779b97f4a7c15) * i + n_threads);
        struct lake l;
        seed_number = i;
        lake_open(&l, n_threads);
        lake_fill(&l);
        for (unsigned k = 0; k < 20; k++)
            query(&l);
        lake_close(&l);
    }
}

static void test_log_queries_answer_as_a_plain_walk_does(void **state)
{
    run_seeds(random_log_query, 0);
}

static void test_metric_queries_answer_as_a_plain_walk_does(void **state)
{
    run_seeds(random_metric_query, 0);
}

static void test_any_number_of_workers_gives_the_same_answer(void **state)
{
    for (unsigned n = 1; n <= 4; n++) {
        run_seeds(random_log_query, n);
        run_seeds(random_metric_query, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_queries_answer_as_a_plain_walk_does),
        cmocka_unit_test(test_metric_queries_answer_as_a_plain_walk_does),
        cmocka_unit_test(test_any_number_of_workers_gives_the_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
