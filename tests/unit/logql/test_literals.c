/* SPDX-License-Identifier: Apache-2.0 */
/* Words, strings, numbers, durations, sizes and selectors of a query (LogQL facts 1.2 to 1.8), row
 * by row: what parses, told by its canonical form, and what does not, told by its error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "logql/parse.h"
#include "logql/print.h"

/* A want that begins with "!" is a part of the error's text. */
struct row {
    const char *query, *want;
};

static void expect_row(const char *query, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *e;
    int r = logql_parse(&a, sv_of(query), &e, &err);
    if (want[0] == '!') {
        if (r == 0)
            fail_msg("%s was accepted", query);
        if (!strstr(err.text, want + 1))
            fail_msg("%s\n  says '%s'\n  want '%s'", query, err.text, want + 1);
        return;
    }
    if (r < 0)
        fail_msg("%s: %s", query, err.text);
    logql_print(&text, e);
    if (!sv_eq(buf_view(&text), sv_of(want)))
        fail_msg("%s\n  is   '%.*s'\n  want '%s'", query, SV_ARG(buf_view(&text)), want);
}

/* Each row's text stands for %s in `frame`, which begins what is wanted too. */
static void expect_rows(const char *frame, const char *wanted_frame, const struct row *rows,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char query[300], want[300];
        snprintf(query, sizeof query, frame, rows[i].query);
        snprintf(want, sizeof want, rows[i].want[0] == '!' ? "%s" : wanted_frame, rows[i].want);
        expect_row(query, want);
    }
}
#define EXPECT_ROWS(frame, wanted_frame, rows)                                                     \
    expect_rows(frame, wanted_frame, rows, sizeof(rows) / sizeof *(rows))

static void test_strings(void **state)
{
    static const struct row ROWS[] = {
        {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\""},
        {"\"\\101\\x41\\u0041\\U00000041\"", "\"AAAA\""},
        {"\"\\u00e9\\U0001F600\"", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\"\\xff\"", "\"\\xff\""}, /* a byte that is no character */
        {"\"#x // y\"", "\"#x // y\""},
        {"\"it's\"", "\"it's\""},
        {"\"\"", "\"\""},
        {"`a\\nb\"c`", "\"a\\\\nb\\\"c\""},
        {"`a\nb`", "\"a\\nb\""},
        {"``", "\"\""},
        {"\"\\'\"", "!invalid char escape"},
        {"\"\\d\"", "!invalid char escape"},
        {"\"\\.\"", "!invalid char escape"},
        {"\"\\8\"", "!invalid char escape"},
        {"\"\\x4\"", "!invalid char escape"},
        {"\"\\u004\"", "!invalid char escape"},
        {"\"a\nb\"", "!literal not terminated"},
        {"\"a", "!literal not terminated"},
        {"`a", "!literal not terminated"},
        {"`a`b`", "!unexpected IDENTIFIER"},
        {"'a'", "!"},
    };
    EXPECT_ROWS("{a=\"b\"} |= %s", "{a=\"b\"} |= %s", ROWS);
}

static void test_identifiers_and_the_case_of_words(void **state)
{
    static const struct row ROWS[] = {
        {"_a1", "_a1"},
        {"\xc3\xa4\xd9\xa1", "\xc3\xa4\xd9\xa1"}, /* a letter and a digit beyond ASCII */
        {"1a", "!unexpected"},
        {"a.b", "!unexpected ."},
        {"a-b", "!unexpected -"},
        {"a:b", "!unexpected"},
        {"\"a\"", "!unexpected STRING"},
    };
    EXPECT_ROWS("{%s=\"x\"}", "{%s=\"x\"}", ROWS);
    expect_row("SUM BY (Lvl) (RATE({a=\"b\"} | Json | LINE_FORMAT `x` [1M]))", "!unknown unit");
    expect_row("SUM BY (Lvl) (RATE({a=\"b\"} | Json | LINE_FORMAT `x` [1m]))",
               "sum by (Lvl)(rate({a=\"b\"} | json | line_format \"x\"[1m]))");
    expect_row("{a=\"b\"} | LOGFMT --strict", "{a=\"b\"} | logfmt --strict");
    expect_row("{a=\"b\"} | logfmt --STRICT", "!unexpected");
    expect_row("{a=\"b\"} | d > 5S", "!unexpected");
}

