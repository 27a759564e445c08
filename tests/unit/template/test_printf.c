/* SPDX-License-Identifier: Apache-2.0 */
/* Go's fmt as printf has it, row by row; tests/tools/template_diff.py compares with Go itself. */
#include "template_run.h"

struct row {
    const char *call, *want;
};

static void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[300];
        snprintf(text, sizeof text, "{{printf %s}}", rows[i].call);
        expect(text, rows[i].want);
    }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_v_and_T_know_every_kind(void **state)
{
    static const struct row ROWS[] = {
        {"`%v %v %v %v` `a` 7 1.5 true", "a 7 1.5 true"},
        {"`%v` nil", "<nil>"},
        {"`%v` (fromJson `{\"b\":[1,null],\"a\":\"x\"}`)", "map[a:x b:[1 <nil>]]"},
        {"`%v` __timestamp__.UTC", "2023-11-14 22:13:20.123456789 +0000 UTC"},
        {"`%v` __timestamp__.UTC.Month", "November"},
        {"`%+v` 7", "7"},
        {"`%#v %#v %#v %#v` `a\\b` 7 1.5 true", "\"a\\\\b\" 7 1.5 true"},
        {"`%#v` (fromJson `{\"b\":[1,null],\"a\":\"x\"}`)",
         "map[string]interface {}{\"a\":\"x\", \"b\":[]interface {}{1, interface {}(nil)}}"},
        {"`%#v` __timestamp__.UTC",
         "time.Date(2023, time.November, 14, 22, 13, 20, 123456789, time.UTC)"},
        {"`%#v` __timestamp__.UTC.Month", "11"},
        {"`%#v` (index .app 0)", "0x61"},
        {"`%T %T %T %T %T` `a` 7 (add 1) 1.5 true", "string int int64 float64 bool"},
        {"`%T %T` nil (index .app 0)", "<nil> uint8"},
        {"`%T %T` (fromJson `[]`) (fromJson `{}`)", "[]interface {} map[string]interface {}"},
        {"`%T %T %T` . __timestamp__ __timestamp__.Weekday",
         "map[string]string time.Time time.Weekday"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_texts_take_s_q_x_and_X(void **state)
{
    static const struct row ROWS[] = {
        {"`%s|%6s|%-6s|%06s` .app .app .app .app", "api|   api|api   |000api"},
        {"`%.2s|%5.1s|%.0s|` .app .app .app", "ap|    a||"},
        {"`%.2s|%4s|` .uni `\xc3\xa9`", "h\xc3\xa9|   \xc3\xa9|"},
        {"`%q %+q %#q` .uni .uni `a b`", "\"h\xc3\xa9llo\" \"h\\u00e9llo\" `a b`"},
        {"\"%#q\" \"a`b\"", "\"a`b\""},
        {"`%x %X % x %#x %# X` `hi` `jk` `hi` `hi` `jk`", "6869 6A6B 68 69 0x6869 0X6A 0X6B"},
        {"`%.1x|%6x|%x|` `hi` `hi` ``", "68|  6869||"},
        {"`%x %q` __timestamp__.UTC.Month __timestamp__.UTC.Weekday",
         "4e6f76656d626572 \"Tuesday\""},
    };
    EXPECT_ROWS(ROWS);
}

static void test_whole_numbers_take_every_base(void **state)
{
    static const struct row ROWS[] = {
        {"`%d %b %o %O %x %X` 42 5 8 8 255 255", "42 101 10 0o10 ff FF"},
        {"`%#b %#o %#x %#X` 5 8 255 255", "0b101 010 0xff 0XFF"},
        {"`%+d % d %d % x` 42 42 -42 255", "+42  42 -42  ff"},
        {"`%6d|%-6d|%06d|%+06d|%06d` 42 42 42 42 -42", "    42|42    |000042|+00042|-00042"},
        {"`%.4d|%8.4d|%-8.4d|%08.4d` 42 42 42 42", "0042|    0042|0042    |    0042"},
        {"`%.0d|%5.0d|%.0d` 0 0 1", "|     |1"},
        {"`%c %c %c %c` 'A' 233 128512 -1", "A \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd"},
        {"`%q %q %q %+q` 'A' 10 39 233", "'A' '\\n' '\\'' '\\u00e9'"},
        {"`%U %#U %#U %U %.6U` 65 65 10 128512 65", "U+0041 U+0041 'A' U+000A U+1F600 U+000041"},
        {"`%x %d` -9223372036854775808 -9223372036854775808",
         "-8000000000000000 -9223372036854775808"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_floats_take_every_form(void **state)
{
    static const struct row ROWS[] = {
        {"`%f %F %e %E %g %G` 1234.5 1234.5 1234.5 1234.5 1e21 1e21",
         "1234.500000 1234.500000 1.234500e+03 1.234500E+03 1e+21 1E+21"},
        {"`%.2f|%8.3f|%-8.1f|%08.2f|%+.1f|% .1f` 3.14159 3.14159 3.14159 -3.14159 2.5 2.5",
         "3.14|   3.142|3.1     |-0003.14|+2.5| 2.5"},
        {"`%.0f|%.0e|%.3g|%.10g` 2.5 2.5 1234.5 1234.5", "2|2e+00|1.23e+03|1234.5"},
        {"`%#g|%#.0f|%#v|%#.3g` 1.5 2.0 1.5 100.0", "1.50000|2.|1.5|100."},
        {"`%x %X %x %.1x %x` 1.5 1.5 0.0 1.99 5e-324",
         "0x1.8p+00 0X1.8P+00 0x0p+00 0x1.0p+01 0x1p-1074"},
        {"`%b %b` 1.0 0.0", "4503599627370496p-52 0p-1074"},
        {"`%v %f %05d` (float64 `NaN`) (float64 `-Inf`) 3", "NaN -Inf 00003"},
        {"`%6.1f|%06f|%+f|% f` (float64 `Inf`) (float64 `Inf`) (float64 `NaN`) (float64 `NaN`)",
         "  +Inf|  +Inf|+NaN| NaN"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_booleans_nil_lists_and_maps_take_flags(void **state)
{
    static const struct row ROWS[] = {
        {"`%t|%6t|%-6t|%v` true false true false", "true| false|true  |false"},
        {"`%8v|%-8v|` nil nil", "   <nil>|<nil>   |"},
        {"`%d %s` (fromJson `[1,\"a\"]`) (fromJson `[\"a\",\"b\"]`)",
         "[%!d(float64=1) %!d(string=a)] [a b]"},
        {"`%q %5.1f` (fromJson `{\"k\":\"v\"}`) (fromJson `[1,2.25]`)",
         "map[\"k\":\"v\"] [  1.0   2.2]"},
        {"`%s` (fromJson `[null]`)", "[<nil>]"},
        {"`%p|%#p` (fromJson `[]`) (fromJson `{}`)", "0x10000|10000"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_stars_and_indexes_choose_operands(void **state)
{
    static const struct row ROWS[] = {
        {"`%*d|%-*d|%*d|` 5 42 5 42 -5 42", "   42|42   |42   |"},
        {"`%.*f|%*.*f` 2 3.14159 8 1 2.25", "3.14|     2.2"},
        {"`%[2]d %[1]d` 1 2", "2 1"},
        {"`%[3]*.[2]*[1]f` 12.0 2 6", " 12.00"},
        {"`%[1]d %[1]x %[1]q` 65", "65 41 'A'"},
        {"`%[2]*[1]d|` 2 5", "    2|"},
        {"`%d %[1]d %d` 1 2", "1 1 2"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_what_does_not_fit_prints_in_place(void **state)
{
    static const struct row ROWS[] = {
        {"`%d %t %s %f` `a` 1 2.5 true",
         "%!d(string=a) %!t(int=1) %!s(float64=2.5) %!f(bool=true)"},
        {"`%d %z %!` nil 1 2", "%!d(<nil>) %!z(int=1) %!!(int=2)"},
        {"`%p %w` 1 `x`", "%!p(int=1) %!w(string=x)"},
        {"`%w` (fromJson `[1]`)", "%!w([]interface {}=[1])"},
        {"`%t` __timestamp__.UTC.Month", "%!t(time.Month=11)"},
        {"`%s %d`", "%!s(MISSING) %!d(MISSING)"},
        {"`x` 1 `a` nil", "x%!(EXTRA int=1, string=a, <nil>)"},
        {"`%[5]d %[0]d %[x]d` 1", "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX)"},
        {"`%[1]2d %[1].2d %[d` 1", "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX)"},
        {"`%*d %.*d` `w` 1 `p` 2", "%!(BADWIDTH)1 %!(BADPREC)2"},
        {"`%*d %.*d` 9999999 1 -1 2", "%!(BADWIDTH)1 %!(BADPREC)2"},
        {"`%` 1", "%!(NOVERB)%!(EXTRA int=1)"},
        {"`%5` 1", "%!(NOVERB)%!(EXTRA int=1)"},
        {"`%999999999d` 1", "%!(NOVERB)%!(EXTRA int=1)"},
        {"`100%%|%5%`", "100%|%"},
        {"`%\xc3\xa9` 1", "%!\xc3\xa9(int=1)"},
    };
    EXPECT_ROWS(ROWS);
    expect_failure("{{printf 1}}", "wrong type for value; expected string; got int");
    expect_failure("{{printf}}", "wrong number of args for printf: want at least 1 got 0");
    expect("{{1.5 | printf `%s %.1f` .app}}", "api 1.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v_and_T_know_every_kind),
        cmocka_unit_test(test_texts_take_s_q_x_and_X),
        cmocka_unit_test(test_whole_numbers_take_every_base),
        cmocka_unit_test(test_floats_take_every_form),
        cmocka_unit_test(test_booleans_nil_lists_and_maps_take_flags),
        cmocka_unit_test(test_stars_and_indexes_choose_operands),
        cmocka_unit_test(test_what_does_not_fit_prints_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
