/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "querier/params.h"

#define NOW (INT64_C(1700000000) * NS_PER_S)
#define LIST(...)                                                                                  \
    (struct param_list)                                                                            \
    {                                                                                              \
        (const struct http_param[]){__VA_ARGS__},                                                  \
            sizeof((const struct http_param[]){__VA_ARGS__}) / sizeof(struct http_param)           \
    }
#define P(n, v)                                                                                    \
    {                                                                                              \
        SV(n), SV(v)                                                                               \
    }

static int64_t time_of(const char *text)
{
    int64_t ns = -1;
    assert_int_equal(param_time(sv_of(text), &ns, NULL), 0);
    return ns;
}

static void test_times_are_read_in_every_form(void **state)
{
    assert_int_equal(time_of("1700000000"), NOW);
    assert_int_equal(time_of("1700000000000000001"), NOW + 1);
    assert_int_equal(time_of("1700000000.5"), NOW + 500 * NS_PER_MS);
    assert_int_equal(time_of("1700000000.1234567"), NOW + 123 * NS_PER_MS);
    assert_int_equal(time_of("2023-11-14T22:13:20Z"), NOW);
    assert_int_equal(time_of("2023-11-14T23:13:20.000000007+01:00"), NOW + 7);
    assert_int_equal(time_of("1969-12-31T23:59:59Z"), -NS_PER_S);
    assert_int_equal(time_of("2000-02-29T00:00:00Z"), INT64_C(951782400) * NS_PER_S);
}

static void test_nonsense_is_no_time(void **state)
{
    int64_t ns;
    const char *bad[] = {"x",          "2023-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
                         "2023-01-01", "9999-01-01T00:00:00Z", "2023-01-01T00:00:00",
                         "1e5x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(param_time(sv_of(bad[i]), &ns, NULL), ERR_INVALID);
}

static void test_defaults_are_the_last_hour_and_250_points(void **state)
{
    struct query_params p;
    assert_int_equal(params_range(LIST(P("query", "x")), NOW, &p, NULL), 0);
    assert_int_equal(p.end_ns, NOW);
    assert_int_equal(p.start_ns, NOW - NS_PER_HOUR);
    assert_int_equal(p.step_ns, 14 * NS_PER_S);
    assert_int_equal(p.limit, 100);
    assert_true(p.backward);
}

static void test_start_counts_back_from_the_earlier_of_end_and_now(void **state)
{
    struct query_params p;
    assert_int_equal(params_range(LIST(P("end", "1800000000"), P("since", "10m")), NOW, &p, NULL),
                     0);
    assert_int_equal(p.start_ns, NOW - 10 * NS_PER_MIN);
    assert_int_equal(params_range(LIST(P("end", "1600000000")), NOW, &p, NULL), 0);
    assert_int_equal(p.start_ns, INT64_C(1600000000) * NS_PER_S - NS_PER_HOUR);
}

static void expect_error(struct param_list l, const char *text)
{
    struct query_params p;
    struct err err = ERR_INIT;
    assert_int_equal(params_range(l, NOW, &p, &err), ERR_INVALID);
    assert_string_equal(err.text, text);
}

static void test_errors_carry_lokis_texts(void **state)
{
    expect_error(LIST(P("start", "1700000000"), P("end", "1600000000")),
                 "end timestamp must not be before or equal to start time");
    expect_error(LIST(P("limit", "0")), "limit must be a positive value");
    expect_error(LIST(P("limit", "abc")), "strconv.Atoi: parsing \"abc\": invalid syntax");
    expect_error(LIST(P("direction", "up")), "invalid direction 'up'");
    expect_error(LIST(P("step", "abc")), "cannot parse \"abc\" to a valid duration");
    expect_error(LIST(P("step", "0")), "zero or negative query resolution step widths are not "
                                       "accepted. Try a positive integer");
    expect_error(LIST(P("step", "0.1")),
                 "exceeded maximum resolution of 11,000 points per time series. Try increasing the "
                 "value of the step parameter");
    expect_error(LIST(P("interval", "-1")), "interval must be >= 0");
}

static void test_the_first_of_repeated_parameters_counts(void **state)
{
    struct query_params p;
    assert_int_equal(params_range(LIST(P("limit", "7"), P("limit", "9")), NOW, &p, NULL), 0);
    assert_int_equal(p.limit, 7);
}

static void test_alignment_widens_to_multiples_of_step(void **state)
{
    struct query_params p = {.start_ns = -5, .end_ns = 21, .step_ns = 10};
    params_align(&p);
    assert_int_equal(p.start_ns, -10);
    assert_int_equal(p.end_ns, 30);
    params_align(&p);
    assert_int_equal(p.start_ns, -10);
    assert_int_equal(p.end_ns, 30);
}

static void test_an_instant_query_has_one_time(void **state)
{
    struct query_params p;
    assert_int_equal(params_instant(LIST(P("time", "1700000900"), P("query", "1")), NOW, &p, NULL),
                     0);
    assert_int_equal(p.start_ns, INT64_C(1700000900) * NS_PER_S);
    assert_int_equal(p.end_ns, p.start_ns);
    assert_int_equal(p.step_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_read_in_every_form),
        cmocka_unit_test(test_nonsense_is_no_time),
        cmocka_unit_test(test_defaults_are_the_last_hour_and_250_points),
        cmocka_unit_test(test_start_counts_back_from_the_earlier_of_end_and_now),
        cmocka_unit_test(test_errors_carry_lokis_texts),
        cmocka_unit_test(test_the_first_of_repeated_parameters_counts),
        cmocka_unit_test(test_alignment_widens_to_multiples_of_step),
        cmocka_unit_test(test_an_instant_query_has_one_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