static void test_reserved_words_are_no_names_anywhere(void **state)
{
    static const char *const WORDS[] = {
        "by",         "without",     "bool",   "on",      "ignoring", "group_left",
        "or",         "group_right", "offset", "unwrap",  "and",      "unless",
        "json",       "logfmt",      "regexp", "pattern", "unpack",   "label_format",
        "decolorize", "line_format", "drop",   "keep",    "OR",       "Unless"};
    static const char *const PLACES[] = {
        "{%s=\"x\"}",
        "{a=\"b\"} | %s=\"x\"",
        "{a=\"b\"} | %s > 5",
        "{a=\"b\"} | drop %s",
        "{a=\"b\"} | keep %s",
        "{a=\"b\"} | label_format %s=x",
        "{a=\"b\"} | label_format x=%s",
        "rate({a=\"b\"} | unwrap %s [1m])",
        "sum by (%s) (vector(1))",
        "vector(1) + on (%s) vector(1)",
        "vector(1) + on () group_left (%s) vector(1)",
    };
    for (size_t w = 0; w < sizeof WORDS / sizeof *WORDS; w++)
        for (size_t p = 0; p < sizeof PLACES / sizeof *PLACES; p++) {
            char query[200];
            snprintf(query, sizeof query, PLACES[p], WORDS[w]);
            expect_row(query, "!parse error");
        }
}

/* Unless a parenthesis follows, or by or without and one. */
static void test_function_words_are_names_unless_called(void **state)
{
    static const char *const WORDS[] = {"rate",
                                        "rate_counter",
                                        "count_over_time",
                                        "bytes_rate",
                                        "avg_over_time",
                                        "bytes_over_time",
                                        "sum_over_time",
                                        "min_over_time",
                                        "max_over_time",
                                        "stddev_over_time",
                                        "stdvar_over_time",
                                        "quantile_over_time",
                                        "last_over_time",
                                        "first_over_time",
                                        "absent_over_time",
                                        "sum",
                                        "avg",
                                        "min",
                                        "max",
                                        "count",
                                        "stddev",
                                        "stdvar",
                                        "topk",
                                        "bottomk",
                                        "approx_topk",
                                        "sort",
                                        "sort_desc",
                                        "vector",
                                        "label_replace",
                                        "bytes",
                                        "duration",
                                        "duration_seconds",
                                        "ip",
                                        "variants",
                                        "of"};
    static const char *const PLACES[] = {
        "{%s=\"x\"}",
        "{a=\"b\"} | %s=\"x\"",
        "{a=\"b\"} | drop %s",
        "{a=\"b\"} | keep %s",
        "{a=\"b\"} | json %s=\"x\"",
        "sum by (%s)(vector(1))",
        "rate({a=\"b\"} | unwrap %s[1m])",
        "(vector(1) + on (%s) vector(1))",
    };
    for (size_t w = 0; w < sizeof WORDS / sizeof *WORDS; w++)
        for (size_t p = 0; p < sizeof PLACES / sizeof *PLACES; p++) {
            char query[200];
            snprintf(query, sizeof query, PLACES[p], WORDS[w]);
            expect_row(query, query);
        }
    expect_row("{a=\"b\"} | duration > 5s", "{a=\"b\"} | duration>5s");
    expect_row("sum \t(\nvector (1))", "sum(vector(1))");
    expect_row("sum by(count)(vector(1))", "sum by (count)(vector(1))");
    expect_row("rate({a=\"b\"} | unwrap bytes(n) [1m])", "rate({a=\"b\"} | unwrap bytes(n)[1m])");
    expect_row("variants(rate({a=\"b\"}[1m])) of ({a=\"b\"}[1m])", "!parse error");
}

static void test_operators_are_taken_as_long_as_they_go(void **state)
{
    static const struct row ROWS[] = {
        {"|=`x`!=`y`|~`z`!~`w`", " |= \"x\" != \"y\" |~ \"z\" !~ \"w\""},
        {"|>`<_>x`!>`y`", " |> \"<_>x\" !> \"y\""},
        {"|a>=1|b<=2|c>3|d<4|e==5|f!=6|g=7", " | a>=1 | b<=2 | c>3 | d<4 | e==5 | f!=6 | g==7"},
        {"|a=~`x`|b!~`y`", " | a=~\"x\" | b!~\"y\""},
        {"| = `x`", "!unexpected ="},
        {"|a> =1", "!unexpected ="},
        {"|a! =1", "!unexpected"},
        {".", "!unexpected ."},
    };
    EXPECT_ROWS("{a=\"b\"}%s", "{a=\"b\"}%s", ROWS);
    expect_row("vector(1)+vector(2)-vector(3)*vector(4)/vector(5)%vector(6)^vector(7)",
               "((vector(1) + vector(2)) - (((vector(3) * vector(4)) / vector(5)) % (vector(6) ^ "
               "vector(7))))");
}

