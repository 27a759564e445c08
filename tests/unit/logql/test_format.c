/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "logql/parse.h"
#include "logql/print.h"

static void expect(const char *query, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *e;
    if (logql_parse(&a, sv_of(query), &e, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    logql_format(&text, e);
    if (!sv_eq(buf_view(&text), sv_of(want)))
        fail_msg("%s\n--- is\n%.*s\n--- want\n%s", query, SV_ARG(buf_view(&text)), want);
}

#define LONG "{app=\"checkout-service\", environment=\"production\", region=\"eu-central-1\"}"

static void test_what_fits_a_line_stays_on_it(void **state)
{
    expect("{app=\"many\"}", "{app=\"many\"}");
    expect("( {app=\"x\"} |= `a` )", "{app=\"x\"} |= \"a\"");
    expect("sum(rate({a=\"b\"}[5m]))by(x)", "sum by (x)(rate({a=\"b\"}[5m]))");
}

static void test_each_stage_of_a_long_pipeline_has_its_line(void **state)
{
    expect(LONG "|=\"payment declined\" | json | status >= 500 and method=\"POST\"",
           LONG "\n"
                "  |= \"payment declined\"\n"
                "  | json\n"
                "  | ( status>=500 , method=\"POST\" )");
}

static void test_aggregations_are_indented_by_two_for_each_level(void **state)
{
    expect("topk(5, sum by (path) (rate(" LONG " | json | unwrap n | n > 3 [5m] offset 1h)))",
           "topk(\n"
           "  5,\n"
           "  sum by (path) (\n"
           "    rate(\n"
           "      " LONG " | json\n"
           "        | unwrap n\n"
           "        | n>3 [5m] offset 1h0m0s\n"
           "    )\n"
           "  )\n"
           ")");
}

static void test_operations_put_the_operator_between_their_operands(void **state)
{
    expect("sum(rate(" LONG "[5m])) / on (x) group_left (y) sum(rate({a=\"b\"}[5m])) > 0.5",
           "  (\n"
           "      sum(rate(" LONG "[5m]))\n"
           "    / on (x) group_left (y)\n"
           "      sum(rate({a=\"b\"}[5m]))\n"
           "  )\n"
           ">\n"
           "  0.5");
    expect("label_replace(rate(" LONG "[5m]), \"team\", \"$1\", \"svc\", \"(.).*\")",
           "label_replace(\n"
           "  rate(" LONG "[5m]),\n"
           "  \"team\",\n"
           "  \"$1\",\n"
           "  \"svc\",\n"
           "  \"(.).*\"\n"
           ")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_a_line_stays_on_it),
        cmocka_unit_test(test_each_stage_of_a_long_pipeline_has_its_line),
        cmocka_unit_test(test_aggregations_are_indented_by_two_for_each_level),
        cmocka_unit_test(test_operations_put_the_operator_between_their_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
