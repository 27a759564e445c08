/* SPDX-License-Identifier: Apache-2.0 */
/* bench_logql.c - what the line stages and regexes cost: ns per line into a labels_builder that is
 * reset for each, and MB/s of regexes over sample logs, line by line and a chunk at once, with
 * PCRE2's JIT beside them.  CPU time of one thread, best of rounds.
 *
 *   bench_logql [LOGS_FOLDER [ROUNDS]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/values.h"
#include "filter/line_test.h"
#include "lines/decolorize.h"
#include "lines/json.h"
#include "lines/labels_builder.h"
#include "lines/logfmt.h"
#include "lines/pattern.h"
#include "lines/regexp.h"
#include "lines/unpack.h"
#include "regex/regex.h"
#include "samples.h"
#include "template/template.h"

enum { N_LINES = 20000, MAX_SPANS = 32 };

struct lines {
    struct buf text;
    struct str_view v[N_LINES];
    size_t n;
};

static struct lines json, logfmt, access_log, packed, plain;
static uint32_t plain_start[N_LINES + 1];
static int rounds = 5;

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- data ---- */

static void add_access(struct buf *out)
{
    buf_printf(out,
               "10.%u.%u.%u - %s [14/Nov/2023:22:%02u:%02u +0000] \"%s /api/v1/items/%u?page=%u "
               "HTTP/1.1\" %u %u \"-\" \"Mozilla/5.0 (X11; Linux x86_64) rv:%u\" %u.%03u",
               (unsigned)(rnd() % 256), (unsigned)(rnd() % 256), (unsigned)(rnd() % 256),
               rnd() % 2 ? "frank" : "-", (unsigned)(rnd() % 60), (unsigned)(rnd() % 60),
               rnd() % 2 ? "GET" : "POST", (unsigned)(rnd() % 100000), (unsigned)(rnd() % 50),
               200 + (unsigned)(rnd() % 4) * 100, (unsigned)(rnd() % 60000),
               (unsigned)(rnd() % 100), (unsigned)(rnd() % 3), (unsigned)(rnd() % 1000));
}

/* 450 bytes, 14 fields, two objects, an escape in one line of four. */
static void add_json(struct buf *out)
{
    static const char *const levels[] = {"info", "warn", "error", "debug"};
    buf_printf(
        out,
        "{\"ts\":\"2023-11-14T22:13:%02u.%06uZ\",\"level\":\"%s\",\"logger\":"
        "\"com.example.checkout.PaymentHandler\",\"msg\":\"payment %u authorised for order "
        "%u%s\",\"trace_id\":\"%016llx%016llx\",\"span_id\":\"%016llx\",\"http\":{\"method\":"
        "\"%s\",\"path\":\"/api/v1/orders/%u/payments\",\"status\":%u,\"bytes\":%u},\"user\":"
        "{\"id\":%u,\"tier\":\"gold\"},\"took_ms\":%u.%u,\"retry\":%s,\"upstream\":null,"
        "\"host\":\"checkout-7d9f%u\",\"tags\":[\"eu\",\"card\"]}",
        (unsigned)(rnd() % 60), (unsigned)(rnd() % 1000000), levels[rnd() % 4],
        (unsigned)(rnd() % 1000000), (unsigned)(rnd() % 1000000),
        rnd() % 4 ? "" : " (\\\"3-D Secure\\\")", (unsigned long long)rnd(),
        (unsigned long long)rnd(), (unsigned long long)rnd(), rnd() % 2 ? "GET" : "POST",
        (unsigned)(rnd() % 1000000), 200 + (unsigned)(rnd() % 4) * 100, (unsigned)(rnd() % 60000),
        (unsigned)(rnd() % 100000), (unsigned)(rnd() % 3000), (unsigned)(rnd() % 10),
        rnd() % 2 ? "true" : "false", (unsigned)(rnd() % 10));
}

static void add_packed(struct buf *out)
{
    buf_put(out, SV("{\"container\":\"c1\",\"pod\":\"api-0\",\"stream\":\"stderr\",\"_entry\":\""
                    "level=info msg=\\\"all is well\\\" n=5\"}"));
}

