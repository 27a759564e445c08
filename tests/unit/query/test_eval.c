/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator over synthetic series: leaves are filled by hand, `a` and `b` name streams. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "base/num.h"
#include "query/metric/eval.h"

/* ---- a tree by hand ---- */

static struct arena arena;

static int setup(void **state)
{
    arena = ARENA_INIT;
    return 0;
}

static int teardown(void **state)
{
    arena_deinit(&arena);
    return 0;
}

static struct logql_expr *node(enum logql_kind kind)
{
    struct logql_expr *x = ARENA_NEW(&arena, struct logql_expr);
    x->kind = kind;
    return x;
}

static struct logql_expr *range(enum range_op op, int64_t range_s, bool unwraps)
{
    struct logql_expr *x = node(LOGQL_RANGE_AGG);
    x->range.op = op;
    x->range.range_ns = range_s * NS_PER_S;
    x->range.unwrap.present = unwraps;
    return x;
}

static struct name_list names(size_t n, ...)
{
    struct str_view *v = ARENA_ARRAY(&arena, struct str_view, n);
    va_list ap;
    va_start(ap, n);
    for (size_t i = 0; i < n; i++)
        v[i] = sv_of(va_arg(ap, const char *));
    va_end(ap);
    return (struct name_list){v, n};
}

static struct logql_expr *number(double v)
{
    struct logql_expr *x = node(LOGQL_LITERAL);
    x->number = v;
    return x;
}

static struct logql_expr *agg(enum vector_op op, struct logql_expr *inner)
{
    struct logql_expr *x = node(LOGQL_VECTOR_AGG);
    x->vector_agg.op = op;
    x->vector_agg.inner = inner;
    return x;
}

static struct logql_expr *binary(enum binary_op op, struct logql_expr *l, struct logql_expr *r)
{
    struct logql_expr *x = node(LOGQL_BINARY);
    x->binary.op = op;
    x->binary.left = l;
    x->binary.right = r;
    return x;
}

/* ---- running it ---- */

struct entry_in {
    size_t leaf;
    const char *labels; /* "e=p,pod=1" */
    int64_t ts_s;
    double value;
};

static struct labels labels_of(const char *text)
{
    struct label *v = ARENA_ARRAY(&arena, struct label, 8);
    size_t n = 0;
    struct str_view rest = sv_of(text);
    while (rest.len) {
        struct str_view pair = sv_sub(rest, 0, sv_find_byte(rest, ','));
        rest = sv_from(rest, pair.len + 1);
        size_t eq = sv_find_byte(pair, '=');
        v[n++] = (struct label){sv_sub(pair, 0, eq), sv_from(pair, eq + 1)};
    }
    labels_sort(v, n, NULL);
    return (struct labels){v, n};
}

static const char *run(const struct logql_expr *expr, int64_t start_s, int64_t end_s,
                       int64_t step_s, const struct entry_in *in, size_t n_in)
{
    static char text[4096];
    struct eval_grid grid = eval_grid_of(start_s * NS_PER_S, end_s * NS_PER_S, step_s * NS_PER_S);
    struct eval_options options = {.is_instant = step_s == 0};
    struct eval *e = NULL;
    struct err err = ERR_INIT;
    const struct eval_result *res;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int r = eval_new(&e, expr, &grid, NULL, &options, &err);
    for (size_t i = 0; i < n_in && r == 0; i++) {
        struct range_leaf *leaf = &eval_leaf(e, in[i].leaf)->leaf;
        uint32_t series;
        assert_int_equal(range_leaf_series(leaf, labels_of(in[i].labels), &series, NULL), 0);
        if (leaf->unwraps)
            r = range_leaf_sample(leaf, series, in[i].ts_s * NS_PER_S, i, in[i].value, NULL);
        else
            r = range_leaf_count(leaf, series, in[i].ts_s * NS_PER_S, 1, (uint64_t)in[i].value,
                                 NULL);
    }
    if (r == 0)
        r = eval_run(e, &res, &err);
    if (r < 0)
        buf_printf(&out, "error: %s", err.text);
    for (size_t i = 0; r == 0 && i < res->n_series; i++) {
        const struct eval_series *s = &res->series[i];
        buf_printf(&out, "%s", i ? "; " : "");
        if (!res->is_scalar)
            labels_print(&out, s->labels);
        for (size_t k = 0; k < s->n_points; k++) {
            buf_printf(&out,
                       " %lld:", (long long)(eval_grid_at(&grid, s->points[k].step) / NS_PER_S));
            num_put_float(&out, s->points[k].value);
        }
    }
    eval_free(e);
    assert_true(out.len < sizeof text);
    memcpy(text, buf_view(&out).p, out.len);
    text[out.len] = 0;
    return text;
}
#define RUN(expr, start, end, step, ...)                                                           \
    run(expr, start, end, step, (const struct entry_in[]){__VA_ARGS__},                            \
        sizeof((const struct entry_in[]){__VA_ARGS__}) / sizeof(struct entry_in))

