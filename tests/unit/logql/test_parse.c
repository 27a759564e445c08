/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar against observed facts: data/ holds queries that Loki accepts, rejects, and what it
 * says.  The tables below show each query beside its canonical form, which tells the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "logql/parse.h"
#include "logql/print.h"

static const char *data_folder;

static int parse(struct arena *a, struct str_view query, const struct logql_expr **ret,
                 struct err *err)
{
    *err = (struct err)ERR_INIT;
    return logql_parse(a, query, ret, err);
}

/* ---- files of queries ---- */

/* In place: each U+2424 becomes a newline. */
static struct str_view with_newlines(char *p, size_t len)
{
    static const char MARK[] = "\xe2\x90\xa4";
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (i + 3 <= len && memcmp(p + i, MARK, 3) == 0) {
            p[n++] = '\n';
            i += 2;
        } else {
            p[n++] = p[i];
        }
    return sv(p, n);
}

typedef void query_fn(struct str_view query, const char *note);

static size_t for_each_query(const char *file, query_fn *fn)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", data_folder, file);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s", path);
    char *line = NULL;
    size_t cap = 0, n = 0;
    for (ssize_t got; (got = getline(&line, &cap, f)) > 0;) {
        if (line[0] == '#')
            continue;
        line[got - 1] = '\0';
        char *note = strstr(line, " ## ");
        if (!note)
            fail_msg("%s: no note in '%s'", file, line);
        fn(with_newlines(line, (size_t)(note - line)), note + 4);
        n++;
    }
    free(line);
    fclose(f);
    return n;
}

static void expect_round_trip(struct arena *a, const struct logql_expr *e, struct str_view query)
{
    static void (*const PRINTERS[])(struct buf *, const struct logql_expr *) = {logql_print,
                                                                                logql_format};
    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT, again = BUF_INIT;
        struct err err;
        const struct logql_expr *back;
        PRINTERS[i](&text, e);
        if (parse(a, buf_view(&text), &back, &err) < 0)
            fail_msg("%.*s\n  printed as '%.*s'\n  says %s", SV_ARG(query), SV_ARG(buf_view(&text)),
                     err.text);
        if (!logql_equal(e, back))
            fail_msg("%.*s\n  is not '%.*s'", SV_ARG(query), SV_ARG(buf_view(&text)));
        PRINTERS[i](&again, back);
        if (!sv_eq(buf_view(&text), buf_view(&again)))
            fail_msg("'%.*s'\n  prints as '%.*s'", SV_ARG(buf_view(&text)),
                     SV_ARG(buf_view(&again)));
    }
}

static void expect_accepted(struct str_view query, const char *note)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err;
    const struct logql_expr *e;
    if (parse(&a, query, &e, &err) < 0)
        fail_msg("%.*s (%s): %s", SV_ARG(query), note, err.text);
    expect_round_trip(&a, e, query);
}

static void expect_rejected(struct str_view query, const char *note)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err;
    const struct logql_expr *e;
    if (parse(&a, query, &e, &err) == 0)
        fail_msg("%.*s (%s) was accepted", SV_ARG(query), note);
    if (strncmp(err.text, "parse error", 11) != 0)
        fail_msg("%.*s: %s", SV_ARG(query), err.text);
}

static void expect_error(struct str_view query, const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err;
    const struct logql_expr *e;
    if (parse(&a, query, &e, &err) == 0)
        fail_msg("%.*s was accepted", SV_ARG(query));
    if (strcmp(err.text, text) != 0)
        fail_msg("%.*s\n  says '%s'\n  want '%s'", SV_ARG(query), err.text, text);
}

static void test_every_query_that_loki_accepts_parses_and_prints_back(void **state)
{
    assert_int_equal(for_each_query("accepted.txt", expect_accepted), 168);
}

static void test_every_query_that_loki_rejects_is_rejected(void **state)
{
    assert_int_equal(for_each_query("rejected.txt", expect_rejected), 97);
}

static void test_errors_have_the_place_and_the_words_of_loki(void **state)
{
    assert_true(for_each_query("errors.txt", expect_error) >= 100);
}

/* ---- trees, told by their canonical form ---- */

struct printed {
    const char *query, *canonical;
};

