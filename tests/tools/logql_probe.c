/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one query a line, in hex, and prints one line each:
 *   O TREE    it parses, and both printed forms parse to an equal tree and print the same again
 *   E TEXT    it does not; the text of the error in hex
 *   R TEXT    it parses but a printed form is wrong; what happened, in hex
 * TREE is an S-expression: strings are s:HEX, numbers n:, nanoseconds d:, byte sizes b:. */
#include <stdio.h>
#include <stdlib.h>

#include "logql/parse.h"
#include "logql/print.h"

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* In place. */
static struct str_view unhex(char *line, size_t len)
{
    size_t n = len / 2;
    for (size_t i = 0; i < n; i++)
        line[i] = (char)(hex_digit(line[2 * i]) << 4 | hex_digit(line[2 * i + 1]));
    return sv(line, n);
}

static void put_hex(struct str_view v)
{
    for (size_t i = 0; i < v.len; i++)
        printf("%02x", (unsigned char)v.p[i]);
}

static void put_string(struct str_view v)
{
    printf("s:");
    put_hex(v);
}

/* ---- pipelines ---- */

static void put_match(struct str_view name, enum match_op op, struct str_view value)
{
    printf(" (%.*s %s ", SV_ARG(name), match_op_text(op));
    put_string(value);
    printf(")");
}

static void put_filter(const struct label_filter *f)
{
    switch (f->kind) {
    case LABEL_FILTER_AND:
    case LABEL_FILTER_OR:
        printf(f->kind == LABEL_FILTER_AND ? " (and" : " (or");
        put_filter(f->pair.left);
        put_filter(f->pair.right);
        printf(")");
        break;
    case LABEL_FILTER_STRING:
        put_match(f->name, f->string.op, f->string.value);
        break;
    case LABEL_FILTER_NUMBER:
        printf(" (%.*s %s n:%.17g)", SV_ARG(f->name), cmp_op_text(f->number.op), f->number.value);
        break;
    case LABEL_FILTER_DURATION:
        printf(" (%.*s %s d:%lld)", SV_ARG(f->name), cmp_op_text(f->duration.op),
               (long long)f->duration.ns);
        break;
    case LABEL_FILTER_BYTES:
        printf(" (%.*s %s b:%llu)", SV_ARG(f->name), cmp_op_text(f->bytes.op),
               (unsigned long long)f->bytes.value);
        break;
    case LABEL_FILTER_IP:
        printf(" (%.*s %s ip ", SV_ARG(f->name), f->ip.negated ? "!=" : "=");
        put_string(f->ip.text);
        printf(")");
        break;
    }
}

static void put_line_filter(const struct line_filter *f)
{
    printf(" (line %s", line_op_text(f->op));
    for (size_t i = 0; i < f->n_operands; i++) {
        printf(f->operands[i].is_ip ? " (ip " : " ");
        put_string(f->operands[i].text);
        printf(f->operands[i].is_ip ? ")" : "");
    }
    printf(")");
}

static void put_parser(const struct stage *s)
{
    printf(s->kind == STAGE_JSON ? " (json" : " (logfmt");
    printf("%s%s", s->parser.strict ? " --strict" : "",
           s->parser.keep_empty ? " --keep-empty" : "");
    for (size_t i = 0; i < s->parser.n_extractions; i++) {
        const struct extraction *x = &s->parser.extractions[i];
        printf(x->bare ? " %.*s" : " (%.*s ", SV_ARG(x->dst));
        if (x->bare)
            continue;
        put_string(x->expr);
        printf(")");
    }
    printf(")");
}

static void put_label_format(const struct stage *s)
{
    printf(" (label_format");
    for (size_t i = 0; i < s->label_format.n; i++) {
        const struct label_format *f = &s->label_format.v[i];
        printf(" (%.*s ", SV_ARG(f->dst));
        if (f->is_template)
            put_string(f->src);
        else
            printf("%.*s", SV_ARG(f->src));
        printf(")");
    }
    printf(")");
}

static void put_named(const struct stage *s)
{
    printf(s->kind == STAGE_DROP ? " (drop" : " (keep");
    for (size_t i = 0; i < s->named.n; i++) {
        const struct named_label *l = &s->named.v[i];
        if (l->has_matcher)
            put_match(l->name, l->op, l->value);
        else
            printf(" %.*s", SV_ARG(l->name));
    }
    printf(")");
}

static void put_with_text(const char *word, struct str_view text)
{
    printf(" (%s ", word);
    put_string(text);
    printf(")");
}

static void put_stage(const struct stage *s)
{
    switch (s->kind) {
    case STAGE_LINE_FILTER:
        put_line_filter(&s->line_filter);
        break;
    case STAGE_JSON:
    case STAGE_LOGFMT:
        put_parser(s);
        break;
    case STAGE_REGEXP:
        put_with_text("regexp", s->text);
        break;
    case STAGE_PATTERN:
        put_with_text("pattern", s->text);
        break;
    case STAGE_LINE_FORMAT:
        put_with_text("line_format", s->text);
        break;
    case STAGE_UNPACK:
        printf(" (unpack)");
        break;
    case STAGE_DECOLORIZE:
        printf(" (decolorize)");
        break;
    case STAGE_LABEL_FILTER:
        printf(" (filter");
        put_filter(s->label_filter);
        printf(")");
        break;
    case STAGE_LABEL_FORMAT:
        put_label_format(s);
        break;
    case STAGE_DROP:
    case STAGE_KEEP:
        put_named(s);
        break;
    }
}