#define FOUR_LINES                                                                                 \
    {0, "s=a", 10, 5}, {0, "s=a", 20, 6}, {0, "s=a", 30, 7},                                       \
    {                                                                                              \
        0, "s=a", 40, 8                                                                            \
    }

static void test_a_window_is_open_on_the_left_and_closed_on_the_right(void **state)
{
    assert_string_equal(RUN(range(RANGE_COUNT, 20, false), 40, 40, 0, FOUR_LINES),
                        "{s=\"a\"} 40:2");
    assert_string_equal(RUN(range(RANGE_COUNT, 20, false), 0, 60, 20, FOUR_LINES),
                        "{s=\"a\"} 20:2 40:2");
    assert_string_equal(RUN(range(RANGE_RATE, 20, false), 40, 40, 0, FOUR_LINES),
                        "{s=\"a\"} 40:0.1");
    assert_string_equal(RUN(range(RANGE_BYTES, 20, false), 40, 45, 5, FOUR_LINES),
                        "{s=\"a\"} 40:15 45:15");
}

static void test_offset_moves_the_window(void **state)
{
    struct logql_expr *x = range(RANGE_COUNT, 20, false);
    x->range.offset_ns = 20 * NS_PER_S;
    assert_string_equal(RUN(x, 40, 40, 0, FOUR_LINES), "{s=\"a\"} 40:2");
    x->range.offset_ns = -20 * NS_PER_S;
    assert_string_equal(RUN(x, 20, 20, 0, FOUR_LINES), "{s=\"a\"} 20:2");
}

static void test_an_empty_range_holds_nothing(void **state)
{
    assert_string_equal(RUN(range(RANGE_COUNT, 0, false), 0, 60, 10, FOUR_LINES), "");
}