static void make_lines(struct lines *l, void (*put)(struct buf *))
{
    static size_t ends[N_LINES];
    for (size_t i = 0; i < N_LINES; i++) {
        put(&l->text);
        ends[i] = l->text.len;
    }
    for (size_t i = 0; i < N_LINES; i++) {
        size_t from = i ? ends[i - 1] : 0;
        l->v[i] = sv(l->text.p + from, ends[i] - from);
    }
    l->n = N_LINES;
}

/* ---- stages ---- */

struct stage_bench {
    struct labels_builder b;
    struct arena arena; /* of what is compiled */
    struct regex_scratch *scratch;
    struct pattern pattern;
    struct regexp_stage regexp;
    struct json_paths paths;
    struct logfmt_wanted wanted[2];
    struct template *template;
    const char *only; /* emit stops after this name */
    struct buf out;
    struct str_view line;
    size_t n_labels;
};

static const struct label BASE[] = {
    {SV("app"), SV("checkout")}, {SV("env"), SV("prod")}, {SV("pod"), SV("checkout-7d9f")}};

static bool emit_all(void *ctx, struct str_view name, struct str_view value)
{
    struct stage_bench *s = ctx;
    labels_builder_extract(&s->b, name, value, EXTRACT_FIRST_WINS);
    s->n_labels++;
    return true;
}

static bool emit_one(void *ctx, struct str_view name, struct str_view value)
{
    struct stage_bench *s = ctx;
    if (!sv_eq(name, sv_of(s->only)))
        return true;
    labels_builder_extract(&s->b, name, value, EXTRACT_FIRST_WINS);
    s->n_labels++;
    return false;
}

static bool emit_none(void *ctx, struct str_view name, struct str_view value)
{
    ((struct stage_bench *)ctx)->n_labels++;
    return true;
}

typedef void stage_fn(struct stage_bench *s, struct str_view line);

static void run_nothing(struct stage_bench *s, struct str_view line) {}

static void run_json(struct stage_bench *s, struct str_view line)
{
    struct str_view details;
    json_flatten(line, labels_builder_arena(&s->b), emit_all, s, &details);
}

static void run_json_scan(struct stage_bench *s, struct str_view line)
{
    struct str_view details;
    json_flatten(line, labels_builder_arena(&s->b), emit_none, s, &details);
}

static void run_json_one(struct stage_bench *s, struct str_view line)
{
    struct str_view details;
    s->only = "http_status";
    json_flatten(line, labels_builder_arena(&s->b), emit_one, s, &details);
}

static void run_json_path(struct stage_bench *s, struct str_view line)
{
    struct str_view details, values[2];
    json_extract(line, &s->paths, labels_builder_arena(&s->b), values, &details);
    labels_builder_extract(&s->b, SV("a"), values[0], EXTRACT_OVERWRITE);
    labels_builder_extract(&s->b, SV("b"), values[1], EXTRACT_OVERWRITE);
}

static void run_logfmt(struct stage_bench *s, struct str_view line)
{
    struct str_view details;
    logfmt_parse(line, (struct logfmt_flags){false, false}, labels_builder_arena(&s->b), emit_all,
                 s, &details);
}

static void run_logfmt_scan(struct stage_bench *s, struct str_view line)
{
    struct str_view details;
    logfmt_parse(line, (struct logfmt_flags){false, false}, labels_builder_arena(&s->b), emit_none,
                 s, &details);
}

static void run_logfmt_keys(struct stage_bench *s, struct str_view line)
{
    struct str_view details, values[2];
    logfmt_extract(line, false, s->wanted, 2, labels_builder_arena(&s->b), values, &details);
}

static void run_pattern(struct stage_bench *s, struct str_view line)
{
    pattern_extract(&s->pattern, line, emit_all, s);
}

static void run_regexp(struct stage_bench *s, struct str_view line)
{
    regexp_extract(&s->regexp, s->scratch, line, labels_builder_arena(&s->b), emit_all, s);
}

static pcre2_code *pcre_stage;
static pcre2_match_data *pcre_match;

