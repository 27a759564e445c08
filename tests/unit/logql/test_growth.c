/* SPDX-License-Identifier: Apache-2.0 */
/* Twice the text, at most about twice the time: parsing (with all checks of regexes, templates,
 * paths and patterns) and both printers, on texts made to provoke more.  Refused texts count too.
 * CPU time of this thread, the least of several runs; a row fails only if it fails three times. */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "logql/parse.h"
#include "logql/print.h"

enum { SMALLEST = 16384, DOUBLINGS = 3, RUNS = 3, TRIES = 3 };
#define MOST_GROWTH 2.6
#define NOTHING_S 0.0003 /* below this the clock and the caches decide */

/* `open` and head, then `unit` as often as fits, then tail and `close`; '@' in a unit becomes the
 * number of its turn.  open and close stand there `depth` times; with depth, the unit may be in
 * close: each level then has its share of the text. */
struct hostile {
    const char *what, *head, *unit, *tail;
    unsigned depth;
    const char *open, *close_head, *close_tail;
};

#define S "{a=\"b\"}"
static const struct hostile ROWS[] = {
    {"parentheses", "", "(", ""},
    {"parentheses of a filter", S " | ", "(", ""},
    {"closed parentheses", "1", " + (1)", ""},
    {"blanks", S, " \t\n", ""},
    {"comments", S, "# x\n/* y */", ""},
    {"an open comment", S, "/* ", ""},
    {"an open string", S " |= \"", "x\\n", ""},
    {"an open range", "rate(" S "[", "5m", ""},
    {"escapes", S " |= \"", "\\x41\\u00e4", "\""},
    {"a raw string", S " |= `", "x\"y\r", "`"},
    {"one name", "{", "na", "=\"b\"}"},
    {"names of other letters", "{", "\xc3\xa4\xe6\x97\xa5", "=\"b\"}"},
    {"digits", "", "1", ""},
    {"points", "", "1.1", ""},
    {"signs", "1 ", "- ", ""},
    {"glued signs", "1", "-", ""},
    {"a duration", S " | x > ", "1h", ""},
    {"units that are none", S " | x > 1", "n", ""},
    {"words before blanks", S " | drop ", "sum   , ", "x"},
    {"matchers", "{a=\"b\"", ",c@!=\"d\"", "}"},
    {"regex matchers", "{a=\"b\"", ",c=~\"d.*|e@\"", "}"},
    {"alternatives of a matcher", "{a=~\"x", "|y@", "\"}"},
    {"equal alternatives", "{a=~\"x", "|x", "\"}"},
    {"alternatives without case", S " |~ \"(?i)x", "|error@", "\""},
    {"optional characters", S " |~ \"", "a?", "\""},
    {"groups", S " |~ \"", "(a|b)", "\""},
    {"classes", S " |~ \"", "[^a-c]*", "\""},
    {"one class", S " |~ \"[", "ab-d", "]\""},
    {"stars", S " |~ \"", "x*.*", "\""},
    {"nested groups", S " |~ \"", "(a", "\""},
    {"named groups", S " | regexp \"", "(?P<g@>.)", "\""},
    {"or chain", S " |= \"x\"", " or \"y\"", ""},
    {"regex or chain", S " |~ \"x\"", " or \"y.*z\"", ""},
    {"ip or chain", S " |= \"x\"", " or ip(\"10.0.0.0/8\")", ""},
    {"line filters", S, " |= \"x\"", ""},
    {"regex filters", S, " !~ \"x.+\"", ""},
    {"pattern filter", S " |> \"", "<_> x ", "\""},
    {"captures", S " | pattern \"", "<g@> ", "\""},
    {"label filters in stages", S, " | a=\"b\"", ""},
    {"and chain", S " | a=\"b\"", " and c=\"d\"", ""},
    {"comma chain", S " | a=\"b\"", ", c>5", ""},
    {"chains of half the nesting", S,
     " | ((((((((((((((((((((a=\"b\", c=\"d\") or e>1) f=\"g\"))))))))))))))))))", ""},
    {"json", S " | json a=\"b\"", ", c@=\"d[0].e\"", ""},
    {"a deep path", S " | json a=\"x", ".y[0]", "\""},
    {"a path of brackets", S " | json a=\"", "[0]", "\""},
    {"logfmt", S " | logfmt a", ",c@=\"d\"", ""},
    {"flags", S " | logfmt", " --strict", ""},
    {"drop", S " | drop a", ",c@=~\"d\"", ""},
    {"label_format", S " | label_format a=b", ",c@=`{{.d}}`", ""},
    {"a failing stage", S " | label_format a=b", ",c@=d", ",a=e"},
    {"a long template", S " | line_format `", "x{{.y}} ", "`"},
    {"a template of text", S " | line_format `", "text ", "`"},
    {"a template pipeline", S " | line_format `{{.a", " | lower", "}}`"},
    {"template conditions", S " | line_format `", "{{if eq .a \"b\"}}c{{else}}d{{end}}", "`"},
    {"nested conditions", S " | line_format `", "{{if .a}}", "`"},
    {"template parentheses", S " | line_format `{{ ", "(", "`"},
    {"template variables", S " | line_format `", "{{$v@ := .a}}", "`"},
    {"template comments", S " | line_format `", "{{/* x */}}", "`"},
    {"trimmed text", S " | line_format `", "{{- .a -}}  \n", "`"},
    {"folded literals", "1", " + 1", ""},
    {"folded powers", "1", " ^ 1", ""},
    {"operations", "vector(1)", " + vector(1)", ""},
    {"a nest of functions", "", "sum(", ""},
    {"grouping", "sum by (a", ",b@", ") (vector(1))"},
    {"matching", "vector(1) + on (a", ",b@", ") vector(2)"},
    {"post filters", "rate(" S " | unwrap n", " | a>1", "[5m])"},
    {"stages in a range", "rate(" S, " | json | b > 1ms", "[5m])"},
    {"a selector deep down", "rate({a=\"", "b", "\"}[5m])", 95, "sum(", "", ")"},
    {"stages deep down", "rate({a=\"b\"}", "|=\"x\"", "[5m])", 450, "sum(", "", ")"},
    {"many names on each level", "vector(1)", "a@,", "", 90, "sum(", ") by (", "z)"},
    {"a text on each level", "vector(1)", "x", "", 90, "label_replace(", ",\"a\",\"",
     "\",\"b\",\"\")"},
    {"a text on each of many", "vector(1)", "x", "", 300, "label_replace(", ",\"a\",\"",
     "\",\"b\",\"\")"},
    {"a long replacement", "label_replace(vector(1), \"a\", \"", "$1", "\", \"b\", \"\")"},
};

