/* SPDX-License-Identifier: Apache-2.0 */
#include "base/go_quote.h"
#include "emitted.h"
#include "json_plain.h"
#include "lines/json.h"

/* What flattening emits, then "!" and the details of the fault if there is one. */
static void expect_sv(struct str_view line, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT};
    struct str_view details = SV_EMPTY;
    if (json_flatten(line, &a, collect_pair, &e, &details) == LINE_E_FAULT) {
        buf_put_u8(&e.text, '!');
        buf_put(&e.text, details);
    }
    expect_text(line, buf_view(&e.text), want);
    buf_deinit(&e.text);
}

static void expect(const char *line, const char *want)
{
    expect_sv(sv_of(line), want);
}

#define NO_OBJECT "Value looks like object, but can't find closing '}' symbol"

static void test_each_kind_of_value_becomes_its_text(void **state)
{
    expect("{\"s\":\"x\",\"n\":1.50,\"e\":1e5,\"big\":12345678901234567890,\"t\":true,\"f\":false}",
           "s=\"x\" n=\"1.50\" e=\"1e5\" big=\"12345678901234567890\" t=\"true\" f=\"false\"");
    expect("{\"n\":null,\"a\":[1,{\"b\":2}],\"o\":{},\"z\":01}", "z=\"01\"");
    expect("  {\"a\" : 1 , \"b\" : -2 }  ", "a=\"1\" b=\"-2\"");
    expect("{\"a\":\"\"}", "a=\"\"");
    expect("{}", "");
}

static void test_nested_names_are_joined_at_any_depth(void **state)
{
    expect("{\"a\":{\"b\":{\"c\":1},\"d\":false},\"e\":2}", "a_b_c=\"1\" a_d=\"false\" e=\"2\"");
    expect("{\"n\":{\"\":5}}", "n=\"5\"");
    expect("{\"\":1,\" \":2,\"a\":3}", "a=\"3\"");
    expect("{\"\":{\"b\":1}}", "b=\"1\"");
    expect("{\"a\":{},\"b\":{\"c\":{}},\"d\":4}", "d=\"4\"");
    expect("{\"svc\":\"x\",\"tid\":\"y\",\"a\":{\"b\":[1],\"c\":null,\"d\":false},\"9z\":1e3}",
           "svc=\"x\" tid=\"y\" a_d=\"false\" _9z=\"1e3\"");
}

static void test_keys_are_made_label_names(void **state)
{
    expect("{\"a.b-c\":1,\"\xc3\xa9\":2,\" k \":3,\"9\":4}",
           "a_b_c=\"1\" _=\"2\" k=\"3\" _9=\"4\"");
    expect("{\"a\":{\"9\":1}}", "a_9=\"1\"");
    expect("{\"9a\":{\"b\":1}}", "_9a_b=\"1\"");
    expect("{\"\\u0061\\n\":1}", "a=\"1\"");
    expect("{\"a\\tb\":1}", "a_b=\"1\"");
    expect("{\"a\":{\" b c \":1}}", "a_b_c=\"1\"");
}

static void test_strings_are_unescaped_and_cleaned(void **state)
{
    expect("{\"a\":\"q\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "a=\"q\\\"\\\\/\\b\\f\\n\\r\\t\"");
    expect("{\"a\":\"\\u00e9\\ud83d\\ude00\"}", "a=\"\xc3\xa9\xf0\x9f\x98\x80\"");
    expect("{\"a\":\"\\x\",\"b\":1}", "a=\"\" b=\"1\"");
    expect("{\"a\":\"\\ud83d\",\"b\":1}", "a=\"\" b=\"1\"");
    expect("{\"a\":\"x\xff\xc3y\xef\xbf\xbdz\"}", "a=\"x  y z\"");
    expect_sv(SV("{\"a\":\"x\0y\"}"), "a=\"x\\x00y\"");
}

static void test_what_is_no_object_is_a_fault(void **state)
{
    expect("", "!" NO_OBJECT);
    expect("plain", "!" NO_OBJECT);
    expect("[1]", "!" NO_OBJECT);
    expect("\"x\"", "!" NO_OBJECT);
    expect("7", "!" NO_OBJECT);
}