/* What a regexp stage over PCRE2's JIT would cost at least. */
static void run_pcre(struct stage_bench *s, struct str_view line)
{
    int n = pcre2_match(pcre_stage, (PCRE2_SPTR)line.p, line.len, 0, 0, pcre_match, NULL);
    PCRE2_SIZE *spans = pcre2_get_ovector_pointer(pcre_match);
    for (int g = 1; g < n; g++)
        emit_all(s, s->regexp.names[g],
                 sv_sub(line, spans[2 * g], spans[2 * g + 1] - spans[2 * g]));
}

static void run_unpack(struct stage_bench *s, struct str_view line)
{
    struct str_view details, out;
    unpack_line(line, labels_builder_arena(&s->b), emit_all, s, &out, &details);
}

static void run_decolorize(struct stage_bench *s, struct str_view line)
{
    decolorize(line, labels_builder_arena(&s->b));
}

static bool get(void *ctx, struct str_view name, struct str_view *ret)
{
    return labels_builder_get(&((struct stage_bench *)ctx)->b, name, ret);
}

static struct labels all(void *ctx, struct arena *a)
{
    return labels_builder_result(&((struct stage_bench *)ctx)->b);
}

static void run_template(struct stage_bench *s, struct str_view line)
{
    struct template_data data = {s, get, all, line, 0};
    buf_clear(&s->out);
    template_exec(s->template, &data, labels_builder_arena(&s->b), s->scratch, &s->out, 1 << 20,
                  NULL);
}

static void run_values(struct stage_bench *s, struct str_view line)
{
    int64_t ns;
    double v;
    uint64_t bytes;
    number_parse(SV("1137.25"), &v, NULL);
    duration_parse_go(SV("1.5s"), &ns, NULL);
    bytesize_parse(SV("469KB"), &bytes, NULL);
}

static void bench_stage(struct stage_bench *s, const char *what, const struct lines *l,
                        stage_fn *fn)
{
    double best = 1e18;
    uint64_t bytes = 0;
    for (int round = 0; round < rounds; round++) {
        bytes = 0;
        s->n_labels = 0;
        double begin = cpu_ns();
        for (size_t i = 0; i < l->n; i++) {
            labels_builder_reset(&s->b);
            fn(s, l->v[i]);
            bytes += l->v[i].len;
        }
        double took = cpu_ns() - begin;
        best = took < best ? took : best;
    }
    printf("  %-34s %8.0f ns/line %6.0f B/line %7.0f MB/s %5.1f labels\n", what,
           best / (double)l->n, (double)bytes / (double)l->n, (double)bytes / best * 1e3,
           (double)s->n_labels / (double)l->n);
}

static void compile_stages(struct stage_bench *s)
{
    struct json_path v[2];
    labels_builder_init(&s->b);
    labels_builder_set_base(&s->b, (struct labels){BASE, 3});
    s->scratch = regex_scratch_new();
    json_path_parse(&s->arena, SV("http.status"), &v[0], NULL);
    json_path_parse(&s->arena, SV("user.id"), &v[1], NULL);
    s->paths = json_paths_new(&s->arena, v, 2);
    s->wanted[0] = (struct logfmt_wanted){SV("level"), SV("level")};
    s->wanted[1] = (struct logfmt_wanted){SV("t"), SV("duration")};
    pattern_parse(&s->arena, SV("<ip> - <user> [<_>] \"<method> <path> <_>\" <status> <size> <_>"),
                  PATTERN_EXTRACT, &s->pattern, NULL);
    template_parse(&s->arena, SV("{{.app}} {{.env | upper}}: {{__line__}}"), &s->template, NULL);
}

static pcre2_code *pcre_compile(const char *pattern);

static void bench_regexp(struct stage_bench *s, const char *what, const char *pattern)
{
    regexp_stage_init(&s->regexp, &s->arena, sv_of(pattern), NULL);
    bench_stage(s, what, &access_log, run_regexp);
    pcre_stage = pcre_compile(pattern);
    pcre_match = pcre2_match_data_create_from_pattern(pcre_stage, NULL);
    bench_stage(s, "  the same by PCRE2's JIT", &access_log, run_pcre);
    pcre2_match_data_free(pcre_match);
    pcre2_code_free(pcre_stage);
    regexp_stage_deinit(&s->regexp);
}

