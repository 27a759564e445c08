/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "logql/parse.h"
#include "querier/blocked.h"
#include "querier/query_limits.h"

struct fixture {
    struct arena arena;
    struct limits limits;
    struct asked_query asked;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    limits_set_defaults(&f->limits, &f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_deinit(&f->arena);
    free(f);
    return 0;
}

static const char *refusal(struct fixture *f, const char *query)
{
    f->asked.text = sv_of(query);
    f->asked.may_be_blocked = true;
    assert_int_equal(logql_parse(&f->arena, f->asked.text, &f->asked.expr, &f->err), 0);
    f->err = ERR_INIT;
    return query_limits_check(&f->limits, &f->asked, &f->err) < 0 ? f->err.text : "";
}

static void test_the_number_of_entries_is_limited_for_log_queries_alone(void **state)
{
    struct fixture *f = *state;
    f->asked.max_entries = 5001;
    assert_string_equal(refusal(f, "{a=\"b\"}"), "max entries limit per query exceeded, limit > "
                                                 "max_entries_limit_per_query (5001 > 5000)");
    assert_string_equal(refusal(f, "rate({a=\"b\"}[1m])"), "");
    f->limits.max_entries_limit_per_query = 0;
    assert_string_equal(refusal(f, "{a=\"b\"}"), "");
}

static void test_the_length_of_the_range_is_limited(void **state)
{
    struct fixture *f = *state;
    f->asked.end_ns = 722 * NS_PER_HOUR;
    assert_string_equal(refusal(f, "{a=\"b\"}"),
                        "the query time range exceeds the limit (query length: 722h0m0s, limit: "
                        "30d1h)");
    f->asked.end_ns = 721 * NS_PER_HOUR;
    assert_string_equal(refusal(f, "{a=\"b\"}"), "");
    f->asked.start_ns = INT64_MIN;
    f->asked.end_ns = INT64_MAX;
    assert_true(strlen(refusal(f, "{a=\"b\"}")) > 0);
}

static void test_a_range_in_brackets_is_limited_in_every_leg(void **state)
{
    struct fixture *f = *state;
    f->limits.max_query_range_ns = NS_PER_HOUR;
    assert_string_equal(refusal(f, "sum(rate({a=\"b\"}[1h])) / sum(rate({a=\"b\"}[2h]))"),
                        "[interval] value exceeds limit: [2h] > [1h]");
    assert_string_equal(refusal(f, "sum(rate({a=\"b\"}[1h]))"), "");
}

static void test_selectors_must_bring_the_matchers_asked_for(void **state)
{
    struct fixture *f = *state;
    const char *const required[] = {"env", "app"};
    f->limits.required_labels = (struct conf_strings){required, 2};
    assert_string_equal(refusal(f, "count_over_time({app=\"b\", zone=\"c\"}[1m])"),
                        "stream selector is missing required matchers [env], labels present in "
                        "the query were [app, zone]");
    assert_string_equal(refusal(f, "{app=\"b\", env=~\"c.*\"}"), "");
    f->limits.minimum_labels_number = 3;
    assert_string_equal(refusal(f, "{app=\"b\", env=\"c\"}"),
                        "stream selector has less label matchers than required: (present: [app, "
                        "env], number_present: 2, required_number_label_matchers: 3)");
    f->limits.max_streams_matchers_per_query = 1;
    assert_string_equal(refusal(f, "{app=\"b\", env=\"c\"}"),
                        "max streams matchers per query exceeded, matchers-count > limit (2 > 1)");
}

static void test_no_parallelism_means_no_queries(void **state)
{
    struct fixture *f = *state;
    f->limits.max_query_parallelism = 0;
    assert_string_equal(refusal(f, "1"), "querying is disabled, please contact your Loki operator");
    assert_int_equal(f->err.code, ERR_RATE_LIMITED);
}

static const char *with_rules(struct fixture *f, const char *yaml, const char *query)
{
    assert_int_equal(conf_yaml_parse(sv_of(yaml), &f->arena, &f->limits.blocked_queries, &f->err),
                     0);
    return refusal(f, query);
}

static void test_a_rule_blocks_what_meets_all_of_it(void **state)
{
    struct fixture *f = *state;
    const char *const blocked = "query blocked by policy";
    assert_string_equal(with_rules(f, "- pattern: ' {a=\"b\"} '", "{a=\"b\"}"), blocked);
    assert_string_equal(with_rules(f, "- pattern: '{a=\"b\"}'", "{a=\"b\"} |= \"x\""), "");
    assert_string_equal(with_rules(f, "- {pattern: 'a=.b', regex: true}", "rate({a=\"b\"}[1m])"),
                        blocked);
    assert_string_equal(with_rules(f, "- {pattern: '(', regex: true}", "{a=\"b\"}"), "");
    assert_string_equal(with_rules(f, "- types: metric,filter", "rate({a=\"b\"}[1m])"), blocked);
    assert_string_equal(with_rules(f, "- types: [filter]", "{a=\"b\"} |= \"x\""), blocked);
    assert_string_equal(with_rules(f, "- types: [filter]", "{a=\"b\"}"), "");
    assert_string_equal(with_rules(f, "- types: [limited]", "{a=\"b\"} | json"), blocked);
    assert_string_equal(with_rules(f, "- {pattern: x}\n- {types: [limited]}", "{a=\"b\"}"),
                        blocked);
    char rule[64];
    snprintf(rule, sizeof rule, "- hash: %u", query_text_hash(SV("{a=\"b\"}")));
    assert_string_equal(with_rules(f, rule, "{a=\"b\"}"), blocked);
    assert_string_equal(with_rules(f, rule, "{a=\"c\"}"), "");
}

static void test_the_hash_is_fnv_1(void **state)
{
    (void)state; /* values of the published test vectors */
    assert_int_equal(query_text_hash(SV("")), 0x811c9dc5);
    assert_int_equal(query_text_hash(SV("a")), 0x050c5d7e);
    assert_int_equal(query_text_hash(SV("foobar")), 0x31f0b262);
}

static void test_tags_are_cleaned_found_and_matched(void **state)
{
    struct fixture *f = *state;
    struct str_view tags = query_tags_normal(&f->arena, SV("Source=grafana, user=a\"b\n,x=1,y"));
    assert_true(sv_eq(tags, SV("Source=grafana, user=a_b_,x=1,y")));
    assert_true(sv_eq(query_tags_get(tags, SV("source")), SV("grafana")));
    assert_true(sv_eq(query_tags_get(tags, SV("user")), SV("a_b_")));
    assert_null(query_tags_get(tags, SV("y")).p);
    f->asked.tags = tags;
    const char *const blocked = "query blocked by policy";
    assert_string_equal(with_rules(f, "- query_tags: {source: grafana}", "1"), blocked);
    assert_string_equal(with_rules(f, "- query_tags: {source: grafana, x: '2'}", "1"), "");
}

static void test_the_lookback_moves_the_start_or_empties_the_answer(void **state)
{
    struct fixture *f = *state;
    int64_t now = 1000 * NS_PER_HOUR, start = 0;
    assert_true(query_limits_clip(&f->limits, now, &start, now));
    assert_int_equal(start, 0);
    f->limits.max_query_lookback_ns = NS_PER_HOUR;
    assert_true(query_limits_clip(&f->limits, now, &start, now));
    assert_int_equal(start, 999 * NS_PER_HOUR);
    assert_false(query_limits_clip(&f->limits, now, &start, 998 * NS_PER_HOUR));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_number_of_entries_is_limited_for_log_queries_alone),
        TEST(test_the_length_of_the_range_is_limited),
        TEST(test_a_range_in_brackets_is_limited_in_every_leg),
        TEST(test_selectors_must_bring_the_matchers_asked_for),
        TEST(test_no_parallelism_means_no_queries),
        TEST(test_a_rule_blocks_what_meets_all_of_it),
        TEST(test_the_hash_is_fnv_1),
        TEST(test_tags_are_cleaned_found_and_matched),
        TEST(test_the_lookback_moves_the_start_or_empties_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
