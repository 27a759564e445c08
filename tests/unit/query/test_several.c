/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lake.h"
#include "logql/parse.h"
#include "model/tenant_label.h"
#include "query/engine.h"
#include "query/log_merge.h"
#include "query/plan/tenant_matchers.h"
#include "query/several.h"
#include "wire/stats.h"

static void check_left(const char *selector, const char *tenant, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    const struct matcher *v;
    size_t n;
    assert_int_equal(logql_parse_matchers(&a, sv_of(selector), &v, &n, NULL), 0);
    assert_int_equal(tenant_matchers(&a, v, n, sv_of(tenant), &v, &n, NULL), 0);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%.*s%s%.*s ", SV_ARG(v[i].name), match_op_text(v[i].op),
                   SV_ARG(v[i].value));
    buf_put_u8(&text, 0);
    assert_string_equal(text.p, want);
}

static void test_matchers_on_the_label_choose_tenants_and_are_gone(void **state)
{
    (void)state;
    check_left("{app=\"x\"}", "a", "app=x ");
    check_left("{__tenant_id__=~\"a|b\", app=\"x\"}", "a", "app=x ");
    check_left("{app=\"x\", __tenant_id__!=\"a\"}", "b", "app=x ");
    check_left("{app=\"x\", __tenant_id__!=\"a\"}", "a", "app=x __tenant_id__=| ");
    check_left("{__tenant_id__=~\"b.*\"}", "a", "__tenant_id__=| ");
}

static void check_labels(const char *text, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct label *v;
    size_t n;
    assert_int_equal(labels_parse(&a, sv_of(text), &v, &n, NULL), 0);
    labels_print(&got, tenant_label_add(&a, (struct labels){v, n}, SV("t")));
    buf_put_u8(&got, 0);
    assert_string_equal(got.p, want);
}

static void test_the_label_is_added_and_what_was_there_is_renamed(void **state)
{
    (void)state;
    check_labels("{}", "{__tenant_id__=\"t\"}");
    check_labels("{a=\"1\"}", "{__tenant_id__=\"t\", a=\"1\"}");
    check_labels("{__tenant_id__=\"x\", z=\"1\"}",
                 "{__tenant_id__=\"t\", original___tenant_id__=\"x\", z=\"1\"}");
    check_labels("{__tenant_id__=\"x\", original___tenant_id__=\"y\"}",
                 "{__tenant_id__=\"t\", original___tenant_id__=\"x\"}");
}

static void add_row(struct log_result *r, int64_t ts_ns, const char *line)
{
    r->rows = mem_grow(r->rows, &r->cap_rows, r->n_rows + 1, sizeof *r->rows);
    r->rows[r->n_rows++] = (struct log_row){.ts_ns = ts_ns, .line = sv_of(line)};
}

static void check_merge(bool backward, uint64_t limit, const char *want)
{
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    const struct query_env envs[2] = {{.tenant = SV("a"), .control = &control},
                                      {.tenant = SV("b"), .control = &control}};
    const struct log_options options = {.limit = limit, .backward = backward};
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct log_result all;
    log_result_init(&all);
    all.parts = mem_zalloc(2, sizeof *all.parts);
    for (; all.n_parts < 2; all.n_parts++) {
        struct log_result *part = &all.parts[all.n_parts];
        log_result_init(part);
        series_set_add(&part->streams, (struct labels){0});
    }
    for (int i = 0; i < 3; i++) {
        add_row(&all.parts[0], backward ? -i : i, "a");
        add_row(&all.parts[1], backward ? -2 * i : 2 * i, "b");
    }
    assert_int_equal(log_merge(envs, &options, &all, NULL), 0);
    assert_int_equal(all.streams.n, 2);
    for (size_t i = 0; i < all.n_rows; i++) {
        struct labels l = series_set_labels(&all.streams, all.rows[i].stream);
        assert_true(sv_eq(labels_get(l, SV(TENANT_LABEL)), all.rows[i].line));
        buf_printf(&got, "%.*s%lld ", SV_ARG(all.rows[i].line), (long long)all.rows[i].ts_ns);
    }
    buf_put_u8(&got, 0);
    assert_string_equal(got.p, want);
    log_result_deinit(&all);
    query_control_deinit(&control);
}

static void test_rows_are_merged_by_time_then_tenant_up_to_the_limit(void **state)
{
    (void)state;
    check_merge(false, 100, "a0 b0 a1 a2 b2 b4 ");
    check_merge(true, 100, "a0 b0 a-1 a-2 b-2 b-4 ");
    check_merge(false, 4, "a0 b0 a1 a2 ");
}

/* ---- over data ---- */

