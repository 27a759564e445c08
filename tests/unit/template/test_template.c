/* SPDX-License-Identifier: Apache-2.0 */
#include "template_run.h"

static void test_fields_text_and_trim_markers_print(void **state)
{
    expect("plain", "plain");
    expect("", "");
    expect("{{.app}}", "api");
    expect("[{{.nosuch}}]", "[]");
    expect("a {{- .app -}} b", "aapib");
    expect("a {{/* note */}} b", "a  b");
    expect("a {{- /* note */ -}} b", "ab");
    expect("{{.app}}-{{ .level | upper }}", "api-WARN");
    expect("{{ \"q\\tx\" }}{{ `raw\\n` }}{{ 'a' }}", "q\txraw\\n97");
}

static void test_control_flow_chooses_and_repeats(void **state)
{
    expect("{{if .nosuch}}a{{else if eq .level \"warn\"}}b{{else}}c{{end}}", "b");
    expect("{{with .level}}[{{.}}]{{end}}{{with .nosuch}}x{{else}}y{{end}}", "[warn]y");
    expect("{{range $i, $e := index (fromJson .json) \"a\" \"b\"}}{{$i}}={{$e}};{{end}}",
           "0=1;1=2.5;2=x;");
    expect("{{range $k, $v := fromJson .json}}{{$k}},{{end}}", "a,n,t,");
    expect("{{range 3}}{{.}}{{end}}", "012");
    expect("{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
           "02");
    expect("{{range fromJson \"[]\"}}x{{else}}none{{end}}", "none");
    expect("{{$x := 1}}{{if true}}{{$x = 2}}{{$y := 5}}{{end}}{{$x}}", "2");
    expect(
        "{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .app}}{{block \"b\" .level}}({{.}}){{end}}",
        "<api>(warn)");
    expect("{{$.app}}{{with .level}}{{$.app}}{{end}}", "apiapi");
}

static void test_else_with_ranges_over_maps_and_variables_of_scopes(void **state)
{
    expect("{{with .nosuch}}a{{else with .level}}[{{.}}]{{else}}c{{end}}", "[warn]");
    expect("{{with $x := .level}}{{$x}}{{end}}", "warn");
    expect("{{range $k, $v := fromJson `{\"b\":1,\"a\":2}`}}{{$k}}{{$v}}{{end}}", "a2b1");
    expect("{{range $v := fromJson `[1,2]`}}{{$v}}{{.}}{{end}}", "1122");
    expect("{{range $k, $v := .}}{{if eq $k `app` `n`}}{{$k}}={{$v}} {{end}}{{end}}",
           "app=api n=42 ");
    expect("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21");
    expect("{{define `t`}}{{$}}{{end}}{{template `t` .app}}{{template `t`}}", "api<no value>");
    expect("{{range 2}}{{$.app}}{{end}}", "apiapi");
    expect_failure("{{range .app}}x{{end}}", "range can't iterate over api");
    expect_failure("{{.app.y}}", "can't evaluate field y in type string");
    expect_failure("{{template `nope`}}", "template \"nope\" not defined");
}

static void test_a_template_may_call_itself_by_the_name_line(void **state)
{
    expect("{{with .nosuch}}{{else}}{{range $i, $x := fromJson `[1]`}}{{$x}}{{end}}{{end}}", "1");
    expect(
        "{{define `line`}}{{end}}{{if eq (print .) `x`}}end{{else}}a{{template `line` `x`}}{{end}}",
        "aend");
    expect_failure("{{template `line`}}", "exceeded maximum template depth");
    expect_refused("{{define `line`}}x{{end}}y",
                   "template: line:1: template: multiple definition of template \"line\"");
}

static void test_what_is_false(void **state)
{
    static const char *const FALSE[] = {"false",
                                        "0",
                                        "0.0",
                                        "(fromJson `nope`)",
                                        "``",
                                        "(fromJson `[]`)",
                                        "(fromJson `{}`)",
                                        ".nosuch",
                                        "(index .app 0 | eq 5)"};
    static const char *const TRUE[] = {"true",
                                       "1",
                                       "-1",
                                       "0.1",
                                       "`x`",
                                       "(fromJson `[0]`)",
                                       "(fromJson `{\"a\":0}`)",
                                       ".",
                                       "__timestamp__",
                                       "`false`"};
    char text[100];
    for (size_t i = 0; i < sizeof FALSE / sizeof *FALSE; i++) {
        snprintf(text, sizeof text, "{{if %s}}true{{else}}false{{end}}", FALSE[i]);
        expect(text, "false");
    }
    for (size_t i = 0; i < sizeof TRUE / sizeof *TRUE; i++) {
        snprintf(text, sizeof text, "{{if %s}}true{{else}}false{{end}}", TRUE[i]);
        expect(text, "true");
    }
}