static void test_labels_before_a_fault_are_kept_and_text_behind_the_object_is_ignored(void **state)
{
    expect("{\"a\":1} trailing {", "a=\"1\"");
    expect("{\"a\":1,\"b\"", "a=\"1\"!Malformed JSON error");
    expect("{\"a\":1,b:2}", "a=\"1\"!" NO_OBJECT);
    expect("{\"a\":\"x", "!Value is string, but can't find closing '\"' symbol");
    expect("{\"a\":{\"b\":1,\"c\":2", "!" NO_OBJECT);
    expect("{\"a\":1,\"b\":[1", "a=\"1\"!Value is array, but can't find closing ']' symbol");
    expect("{\"a\":nope}", "!Unknown value type");
    expect("{\"a\":1 \"b\":2}", "a=\"1\"!" NO_OBJECT);
    expect("{\"a\":1,}", "a=\"1\"");
    expect("{\"\\q\":1}", "!Encountered an invalid escape sequence in a string");
}

static void test_duplicates_are_emitted_in_document_order(void **state)
{
    expect("{\"a.b\":1,\"a_b\":2,\"a\":{\"b\":3}}", "a_b=\"1\" a_b=\"2\" a_b=\"3\"");
}

static void test_the_receiver_can_end_the_walk_before_a_fault(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct emitted e = {.text = BUF_INIT, .stop_after = 2};
    struct str_view details = SV_EMPTY;
    struct str_view line = SV("{\"a\":1,\"b\":2,broken");
    assert_int_equal(json_flatten(line, &a, collect_pair, &e, &details), LINE_OK);
    expect_text(line, buf_view(&e.text), "a=\"1\" b=\"2\"");
    buf_deinit(&e.text);
}

static void test_deep_and_long_names_end_with_a_fault_in_bounded_memory(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf line = BUF_INIT;
    enum { DEPTH = 30000 };
    for (int i = 0; i < DEPTH; i++)
        buf_put(&line, SV("{\"a\":"));
    buf_put_u8(&line, '1');
    buf_fill(&line, '}', DEPTH);
    struct emitted e = {.text = BUF_INIT};
    struct str_view details = SV_EMPTY;
    assert_int_equal(json_flatten(buf_view(&line), &a, collect_pair, &e, &details), LINE_E_FAULT);
    assert_true(a.used_bytes < 64 * line.len);
    buf_deinit(&e.text);
}

/* ---- against the simple way ---- */

static uint32_t chance(uint32_t n)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static const char *pick(const char *const *of, size_t n)
{
    return of[chance((uint32_t)n)];
}
#define PICK(of) pick(of, sizeof of / sizeof *of)

/* A member or several of an object, nearly always well formed. */
static void put_members(struct buf *out, unsigned depth)
{
    static const char *const keys[] = {
        "\"a\":", "\"status\":", "\"k.x\": ",    "\"a_name_of_more_than_16\":",
        "\"9\":", "\"\":",       "\"\\u0061\":", "\"caf\xc3\xa9\" :"};
    static const char *const values[] = {"1",
                                         "-2.5e7",
                                         "\"plain\"",
                                         "\"quite a bit longer than thirty-two bytes, this\"",
                                         "\"\\\"q\"",
                                         "true",
                                         "null",
                                         "[1,{\"b\":2}]",
                                         "[\"}\"]",
                                         "[{]",
                                         "\"\xc3\xa9\xff\"",
                                         "1{2",
                                         "3\"4",
                                         "[}]",
                                         "false",
                                         "1+1/2"};
    for (uint32_t n = chance(6); n > 0; n--) {
        buf_put(out, sv_of(PICK(keys)));
        if (depth < 4 && chance(4) == 0) {
            buf_put_u8(out, '{');
            put_members(out, depth + 1);
            buf_put_u8(out, '}');
        } else {
            buf_put(out, sv_of(PICK(values)));
        }
        if (n > 1 || chance(10) == 0)
            buf_put_u8(out, chance(8) ? ',' : ' ');
    }
}