/* Tenant a has {app="x"} and {app="y"}, b has {app="x"}, c nothing that is asked for. */
struct fixture {
    struct lake lake;
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_env envs[3];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    static const char *const tenants[] = {"a", "b", "c"};
    lake_open(&f->lake, 1);
    for (int i = 0; i < 4; i++) {
        lake_push(&f->lake, lake_stream(&f->lake, "a", "{app=\"x\"}"), 10 * i, SV("ax"), SV_EMPTY);
        lake_push(&f->lake, lake_stream(&f->lake, "a", "{app=\"y\", z=\"1\"}"), 10 * i + 1,
                  SV("ay"), SV_EMPTY);
        lake_push(&f->lake, lake_stream(&f->lake, "b", "{app=\"x\"}"), 10 * i + 2, SV("bx"),
                  SV_EMPTY);
        if (i == 1)
            lake_spill(&f->lake, PLACE_LOCAL);
    }
    f->control = (struct query_control){.deadline_mono_ns = INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        f->envs[i] = lake_env(&f->lake, tenants[i], &f->control, &f->stats);
        f->envs[i].one_of_several = true;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    query_control_deinit(&f->control);
    arena_deinit(&f->arena);
    lake_close(&f->lake);
    free(f);
    return 0;
}

static const struct logql_expr *parse(struct fixture *f, const char *query)
{
    const struct logql_expr *e;
    assert_int_equal(logql_parse(&f->arena, sv_of(query), &e, NULL), 0);
    return e;
}

static void check_lines(struct fixture *f, size_t n_envs, const char *query, const char *want)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct log_result res;
    const struct log_options options = {.end_ns = 100, .limit = 5};
    assert_int_equal(engine_log(f->envs, n_envs, &parse(f, query)->log, &options, &res, NULL), 0);
    for (size_t i = 0; i < res.n_rows; i++)
        buf_printf(&got, "%.*s%lld ", SV_ARG(res.rows[i].line), (long long)res.rows[i].ts_ns);
    buf_put_u8(&got, 0);
    assert_string_equal(got.p, want);
    log_result_deinit(&res);
}

static void test_log_queries_go_over_all_tenants_that_are_chosen(void **state)
{
    check_lines(*state, 3, "{app=~\".+\"}", "ax0 ay1 bx2 ax10 ay11 ");
    check_lines(*state, 3, "{app=\"x\", __tenant_id__=\"b\"}", "bx2 bx12 bx22 bx32 ");
    check_lines(*state, 3, "{app=\"x\", __tenant_id__!~\"a|b\"}", "");
}

static void test_aggregations_go_over_all_tenants_together(void **state)
{
    struct fixture *f = *state;
    const struct eval_grid grid = eval_grid_of(40, 40, 1);
    const struct eval_options options = {.is_instant = true};
    struct eval *e;
    const struct eval_result *res;
    const struct logql_expr *expr =
        parse(f, "sum(count_over_time({app=\"x\"}[1m])) / "
                 "sum(count_over_time({app=\"x\", __tenant_id__=\"b\"}[1m]))");
    assert_int_equal(engine_metric(f->envs, 3, expr, &grid, &options, &e, &res, NULL), 0);
    assert_int_equal(res->n_series, 1);
    assert_true(res->series[0].points[0].value == 2);
    eval_free(e);
    expr = parse(f, "count_over_time({app=\"x\"}[1m])");
    assert_int_equal(engine_metric(f->envs, 3, expr, &grid, &options, &e, &res, NULL), 0);
    assert_int_equal(res->n_series, 2); /* told apart by the label */
    assert_true(sv_eq(labels_get(res->series[1].labels, SV(TENANT_LABEL)), SV("b")));
    eval_free(e);
}

static void check_texts(struct fixture *f, const char *name, const char *want)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct index_names names;
    const struct selection_query q = {.within = {0, 100}};
    const struct str_view of = sv_of(name ? name : "");
    assert_int_equal(several_texts(f->envs, 3, &q, name ? &of : NULL, &f->arena, &names, NULL), 0);
    for (size_t i = 0; i < names.n; i++)
        buf_printf(&got, "%.*s ", SV_ARG(names.v[i]));
    buf_put_u8(&got, 0);
    assert_string_equal(got.p, want);
}

static void test_names_values_and_series_are_joined_and_tell_tenants_apart(void **state)
{
    struct fixture *f = *state;
    struct series_set set;
    struct index_stats stats = {0};
    const struct selection_query q = {.within = {0, 100}};
    check_texts(f, NULL, "__tenant_id__ app z ");
    check_texts(f, "app", "x y ");
    check_texts(f, TENANT_LABEL, "a b c ");
    series_set_init(&set);
    assert_int_equal(several_series(f->envs, 3, &q, &set, NULL), 0);
    assert_int_equal(set.n, 3);
    assert_true(sv_eq(labels_get(series_set_labels(&set, 2), SV(TENANT_LABEL)), SV("b")));
    series_set_deinit(&set);
    assert_int_equal(several_stats(f->envs, 3, &q, &stats, NULL), 0);
    assert_int_equal(stats.n_streams, 3);
    assert_int_equal(stats.n_entries, 12);
}

static void test_a_read_scope_hides_streams_from_every_question(void **state)
{
    struct fixture *f = *state;
    const struct matcher not_y = {SV("app"), MATCH_RE, SV("x|z"), NULL};
    const struct read_scope scope = {&not_y, 1};
    struct index_stats stats = {0};
    const struct selection_query q = {.within = {0, 100}};
    for (size_t i = 0; i < 3; i++)
        f->envs[i].scope = &scope;
    check_lines(f, 3, "{app=~\".+\"}", "ax0 bx2 ax10 bx12 ax20 ");
    check_lines(f, 1, "{app=\"y\"}", "");
    check_texts(f, "app", "x ");
    assert_int_equal(several_stats(f->envs, 3, &q, &stats, NULL), 0);
    assert_int_equal(stats.n_streams, 2);
}

#define LAKE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matchers_on_the_label_choose_tenants_and_are_gone),
        cmocka_unit_test(test_the_label_is_added_and_what_was_there_is_renamed),
        cmocka_unit_test(test_rows_are_merged_by_time_then_tenant_up_to_the_limit),
        LAKE_TEST(test_log_queries_go_over_all_tenants_that_are_chosen),
        LAKE_TEST(test_aggregations_go_over_all_tenants_together),
        LAKE_TEST(test_names_values_and_series_are_joined_and_tell_tenants_apart),
        LAKE_TEST(test_a_read_scope_hides_streams_from_every_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
