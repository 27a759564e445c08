/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/values.h"

static void expect_text(struct str_view input, struct str_view got, const char *want)
{
    if (!sv_eq(got, sv_of(want)))
        fail_msg("'%.*s'\n  gave '%.*s'\n  want '%s'", SV_ARG(input), SV_ARG(got), want);
}

#define N(v) (sizeof(v) / sizeof *(v))
#define NS(s) ((int64_t)((s)*1e9))

static void test_numbers_follow_gos_grammar(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},
        {"5", 5},
        {"5.", 5},
        {".5", 0.5},
        {"-1.5e3", -1500},
        {"+2E-2", 0.02},
        {"1_000", 1000},
        {"0x1p-2", 0.25},
        {"0X1.8P1", 3},
        {"0x_1p4", 16},
        {"010", 10},
        {"1e-400", 0},
        {"Inf", INFINITY},
        {"-inf", -INFINITY},
        {"+Infinity", INFINITY},
        {"1e308", 1e308},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"0.1", 0.1},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"9007199254740993", 9007199254740992.0},
        {"1_0.2_5", 10.25},
    };
    static const char *const bad[] = {"",       " 5",    "5 ",    "abc",  "0x10",   "0x",  "1e",
                                      "1e+",    "_1",    "1_",    "1__0", "1._5",   "--1", "+-1",
                                      ".",      "1.2.3", "1,000", "0b1",  "0o17",   "5s",  "1e999",
                                      "-1e999", "+nan",  "infin", "1e_5", "0x1_p3", "1_e3"};
    double v;
    struct err err;
    for (size_t i = 0; i < N(good); i++)
        if (number_parse(sv_of(good[i].text), &v, &err) < 0 || v != good[i].value)
            fail_msg("'%s' is %.17g, not %.17g", good[i].text, v, good[i].value);
    assert_int_equal(number_parse(SV("NaN"), &v, NULL), 0);
    assert_true(isnan(v));
    assert_int_equal(number_parse(SV("-0"), &v, NULL), 0);
    assert_true(v == 0 && signbit(v));
    for (size_t i = 0; i < N(bad); i++)
        if (number_parse(sv_of(bad[i]), &v, NULL) == 0)
            fail_msg("'%s' was accepted as %g", bad[i], v);
    number_parse(SV("a\"b"), &v, &err);
    assert_string_equal(err.text, "strconv.ParseFloat: parsing \"a\\\"b\": invalid syntax");
    number_parse(SV("1e999"), &v, &err);
    assert_string_equal(err.text, "strconv.ParseFloat: parsing \"1e999\": value out of range");
}

static void test_prometheus_durations_fall_from_unit_to_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"5m", NS(300)},
        {"1h30m", NS(5400)},
        {"1d12h", NS(129600)},
        {"1w", NS(604800)},
        {"1y", NS(31536000)},
        {"100ms", NS(0.1)},
        {"1d2h3m4s5ms", NS(93784) + 5000000},
    };
    static const char *const bad[] = {"",     "5",       "1.5h", "30s5m", "-5m",   " 5m", "5us",
                                      "1m1m", "1minute", "m",    "5m3",   "0m0s0", "300y"};
    int64_t ns;
    for (size_t i = 0; i < N(good); i++)
        if (duration_parse_prom(sv_of(good[i].text), &ns, NULL) < 0 || ns != good[i].ns)
            fail_msg("'%s' is %lld", good[i].text, (long long)ns);
    for (size_t i = 0; i < N(bad); i++)
        if (duration_parse_prom(sv_of(bad[i]), &ns, NULL) == 0)
            fail_msg("'%s' was accepted", bad[i]);
}

static void test_go_durations_have_decimals_in_any_order(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"1h2.5m", NS(3750)},
        {"1m1h", NS(3660)},
        {".5s", NS(0.5)},
        {"1.s", NS(1)},
        {"-1h30m", NS(-5400)},
        {"+5ms", 5000000},
        {"100us", 100000},
        {"100\xc2\xb5s", 100000},
        {"100\xce\xbcs", 100000},
        {"7ns", 7},
        {"1s1s", NS(2)},
        {"1.5h", NS(5400)},
        {"-0", 0},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"0.1s", 100000000},
        {"1.0000000001s", NS(1)},
    };
    static const char *const bad[] = {
        "",      "90",   "1d",   "s", ".s", "1x", "1 s", "-", "2562047h47m16.854775808s",
        "1h-5m", "1e3s", "--1s", "1S"};
    int64_t ns;
    struct err err;
    for (size_t i = 0; i < N(good); i++)
        if (duration_parse_go(sv_of(good[i].text), &ns, NULL) < 0 || ns != good[i].ns)
            fail_msg("'%s' is %lld, not %lld", good[i].text, (long long)ns, (long long)good[i].ns);
    for (size_t i = 0; i < N(bad); i++)
        if (duration_parse_go(sv_of(bad[i]), &ns, NULL) == 0)
            fail_msg("'%s' was accepted", bad[i]);
    duration_parse_go(SV("90"), &ns, &err);
    assert_string_equal(err.text, "time: missing unit in duration \"90\"");
    duration_parse_go(SV("1d"), &ns, &err);
    assert_string_equal(err.text, "time: unknown unit \"d\" in duration \"1d\"");
    duration_parse_go(SV("x"), &ns, &err);
    assert_string_equal(err.text, "time: invalid duration \"x\"");
}