static void expect_printed(const struct printed *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        struct err err;
        const struct logql_expr *e;
        if (parse(&a, sv_of(v[i].query), &e, &err) < 0)
            fail_msg("%s: %s", v[i].query, err.text);
        logql_print(&text, e);
        if (!sv_eq(buf_view(&text), sv_of(v[i].canonical)))
            fail_msg("%s\n  is   '%.*s'\n  want '%s'", v[i].query, SV_ARG(buf_view(&text)),
                     v[i].canonical);
        expect_round_trip(&a, e, sv_of(v[i].query));
    }
}
#define EXPECT_PRINTED(table) expect_printed(table, sizeof(table) / sizeof *(table))

static void test_binary_operators_bind_by_their_level(void **state)
{
    static const struct printed rows[] = {
        {"vector(1) or vector(2) and vector(3)", "(vector(1) or (vector(2) and vector(3)))"},
        {"vector(1) and vector(2) unless vector(3)",
         "((vector(1) and vector(2)) unless vector(3))"},
        {"vector(1) unless vector(2) and vector(3)",
         "((vector(1) unless vector(2)) and vector(3))"},
        {"vector(1) and vector(2) == vector(3)", "(vector(1) and (vector(2) == vector(3)))"},
        {"vector(1) > vector(2) < vector(3)", "((vector(1) > vector(2)) < vector(3))"},
        {"vector(1) != vector(2) + vector(3)", "(vector(1) != (vector(2) + vector(3)))"},
        {"vector(1) - vector(2) + vector(3)", "((vector(1) - vector(2)) + vector(3))"},
        {"vector(1) + vector(2) * vector(3)", "(vector(1) + (vector(2) * vector(3)))"},
        {"vector(1) % vector(2) / vector(3) * vector(4)",
         "(((vector(1) % vector(2)) / vector(3)) * vector(4))"},
        {"vector(1) ^ vector(2) ^ vector(3)", "(vector(1) ^ (vector(2) ^ vector(3)))"},
        {"vector(1) * vector(2) ^ vector(3)", "(vector(1) * (vector(2) ^ vector(3)))"},
        {"vector(1) ^ vector(2) * vector(3)", "((vector(1) ^ vector(2)) * vector(3))"},
        {"(vector(1) or vector(2)) and vector(3)", "((vector(1) or vector(2)) and vector(3))"},
        {"vector(2) ^ -1", "(vector(2) ^ -1)"},
        {"vector(1) - -1", "(vector(1) - -1)"},
    };
    EXPECT_PRINTED(rows);
}

static void test_literals_are_folded(void **state)
{
    static const struct printed rows[] = {
        {"1 > 1 < 1", "1"},
        {"2 ^ 3 ^ 2", "512"},
        {"-2 ^ 2", "4"},
        {"- 2 ^ 2", "4"},
        {"1 - -1", "2"},
        {"(1 + 2) * 3 % 4", "1"},
        {"1 > bool 2 == 0", "1"},
        {"1 == bool 1", "1"},
        {"7 % 4", "3"},
        {"1 / 0", "(0 / 0)"},
        {"0 % 0", "(0 / 0)"},
        {"010", "10"},
        {"1_000", "1000"},
        {".5 + 5.", "5.5"},
        {"0x1p-2", "0.25"},
        {"1e3", "1000"},
        {"vector(1) + (1 + 2)", "(vector(1) + 3)"},
        {"1 + vector(1) + 2", "((1 + vector(1)) + 2)"},
    };
    EXPECT_PRINTED(rows);
}

