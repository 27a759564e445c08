/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "logql/parse.h"
#include "logql/print.h"
#include "query/log_merge.h"
#include "query/several.h"

static void check_rewritten(const char *query, const char *tenant, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    const struct logql_expr *e, *own;
    assert_int_equal(logql_parse(&a, sv_of(query), &e, NULL), 0);
    assert_int_equal(several_expr(&a, e, sv_of(tenant), &own, NULL), 0);
    logql_print(&text, own);
    buf_put_u8(&text, 0);
    assert_string_equal(text.p, want);
}

static void test_matchers_on_the_label_choose_tenants_and_are_gone(void **state)
{
    (void)state;
    check_rewritten("{app=\"x\"}", "a", "{app=\"x\"}");
    check_rewritten("{__tenant_id__=~\"a|b\", app=\"x\"}", "a", "{app=\"x\"}");
    check_rewritten("{app=\"x\", __tenant_id__!=\"a\"}", "b", "{app=\"x\"}");
    check_rewritten("sum(rate({app=\"x\", __tenant_id__=\"a\"}[1m])) / "
                    "label_replace(rate({app=\"y\", __tenant_id__!=\"a\"}[1m]), \"l\", \"$1\", "
                    "\"m\", \"(.*)\")",
                    "a",
                    "(sum(rate({app=\"x\"}[1m])) / label_replace(rate({app=\"y\", "
                    "__tenant_id__=\"|\"}[1m]),\"l\",\"$1\",\"m\",\"(.*)\"))");
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
    struct log_part parts[2] = {{.tenant = SV("a")}, {.tenant = SV("b")}};
    struct query_control control = {.deadline_mono_ns = INT64_MAX};
    const struct log_options options = {.limit = limit, .backward = backward};
    CLEANUP(buf_deinit) struct buf got = BUF_INIT;
    struct log_result all;
    for (size_t i = 0; i < 2; i++) {
        series_set_init(&parts[i].result.streams);
        series_set_add(&parts[i].result.streams, (struct labels){0});
    }
    for (int i = 0; i < 3; i++) {
        add_row(&parts[0].result, backward ? -i : i, "a");
        add_row(&parts[1].result, backward ? -2 * i : 2 * i, "b");
    }
    assert_int_equal(log_merge(parts, 2, &options, &control, &all, NULL), 0);
    assert_int_equal(all.streams.n, 2);
    for (size_t i = 0; i < all.n_rows; i++) {
        struct labels l = series_set_labels(&all.streams, all.rows[i].stream);
        assert_true(sv_eq(labels_get(l, SV(TENANT_LABEL)), all.rows[i].line));
        buf_printf(&got, "%.*s%lld ", SV_ARG(all.rows[i].line), (long long)all.rows[i].ts_ns);
    }
    buf_put_u8(&got, 0);
    assert_string_equal(got.p, want);
    log_result_deinit(&all);
    log_result_deinit(&parts[0].result);
    log_result_deinit(&parts[1].result);
    query_control_deinit(&control);
}

static void test_rows_are_merged_by_time_then_tenant_up_to_the_limit(void **state)
{
    (void)state;
    check_merge(false, 100, "a0 b0 a1 a2 b2 b4 ");
    check_merge(true, 100, "a0 b0 a-1 a-2 b-2 b-4 ");
    check_merge(false, 4, "a0 b0 a1 a2 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matchers_on_the_label_choose_tenants_and_are_gone),
        cmocka_unit_test(test_the_label_is_added_and_what_was_there_is_renamed),
        cmocka_unit_test(test_rows_are_merged_by_time_then_tenant_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