static void test_every_unwrapped_function_gives_its_value(void **state)
{
#define SAMPLES                                                                                    \
    {0, "", 1, 4}, {0, "", 2, 1}, {0, "", 3, 3},                                                   \
    {                                                                                              \
        0, "", 4, 2                                                                                \
    }
    struct {
        enum range_op op;
        const char *expected;
    } cases[] = {
        {RANGE_SUM, "{} 10:10"}, {RANGE_AVG, "{} 10:2.5"},     {RANGE_MIN, "{} 10:1"},
        {RANGE_MAX, "{} 10:4"},  {RANGE_STDVAR, "{} 10:1.25"}, {RANGE_FIRST, "{} 10:4"},
        {RANGE_LAST, "{} 10:2"}, {RANGE_RATE, "{} 10:1"},      {RANGE_QUANTILE, "{} 10:3.7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct logql_expr *x = range(cases[i].op, 10, true);
        x->range.param = 0.9;
        assert_string_equal(RUN(x, 10, 10, 0, SAMPLES), cases[i].expected);
    }
}

static void test_a_counter_is_extrapolated_to_zero_and_the_window(void **state)
{
    assert_string_equal(RUN(range(RANGE_RATE_COUNTER, 30, true), 30, 30, 0, {0, "", 10, 10},
                            {0, "", 20, 30}, {0, "", 30, 5}),
                        "{} 30:1.1666666666666667");
    assert_string_equal(RUN(range(RANGE_RATE_COUNTER, 30, true), 30, 30, 0, {0, "", 10, 10}),
                        "{} 30:0");
}

static void test_absent_is_one_where_no_series_has_entries(void **state)
{
    struct logql_expr *x = range(RANGE_ABSENT, 10, false);
    struct matcher m[] = {{SV("svc"), MATCH_EQ, SV("a"), NULL},
                          {SV("env"), MATCH_RE, SV(".+"), NULL}};
    x->range.log = (struct log_query){.matchers = m, .n_matchers = 2};
    assert_string_equal(RUN(x, 0, 30, 10, {0, "", 5, 0}, {0, "", 25, 0}), "{svc=\"a\"} 0:1 20:1");
}

#define A                                                                                          \
    {0, "e=p,pod=1", 1, 2},                                                                        \
    {                                                                                              \
        0, "e=p,pod=2", 1, 6                                                                       \
    }
#define B                                                                                          \
    {                                                                                              \
        1, "e=p", 1, 4                                                                             \
    }

static struct logql_expr *leaf(void)
{
    return range(RANGE_SUM, 10, true);
}

static void test_groups_keep_the_listed_labels_that_exist(void **state)
{
    struct logql_expr *x = agg(VECTOR_SUM, leaf());
    assert_string_equal(RUN(x, 5, 5, 0, A), "{} 5:8");
    x = agg(VECTOR_AVG, leaf());
    x->vector_agg.grouping = (struct grouping){true, false, names(2, "e", "nope")};
    assert_string_equal(RUN(x, 5, 5, 0, A), "{e=\"p\"} 5:4");
    x = agg(VECTOR_MAX, leaf());
    x->vector_agg.grouping = (struct grouping){true, true, names(1, "e")};
    assert_string_equal(RUN(x, 5, 5, 0, A), "{pod=\"1\"} 5:2; {pod=\"2\"} 5:6");
    assert_string_equal(RUN(agg(VECTOR_COUNT, leaf()), 5, 5, 0, A), "{} 5:2");
    assert_string_equal(RUN(agg(VECTOR_STDDEV, leaf()), 5, 5, 0, A), "{} 5:2");
}

static void test_topk_picks_per_group_and_step_and_nan_loses(void **state)
{
    struct logql_expr *x = agg(VECTOR_TOPK, leaf());
    x->vector_agg.k = 1;
    assert_string_equal(
        RUN(x, 5, 15, 10, {0, "p=1", 1, 2}, {0, "p=2", 1, 6}, {0, "p=1", 12, 9}, {0, "p=2", 12, 3}),
        "{p=\"1\"} 15:9; {p=\"2\"} 5:6");
    assert_string_equal(RUN(x, 5, 5, 0, {0, "p=1", 1, NAN}, {0, "p=2", 1, -6}), "{p=\"2\"} 5:-6");
    x = agg(VECTOR_BOTTOMK, leaf());
    x->vector_agg.k = 2;
    assert_string_equal(
        RUN(x, 5, 5, 0, {0, "p=1", 1, 5}, {0, "p=2", 1, 5}, {0, "p=3", 1, 5}, {0, "p=4", 1, NAN}),
        "{p=\"1\"} 5:5; {p=\"2\"} 5:5");
}

static void test_sort_keeps_its_order_through_operators_and_nan_goes_last(void **state)
{
    struct logql_expr *x = binary(BINARY_ADD, agg(VECTOR_SORT_DESC, leaf()), number(1));
    assert_string_equal(RUN(x, 5, 5, 0, {0, "p=1", 1, 1}, {0, "p=2", 1, NAN}, {0, "p=3", 1, 3}),
                        "{p=\"3\"} 5:4; {p=\"1\"} 5:2; {p=\"2\"} 5:NaN");
}

static void test_scalars_meet_vectors(void **state)
{
    assert_string_equal(RUN(binary(BINARY_GT, leaf(), number(3)), 5, 5, 0, A),
                        "{e=\"p\", pod=\"2\"} 5:6");
    assert_string_equal(RUN(binary(BINARY_LT, number(3), leaf()), 5, 5, 0, A),
                        "{e=\"p\", pod=\"2\"} 5:6");
    struct logql_expr *x = binary(BINARY_GT, leaf(), number(3));
    x->binary.returns_bool = true;
    assert_string_equal(RUN(x, 5, 5, 0, A), "{e=\"p\", pod=\"1\"} 5:0; {e=\"p\", pod=\"2\"} 5:1");
    assert_string_equal(RUN(binary(BINARY_DIV, leaf(), number(0)), 5, 5, 0, A),
                        "{e=\"p\", pod=\"1\"} 5:NaN; {e=\"p\", pod=\"2\"} 5:NaN");
}

static struct logql_expr *on_e(enum binary_op op, enum match_card card)
{
    struct logql_expr *x = binary(op, leaf(), leaf());
    x->binary.matching =
        (struct vector_matching){.present = true, .on = true, .names = names(1, "e"), .card = card};
    return x;
}

static void test_vectors_match_by_signature(void **state)
{
    assert_string_equal(RUN(on_e(BINARY_DIV, CARD_ONE_TO_ONE), 5, 5, 0, A, B),
                        "error: multiple matches for labels: many-to-one matching must be explicit "
                        "(group_left/group_right)");
    assert_string_equal(RUN(on_e(BINARY_DIV, CARD_MANY_TO_ONE), 5, 5, 0, A, B),
                        "{e=\"p\", pod=\"1\"} 5:0.5; {e=\"p\", pod=\"2\"} 5:1.5");
    assert_string_equal(RUN(on_e(BINARY_GT, CARD_MANY_TO_ONE), 5, 5, 0, A, B),
                        "{e=\"p\", pod=\"2\"} 5:6");
    assert_string_equal(RUN(on_e(BINARY_AND, CARD_ONE_TO_ONE), 5, 5, 0, A, B),
                        "{e=\"p\", pod=\"1\"} 5:2; {e=\"p\", pod=\"2\"} 5:6");
    assert_string_equal(RUN(on_e(BINARY_UNLESS, CARD_ONE_TO_ONE), 5, 5, 0, A, B), "");
    assert_string_equal(RUN(on_e(BINARY_ADD, CARD_ONE_TO_ONE), 5, 5, 0, B, {0, "e=p,x=1", 1, 1}),
                        "{e=\"p\"} 5:5");
    assert_string_equal(RUN(on_e(BINARY_ADD, CARD_ONE_TO_ONE), 5, 5, 0, {0, "e=q", 1, 1},
                            {1, "e=p,x=1", 1, 1}, {1, "e=p,x=2", 1, 1}),
                        "error: found duplicate series on the right hand-side;many-to-many "
                        "matching not allowed: matching labels must be unique on one side");
}

static void test_group_left_copies_or_deletes_its_list(void **state)
{
    struct logql_expr *x = on_e(BINARY_MUL, CARD_MANY_TO_ONE);
    x->binary.matching.include = names(2, "team", "pod");
    assert_string_equal(RUN(x, 5, 5, 0, {0, "e=p,pod=1,z=1", 1, 2}, {0, "e=p,pod=2,z=2", 1, 6},
                            {1, "e=p,team=t", 1, 4}),
                        "{e=\"p\", team=\"t\", z=\"1\"} 5:8; {e=\"p\", team=\"t\", z=\"2\"} 5:24");
    assert_string_equal(RUN(x, 5, 5, 0, A, {1, "e=p,team=t", 1, 4}),
                        "error: multiple matches for labels: grouping labels must ensure unique "
                        "matches");
}

static void test_or_fills_what_the_left_lacks(void **state)
{
    struct logql_expr *x = binary(BINARY_OR, agg(VECTOR_SUM, leaf()), node(LOGQL_VECTOR));
    assert_string_equal(RUN(x, 5, 25, 10, {0, "p=1", 1, 2}), "{} 5:2 15:0 25:0");
}

static void test_literals_are_scalars(void **state)
{
    assert_string_equal(run(number(2), 1, 1, 0, NULL, 0), " 1:2");
    assert_string_equal(run(binary(BINARY_ADD, number(2), number(3)), 1, 2, 1, NULL, 0),
                        " 1:5 2:5");
    assert_string_equal(run(agg(VECTOR_SUM, number(2)), 1, 1, 0, NULL, 0),
                        "error: a number is no vector: use vector(2)");
}

static void test_label_replace_sets_and_removes(void **state)
{
    struct logql_expr *x = node(LOGQL_LABEL_REPLACE);
    x->label_replace.inner = leaf();
    x->label_replace.dst = SV("team");
    x->label_replace.replacement = SV("${1}x");
    x->label_replace.src = SV("e");
    x->label_replace.regex = SV("(.).*");
    assert_string_equal(RUN(x, 5, 5, 0, {0, "e=pay,pod=1", 1, 2}),
                        "{e=\"pay\", pod=\"1\", team=\"px\"} 5:2");
    x->label_replace.replacement = SV("");
    x->label_replace.dst = SV("e");
    assert_string_equal(RUN(x, 5, 5, 0, {0, "e=pay,pod=1", 1, 2}), "{pod=\"1\"} 5:2");
    x->label_replace.regex = SV("q");
    assert_string_equal(RUN(x, 5, 5, 0, {0, "e=pay,pod=1", 1, 2}), "{e=\"pay\", pod=\"1\"} 5:2");
}

/* A tree as deep as the parser lets through does not need the stack. */
static void test_a_deep_tree_is_evaluated(void **state)
{
    struct logql_expr *x = node(LOGQL_VECTOR);
    for (int i = 0; i < 50000; i++)
        x = binary(BINARY_ADD, x, number(1));
    assert_string_equal(run(x, 5, 5, 0, NULL, 0), "{} 5:50000");
}

static void test_the_series_limit_fails_by_name_or_cuts(void **state)
{
    struct eval_grid grid = eval_grid_of(0, 0, 0);
    for (int partial = 0; partial < 2; partial++) {
        struct eval_options options = {.max_series = 2, .partial = partial, .is_instant = true};
        struct eval *e;
        struct err err = ERR_INIT;
        assert_int_equal(eval_new(&e, leaf(), &grid, NULL, &options, &err), 0);
        for (int i = 0; i < 3; i++) {
            char text[] = {'p', '=', (char)('0' + i), 0};
            uint32_t s;
            assert_int_equal(range_leaf_series(&eval_leaf(e, 0)->leaf, labels_of(text), &s, NULL),
                             0);
            assert_int_equal(range_leaf_sample(&eval_leaf(e, 0)->leaf, s, 0, 0, 1, NULL), 0);
        }
        const struct eval_result *res;
        int r = eval_run(e, &res, &err);
        if (partial) {
            assert_int_equal(r, 0);
            assert_true(res->partial && res->n_series == 2);
        } else {
            assert_int_equal(r, ERR_OVER_BUDGET);
            assert_non_null(strstr(err.text, "maximum number of series (2) reached"));
        }
        eval_free(e);
    }
}

/* The same entries in other pieces, orders and as whole runs: the same bits. */
static void test_merged_leaves_and_metadata_give_the_same_bits(void **state)
{
    struct range_agg agg_ = {.op = RANGE_BYTES, .range_ns = 30 * NS_PER_S};
    struct eval_grid grid = eval_grid_of(0, 200 * NS_PER_S, 7 * NS_PER_S);
    struct range_leaf whole, part[2], runs;
    range_leaf_init(&whole, &agg_, &grid, NULL);
    range_leaf_init(&runs, &agg_, &grid, NULL);
    for (int i = 0; i < 2; i++)
        range_leaf_init(&part[i], &agg_, &grid, NULL);
    uint32_t s;
    unsigned seed = 7;
    for (int i = 0; i < 2000; i++) {
        seed = seed * 1103515245 + 12345;
        int64_t ts = (int64_t)(seed >> 8) % 260 * NS_PER_S - 40 * NS_PER_S;
        struct labels l = labels_of(seed % 3 ? "a=1" : "b=2");
        struct range_leaf *to[] = {&whole, &part[seed >> 20 & 1], &runs};
        for (int t = 0; t < 2; t++) {
            assert_int_equal(range_leaf_series(to[t], l, &s, NULL), 0);
            assert_int_equal(range_leaf_count(to[t], s, ts, 1, seed >> 4 & 63, NULL), 0);
        }
        assert_int_equal(range_leaf_series(&runs, l, &s, NULL), 0);
        if (range_leaf_same_steps(&runs, ts, ts + NS_PER_S)) {
            size_t a, b, c, d;
            bool in = range_leaf_steps(&runs, ts, &a, &b);
            assert_int_equal(in, range_leaf_steps(&runs, ts + NS_PER_S, &c, &d));
            assert_true(!in || (a == c && b == d));
        }
        assert_int_equal(range_leaf_count(&runs, s, ts, 1, seed >> 4 & 63, NULL), 0);
    }
    assert_int_equal(range_leaf_merge(&part[0], &part[1], NULL), 0);
    struct range_leaf *leaves[] = {&whole, &part[0], &runs};
    int64_t lo, hi;
    assert_true(range_leaf_bounds(&whole, &lo, &hi));
    assert_int_equal(lo, -30 * NS_PER_S + 1);
    for (int t = 1; t < 3; t++)
        assert_int_equal(whole.n_series, leaves[t]->n_series);
    for (int t = 0; t < 3; t++)
        assert_int_equal(range_leaf_finish(leaves[t], NULL), 0);
    for (size_t k = 0; k < grid.n; k++)
        for (size_t i = 0; i < 2; i++)
            for (size_t t = 1; t < 3; t++) {
                size_t page = k / whole.page_steps, at = k % whole.page_steps;
                struct leaf_series *a = &whole.series[whole.order[i]];
                struct leaf_series *b = &leaves[t]->series[leaves[t]->order[i]];
                assert_int_equal(a->pages[page] ? a->pages[page][at] : 0,
                                 b->pages[page] ? b->pages[page][at] : 0);
            }
    range_leaf_deinit(&whole);
    range_leaf_deinit(&part[0]);
    range_leaf_deinit(&runs);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_window_is_open_on_the_left_and_closed_on_the_right),
        T(test_offset_moves_the_window),
        T(test_an_empty_range_holds_nothing),
        T(test_every_unwrapped_function_gives_its_value),
        T(test_a_counter_is_extrapolated_to_zero_and_the_window),
        T(test_absent_is_one_where_no_series_has_entries),
        T(test_groups_keep_the_listed_labels_that_exist),
        T(test_topk_picks_per_group_and_step_and_nan_loses),
        T(test_sort_keeps_its_order_through_operators_and_nan_goes_last),
        T(test_scalars_meet_vectors),
        T(test_vectors_match_by_signature),
        T(test_group_left_copies_or_deletes_its_list),
        T(test_or_fills_what_the_left_lacks),
        T(test_literals_are_scalars),
        T(test_label_replace_sets_and_removes),
        T(test_a_deep_tree_is_evaluated),
        T(test_the_series_limit_fails_by_name_or_cuts),
        T(test_merged_leaves_and_metadata_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