static void test_constants(void **state)
{
    expect("{{0x1F}} {{0b11}} {{0o17}} {{017}} {{1_000}} {{-5}} {{+5}}", "31 3 15 15 1000 -5 5");
    expect("{{1.5}} {{1e3}} {{0x1p-2}} {{1e6}} {{1e-5}} {{1048576.0}} {{.5}}",
           "1.5 1000 0.25 1e+06 1e-05 1.048576e+06 0.5");
    expect("{{'a'}} {{'\\n'}} {{'\\''}} {{'\xc3\xa9'}} {{'\\u00e9'}}", "97 10 39 233 233");
    expect("{{\"a\\x41\\u00e9\\101\\\"\"}} {{`a\\n`}}", "aA\xc3\xa9"
                                                        "A\" a\\n");
    expect("{{true}} {{false}} {{(fromJson `nope`)}} {{print nil}}", "true false <no value> <nil>");
    expect_failure("{{nil}}", "nil is not a command");
    expect_refused("{{1i}}", "template: line:1: illegal number syntax: \"1i\"");
    expect_refused("{{1__0}}", "template: line:1: illegal number syntax: \"1__0\"");
    expect_refused("{{99999999999999999999}}",
                   "template: line:1: integer overflow: \"99999999999999999999\"");
}

static void test_logic_and_comparison_follow_go(void **state)
{
    expect("{{and .app .level}} {{or .nosuch .app}} {{not .nosuch}}", "warn api true");
    expect("{{eq .level \"x\" \"warn\"}} {{ne 1 2}} {{lt 1 2}} {{ge 2.5 2.5}} {{gt \"b\" \"a\"}}",
           "true true true true true");
    expect_failure("{{lt .n 10}}", "incompatible types for comparison");
    expect_failure("{{eq 1 1.0}}", "incompatible types for comparison");
    expect("{{lt (int .n) 100}}", "true");
}

static void test_values_print_as_go_prints_them(void **state)
{
    expect("{{print 1 2 \"a\" 3 4}}", "1 2a3 4");
    expect("{{println .app 1}}", "api 1\n");
    expect("{{addf 1000000.0 0}} {{addf 999999 0}} {{addf 0.00001 0}} {{mulf 1.5 2}}",
           "1e+06 999999 1e-05 3");
    expect("{{fromJson .json}}", "map[a:map[b:[1 2.5 x]] n:1e+06 t:true]");
    expect("{{fromJson \"nope\"}}", "<no value>");
    expect("{{(fromJson .json).a.b}} {{index .path 1}} {{len .path}} {{slice .path 1 5}}",
           "[1 2.5 x] 99 11 cart");
}

static void test_printf_formats_and_shows_wrong_operands(void **state)
{
    expect("{{printf \"%05s|%-8s|%q\" \"503\" .level .path}}", "00503|warn    |\"/cart/items\"");
    expect("{{printf \"%d %x %t %c %5.2f|%e|%g|%v\" 42 255 true 'A' 3.14159 1234.5 0.1 1e6}}",
           "42 ff true A  3.14|1.234500e+03|0.1|1e+06");
    expect("{{printf \"%d\" \"a\"}} {{printf \"%s\"}} {{printf \"x\" 1}} {{printf \"%\"}} {{printf "
           "\"%%\"}}",
           "%!d(string=a) %!s(MISSING) x%!(EXTRA int=1) %!(NOVERB) %");
    expect("{{printf \"%06d|%+d|%-6d|% d\" 42 42 42 42}}", "000042|+42|42    | 42");
    expect("{{printf \"%.3s|%8.3s\" .path .path}}", "/ca|     /ca");
}