static void test_numbers(void **state)
{
    static const struct row ROWS[] = {
        {"5", "5"},
        {"5.", "5"},
        {".5", "0.5"},
        {"1e3", "1000"},
        {"1E-3", "0.001"},
        {"1_000", "1000"},
        {"010", "10"},
        {"010.5", "10.5"},
        {"0x1p-2", "0.25"},
        {"0X1P4", "16"},
        {"-5", "-5"},
        {"- 5", "-5"},
        {"+5", "5"},
        {"-2^2", "4"},
        {"2^3^2", "512"},
        {"08", "!invalid digit '8' in octal literal"},
        {"09", "!invalid digit '9' in octal literal"},
        {"1__0", "!"},
        {"1_", "!"},
        {"0b1", "!"},
        {"0x10", "!unable to parse literal as a float: strconv.ParseFloat: parsing \"0x10\": "
                 "invalid syntax"},
        {"0o17", "!unable to parse literal as a float: strconv.ParseFloat: parsing \"0o17\": "
                 "invalid syntax"},
        {"1e999", "!unable to parse literal as a float: strconv.ParseFloat: parsing \"1e999\": "
                  "value out of range"},
        {"Inf", "!unexpected IDENTIFIER"},
        {"NaN", "!unexpected IDENTIFIER"},
    };
    EXPECT_ROWS("%s", "%s", ROWS);
}

static void test_ranges(void **state)
{
    static const struct row ROWS[] = {
        {"1h30m", "1h30m"},
        {"1d12h", "1d12h"},
        {"0s", "0s"},
        {"0", "0s"},
        {"1y", "1y"},
        {"2w", "2w"},
        {"1y2w3d4h5m6s7ms", "382d4h5m6s7ms"},
        {"90s", "1m30s"},
        {"5", "!not a valid duration string"},
        {"1.5h", "!"},
        {"30s5m", "!not a valid duration string"},
        {"1m1m", "!not a valid duration string"},
        {"-5m", "!"},
        {" 5m", "!"},
        {"5m ", "!"},
        {"5us", "!"},
        {"5ns", "!"},
        {"", "!"},
    };
    EXPECT_ROWS("rate({a=\"b\"}[%s])", "rate({a=\"b\"}[%s])", ROWS);
}

static void test_duration_literals(void **state)
{
    static const struct row ROWS[] = {
        {"1h2.5m", "1h2m30s"},
        {"1.5h", "1h30m0s"},
        {"1m1h", "1h1m0s"},
        {"1s1s", "2s"},
        {"100us", "100\xc2\xb5s"},
        {"100\xc2\xb5s", "100\xc2\xb5s"},
        {"7ns", "7ns"},
        {"1d2h", "26h0m0s"},
        {".5s", "500ms"},
        {"1y", "8760h0m0s"},
        {"1w", "168h0m0s"},
        {"-5m", "-5m0s"},
        {"-1h30m", "-1h30m0s"},
        {"1.5d", "!"},
        {"2h1d", "!"},
        {"1e3s", "!"},
        {"-1d", "!"},
        {"- 5m", "!"},
        {"+5m", "!"},
    };
    EXPECT_ROWS("{a=\"b\"} | d>%s", "{a=\"b\"} | d>%s", ROWS);
    EXPECT_ROWS("rate({a=\"b\"}[1m] offset %s)", "rate({a=\"b\"}[1m] offset %s)", ROWS);
}