static void break_somewhere(struct buf *line)
{
    static const char odd[] = "{}[]\":, \\a1\x80";
    if (chance(2) && line->len)
        line->p[chance((uint32_t)line->len)] = odd[chance(sizeof odd - 1)];
    if (chance(4) == 0)
        line->len = chance((uint32_t)line->len + 1);
}

static void put_result(struct emitted *e, int r, struct str_view details)
{
    buf_printf(&e->text, " -> %d %.*s", r, SV_ARG(details));
}

static void test_flattening_gives_what_the_simple_way_gives(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf line = BUF_INIT;
    struct emitted fast = {.text = BUF_INIT}, plain = {.text = BUF_INIT};
    for (int i = 0; i < 200000; i++) {
        buf_clear(&line);
        buf_put_u8(&line, '{');
        put_members(&line, 0);
        buf_put_u8(&line, '}');
        if (chance(2))
            break_somewhere(&line);
        struct str_view of_fast = SV_EMPTY, of_plain = SV_EMPTY;
        arena_clear(&a);
        buf_clear(&fast.text);
        buf_clear(&plain.text);
        fast.n = plain.n = 0;
        fast.stop_after = plain.stop_after = chance(2) ? 0 : 1 + chance(40);
        /* its own block, so that a read past its end is seen by the sanitizer */
        struct str_view text = arena_copy(&a, buf_view(&line));
        char *exact = mem_alloc(text.len + (text.len == 0));
        memcpy(exact, text.p, text.len);
        put_result(&fast, json_flatten(sv(exact, text.len), &a, collect_pair, &fast, &of_fast),
                   of_fast);
        put_result(&plain, json_flatten_plainly(text, &a, collect_pair, &plain, &of_plain),
                   of_plain);
        free(exact);
        buf_put_u8(&plain.text, 0);
        expect_text(text, buf_view(&fast.text), plain.text.p);
    }
    buf_deinit(&fast.text);
    buf_deinit(&plain.text);
}

/* ---- with expressions ---- */

/* `paths` parted by blanks; "-" stands for a missing value, "!" for a fault. */
static void expect_at(const char *line, const char *paths, const char *want)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT;
    struct json_path v[8] = {{NULL, 0}};
    size_t n = 0;
    struct err err = ERR_INIT;
    for (struct str_view rest = sv_of(paths); rest.len; n++) {
        size_t end = sv_find_byte(rest, ' ');
        if (json_path_parse(&a, sv_sub(rest, 0, end), &v[n], &err) < 0)
            fail_msg("%s: %s", paths, err.text);
        rest = sv_from(rest, end + 1);
    }
    struct json_paths sorted = json_paths_new(&a, v, n);
    struct str_view values[8], details;
    int r = json_extract(sv_of(line), &sorted, &a, values, &details);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_put_u8(&text, ' ');
        if (values[i].p)
            go_quote(&text, values[i]);
        else
            buf_put_u8(&text, '-');
    }
    if (r == LINE_E_FAULT) {
        buf_put_u8(&text, '!');
        buf_put(&text, details);
    }
    expect_text(sv_of(line), buf_view(&text), want);
}

static void test_paths_lead_to_members_and_elements(void **state)
{
    expect_at("{\"m\": {\"n\": \"1\"}}", "m.n q m", "\"1\" - \"{\\\"n\\\": \\\"1\\\"}\"");
    expect_at("{\"a\":[10,{\"b\":\"x\"}]}", "a[0] a[1].b a[2] a",
              "\"10\" \"x\" - \"[10,{\\\"b\\\":\\\"x\\\"}]\"");
    expect_at("[1,2]", "[1] [\"k\"]", "\"2\" -");
    expect_at("{\"a.b\":1,\"A\":2}", "[\"a.b\"] a", "\"1\" -");
    expect_at("{\"a\":{\"b\":1}}", "a[\"b\"] a.b [\"a\"].b", "\"1\" \"1\" \"1\"");
}