static void test_label_filters_bind_as_loki_binds_them(void **state)
{
#define S "{svc=\"x\"} | "
#define A "a=\"1\""
#define B "b=\"2\""
#define C "c=\"3\""
#define D "d=\"4\""
#define E "e=\"5\""
    static const struct printed rows[] = {
        {S A " or " B " and " C, S "( " A " or ( " B " , " C " ) )"},
        {S A " and " B " or " C, S "( ( " A " , " B " ) or " C " )"},
        {S A ", " B " or " C, S "( " A " , ( " B " or " C " ) )"},
        {S A " " B " or " C, S "( " A " , ( " B " or " C " ) )"},
        {S A " or " B ", " C, S "( " A " or ( " B " , " C " ) )"},
        {S A ", " B " and " C " or " D ", " E,
         S "( " A " , ( ( " B " , " C " ) or ( " D " , " E " ) ) )"},
        {S A " or " B " or " C, S "( ( " A " or " B " ) or " C " )"},
        {S A " and " B " and " C, S "( ( " A " , " B " ) , " C " )"},
        {S A " and " B " " C " or " D, S "( " A " , ( " B " , ( " C " or " D " ) ) )"},
        {S "(" A " or " B ") and " C, S "( ( " A " or " B " ) , " C " )"},
        {S "((" A "))", S A},
        {S A " | " B " or " C, S A " | ( " B " or " C " )"},
    };
    EXPECT_PRINTED(rows);
}

static void test_values_of_label_filters_keep_their_kind(void **state)
{
    static const struct printed rows[] = {
        {S "n = 500", S "n==500"},
        {S "n == 5e2", S "n==500"},
        {S "n != - 5", S "n!=-5"},
        {S "n > 0x1p4", S "n>16"},
        {S "took >= 1h2.5m", S "took>=1h2m30s"},
        {S "took < 1d12h", S "took<36h0m0s"},
        {S "took = -5ms", S "took==-5ms"},
        {S "took != 100us", S "took!=100\xc2\xb5s"},
        {S "size > 1.5GiB", S "size>1.5GiB"},
        {S "size = 10k", S "size==10k"},
        {S "peer = ip(\"10.0.0.0/8\")", S "peer=ip(\"10.0.0.0/8\")"},
        {S "peer != IP(\"::1\")", S "peer!=ip(\"::1\")"},
        {S "v =~ \"a.*\"", S "v=~\"a.*\""},
        {S "v !~ `\\d`", S "v!~\"\\\\d\""},
        {S "duration > 2s | bytes < 10KB", S "duration>2s | bytes<10KB"},
    };
    EXPECT_PRINTED(rows);
}