static void test_text_functions(void **state)
{
    expect("{{.uni | upper}} {{title \"hello wORLD-x y\"}} {{ToLower \"ABC\"}}",
           "H\xc3\x89LLO Hello WORLD-X Y abc");
    expect("{{trim \"  x \"}}|{{trimAll \"/\" \"/a/\"}}|{{Trim \"/a/\" \"/\"}}|{{TrimLeft \"xxa\" "
           "\"x\"}}|{{TrimRight \"axx\" \"x\"}}",
           "x|a|a|a|a");
    expect("{{trimPrefix \"/\" .path}} {{.path | trimSuffix \"s\"}} {{TrimPrefix .path \"/\"}}",
           "cart/items /cart/item cart/items");
    expect("{{replace \"/\" \"-\" .path}} {{Replace .path \"/\" \"-\" 1}} {{replace \"\" \"-\" "
           "\"ab\"}}",
           "-cart-items -cart/items -a-b-");
    expect("{{trunc 3 .path}} {{trunc -3 .path}} {{trunc -99 .path}} {{substr 1 5 .path}} {{substr "
           "2 -1 .app}}",
           "/ca ems /cart/items cart i");
    expect("{{repeat 2 .level}} {{indent 2 \"a\\nb\"}}|{{nindent 1 \"x\"}}",
           "warnwarn   a\n  b|\n x");
    expect(
        "{{alignLeft 5 .level}}|{{alignRight 8 .level}}|{{alignLeft 2 .uni}}|{{alignRight 2 .uni}}",
        "warn |    warn|h\xc3\xa9|lo");
    expect("{{contains \"art\" .path}} {{hasPrefix \"/c\" .path}} {{.path | hasSuffix \"s\"}}",
           "true true true");
    expect("{{count \"[aeiou]\" .path}} {{regexReplaceAll \"(/)(.)\" .path \"${2}$1\"}} "
           "{{regexReplaceAllLiteral \"t\" .path \"$1\"}}",
           "3 c/arti/tems /car$1/i$1ems");
    expect("{{urlencode \"a b/\xc3\xa9\"}} {{urldecode \"a+b%2F\"}}", "a+b%2F%C3%A9 a b/");
    expect("{{b64enc \"hello\"}} {{b64dec \"aGVsbG8=\"}} {{b64dec \"aGVsbG8\"}} {{b64dec \"!!\"}}",
           "aGVsbG8= hello hello illegal base64 data at input byte 0");
    expect("{{html \"<a&'>\"}} {{js \"a'<\"}}", "&lt;a&amp;&#39;&gt; a\\'\\u003C");
    expect_failure("{{repeat -1 \"x\"}}", "negative Repeat count");
    expect_failure("{{substr 5 99 .app}}", "slice bounds out of range");
    expect_failure("{{trunc \"3\" .path}}", "wrong type for value; expected int; got string");
    expect_failure("{{trunc 3}}", "wrong number of args for trunc: want 2 got 1");
}

static void test_numbers_come_from_text_too(void **state)
{
    expect("{{add .n 1}} {{sub 5 2}} {{mul 2 3 4}} {{div -7 2}} {{mod -7 2}} {{add}}",
           "43 3 24 -3 -1 0");
    expect("{{int \"010\"}} {{int \"0x1f\"}} {{int \"3.7\"}} {{int \"x\"}} {{float64 \"1.5\"}}",
           "8 31 3 0 1.5");
    expect("{{addf 0.1 0.2}} {{subf 5 2.5}} {{divf 7 2}} {{divf 10 3}}",
           "0.3 2.5 3.5 3.3333333333333335");
    expect("{{ceil 1.2}} {{floor 1.8}} {{round 1.2345 2}} {{round -2.5 0}} {{max 1 5 3}} {{minf "
           "1.5 2}}",
           "2 1 1.23 -3 5 1.5");
    expect("{{bytes .size}} {{duration .took}} {{default \"none\" .nosuch}} {{default \"none\" "
           ".level}}",
           "1536 61.5 none warn");
    expect_failure("{{div 1 0}}", "divide by zero");
    expect_failure("{{divf 1 0}}", "decimal division by 0");
}

static void test_times_follow_go_layouts(void **state)
{
    setenv("TZ", "UTC", 1);
    expect("{{date \"2006-01-02T15:04:05.000Z07:00\" __timestamp__}}", "2023-11-14T22:13:20.123Z");
    expect("{{__timestamp__ | date \"Mon Jan _2 3:04PM 06 002 .999\"}}",
           "Tue Nov 14 10:13PM 23 318 .123");
    expect("{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} "
           "{{__timestamp__.UnixNano}}",
           "1700000000 1700000000123 1700000000123456789");
    expect("{{toDateInZone \"2006-01-02 15:04\" \"Europe/Oslo\" \"2023-07-01 12:00\" | unixEpoch}}",
           "1688205600");
    expect(
        "{{(toDate \"2006-01-02\" \"bad\").Year}} {{(unixToTime \"1700000000\").Format \"15:04\"}}",
        "1 22:13");
    expect("{{unixToTime \"19675\"}}", "2023-11-14 00:00:00 +0000 UTC");
    expect("{{ __line__ | len }} {{ __line__ }}", "8 the line");
    expect_failure("{{unixToTime \"123\"}}", "unable to parse time");
}