static void test_extracted_values_are_text_of_any_kind(void **state)
{
    expect_at("{\"s\":\"a\\nb\",\"n\":1.50,\"t\":true,\"z\":null}", "s n t z",
              "\"a\\nb\" \"1.50\" \"true\" \"\"");
    expect_at("{\"a\":[\"x\\ty\"]}", "a", "\"[\\\"x\\ty\\\"]\"");
    expect_at("{\"o\":{\"k\":\"x\\ty\"}}", "o", "\"{\\\"k\\\":\\\"x\\\\ty\\\"}\"");
}

static void test_the_first_of_duplicate_members_wins(void **state)
{
    expect_at("{\"a\":1,\"a\":2}", "a", "\"1\"");
    expect_at("{\"a\":{\"x\":1},\"a\":{\"b\":2}}", "a.x", "\"1\"");
}

static void test_only_lines_that_may_be_json_are_looked_at(void **state)
{
    expect_at("", "a", "-");
    expect_at(" {\"a\":1}", "a", "-!");
    expect_at("a=1", "a", "-!");
    expect_at("\"x\"", "a", "-");
    expect_at("{\"a\":1", "a", "\"1\"");
    expect_at("{\"a\":\"x", "a", "-!Value is string, but can't find closing '\"' symbol");
}

static void test_broken_expressions_say_what_was_expected(void **state)
{
    static const struct {
        const char *expr, *says;
    } rows[] = {
        {"", "unexpected $end, expecting LSB or FIELD"},
        {".a", "unexpected DOT, expecting LSB or FIELD"},
        {"a..b", "unexpected DOT, expecting FIELD"},
        {"a.0", "unexpected INDEX, expecting FIELD"},
        {"a.[\"k\"]", "unexpected LSB, expecting FIELD"},
        {"a[-1]", "unexpected $end, expecting STRING or INDEX"},
        {"a[*]", "unexpected $end, expecting STRING or INDEX"},
        {"a[x]", "unexpected FIELD, expecting STRING or INDEX"},
        {"a[", "unexpected $end, expecting STRING or INDEX"},
        {"a[0", "unexpected $end, expecting RSB"},
        {"$", "unexpected $end, expecting LSB or FIELD"},
        {"-", "unexpected $end, expecting LSB or FIELD"},
        {"a.", "unexpected $end, expecting FIELD"},
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_path path;
        struct err err = ERR_INIT;
        if (json_path_parse(&a, sv_of(rows[i].expr), &path, &err) == 0)
            fail_msg("'%s' was accepted", rows[i].expr);
        struct str_view want = arena_printf(&a, "cannot parse expression [%s]: syntax error: %s",
                                            rows[i].expr, rows[i].says);
        expect_text(sv_of(rows[i].expr), sv_of(err.text), want.p);
    }
    struct json_path path;
    assert_int_equal(json_path_parse(&a, SV(" a . b [ 0 ] [\"c d\"] "), &path, NULL), 0);
    assert_int_equal(path.n, 4);
    assert_true(path.v[2].key.p == NULL && path.v[2].index == 0);
    assert_true(sv_eq(path.v[3].key, SV("c d")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_value_becomes_its_text),
        cmocka_unit_test(test_nested_names_are_joined_at_any_depth),
        cmocka_unit_test(test_keys_are_made_label_names),
        cmocka_unit_test(test_strings_are_unescaped_and_cleaned),
        cmocka_unit_test(test_what_is_no_object_is_a_fault),
        cmocka_unit_test(test_labels_before_a_fault_are_kept_and_text_behind_the_object_is_ignored),
        cmocka_unit_test(test_duplicates_are_emitted_in_document_order),
        cmocka_unit_test(test_the_receiver_can_end_the_walk_before_a_fault),
        cmocka_unit_test(test_flattening_gives_what_the_simple_way_gives),
        cmocka_unit_test(test_deep_and_long_names_end_with_a_fault_in_bounded_memory),
        cmocka_unit_test(test_paths_lead_to_members_and_elements),
        cmocka_unit_test(test_extracted_values_are_text_of_any_kind),
        cmocka_unit_test(test_the_first_of_duplicate_members_wins),
        cmocka_unit_test(test_only_lines_that_may_be_json_are_looked_at),
        cmocka_unit_test(test_broken_expressions_say_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