static void test_stages_print_in_their_canonical_form(void **state)
{
    static const struct printed rows[] = {
        {"{ svc = \"pay\" , env != \"dev\" }", "{svc=\"pay\", env!=\"dev\"}"},
        {"({svc=\"pay\"})", "{svc=\"pay\"}"},
        {"{a=\"b\"}|=\"x\"or\"y\"!=\"z\"", "{a=\"b\"} |= \"x\" or \"y\" != \"z\""},
        {"{a=\"b\"} |~ `\\d` or ip(\"::1\") |> \"<_> x\"", NULL},
        {"{a=\"b\"} | logfmt --keep-empty --strict lvl, code=\"status\"",
         "{a=\"b\"} | logfmt --strict --keep-empty lvl,code=\"status\""},
        {"{a=\"b\"} | JSON user,amount=\"order.total\"",
         "{a=\"b\"} | json user,amount=\"order.total\""},
        {"{a=\"b\"} | label_format x=y , z=`{{.q}}`", "{a=\"b\"} | label_format x=y,z=\"{{.q}}\""},
        {"{a=\"b\"} | drop trace, span=\"0\" ,zone=~\"eu.*\"",
         "{a=\"b\"} | drop trace,span=\"0\",zone=~\"eu.*\""},
        {"{a=\"b\"} | unpack | decolorize | keep svc",
         "{a=\"b\"} | unpack | decolorize | keep svc"},
        {"{a=\"b\"} | line_format `a \"q\"`", "{a=\"b\"} | line_format \"a \\\"q\\\"\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].canonical)
            expect_printed(&rows[i], 1);
        else
            expect_rejected(sv_of(rows[i].query), "ip is for |= and !=");
}

static void test_ranges_offsets_and_unwrap_print_behind_the_pipeline(void **state)
{
    static const struct printed rows[] = {
        {"rate({a=\"b\"}[5m] |= \"x\" | json)", "rate({a=\"b\"} |= \"x\" | json[5m])"},
        {"rate((({a=\"b\"}[5m] offset 90s)))", "rate({a=\"b\"}[5m] offset 1m30s)"},
        {"rate(({a=\"b\"} | json)[1d12h] offset -30s)",
         "rate({a=\"b\"} | json[1d12h] offset -30s)"},
        {"rate(({a=\"b\"})[5m] offset 1m | unwrap n)",
         "rate({a=\"b\"} | unwrap n[5m] offset 1m0s)"},
        {"sum_over_time({a=\"b\"} | unwrap bytes(size) | x=\"\", y>3 [1w])",
         "sum_over_time({a=\"b\"} | unwrap bytes(size) | ( x=\"\" , y>3 )[1w])"},
        {"quantile_over_time(0.99, {a=\"b\"} | unwrap duration(n) [5m]) by (x , y)",
         "quantile_over_time(0.99,{a=\"b\"} | unwrap duration(n)[5m]) by (x,y)"},
        {"Sum By(rate,x)(RATE({a=\"b\"}[5m]))", "sum by (rate,x)(rate({a=\"b\"}[5m]))"},
        {"topk(3, rate({a=\"b\"}[5m])) without (pod)", "topk without (pod)(3,rate({a=\"b\"}[5m]))"},
        {"sum by () (vector(1))", "sum by ()(vector(1))"},
        {"vector(1) > bool on (e) group_left (t) vector(2)",
         "(vector(1) > bool on (e) group_left (t) vector(2))"},
        {"vector(1) * ignoring (e) group_right vector(2)",
         "(vector(1) * ignoring (e) group_right () vector(2))"},
        {"label_replace(vector(1), \"a\", `$1`, \"b\", \"c\")",
         "label_replace(vector(1),\"a\",\"$1\",\"b\",\"c\")"},
    };
    EXPECT_PRINTED(rows);
}

/* ---- static checks ---- */

enum { NO = 0, YES = 1 };

/* Whether each range operation takes unwrap, goes without it, and takes a grouping. */
static void test_each_range_operation_checks_unwrap_and_grouping(void **state)
{
    static const struct {
        const char *op;
        int plain, unwrapped, grouped;
    } rows[] = {
        {"count_over_time", YES, NO, NO},   {"bytes_rate", YES, NO, NO},
        {"bytes_over_time", YES, NO, NO},   {"rate", YES, YES, NO},
        {"absent_over_time", YES, YES, NO}, {"sum_over_time", NO, YES, NO},
        {"rate_counter", NO, YES, NO},      {"avg_over_time", NO, YES, YES},
        {"min_over_time", NO, YES, YES},    {"max_over_time", NO, YES, YES},
        {"first_over_time", NO, YES, YES},  {"last_over_time", NO, YES, YES},
        {"stddev_over_time", NO, YES, YES}, {"stdvar_over_time", NO, YES, YES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct err err;
        const struct logql_expr *e;
        const char *op = rows[i].op, *plain = "{a=\"b\"}", *unwrap = "{a=\"b\"} | unwrap n";
#define PARSES(...) (parse(&a, arena_printf(&a, __VA_ARGS__), &e, &err) == 0)
        assert_int_equal(PARSES("%s(%s [1m])", op, plain), rows[i].plain);
        assert_int_equal(PARSES("%s(%s [1m])", op, unwrap), rows[i].unwrapped);
        assert_int_equal(PARSES("%s(%s [1m]) by (x)", op, unwrap), rows[i].grouped);
        assert_int_equal(PARSES("%s(%s [1m]) without ()", op, unwrap), rows[i].grouped);
        assert_false(PARSES("%s by (x) (%s [1m])", op, unwrap));
        assert_false(PARSES("%s(1, %s [1m])", op, plain) || PARSES("%s(1, %s [1m])", op, unwrap));
    }
}

static void test_each_vector_operation_checks_parameter_and_grouping(void **state)
{
    static const struct {
        const char *op;
        int plain, with_k, grouped, empty_grouping;
    } rows[] = {
        {"sum", YES, NO, YES, YES},     {"avg", YES, NO, YES, YES},
        {"min", YES, NO, YES, YES},     {"max", YES, NO, YES, YES},
        {"count", YES, NO, YES, YES},   {"stddev", YES, NO, YES, YES},
        {"stdvar", YES, NO, YES, YES},  {"topk", NO, YES, YES, YES},
        {"bottomk", NO, YES, YES, YES}, {"approx_topk", NO, YES, NO, NO},
        {"sort", YES, NO, NO, YES},     {"sort_desc", YES, NO, NO, YES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct err err;
        const struct logql_expr *e;
        const char *op = rows[i].op, *k = rows[i].with_k ? "2," : "";
        assert_int_equal(PARSES("%s(vector(1))", op), rows[i].plain);
        assert_int_equal(PARSES("%s(2, vector(1))", op), rows[i].with_k);
        assert_int_equal(PARSES("%s(%s vector(1)) by (x)", op, k), rows[i].grouped);
        assert_int_equal(PARSES("%s without (x) (%s vector(1))", op, k), rows[i].grouped);
        assert_int_equal(PARSES("%s by () (%s vector(1))", op, k), rows[i].empty_grouping);
        assert_false(PARSES("%s by (x) (%s vector(1)) by (x)", op, k));
        assert_false(PARSES("%s(1.5, vector(1))", op) || PARSES("%s(0, vector(1))", op) ||
                     PARSES("%s(1e1, vector(1))", op) || PARSES("%s(-1, vector(1))", op));
    }
}

static void test_regexes_are_checked_wherever_they_stand(void **state)
{
    static const char *const rows[] = {
        "{a=~\"(\"}",
        "{a=\"b\", c!~\"(\"}",
        "{a=\"b\"} |~ \"(\"",
        "{a=\"b\"} !~ \"x\" or \"(\"",
        "{a=\"b\"} | c=~\"(\"",
        "{a=\"b\"} | drop c=~\"(\"",
        "{a=\"b\"} | keep c!~\"(\"",
        "{a=\"b\"} | regexp \"(?P<x>\"",
        "rate({a=\"b\"} | unwrap n | c=~\"(\" [1m])",
        "label_replace(vector(1), \"a\", \"\", \"b\", \"(\")",
        "{a=\"b\"} |> \"<a>\"",
        "{a=\"b\"} | label_format c=\"{{\"",
        "{a=\"b\"} | logfmt c=\"a b\"",
        "rate({a=\"b\"} | unwrap n | c=ip(\"q\") [1m])",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_rejected(sv_of(rows[i]), "bad expression");
}

/* ---- the lexer's edges ---- */

static struct str_view repeated(struct arena *a, const char *before, char c, size_t n,
                                const char *after)
{
    size_t head = strlen(before), tail = strlen(after);
    char *p = arena_alloc(a, head + n + tail);
    memcpy(p, before, head);
    memset(p + head, c, n);
    memcpy(p + head + n, after, tail);
    return sv(p, head + n + tail);
}

static void test_a_query_has_at_most_131071_bytes(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    expect_accepted(repeated(&a, "{a=\"b\"}", ' ', LOGQL_MAX_QUERY_BYTES - 7, ""), "longest");
    expect_error(repeated(&a, "{a=\"b\"}", ' ', LOGQL_MAX_QUERY_BYTES - 6, ""),
                 "parse error : input size too long (131072 > 131072)");
}

static void test_odd_bytes_are_errors_and_a_byte_order_mark_is_not(void **state)
{
    expect_accepted(SV("\xef\xbb\xbf{a=\"b\"}"), "mark");
    expect_accepted(SV("{a=\"\xc3\xa4\"}"), "UTF-8");
    expect_accepted(SV("{a=\"\\xff\"}"), "an escape may make any byte");
    expect_error(SV("{a=\"\xff\"}"), "parse error at line 1, col 4: invalid UTF-8 encoding");
    expect_error(SV("{a=\"b\"} \xff"), "parse error at line 1, col 9: invalid UTF-8 encoding");
    expect_error(SV("{a=\"b\"} # \xff"), "parse error at line 1, col 9: invalid UTF-8 encoding");
    expect_error(SV("{a=\"b\0\"}"), "parse error at line 1, col 4: invalid character NUL");
    expect_error(SV("{a=\"b\"}\xc2\xa0"),
                 "parse error at line 1, col 8: syntax error: unexpected IDENTIFIER");
    expect_error(SV("{a=\"b\"} /* x"), "parse error at line 1, col 9: comment not terminated");
    expect_error(SV("# only"), "parse error at line 1, col 7: syntax error: unexpected $end");
    expect_error(SV("{a=\"x\\q\"}"), "parse error at line 1, col 4: invalid char escape");
    expect_error(SV("{a=\"x\n\"}"), "parse error at line 1, col 4: literal not terminated");
    expect_error(SV("{a=\"b\"}\n |= \n  x"),
                 "parse error at line 3, col 3: syntax error: unexpected IDENTIFIER, expecting "
                 "STRING or ip");
    expect_error(SV("{\xc3\xa4=\"\xc3\xa4\"} x"),
                 "parse error at line 1, col 9: syntax error: unexpected IDENTIFIER");
}

static void test_reserved_words_are_no_names_and_function_words_are(void **state)
{
    static const char *const reserved[] = {
        "by",          "without",    "bool",         "on",      "ignoring",    "group_left",
        "group_right", "offset",     "unwrap",       "or",      "and",         "unless",
        "json",        "logfmt",     "regexp",       "pattern", "unpack",      "keep",
        "drop",        "decolorize", "label_format", "BY",      "line_format",
    };
    static const char *const words[] = {
        "rate",        "rate_counter",  "count_over_time",
        "sum",         "avg",           "topk",
        "sort_desc",   "label_replace", "vector",
        "bytes",       "duration",      "duration_seconds",
        "ip",          "variants",      "of",
        "approx_topk",
    };
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err;
    const struct logql_expr *e;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        assert_false(PARSES("{%s=\"x\"}", reserved[i]));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_true(PARSES("{%s=\"x\"} | %s = \"y\" | drop %s", words[i], words[i], words[i]));
        assert_true(PARSES("sum by (%s) (vector(1))", words[i]));
    }
}

static void test_deep_nesting_is_refused_by_name(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err;
    const struct logql_expr *e;
    assert_true(parse(&a, repeated(&a, "", '(', LOGQL_MAX_QUERY_BYTES, ""), &e, &err) < 0);
    assert_non_null(strstr(err.text, "nests deeper than"));
    assert_true(parse(&a, repeated(&a, "{a=\"b\"} | ", '(', 131000, ""), &e, &err) < 0);
    assert_non_null(strstr(err.text, "nests deeper than"));
}

static void test_only_a_plain_selector_is_a_selector(void **state)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    const struct matcher *m;
    size_t n;
    assert_int_equal(logql_parse_selector(&a, SV("{a=\"b\", c!~\"d\"}"), &m, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(m[1].op, MATCH_NRE);
    static const char *const others[] = {"{a=\"b\"} |= \"x\"", "rate({a=\"b\"}[1m])", "1"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(logql_parse_selector(&a, sv_of(others[i]), &m, &n, &err) < 0);
        assert_string_equal(err.text, "only label matchers are supported");
    }
}

int main(int argc, char **argv)
{
    data_folder = argc > 1 ? argv[1] : "tests/unit/logql/data";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_query_that_loki_accepts_parses_and_prints_back),
        cmocka_unit_test(test_every_query_that_loki_rejects_is_rejected),
        cmocka_unit_test(test_errors_have_the_place_and_the_words_of_loki),
        cmocka_unit_test(test_binary_operators_bind_by_their_level),
        cmocka_unit_test(test_literals_are_folded),
        cmocka_unit_test(test_label_filters_bind_as_loki_binds_them),
        cmocka_unit_test(test_values_of_label_filters_keep_their_kind),
        cmocka_unit_test(test_stages_print_in_their_canonical_form),
        cmocka_unit_test(test_ranges_offsets_and_unwrap_print_behind_the_pipeline),
        cmocka_unit_test(test_each_range_operation_checks_unwrap_and_grouping),
        cmocka_unit_test(test_each_vector_operation_checks_parameter_and_grouping),
        cmocka_unit_test(test_regexes_are_checked_wherever_they_stand),
        cmocka_unit_test(test_a_query_has_at_most_131071_bytes),
        cmocka_unit_test(test_odd_bytes_are_errors_and_a_byte_order_mark_is_not),
        cmocka_unit_test(test_reserved_words_are_no_names_and_function_words_are),
        cmocka_unit_test(test_deep_nesting_is_refused_by_name),
        cmocka_unit_test(test_only_a_plain_selector_is_a_selector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
