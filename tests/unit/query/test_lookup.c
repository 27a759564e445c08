/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lake.h"
#include "logql/parse.h"
#include "query/lookup.h"
#include "query/volume.h"
#include "wire/stats.h"

#define T0 (INT64_C(1700000000) * NS_PER_S)

/* Tenant t: a stream in a local segment, one in an object, one in the head, one in all of them.
 * Tenant u has its own. */
struct fixture {
    struct lake lake;
    struct arena arena;
    struct query_control control;
    struct query_stats stats;
    struct query_env env;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    lake_open(&f->lake, 1);
    uint32_t everywhere = lake_stream(&f->lake, "t", "{app=\"all\", env=\"dev\"}");
    const char *const own[] = {"{app=\"one\"}", "{app=\"two\", zone=\"z\"}", "{app=\"three\"}"};
    uint32_t other = lake_stream(&f->lake, "u", "{app=\"theirs\", secret=\"x\"}");
    for (int i = 0; i < 3; i++) {
        int64_t ts = T0 + i * 100 * NS_PER_S;
        lake_push(&f->lake, everywhere, ts, SV("12345"), SV_EMPTY);
        lake_push(&f->lake, lake_stream(&f->lake, "t", own[i]), ts + 1, SV("123"), SV_EMPTY);
        lake_push(&f->lake, other, ts, SV("1"), SV_EMPTY);
        if (i < 2) {
            lake_rotate(&f->lake);
            lake_spill(&f->lake, i == 0 ? PLACE_OBJECT : PLACE_LOCAL);
        }
    }
    f->control = (struct query_control){.deadline_mono_ns = INT64_MAX};
    f->env = lake_env(&f->lake, "t", &f->control, &f->stats);
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

static void open_selection(struct fixture *f, struct selection *s, const char *selector,
                           int64_t min_s, int64_t max_s)
{
    struct selection_query q = {.within = {T0 + min_s * NS_PER_S, T0 + max_s * NS_PER_S}};
    assert_int_equal(
        logql_parse_matchers(&f->arena, sv_of(selector), &q.matchers, &q.n_matchers, &f->err), 0);
    assert_int_equal(selection_open(s, &f->env, &q, &f->err), 0);
}

static const char *joined(struct fixture *f, const struct index_names *names)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < names->n; i++)
        buf_printf(&text, "%s%.*s", i ? " " : "", SV_ARG(names->v[i]));
    const char *copy = arena_copy(&f->arena, buf_view(&text)).p;
    buf_deinit(&text);
    return copy;
}

static const char *names_of(struct fixture *f, const char *selector, int64_t min_s, int64_t max_s)
{
    struct selection s;
    struct index_names names;
    open_selection(f, &s, selector, min_s, max_s);
    assert_int_equal(lookup_names(&s, &f->arena, &names, &f->err), 0);
    selection_close(&s);
    return joined(f, &names);
}

static const char *values_of(struct fixture *f, const char *name, const char *selector,
                             int64_t min_s, int64_t max_s)
{
    struct selection s;
    struct index_names names;
    open_selection(f, &s, selector, min_s, max_s);
    assert_int_equal(lookup_values(&s, sv_of(name), &f->arena, &names, &f->err), 0);
    selection_close(&s);
    return joined(f, &names);
}

static void test_names_and_values_join_memory_and_segments_each_once(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(names_of(f, "{}", 0, 300), "app env zone");
    assert_string_equal(values_of(f, "app", "{}", 0, 300), "all one three two");
    assert_string_equal(values_of(f, "app", "{app=~\"t.*\"}", 0, 300), "three two");
    assert_string_equal(names_of(f, "{env=\"dev\"}", 0, 300), "app env");
    assert_string_equal(values_of(f, "none", "{}", 0, 300), "");
}

static void test_streams_without_an_entry_in_the_range_are_not_seen(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(values_of(f, "app", "{}", 0, 50), "all one");
    assert_string_equal(values_of(f, "app", "{}", 150, 250), "all three");
    assert_string_equal(values_of(f, "app", "{}", 201, 250), "");
}

static void test_series_are_label_sets_each_once(void **state)
{
    struct fixture *f = *state;
    struct selection s;
    struct series_set set;
    series_set_init(&set);
    open_selection(f, &s, "{app=~\"all|one|three\"}", 0, 300);
    assert_int_equal(lookup_series(&s, &set, &f->err), 0);
    assert_int_equal(set.n, 3);
    selection_close(&s);
    series_set_deinit(&set);
}