static void test_byte_literals(void **state)
{
    static const struct {
        const char *units[5];
        uint64_t bytes;
    } UNITS[] = {
        {{"B"}, 1},
        {{"k", "K", "kB", "KB"}, 1000},
        {{"Ki", "KiB", "kiB"}, 1024},
        {{"M", "MB"}, 1000000},
        {{"Mi", "MiB"}, 1 << 20},
        {{"G", "GB"}, 1000000000},
        {{"Gi", "GiB"}, 1 << 30},
        {{"T", "TB"}, 1000000000000},
        {{"Ti", "TiB"}, 1ull << 40},
        {{"P", "PB"}, 1000000000000000},
        {{"Pi", "PiB"}, 1ull << 50},
    };
    static const struct row BAD[] = {
        {"1EB", "!"},  {"1E", "!"},    {"1EiB", "!"},  {"1b", "!"},         {"1kb", "!"},
        {"1mb", "!"},  {"-1KB", "!"},  {"+1KB", "!"},  {"1KB2MB", "!"},     {"1KBB", "!"},
        {"1 KB", "!"}, {"1,0KB", "!"}, {"1m5KB", "!"}, {"99999999PB", "!"}, {"1.2.3KB", "!"},
    };
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        for (size_t k = 0; UNITS[i].units[k]; k++) {
            CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
            struct err err = ERR_INIT;
            const struct logql_expr *e, *plain;
            const char *unit = UNITS[i].units[k];
            struct str_view query = arena_printf(&a, "{a=\"b\"} | n>=2%s", unit);
            struct str_view same = arena_printf(&a, "{a=\"b\"} | n>=%lluB", 2ull * UNITS[i].bytes);
            if (logql_parse(&a, query, &e, &err) < 0 || logql_parse(&a, same, &plain, &err) < 0)
                fail_msg("2%s: %s", unit, err.text);
            if (!logql_equal(e, plain))
                fail_msg("2%s is not %llu bytes", unit, 2ull * UNITS[i].bytes);
        }
    EXPECT_ROWS("{a=\"b\"} | n>%s", "%s", BAD);
    expect_row("{a=\"b\"} | n > 0B", "{a=\"b\"} | n>0B");
    expect_row("{a=\"b\"} | n > 1.5GiB", "{a=\"b\"} | n>1.5GiB");
}

static void test_selectors(void **state)
{
    static const struct row ROWS[] = {
        {"{a=\"x\"}", "{a=\"x\"}"},
        {"{a=~\".+\"}", "{a=~\".+\"}"},
        {"{a!=\"\"}", "{a!=\"\"}"},
        {"{a!~\".*\"}", "{a!~\".*\"}"},
        {"{a=~\".*\",b=\"y\"}", "{a=~\".*\", b=\"y\"}"},
        {"{a=\"x\",a!=\"y\",a=~\"z.*\"}", "{a=\"x\", a!=\"y\", a=~\"z.*\"}"},
        {"{}", "!queries require at least one regexp or equality matcher"},
        {"{a=\"\"}", "!queries require at least one regexp or equality matcher"},
        {"{a!=\"x\"}", "!queries require at least one regexp or equality matcher"},
        {"{a=~\".*\"}", "!queries require at least one regexp or equality matcher"},
        {"{a=~\"x|\"}", "!queries require at least one regexp or equality matcher"},
        {"{a=~\"x?\"}", "!queries require at least one regexp or equality matcher"},
        {"{a=~\"(?i)x*\"}", "!queries require at least one regexp or equality matcher"},
        {"{a!~\"x\"}", "!queries require at least one regexp or equality matcher"},
        {"{a!~\".+\"}", "!queries require at least one regexp or equality matcher"},
        {"{a=\"x\",}", "!unexpected }"},
        {"{,a=\"x\"}", "!unexpected ,"},
        {"{a=\"x\" b=\"y\"}", "!unexpected IDENTIFIER"},
        {"{a=~\"(\"}", "!error parsing regexp: missing closing ): `(`"},
        {"{a=~\"a(?=b)\"}", "!error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
        {"{a=~\"(a)\\\\1\"}", "!error parsing regexp: invalid escape sequence: `\\1`"},
    };
    EXPECT_ROWS("%s", "%s", ROWS);
    expect_row("rate({a=\"x\"}[1m]) / rate({b=~\"y*\"}[1m])",
               "!queries require at least one regexp or equality matcher");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_identifiers_and_the_case_of_words),
        cmocka_unit_test(test_reserved_words_are_no_names_anywhere),
        cmocka_unit_test(test_function_words_are_names_unless_called),
        cmocka_unit_test(test_operators_are_taken_as_long_as_they_go),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_duration_literals),
        cmocka_unit_test(test_byte_literals),
        cmocka_unit_test(test_selectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