static void test_broken_templates_are_refused_with_gos_words(void **state)
{
    expect_refused("{{.x", "template: line:1: unclosed action");
    expect_refused("{{nosuchfunc .x}}", "template: line:1: function \"nosuchfunc\" not defined");
    expect_refused("{{ 'raw' }}", "template: line:1: malformed character constant: 'raw'");
    expect_refused("{{if .x}}", "template: line:1: unexpected EOF");
    expect_refused("\n{{end}}", "template: line:2: unexpected {{end}}");
    expect_refused("{{$x}}", "template: line:1: undefined variable \"$x\"");
    expect_refused("{{(.x}}", "template: line:1: unclosed left paren");
    expect_refused("{{.x)}}", "template: line:1: unexpected right paren");
    expect_refused("{{\"abc}}", "template: line:1: unterminated quoted string");
    expect_refused("{{break}}", "template: line:1: {{break}} outside {{range}}");
    expect_refused("{{/* x", "template: line:1: unclosed comment");
    expect_refused("{{}}", "template: line:1: missing value for command");
}

static void test_bombs_end_with_an_error(void **state)
{
    expect_failure("{{repeat 1000000000 \"x\"}}", "the text would exceed");
    expect_failure("{{range 1000000000}}{{.}}{{end}}", "more than 100000 steps");
    expect_failure("{{printf \"%9999999d\" 1}}", "the text would exceed");
    expect_failure("{{printf \"%*d%*d\" 1000000 1 1000000 2}}", "the text would exceed");
    expect_failure("{{printf \"%.9999999f\" 1.5}}", "the text would exceed");
    expect_failure("{{printf \"%.9999999U\" 65}}", "the text would exceed");
    expect_failure("{{printf \"%400000v\" (fromJson \"[1,2,3]\")}}", "the text would exceed");
    expect_failure("{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}",
                   "exceeded maximum template depth");
    expect_failure("{{$x := \"aaaaaaaa\"}}{{range 40}}{{$x = print $x $x}}{{end}}{{$x}}",
                   "the text would exceed");
    expect_failure("{{range 1000}}{{$x := repeat 1000000 \"x\"}}{{end}}", "values take more than");
    expect_failure(
        "{{$x := repeat 1000000 \"x\"}}{{range 1000}}{{$y := trimPrefix \"y\" $x}}{{end}}",
        "functions went through more than");
}

static void note(void *ctx, struct str_view name)
{
    buf_put(ctx, name);
    buf_put_u8(ctx, ',');
}

static void test_the_labels_that_are_read_are_known(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf names = BUF_INIT;
    struct template *t;
    assert_int_equal(
        template_parse(&a,
                       SV("{{.a}}{{if eq .b \"x\"}}{{$.c | upper}}{{end}}{{with .d}}{{.}}{{end}}"),
                       &t, NULL),
        0);
    assert_true(template_fields(t, note, &names));
    assert_true(sv_eq(buf_view(&names), SV("a,b,c,d,")));
    assert_int_equal(template_parse(&a, SV("{{range $k, $v := .}}{{$k}}{{end}}"), &t, NULL), 0);
    assert_false(template_fields(t, note, &names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_text_and_trim_markers_print),
        cmocka_unit_test(test_control_flow_chooses_and_repeats),
        cmocka_unit_test(test_else_with_ranges_over_maps_and_variables_of_scopes),
        cmocka_unit_test(test_a_template_may_call_itself_by_the_name_line),
        cmocka_unit_test(test_what_is_false),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_logic_and_comparison_follow_go),
        cmocka_unit_test(test_values_print_as_go_prints_them),
        cmocka_unit_test(test_printf_formats_and_shows_wrong_operands),
        cmocka_unit_test(test_text_functions),
        cmocka_unit_test(test_numbers_come_from_text_too),
        cmocka_unit_test(test_times_follow_go_layouts),
        cmocka_unit_test(test_broken_templates_are_refused_with_gos_words),
        cmocka_unit_test(test_bombs_end_with_an_error),
        cmocka_unit_test(test_the_labels_that_are_read_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