static void bench_stages(void)
{
    static struct stage_bench s;
    compile_stages(&s);
    printf("stages\n");
    bench_stage(&s, "nothing (reset)", &json, run_nothing);
    bench_stage(&s, "json", &json, run_json);
    bench_stage(&s, "json, nothing kept", &json, run_json_scan);
    bench_stage(&s, "json, up to http_status", &json, run_json_one);
    bench_stage(&s, "json a=\"http.status\", b=\"user.id\"", &json, run_json_path);
    bench_stage(&s, "logfmt", &logfmt, run_logfmt);
    bench_stage(&s, "logfmt, nothing kept", &logfmt, run_logfmt_scan);
    bench_stage(&s, "logfmt level, t=\"duration\"", &logfmt, run_logfmt_keys);
    bench_stage(&s, "pattern, 6 captures", &access_log, run_pattern);
    bench_regexp(&s, "regexp, 6 captures, anchored",
                 "^(?P<ip>\\S+) \\S+ (?P<user>\\S+) \\[[^\\]]*\\] \"(?P<method>\\w+) "
                 "(?P<path>\\S+) [^\"]*\" (?P<status>\\d{3}) (?P<size>\\d+)");
    bench_regexp(&s, "regexp, 2 captures, inside", "\" (?P<status>\\d{3}) (?P<size>\\d+)");
    bench_regexp(&s, "regexp, .* between", "\\[(?P<ts>.*?)\\] .*HTTP.* (?P<took>[\\d.]+)$");
    bench_stage(&s, "unpack", &packed, run_unpack);
    bench_stage(&s, "decolorize, nothing to do", &plain, run_decolorize);
    bench_stage(&s, "line_format, 3 actions", &plain, run_template);
    bench_stage(&s, "number, duration and bytes", &plain, run_values);
    regex_scratch_free(s.scratch);
}

/* ---- regexes ---- */

static pcre2_code *pcre_compile(const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY, &code, &at, NULL);
    if (re)
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    return re;
}

struct regex_bench {
    struct regex *re;
    struct regex_scratch *scratch;
    pcre2_code *pcre;
    pcre2_match_data *match;
    struct line_test test;
    struct row_set rows, tmp[2];
    size_t found;
};

static void by_line(struct regex_bench *b)
{
    for (size_t i = 0; i < plain.n; i++)
        b->found += regex_matches(b->re, b->scratch, plain.v[i]);
}

/* As a line filter of a query does it. */
static void by_chunk(struct regex_bench *b)
{
    struct chunk_lines lines = {plain.text.p, plain.text.len, plain_start, (uint32_t)plain.n};
    row_set_reset(&b->rows, lines.rows);
    row_set_add_range(&b->rows, 0, lines.rows);
    line_test_scan(&b->test, b->scratch, &lines, false, &b->rows, b->tmp);
    b->found += row_set_count(&b->rows);
}

static void captures(struct regex_bench *b)
{
    size_t spans[MAX_SPANS];
    for (size_t i = 0; i < plain.n; i++)
        b->found +=
            regex_captures(b->re, b->scratch, plain.v[i], 0, spans, 2 * regex_n_groups(b->re));
}

static void pcre_by_line(struct regex_bench *b)
{
    for (size_t i = 0; i < plain.n; i++)
        b->found += pcre2_match(b->pcre, (PCRE2_SPTR)plain.v[i].p, plain.v[i].len, 0, 0, b->match,
                                NULL) >= 0;
}

static double mb_per_s(struct regex_bench *b, void (*fn)(struct regex_bench *), size_t *ret_found)
{
    double best = 1e18;
    for (int round = 0; round < rounds; round++) {
        b->found = 0;
        double begin = cpu_ns();
        fn(b);
        double took = cpu_ns() - begin;
        best = took < best ? took : best;
    }
    *ret_found = b->found;
    return (double)plain.text.len / best * 1e3;
}