/* Units as many as fit into `bytes`, and no more than leave room for what is fixed. */
static void put_units(struct buf *b, const char *unit, size_t bytes)
{
    size_t begin = b->len;
    for (size_t turn = 0; b->len - begin + strlen(unit) + 8 <= bytes; turn++)
        for (const char *p = unit; *p; p++) {
            char number[24];
            snprintf(number, sizeof number, "%zu", turn);
            if (*p == '@')
                buf_put(b, sv_of(number));
            else
                buf_put_u8(b, (uint8_t)*p);
        }
}

static struct str_view build(struct arena *a, const struct hostile *h, size_t bytes)
{
    CLEANUP(buf_deinit) struct buf b = BUF_INIT;
    size_t level = h->depth ? strlen(h->open) + strlen(h->close_head) + strlen(h->close_tail) : 0;
    size_t left = bytes - strlen(h->head) - strlen(h->tail) - level * h->depth;
    for (unsigned i = 0; i < h->depth; i++)
        buf_put(&b, sv_of(h->open));
    buf_put(&b, sv_of(h->head));
    bool in_levels = h->depth && *h->close_head;
    if (!in_levels)
        put_units(&b, h->unit, left);
    buf_put(&b, sv_of(h->tail));
    for (unsigned i = 0; i < h->depth; i++) {
        buf_put(&b, sv_of(h->close_head));
        if (in_levels)
            put_units(&b, h->unit, left / h->depth);
        buf_put(&b, sv_of(h->close_tail));
    }
    return arena_copy(a, buf_view(&b));
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Parses, and prints what parses; returns whether it did. */
static bool once(struct str_view query, double *ret_s)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *e;
    double begin = cpu_seconds();
    bool ok = logql_parse(&a, query, &e, &err) == 0;
    if (ok) {
        logql_print(&out, e);
        buf_clear(&out);
        logql_format(&out, e);
    }
    *ret_s = cpu_seconds() - begin;
    return ok;
}

static double least_seconds(struct str_view query)
{
    double least = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double s;
        once(query, &s);
        least = s < least ? s : least;
    }
    return least < NOTHING_S ? NOTHING_S : least;
}

/* The largest growth for one doubling, seen over two in a row: a step alone may be a cache's.  The
 * times in ret_s. */
static double growth(const struct hostile *h, double ret_s[DOUBLINGS + 1])
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    double most = 0;
    for (int i = 0; i <= DOUBLINGS; i++) {
        size_t bytes = (size_t)SMALLEST << i;
        bytes = bytes > LOGQL_MAX_QUERY_BYTES ? LOGQL_MAX_QUERY_BYTES : bytes;
        ret_s[i] = least_seconds(build(&a, h, bytes));
        double grown = i < 2 ? 0 : sqrt(ret_s[i] / ret_s[i - 2]);
        most = grown > most ? grown : most;
    }
    return most;
}

static void test_twice_the_text_takes_about_twice_the_time(void **state)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        double s[DOUBLINGS + 1], most = 1e9;
        for (int try = 0; try < TRIES && most > MOST_GROWTH; try++)
            most = growth(&ROWS[i], s);
        n_bad += most > MOST_GROWTH;
        printf("%-28s %s %8.3f %8.3f %8.3f %8.3f ms, x%.2f at most\n", ROWS[i].what,
               most > MOST_GROWTH ? "GROWS" : "     ", s[0] * 1e3, s[1] * 1e3, s[2] * 1e3,
               s[3] * 1e3, most);
    }
    assert_int_equal(n_bad, 0);
}

int main(void)
{
    /* Memory is kept: giving large blocks back to the system, and getting them again, would make
     * steps in the times that are not ours. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice_the_text_takes_about_twice_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
