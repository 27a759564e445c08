/* SPDX-License-Identifier: Apache-2.0 */
/* The function table of the template language (LogQL facts 3.11), row by row; each row also with
 * its last argument piped and with arguments that are no good.  tests/tools/template_diff.py asks
 * Go for the same functions with random arguments. */
#include "template_run.h"

struct row {
    const char *call, *want; /* a want that begins with "!" is a part of the error's text */
};

static void expect_rows(const struct row *rows, size_t n)
{
    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < n; i++) {
        char text[300];
        snprintf(text, sizeof text, "{{%s}}", rows[i].call);
        if (rows[i].want[0] == '!')
            expect_failure(text, rows[i].want + 1);
        else
            expect(text, rows[i].want);
    }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_logic_and_comparison(void **state)
{
    static const struct row ROWS[] = {
        {"and .app .level", "warn"},
        {"and .nosuch (div 1 0)", ""},
        {"or .nosuch .app", "api"},
        {"or .app (div 1 0)", "api"},
        {"and 0 1", "0"},
        {"or 0 `` nil .n", "42"},
        {".n | and .app", "42"},
        {"and", "!wrong number of args for and: want at least 1 got 0"},
        {"or", "!wrong number of args for or: want at least 1 got 0"},
        {"not .nosuch", "true"},
        {"not .app", "false"},
        {"not 0", "true"},
        {"not 1 2", "!wrong number of args for not: want 1 got 2"},
        {"eq .app `x` `api`", "true"},
        {"eq .app `x` `y`", "false"},
        {"`api` | eq .app", "true"},
        {"eq 1 1.0", "!incompatible types for comparison"},
        {"eq .n 42", "!incompatible types for comparison"},
        {"eq true true", "true"},
        {"eq .app", "!missing argument for comparison"},
        {"eq (fromJson `[]`) 1", "!non-comparable type"},
        {"ne .app `x`", "true"},
        {"ne 1 1", "false"},
        {"ne 1", "!wrong number of args for ne: want 2 got 1"},
        {"lt 1 2", "true"},
        {"lt .n 10", "!incompatible types for comparison"},
        {"lt (int .n) 100", "true"},
        {"lt 1.5 2.5", "true"},
        {"lt true false", "!invalid type for comparison"},
        {"le 2 2", "true"},
        {"le `b` `a`", "false"},
        {"gt `b` `a`", "true"},
        {"gt `Z` `a`", "false"},
        {"ge 2 3", "false"},
        {"3 | ge 3", "true"},
        {"gt 1 2 3", "!wrong number of args for gt: want 2 got 3"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_len_index_and_slice(void **state)
{
    static const struct row ROWS[] = {
        {"len .uni", "6"},
        {"len (fromJson `[1,2]`)", "2"},
        {"len (fromJson .json)", "3"},
        {"len 3", "!len of type int"},
        {"len nil", "!len of nil pointer"},
        {"index .path 1", "99"},
        {"index .path 99", "!index out of range: 99"},
        {"index .path -1", "!index out of range: -1"},
        {"index .path `a`", "!cannot index slice/array with type string"},
        {"index (fromJson .json) `a` `b` 1", "2.5"},
        {"index (fromJson .json) `zz`", "<no value>"},
        {"index (fromJson .json) 1", "!value has type int; should be string"},
        {"index 5 0", "!can't index item of type int"},
        {"index nil 0", "!index of untyped nil"},
        {"1 | index .path", "99"},
        {"slice .path 1 5", "cart"},
        {"slice .path 6", "items"},
        {"slice .path", "/cart/items"},
        {"slice .path 5 1", "!invalid slice index: 5 > 1"},
        {"slice .path 0 99", "!index out of range: 99"},
        {"slice .path 0 1 2", "!cannot 3-index slice a string"},
        {"slice (fromJson `[1,2,3]`) 1", "[2 3]"},
        {"slice 5 0", "!can't slice item of type int"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_printing_and_builtin_escapes(void **state)
{
    static const struct row ROWS[] = {
        {"print 1 2 `a` 3 4", "1 2a3 4"},
        {"print `a` `b` 1.5 true nil", "ab1.5 true <nil>"},
        {"print", ""},
        {"println .app 1 `x`", "api 1 x\n"},
        {"printf `%s` .app", "api"},
        {"html `<a&'\">`", "&lt;a&amp;&#39;&#34;&gt;"},
        {"html 1 2", "1 2"},
        {"js `a'\"<>&=\\`", "a\\'\\\"\\u003C\\u003E\\u0026\\u003D\\\\"},
        {"js \"\\n\\u202e\\u00e9\"", "\\u000A\\u202E\xc3\xa9"},
        {"urlquery `a b` `&c/\xc3\xa9`", "a+b%26c%2F%C3%A9"},
        {"urlquery 1 nil", "1%3Cno+value%3E"},
        {"call .app", "!error calling call: non-function"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_case_and_trimming(void **state)
{
    static const struct row ROWS[] = {
        {"lower `\xc3\x89TA`", "\xc3\xa9ta"},
        {"upper .uni", "H\xc3\x89LLO"},
        {"title `hello wORLD-x y_z`", "Hello WORLD-X Y_z"},
        {"ToLower `ABC`", "abc"},
        {"ToUpper `abc`", "ABC"},
        {".app | upper", "API"},
        {"lower 1", "!wrong type for value; expected string; got int"},
        {"lower", "!wrong number of args for lower: want 1 got 0"},
        {"title `a` `b`", "!wrong number of args for title: want 1 got 2"},
        {"trim \" \\t\xc2\xa0x y\\n\"", "x y"},
        {"TrimSpace `  x  `", "x"},
        {"trimAll `/s` .path", "cart/item"},
        {"`/a/` | trimAll `/`", "a"},
        {"Trim `/a/` `/`", "a"},
        {"TrimLeft `xxax` `x`", "ax"},
        {"TrimRight `xaxx` `x`", "xa"},
        {"`x` | TrimRight `xaxx`", "xa"},
        {"trimPrefix `/` .path", "cart/items"},
        {"trimPrefix `x` .path", "/cart/items"},
        {".path | trimSuffix `s`", "/cart/item"},
        {"TrimPrefix .path `/`", "cart/items"},
        {"TrimSuffix .path `s`", "/cart/item"},
        {"trimAll `x`", "!wrong number of args for trimAll: want 2 got 1"},
        {"trimPrefix 1 .path", "!wrong type for value; expected string; got int"},
        {"TrimSuffix .path nil", "!invalid value; expected string"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_replacing_cutting_and_padding(void **state)
{
    static const struct row ROWS[] = {
        {"replace `/` `-` .path", "-cart-items"},
        {"replace `` `-` `ab`", "-a-b-"},
        {".path | replace `/` ``", "cartitems"},
        {"Replace .path `/` `-` 1", "-cart/items"},
        {"Replace .path `/` `-` -1", "-cart-items"},
        {"Replace .path `/` `-` 0", "/cart/items"},
        {"Replace .path `/` `-`", "!wrong number of args for Replace: want 4 got 3"},
        {"Replace .path `/` `-` `1`", "!wrong type for value; expected int; got string"},
        {"trunc 3 .uni", "h\xc3\xa9"},
        {"trunc 2 .uni", "h\xc3"},
        {"trunc 0 .app", ""},
        {"trunc -3 .path", "ems"},
        {"trunc -99 .path", "/cart/items"},
        {"trunc 99 .path", "/cart/items"},
        {"trunc `3` .path", "!wrong type for value; expected int; got string"},
        {"trunc 2.5 .path", "!expected int"},
        {"substr 1 5 .path", "cart"},
        {"substr -1 5 .path", "/cart"},
        {"substr 6 -1 .path", "items"},
        {"substr 6 99 .path", "items"},
        {"substr 99 -1 .app", "!slice bounds out of range"},
        {"substr 3 1 .path", "!slice bounds out of range"},
        {"substr -1 99 .app", "!slice bounds out of range"},
        {"repeat 3 .app", "apiapiapi"},
        {"repeat 0 .app", ""},
        {"repeat -1 .app", "!negative Repeat count"},
        {".app | repeat 2", "apiapi"},
        {"indent 2 \"a\\nb\"", "  a\n  b"},
        {"nindent 1 \"a\\nb\"", "\n a\n b"},
        {"indent -1 .app", "!negative Repeat count"},
        {"alignLeft 5 .uni", "h\xc3\xa9llo"},
        {"alignLeft 7 .uni", "h\xc3\xa9llo  "},
        {"alignLeft 2 .uni", "h\xc3\xa9"},
        {"alignRight 7 .uni", "  h\xc3\xa9llo"},
        {"alignRight 4 .uni", "\xc3\xa9llo"},
        {"alignLeft -1 .uni", "h\xc3\xa9llo"},
        {"alignRight -1 .uni", "h\xc3\xa9llo"},
        {"print (alignLeft 0 .uni) `|` (alignRight 0 .uni)", "|"},
        {"alignLeft .uni 2", "!wrong type for value; expected int; got string"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_tests_and_regular_expressions(void **state)
{
    static const struct row ROWS[] = {
        {"contains `art` .path", "true"},
        {"contains .path `art`", "false"},
        {"hasPrefix `/c` .path", "true"},
        {"hasSuffix `/c` .path", "false"},
        {".path | hasSuffix `items`", "true"},
        {"contains `a`", "!wrong number of args for contains: want 2 got 1"},
        {"count `[aeiou]` .path", "3"},
        {"count `aa` `aaaa`", "2"},
        {"count `` `ab`", "3"},
        {"count `(` .path", "!error parsing regexp: missing closing )"},
        {"regexReplaceAll `(/)(.)` .path `${2}$1`", "c/arti/tems"},
        {"regexReplaceAll `(c)` .path `$1x`", "/art/items"},
        {"regexReplaceAll `(?P<k>c)` .path `${k}$$`", "/c$art/items"},
        {"`<$0>` | regexReplaceAll `t` .path", "/car<t>/i<t>ems"},
        {"regexReplaceAllLiteral `t` .path `$1`", "/car$1/i$1ems"},
        {"regexReplaceAll `t` .path", "!wrong number of args for regexReplaceAll: want 3 got 2"},
        {"regexReplaceAllLiteral `[` .path `x`", "!error parsing regexp"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_encodings_and_values_from_text(void **state)
{
    static const struct row ROWS[] = {
        {"urlencode `a b/\xc3\xa9~`", "a+b%2F%C3%A9~"},
        {"urldecode `a+b%2F`", "a b/"},
        {"urldecode `%zz`", "!invalid URL escape"},
        {"urldecode `%2`", "!invalid URL escape"},
        {"b64enc `hello`", "aGVsbG8="},
        {"b64dec `aGVsbG8=`", "hello"},
        {"b64dec `aGVsbG8`", "hello"},
        {"b64dec `!!`", "illegal base64 data at input byte 0"},
        {"`aGk=` | b64dec", "hi"},
        {"bytes .size", "1536"},
        {"bytes `2 MB`", "2e+06"},
        {"bytes `1,5k`", "15000"},
        {"bytes `x`", "!error calling bytes: "},
        {"bytes 5", "!wrong type for value; expected string; got int"},
        {"duration .took", "61.5"},
        {"duration_seconds `250ms`", "0.25"},
        {"duration `-1h`", "-3600"},
        {"duration `5`", "!missing unit in duration"},
        {"duration `1d`", "!unknown unit"},
        {"default `none` .nosuch", "none"},
        {"default `none` .level", "warn"},
        {"default 5 0", "5"},
        {"default 5 nil", "5"},
        {"default 5 false", "5"},
        {".nosuch | default `x`", "x"},
        {"default", "!wrong number of args for default: want at least 1 got 0"},
        {"fromJson .json", "map[a:map[b:[1 2.5 x]] n:1e+06 t:true]"},
        {"(fromJson .json).a.b", "[1 2.5 x]"},
        {"fromJson `{\"a\":1`", "<no value>"},
        {"fromJson `3`", "3"},
        {"(fromJson .json).n.x", "!can't evaluate field x in type float64"},
        {"fromJson 3", "!wrong type for value; expected string; got int"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_conversions(void **state)
{
    static const struct row ROWS[] = {
        {"int `010`", "8"},
        {"int `0x1f`", "31"},
        {"int `0b11`", "3"},
        {"int `1_000`", "1000"},
        {"int `3.7`", "3"},
        {"int `-3.7`", "-3"},
        {"int `x`", "0"},
        {"int ``", "0"},
        {"int `09`", "0"},
        {"int `99999999999999999999`", "0"},
        {"int ` 4`", "0"},
        {"int true", "1"},
        {"int nil", "0"},
        {"int 3.9", "3"},
        {"int (fromJson `[1]`)", "0"},
        {"float64 `1.5`", "1.5"},
        {"float64 `1e3`", "1000"},
        {"float64 `0x1p-1`", "0.5"},
        {"float64 `0x1f`", "0"},
        {"float64 `x`", "0"},
        {"float64 true", "1"},
        {"float64 7", "7"},
        {"int", "!wrong number of args for int: want 1 got 0"},
        {"add 1 true `2` `x`", "4"},
        {"trunc (add 1 1) .path", "!wrong type for value; expected int; got int64"},
        {"trunc (int `2`) .path", "/c"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_arithmetic(void **state)
{
    static const struct row ROWS[] = {
        {"add", "0"},
        {"add .n 1", "43"},
        {"1 | add 2 3", "6"},
        {"add 9223372036854775807 1", "-9223372036854775808"},
        {"sub 5 2", "3"},
        {"2 | sub 5", "3"},
        {"sub 5 2 1", "!wrong number of args for sub: want 2 got 3"},
        {"mul 2 3 4", "24"},
        {"mul", "!wrong number of args for mul: want at least 1 got 0"},
        {"div -7 2", "-3"},
        {"div 1 0", "!divide by zero"},
        {"mod -7 2", "-1"},
        {"mod 7 -2", "1"},
        {"mod 1 0", "!divide by zero"},
        {"max 1 5 3", "5"},
        {"min 4 `2` 3", "2"},
        {"max `9.9` 1", "9"},
        {"addf", "0"},
        {"addf 0.1 0.2", "0.3"},
        {"addf 1.5 `2.5` 1", "5"},
        {"subf 5 2.5", "2.5"},
        {"subf 1 0.9 0.05", "0.05"},
        {"mulf 1.1 1.1", "1.21"},
        {"divf 7 2", "3.5"},
        {"divf 10 3", "3.3333333333333335"},
        {"divf 1 0", "!decimal division by 0"},
        {"addf (float64 `NaN`)", "!cannot create a decimal from NaN"},
        {"maxf 1.5 2", "2"},
        {"minf 1.5 2 `x`", "0"},
        {"ceil 1.2", "2"},
        {"ceil `-1.2`", "-1"},
        {"floor 1.8", "1"},
        {"floor -1.2", "-2"},
        {"round 1.2345 2", "1.23"},
        {"round 2.5 0", "3"},
        {"round -2.5 0", "-3"},
        {"round 1.24 1 0.3", "1.3"},
        {"round 1.24 1 0.5", "1.2"},
        {"round 1234.5 -2", "1200"},
        {"round 1.5 `0`", "!wrong type for value; expected int; got string"},
        {"round 1.5", "!wrong number of args for round: want at least 2 got 1"},
    };
    EXPECT_ROWS(ROWS);
}

static void test_times(void **state)
{
    static const struct row ROWS[] = {
        {"gt (int (now | unixEpoch)) 1700000000", "true"},
        {"now 1", "!wrong number of args for now: want 0 got 1"},
        {"date `2006-01-02T15:04:05.000Z07:00` __timestamp__", "2023-11-14T22:13:20.123Z"},
        {"date `15:04` 60", "00:01"},
        {"ne (date `2006` `x`) `1970`", "true"}, /* other types: now */
        {"__timestamp__ | date `2006`", "2023"},
        {"date __timestamp__ `2006`", "!wrong type for value; expected string; got time.Time"},
        {"toDate `2006-01-02` `2023-07-01` | unixEpoch", "1688169600"},
        {"(toDate `2006-01-02` `bad`).Year", "1"},
        {"toDateInZone `2006-01-02 15:04` `Europe/Oslo` `2023-07-01 12:00` | unixEpoch",
         "1688205600"},
        {"toDateInZone `2006-01-02 15:04` `No/Where` `2023-07-01 12:00` | unixEpoch", "1688212800"},
        {"(toDateInZone `2006` `UTC` `x`).Year", "1"},
        {"unixEpoch __timestamp__ | printf `%q`", "\"1700000000\""},
        {"unixEpochMillis __timestamp__", "1700000000123"},
        {"unixEpochNanos __timestamp__", "1700000000123456789"},
        {"unixEpoch 5", "!wrong type for value; expected time.Time; got int"},
        {"unixToTime `19675`", "2023-11-14 00:00:00 +0000 UTC"},
        {"(unixToTime `1700000000`).Format `15:04:05`", "22:13:20"},
        {"(unixToTime `1700000000123`).UnixMilli", "1700000000123"},
        {"(unixToTime `1700000000123456`).UnixNano", "1700000000123456000"},
        {"(unixToTime `1700000000123456789`).UnixNano", "1700000000123456789"},
        {"unixToTime `170000000`", "!unable to parse time '170000000'"},
        {"unixToTime `17000x0000`", "!unable to parse time '17000x0000'"},
        {"unixToTime 1700000000", "!wrong type for value; expected string; got int"},
        {"__line__", "the line"},
        {"__line__ 1", "!wrong number of args for __line__: want 0 got 1"},
        {"__timestamp__.UTC", "2023-11-14 22:13:20.123456789 +0000 UTC"},
        {"__timestamp__.Unix", "1700000000"},
        {"__timestamp__.UnixMilli", "1700000000123"},
        {"__timestamp__.Year", "2023"},
        {"__timestamp__.Month", "November"},
        {"__timestamp__.Day", "14"},
        {"__timestamp__.Hour", "22"},
        {"__timestamp__.Minute", "13"},
        {"__timestamp__.Second", "20"},
        {"__timestamp__.Weekday", "Tuesday"},
        {"__timestamp__.Nope", "!can't evaluate field Nope in type time.Time"},
    };
    EXPECT_ROWS(ROWS);
}

/* Each element of Go's reference time, formatted and, where it says something, read. */
static void test_layouts(void **state)
{
    static const struct row ROWS[] = {
        {"date `2006 06 01 1 Jan January 02 2 _2 002` 86400",
         "1970 70 01 1 Jan January 02 2  2 002"},
        {"date `Mon Monday 15 03 3 04 4 05 5 PM pm` 54725",
         "Thu Thursday 15 03 3 12 12 05 5 PM pm"},
        {"date `PM pm 03 3` 60", "AM am 12 12"},
        {"date `MST -0700 -07:00 -07 Z0700 Z07:00 Z07` 0", "UTC +0000 +00:00 +00 Z Z Z"},
        {"date `.000 ,000 .999 .999999999` __timestamp__", ".123 ,123 .123 .123456789"},
        {"date `05.999` 5", "05"},
        {"(toDateInZone `2006-01-02 15:04` `America/New_York` `2023-07-01 12:00`).Format `MST "
         "-0700 -07:00 -07 Z0700 Z07:00 Z07`",
         "EDT -0400 -04:00 -04 -0400 -04:00 -04"},
        {"toDate `Jan _2 2006 3:04PM` `Jul  1 2023 4:05PM` | unixEpoch", "1688227500"},
        {"toDate `02/January/06 15:04:05.000` `01/July/23 16:05:06.250` | unixEpochMillis",
         "1688227506250"},
        {"toDate `2006-01-02T15:04:05Z07:00` `2023-07-01T16:05:06+02:00` | unixEpoch",
         "1688220306"},
        {"toDate `2006-01-02 15:04:05` `2023-07-01 16:05:06.75` | unixEpochMillis",
         "1688227506750"}, /* a fraction that the layout does not name */
        {"(toDate `2006-01-02` `2023-02-30`).Year", "1"},
    };
    EXPECT_ROWS(ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logic_and_comparison),
        cmocka_unit_test(test_len_index_and_slice),
        cmocka_unit_test(test_printing_and_builtin_escapes),
        cmocka_unit_test(test_case_and_trimming),
        cmocka_unit_test(test_replacing_cutting_and_padding),
        cmocka_unit_test(test_tests_and_regular_expressions),
        cmocka_unit_test(test_encodings_and_values_from_text),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