static struct index_stats stats_of(struct fixture *f, const char *selector, int64_t min_s,
                                   int64_t max_s)
{
    struct selection s;
    struct index_stats stats = {0};
    open_selection(f, &s, selector, min_s, max_s);
    assert_int_equal(lookup_stats(&s, &stats, &f->err), 0);
    selection_close(&s);
    return stats;
}

static void test_statistics_count_memory_and_segments(void **state)
{
    struct fixture *f = *state;
    struct index_stats all = stats_of(f, "{}", 0, 300);
    assert_int_equal(all.n_streams, 4);
    assert_int_equal(all.n_entries, 6);
    assert_int_equal(all.n_bytes, 3 * 5 + 3 * 3);
    struct index_stats one = stats_of(f, "{app=\"all\"}", 90, 300);
    assert_int_equal(one.n_streams, 1);
    assert_int_equal(one.n_entries, 2);
    assert_int_equal(one.n_bytes, 10);
}

static void test_what_is_kept_is_charged_and_meets_the_budget(void **state)
{
    struct fixture *f = *state;
    struct selection s;
    struct index_names names;
    f->control.max_bytes = 10;
    struct selection_query q = {.within = {0, INT64_MAX}};
    int r = selection_open(&s, &f->env, &q, &f->err);
    if (r == 0)
        r = lookup_names(&s, &f->arena, &names, &f->err);
    selection_close(&s);
    assert_int_equal(r, ERR_OVER_BUDGET);
}

/* "{a="b"} bucket=bytes ...; ..." */
static const char *volume_text(struct fixture *f, const char *selector, struct volume_ask ask)
{
    struct selection s;
    struct volume v;
    struct buf text = BUF_INIT;
    ask.start_ns = T0;
    ask.end_ns = T0 + 300 * NS_PER_S;
    volume_init(&v, &ask, &f->control);
    open_selection(f, &s, selector, 0, 300);
    assert_int_equal(volume_add(&v, &s, &f->err), 0);
    selection_close(&s);
    int r = volume_finish(&v, &f->err);
    for (size_t i = 0; i < v.n_groups && r == 0; i++) {
        buf_printf(&text, "%s%.*s", i ? "; " : "", SV_ARG(v.groups[i].text));
        for (size_t b = 0; b < v.n_buckets; b++)
            if (v.groups[i].buckets[b])
                buf_printf(&text, " %lld=%llu",
                           (long long)((volume_bucket_ts(&v, b) - T0) / NS_PER_MS),
                           (unsigned long long)v.groups[i].buckets[b]);
    }
    volume_deinit(&v);
    if (r < 0)
        buf_printf(&text, "%s", f->err.text);
    const char *copy = arena_copy(&f->arena, buf_view(&text)).p;
    buf_deinit(&text);
    return copy;
}

static void test_volumes_are_summed_per_group_largest_first(void **state)
{
    struct fixture *f = *state;
    const struct str_view app[] = {SV("app")}, app_zone[] = {SV("app"), SV("zone")};
    assert_string_equal(
        volume_text(f, "{app=~\"all|two\"}", (struct volume_ask){.names = app, .n_names = 1}),
        "{app=\"all\"} 300000=15; {app=\"two\"} 300000=3");
    assert_string_equal(
        volume_text(f, "{}",
                    (struct volume_ask){.names = app_zone, .n_names = 2, .needs_all = true}),
        "{app=\"two\", zone=\"z\"} 300000=3");
    assert_string_equal(volume_text(f, "{}", (struct volume_ask){.by_all = true, .by_name = true}),
                        "{app=\"\"} 300000=24; {env=\"\"} 300000=15; {zone=\"\"} 300000=3");
    assert_string_equal(volume_text(f, "{}", (struct volume_ask){.by_all = true, .max_groups = 2}),
                        "the query hit the max number of series limit (limit: 2 series)");
}

static void test_a_step_cuts_volumes_into_buckets(void **state)
{
    struct fixture *f = *state;
    const struct str_view app[] = {SV("app")};
    /* T0 is a multiple of 100 s: three buckets, the last one is stamped with the end. */
    assert_string_equal(
        volume_text(f, "{app=\"all\"}",
                    (struct volume_ask){.names = app, .n_names = 1, .step_ns = 100 * NS_PER_S}),
        "{app=\"all\"} 99999=5 199999=5 300000=5");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_and_values_join_memory_and_segments_each_once),
        TEST(test_streams_without_an_entry_in_the_range_are_not_seen),
        TEST(test_series_are_label_sets_each_once),
        TEST(test_statistics_count_memory_and_segments),
        TEST(test_what_is_kept_is_charged_and_meets_the_budget),
        TEST(test_volumes_are_summed_per_group_largest_first),
        TEST(test_a_step_cuts_volumes_into_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