static void put_log(const struct log_query *log)
{
    printf(" (log (");
    for (size_t i = 0; i < log->n_matchers; i++)
        put_match(log->matchers[i].name, log->matchers[i].op, log->matchers[i].value);
    printf(")");
    for (size_t i = 0; i < log->n_stages; i++)
        put_stage(&log->stages[i]);
    printf(")");
}

/* ---- metrics ---- */

static void put_names(const char *word, struct name_list names)
{
    printf(" (%s", word);
    for (size_t i = 0; i < names.n; i++)
        printf(" %.*s", SV_ARG(names.v[i]));
    printf(")");
}

static void put_grouping(const struct grouping *g)
{
    if (g->present)
        put_names(g->without ? "without" : "by", g->names);
}

static void put_range(const struct range_agg *agg)
{
    static const char *const CONVERSIONS[] = {"none", "bytes", "duration", "duration_seconds"};
    printf(" (range %s", range_op_text(agg->op));
    if (agg->op == RANGE_QUANTILE)
        printf(" n:%.17g", agg->param);
    put_log(&agg->log);
    if (agg->unwrap.present) {
        printf(" (unwrap %s %.*s", CONVERSIONS[agg->unwrap.conv], SV_ARG(agg->unwrap.name));
        for (size_t i = 0; i < agg->unwrap.n_post_filters; i++)
            put_filter(agg->unwrap.post_filters[i]);
        printf(")");
    }
    printf(" d:%lld d:%lld", (long long)agg->range_ns, (long long)agg->offset_ns);
    put_grouping(&agg->grouping);
    printf(")");
}

static void put_expr(const struct logql_expr *e);

static void put_binary(const struct logql_expr *e)
{
    const struct vector_matching *m = &e->binary.matching;
    printf(" (bin %s%s", binary_op_text(e->binary.op), e->binary.returns_bool ? " bool" : "");
    if (m->present)
        put_names(m->on ? "on" : "ignoring", m->names);
    if (m->card != CARD_ONE_TO_ONE)
        put_names(m->card == CARD_MANY_TO_ONE ? "group_left" : "group_right", m->include);
    put_expr(e->binary.left);
    put_expr(e->binary.right);
    printf(")");
}

static void put_label_replace(const struct logql_expr *e)
{
    const struct str_view strings[] = {e->label_replace.dst, e->label_replace.replacement,
                                       e->label_replace.src, e->label_replace.regex};
    printf(" (label_replace");
    put_expr(e->label_replace.inner);
    for (int i = 0; i < 4; i++) {
        printf(" ");
        put_string(strings[i]);
    }
    printf(")");
}

static void put_expr(const struct logql_expr *e)
{
    switch (e->kind) {
    case LOGQL_LOG:
        put_log(&e->log);
        break;
    case LOGQL_RANGE_AGG:
        put_range(&e->range);
        break;
    case LOGQL_VECTOR_AGG:
        printf(" (agg %s", vector_op_text(e->vector_agg.op));
        if (e->vector_agg.k)
            printf(" n:%lld", (long long)e->vector_agg.k);
        put_grouping(&e->vector_agg.grouping);
        put_expr(e->vector_agg.inner);
        printf(")");
        break;
    case LOGQL_BINARY:
        put_binary(e);
        break;
    case LOGQL_LITERAL:
        printf(" n:%.17g", e->number);
        break;
    case LOGQL_VECTOR:
        printf(" (vector n:%.17g)", e->number);
        break;
    case LOGQL_LABEL_REPLACE:
        put_label_replace(e);
        break;
    }
}

/* ---- printing and parsing again ---- */

typedef void print_fn(struct buf *, const struct logql_expr *);

static bool comes_back(struct arena *a, const struct logql_expr *e, print_fn *print,
                       struct buf *ret_fault)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, again = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *back;
    const char *fault = NULL;
    print(&text, e);
    if (logql_parse(a, buf_view(&text), &back, &err) < 0) {
        fault = err.text;
    } else if (!logql_equal(e, back)) {
        fault = "another tree";
    } else {
        print(&again, back);
        fault = sv_eq(buf_view(&text), buf_view(&again)) ? NULL : "prints otherwise";
    }
    if (!fault)
        return true;
    buf_put(ret_fault, buf_view(&text));
    buf_put(ret_fault, SV("\n"));
    buf_put(ret_fault, sv_of(fault));
    return false;
}

static void answer(struct str_view query)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf fault = BUF_INIT;
    struct err err = ERR_INIT;
    const struct logql_expr *e;
    if (logql_parse(&a, query, &e, &err) < 0) {
        printf("E ");
        put_hex(sv_of(err.text));
    } else if (!comes_back(&a, e, logql_print, &fault) ||
               !comes_back(&a, e, logql_format, &fault)) {
        printf("R ");
        put_hex(buf_view(&fault));
    } else {
        printf("O");
        put_expr(e);
    }
    printf("\n");
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t got; (got = getline(&line, &cap, stdin)) > 0;)
        answer(unhex(line, (size_t)got - 1));
    free(line);
    return 0;
}
