/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "model/labels.h"
#include "model/limits.h"
#include "wire/level.h"

static struct arena arena;
static const struct level_names *names;

static int set_up(void **state)
{
    static struct limits limits;
    limits_set_defaults(&limits, &arena);
    struct str_view *v = ARENA_ARRAY(&arena, struct str_view, limits.log_level_fields.n);
    for (size_t i = 0; i < limits.log_level_fields.n; i++)
        v[i] = sv_of(limits.log_level_fields.v[i]);
    names = level_names_new(&arena, v, limits.log_level_fields.n);
    return 0;
}

static int tear_down(void **state)
{
    arena_deinit(&arena);
    return 0;
}

struct expectation {
    const char *line;
    enum level level;
};

static void assert_levels(const struct expectation *v, size_t n, unsigned depth)
{
    for (size_t i = 0; i < n; i++) {
        enum level got = level_of_line(names, depth, sv_of(v[i].line));
        if (got != v[i].level)
            fail_msg("'%s': %.*s", v[i].line, SV_ARG(level_text(got)));
    }
}
#define ASSERT_LEVELS(cases, depth) assert_levels(cases, sizeof(cases) / sizeof(cases)[0], depth)

static void test_level_names_are_known_in_any_case(void **state)
{
    static const struct expectation cases[] = {
        {"trace", LEVEL_TRACE},       {"TRC", LEVEL_TRACE},   {"Debug", LEVEL_DEBUG},
        {"dbg", LEVEL_DEBUG},         {"info", LEVEL_INFO},   {"INF", LEVEL_INFO},
        {"information", LEVEL_INFO},  {"warn", LEVEL_WARN},   {"wrn", LEVEL_WARN},
        {"Warning", LEVEL_WARN},      {"error", LEVEL_ERROR}, {"ERR", LEVEL_ERROR},
        {"critical", LEVEL_CRITICAL}, {"fatal", LEVEL_FATAL}, {"", LEVEL_NONE},
        {"warni", LEVEL_NONE},        {"e", LEVEL_NONE},      {"informations", LEVEL_NONE},
        {"crit", LEVEL_NONE},         {"panic", LEVEL_NONE},  {"info ", LEVEL_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(level_parse(sv_of(cases[i].line)), cases[i].level);
}

static void test_the_first_whole_word_decides(void **state)
{
    static const struct expectation cases[] = {
        {"", LEVEL_UNKNOWN},
        {"nothing of the kind", LEVEL_UNKNOWN},
        {"an error occurred", LEVEL_ERROR},
        {"ERROR", LEVEL_ERROR},
        {"[WARN] then error", LEVEL_WARN},
        {"terror informs warned", LEVEL_UNKNOWN},
        {"err: x", LEVEL_ERROR},
        {"xerr err", LEVEL_ERROR},
        {"error_code", LEVEL_ERROR}, /* '_' ends a word */
        {"errors", LEVEL_UNKNOWN},
        {"error1", LEVEL_UNKNOWN},
        {"1error", LEVEL_UNKNOWN},
        {"\xc3\xa9rror \xc3\xa9"
         "error",
         LEVEL_ERROR}, /* letters beyond ASCII are none */
        {"warning", LEVEL_WARN},
        {"critical fatal", LEVEL_CRITICAL},
        {"fatal critical", LEVEL_FATAL},
        {"x debug trace", LEVEL_DEBUG},
        {"inf dbg wrn trc information", LEVEL_UNKNOWN}, /* only of fields */
        {"<info>", LEVEL_INFO},
        {"2026-03-01 12:00:00,123 INFO org.x: done", LEVEL_INFO},
    };
    ASSERT_LEVELS(cases, 2);
}

static void test_json_lines_are_searched_depth_first(void **state)
{
    static const struct expectation cases[] = {
        {"{\"level\":\"warn\",\"msg\":\"error\"}", LEVEL_WARN},
        {" \t{\"a\":1,\"Level\":\"DBG\"} \n", LEVEL_DEBUG},
        {"{\"a\":{\"level\":\"error\"},\"level\":\"info\"}", LEVEL_ERROR},
        {"{\"a\":{\"b\":{\"level\":\"error\"}},\"level\":\"info\"}", LEVEL_INFO}, /* too deep */
        {"{\"a\":[{\"level\":\"error\"}],\"level\":\"info\"}", LEVEL_INFO},
        {"{\"level\":30,\"severity\":\"trc\"}", LEVEL_TRACE}, /* strings only */
        {"{\"lEVEL\":\"warn\",\"m\":\"x\"}", LEVEL_WARN},     /* the word, not the field */
        {"{\"level\":\"loud\",\"m\":\"an error\"}", LEVEL_ERROR},
        {"{\"level\":\"loud\",\"lvl\":\"info\"}", LEVEL_INFO}, /* the word info */
        {"{\"level\":\"inf\",\"m\":\"error\"}", LEVEL_INFO},
        {"{\"m\":\"nothing\"}", LEVEL_UNKNOWN},
        {"{}", LEVEL_UNKNOWN},
        {"{\"level\":\"warn\"", LEVEL_WARN},
        {"{\"level\" \"dbg\", \"m\":\"error\"}", LEVEL_ERROR}, /* not JSON */
        {"{level=dbg}", LEVEL_UNKNOWN}, /* braces make it JSON, which it is not */
        {"{\"log.level\":\"trc\"}", LEVEL_TRACE},
        {"{\"a\":\"b\\\"\",\"severity_text\":\"wrn\"}", LEVEL_WARN},
    };
    ASSERT_LEVELS(cases, 2);
    static const struct expectation deep[] = {
        {"{\"a\":{\"b\":{\"level\":\"dbg\"}}}", LEVEL_DEBUG},
    };
    ASSERT_LEVELS(deep, 3);
    ASSERT_LEVELS(deep, 0); /* any depth */
}

static void test_logfmt_fields_are_found_without_case(void **state)
{
    static const struct expectation cases[] = {
        {"level=wrn msg=error", LEVEL_WARN},
        {"ts=2026 LEVEL=\"dbg\" msg=\"an error\"", LEVEL_DEBUG},
        {"msg=\"level=error\" lvl=inf", LEVEL_INFO},
        {"msg=\"quoted \\\" level=error\" lvl=inf", LEVEL_INFO},
        {"a b c level=trc", LEVEL_TRACE}, /* words without a value */
        {"level= msg=x error", LEVEL_ERROR},
        {"level=loud error", LEVEL_ERROR},
        {"xlevel=error y", LEVEL_ERROR}, /* the word */
        {"mylevel=dbg", LEVEL_UNKNOWN},
        {"a=b=c level=trc", LEVEL_UNKNOWN}, /* no logfmt from there on */
        {"x=\"open level=trc", LEVEL_UNKNOWN},
        {"=x level=trc", LEVEL_UNKNOWN},
        {"severity_text=fatal", LEVEL_FATAL},
        {"level=\"warning\"", LEVEL_WARN},
    };
    ASSERT_LEVELS(cases, 2);
}

static void test_without_fields_only_words_count(void **state)
{
    const struct level_names *none = level_names_new(&arena, NULL, 0);
    assert_int_equal(level_of_line(none, 2, SV("{\"level\":\"dbg\"}")), LEVEL_UNKNOWN);
    assert_int_equal(level_of_line(none, 2, SV("level=wrn error")), LEVEL_ERROR);
}

static void test_each_level_has_its_metadata_ready(void **state)
{
    for (int i = 0; i < LEVEL_N; i++) {
        struct labels l;
        assert_int_equal(labels_decode(&arena, level_metadata((enum level)i), &l, NULL), 0);
        assert_int_equal(l.n, 1);
        assert_true(sv_eq(l.v[0].name, SV("detected_level")));
        assert_true(sv_eq(l.v[0].value, level_text((enum level)i)));
    }
    assert_true(sv_eq(level_text(LEVEL_CRITICAL), SV("critical")));
    assert_true(sv_eq(level_text(LEVEL_UNKNOWN), SV("unknown")));
}

static uint64_t random_state = 1;
static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Pieces whose joints are where the fast ways could go wrong. */
static size_t random_line(char *out, size_t max)
{
    static const char *const pieces[] = {
        "error",    "err",      "ERROR",        "warn",     "warning", "info", "debug",
        "trace",    "fatal",    "critical",     " ",        " ",       "_",    "x",
        "1",        "=",        "\"",           "{",        "}",       ":",    ",",
        "level",    "lvl",      "\\",           "\xc3\xa9", "\xff",    "[",    "]",
        "severity", "aaaaaaaa", "wrn",          "dbg",      "\n",      "\t",   "..........",
        "inform",   "LEVEL",    "\"level\":\"", "level=",   "\",\""};
    size_t n = 0, want = random_u64() % (random_u64() % 4 ? 30 : 200);
    while (n < want) {
        const char *p = pieces[random_u64() % (sizeof pieces / sizeof pieces[0])];
        size_t len = strlen(p);
        if (n + len > max)
            break;
        memcpy(out + n, p, len);
        n += len;
    }
    return n;
}

/* The rules again, slowly and from their wording: the oracle of the next test. */
static bool is_word_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static enum level simple_word(struct str_view line)
{
    static const char *const words[] = {"trace", "debug", "fatal",   "critical", "error",
                                        "err",   "warn",  "warning", "info"};
    for (size_t at = 0, n; at < line.len; at += n + 1) {
        for (n = 0; at + n < line.len && is_word_byte((unsigned char)line.p[at + n]);)
            n++;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (sv_eq_nocase(sv_sub(line, at, n), sv_of(words[i])))
                return level_parse(sv_of(words[i]));
    }
    return LEVEL_NONE;
}

static bool is_separator(char c)
{
    return (unsigned char)c <= ' ';
}

/* Keys up to the first thing that is no logfmt; the value of the first listed key. */
static bool simple_logfmt(struct str_view s, struct str_view *ret)
{
    static const char *const fields[] = {"level",        "log.level", "severity",
                                         "SeverityText", "lvl",       "severity_text"};
    for (;;) {
        while (s.len && is_separator(s.p[0]))
            s = sv_from(s, 1);
        size_t n = 0;
        while (n < s.len && !is_separator(s.p[n]) && s.p[n] != '=' && s.p[n] != '"')
            n++;
        struct str_view key = sv_sub(s, 0, n);
        s = sv_from(s, n);
        if (s.len == 0)
            return false;
        if (is_separator(s.p[0]))
            continue;
        if (s.p[0] == '"' || n == 0)
            return false;
        s = sv_from(s, 1);
        n = 0;
        bool quoted = s.len && s.p[0] == '"';
        if (quoted) {
            for (n = 1; n < s.len && s.p[n] != '"'; n++)
                n += s.p[n] == '\\';
            if (n >= s.len)
                return false;
            n++;
        } else {
            while (n < s.len && !is_separator(s.p[n]))
                if (s.p[n] == '=' || s.p[n++] == '"')
                    return false;
        }
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            if (sv_eq_nocase(key, sv_of(fields[i]))) {
                *ret = quoted ? sv_sub(s, 1, n - 2) : sv_sub(s, 0, n);
                return true;
            }
        }
        s = sv_from(s, n);
    }
}

static void test_every_line_has_the_level_that_the_simple_rules_give(void **state)
{
    for (int i = 0; i < 300000; i++) {
        char text[256];
        size_t len = random_line(text, sizeof text);
        char *exact = malloc(len ? len : 1); /* so that a read past the end shows */
        memcpy(exact, text, len);
        struct str_view line = sv(exact, len), value, trimmed = sv_trim(line);
        bool json = trimmed.len >= 2 && trimmed.p[0] == '{' && trimmed.p[trimmed.len - 1] == '}';
        enum level want = LEVEL_NONE;
        if (json ? level_line_field(names, 2, line, &value) : simple_logfmt(line, &value))
            want = level_parse(value);
        if (want == LEVEL_NONE)
            want = simple_word(line);
        if (want == LEVEL_NONE)
            want = LEVEL_UNKNOWN;
        enum level got = level_of_line(names, 2, line);
        if (got != want)
            fail_msg("'%.*s': %d, not %d", SV_ARG(line), got, want);
        free(exact);
    }
}

static void test_the_fast_word_search_equals_the_simple_one(void **state)
{
    for (int i = 0; i < 300000; i++) {
        char text[256];
        struct str_view line = sv(text, random_line(text, sizeof text));
        enum level fast = level_first_word(line), simple = level_first_word_portable(line);
        if (fast != simple)
            fail_msg("'%.*s': %d and %d", SV_ARG(line), fast, simple);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_names_are_known_in_any_case),
        cmocka_unit_test(test_the_first_whole_word_decides),
        cmocka_unit_test(test_json_lines_are_searched_depth_first),
        cmocka_unit_test(test_logfmt_fields_are_found_without_case),
        cmocka_unit_test(test_without_fields_only_words_count),
        cmocka_unit_test(test_each_level_has_its_metadata_ready),
        cmocka_unit_test(test_every_line_has_the_level_that_the_simple_rules_give),
        cmocka_unit_test(test_the_fast_word_search_equals_the_simple_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