static void test_durations_print_and_read_back(void **state)
{
    static const struct {
        int64_t ns;
        const char *go, *prom;
    } rows[] = {
        {0, "0s", "0s"},
        {NS(300), "5m0s", "5m"},
        {NS(5400), "1h30m0s", "1h30m"},
        {NS(129600), "36h0m0s", "1d12h"},
        {NS(604800), "168h0m0s", "1w"},
        {NS(31536000), "8760h0m0s", "1y"},
        {1500000, "1.5ms", "1ms"},
        {NS(61.5), "1m1.5s", "1m1s500ms"},
        {7, "7ns", "0s"},
        {1500, "1.5\xc2\xb5s", "0s"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        CLEANUP(buf_deinit) struct buf go = BUF_INIT, prom = BUF_INIT;
        buf_put_duration_go(&go, rows[i].ns);
        buf_put_duration_prom(&prom, rows[i].ns);
        expect_text(SV("go"), buf_view(&go), rows[i].go);
        expect_text(SV("prom"), buf_view(&prom), rows[i].prom);
        int64_t back;
        assert_true(duration_parse_go(buf_view(&go), &back, NULL) == 0 && back == rows[i].ns);
    }
}

static void test_byte_literals_know_their_case(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"5B", 5},
        {"10k", 10000},
        {"10K", 10000},
        {"1kB", 1000},
        {"1KB", 1000},
        {"1Ki", 1024},
        {"1KiB", 1024},
        {"1kiB", 1024},
        {"2M", 2000000},
        {"1MiB", 1 << 20},
        {"1.5GiB", 1610612736},
        {"1G", 1000000000},
        {"1T", 1000000000000},
        {"3PiB", 3377699720527872},
        {"1.5B", 1},
    };
    static const char *const bad[] = {"1EB", "1mb",  "1kb",       "-1KB",   "1 KB",  "1Kib",
                                      "KB",  "1KBB", "99999999P", "1,000B", "1.2.3K"};
    uint64_t v;
    for (size_t i = 0; i < N(good); i++)
        if (!bytesize_parse_literal(sv_of(good[i].text), &v) || v != good[i].bytes)
            fail_msg("'%s' is %llu", good[i].text, (unsigned long long)v);
    for (size_t i = 0; i < N(bad); i++)
        if (bytesize_parse_literal(sv_of(bad[i]), &v))
            fail_msg("'%s' was accepted", bad[i]);
}

static void test_byte_sizes_in_values_do_not(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"5", 5},
        {"5b", 5},
        {"1,024 KiB", 1048576},
        {"1.5kb", 1500},
        {"1 Mi", 1 << 20},
        {"2 EB", 2000000000000000000ULL},
        {"1e", 1000000000000000000ULL},
        {"1.5B", 1},
        {"0", 0},
        {"1eib", 1ULL << 60},
    };
    static const char *const bad[] = {"", "-1KB", "KB", "1 XB", "1KBs", "99EB", "1 k b", "1..2"};
    uint64_t v;
    for (size_t i = 0; i < N(good); i++)
        if (bytesize_parse(sv_of(good[i].text), &v, NULL) < 0 || v != good[i].bytes)
            fail_msg("'%s' is %llu", good[i].text, (unsigned long long)v);
    for (size_t i = 0; i < N(bad); i++)
        if (bytesize_parse(sv_of(bad[i]), &v, NULL) == 0)
            fail_msg("'%s' was accepted", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_follow_gos_grammar),
        cmocka_unit_test(test_prometheus_durations_fall_from_unit_to_unit),
        cmocka_unit_test(test_go_durations_have_decimals_in_any_order),
        cmocka_unit_test(test_durations_print_and_read_back),
        cmocka_unit_test(test_byte_literals_know_their_case),
        cmocka_unit_test(test_byte_sizes_in_values_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