static void bench_regexes(void)
{
    static const char *const PATTERNS[] = {
        "Exception",
        "(?i)exception",
        "WARN|ERROR|FATAL",
        "\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+",
        ".*Exception.*",
        "\\b(connection|refused|timeout|denied|failed|invalid|illegal|abort|reset|panic)\\b",
        "(?i)(warn|fatal).*connection",
        "connection|refused|timeout|denied|failed|invalid|illegal|abort|reset|panic|corrupt|"
        "overflow|"
        "unreachable|deadlock|throttle|segfault|exhausted|unauthorized|forbidden|mismatch",
        "\\b\\d{1,3}(\\.\\d{1,3}){3}\\b",
        "[0-9a-f]{16}",
        "status=5\\d\\d",
        "trace_id=[0-9a-f]{32}",
        "^(\\S+) (\\S+) (\\S+) (\\S+)",
        "([0-9a-f]{8})-([0-9a-f]{4})",
        "user=(?P<u>\\w+)",
        "\\[(\\w+)\\].*(\\d+)$",
    };
    printf(
        "regexes                                  MB/s: line   chunk captures  pcre2-jit  found\n");
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++) {
        struct regex_bench b = {.scratch = regex_scratch_new(), .pcre = pcre_compile(PATTERNS[i])};
        regex_compile(&b.re, sv_of(PATTERNS[i]), REGEX_SEARCH, NULL);
        CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
        struct line_operand operand = {.text = sv_of(PATTERNS[i])};
        struct line_filter filter = {.op = LINE_RE, .operands = &operand, .n_operands = 1};
        line_test_compile(&b.test, &filter, &(struct compile){.arena = &arena}, NULL);
        b.match = pcre2_match_data_create_from_pattern(b.pcre, NULL);
        size_t found[4];
        double line = mb_per_s(&b, by_line, &found[0]), block = mb_per_s(&b, by_chunk, &found[1]);
        double groups = mb_per_s(&b, captures, &found[2]),
               pcre = mb_per_s(&b, pcre_by_line, &found[3]);
        printf("  %-42.42s %6.0f  %6.0f   %6.0f     %6.0f %6zu%s\n", PATTERNS[i], line, block,
               groups, pcre, found[0],
               found[0] == found[1] && found[0] == found[2] && found[0] == found[3] ? ""
                                                                                    : " differ");
        pcre2_match_data_free(b.match);
        pcre2_code_free(b.pcre);
        line_test_deinit(&b.test);
        row_set_deinit(&b.rows);
        regex_unref(b.re);
        regex_scratch_free(b.scratch);
    }
}

/* Sample lines, each ended by \n in the block. */
static void load_plain(const char *folder)
{
    static struct sample samples[MAX_SAMPLES];
    static size_t starts[N_LINES];
    size_t n = load_samples(folder, samples);
    if (n == 0) {
        fprintf(stderr, "no *.log files in %s\n", folder);
        exit(1);
    }
    for (size_t i = 0; plain.n < N_LINES; i++) {
        const struct sample *s = &samples[i % n];
        struct str_view line = s->lines[i / n % s->n_lines];
        starts[plain.n++] = plain.text.len;
        buf_put(&plain.text, line);
        buf_put_u8(&plain.text, '\n');
    }
    buf_fill(&plain.text, 0, 64); /* a chunk's lines have readable bytes behind them */
    plain.text.len -= 64;
    for (size_t i = 0; i < plain.n; i++) {
        size_t end = i + 1 < plain.n ? starts[i + 1] : plain.text.len;
        plain.v[i] = sv(plain.text.p + starts[i], end - 1 - starts[i]);
        plain_start[i + 1] = (uint32_t)end;
    }
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "bench/logs";
    rounds = argc > 2 ? atoi(argv[2]) : rounds;
    make_lines(&json, add_json);
    make_lines(&logfmt, put_logfmt);
    make_lines(&access_log, add_access);
    make_lines(&packed, add_packed);
    load_plain(folder);
    bench_stages();
    bench_regexes();
    return 0;
}
