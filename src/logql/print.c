/* SPDX-License-Identifier: Apache-2.0 */
/* A tree back to text, as Loki prints it: one line, each binary operation in parentheses of its
 * own.  What it prints parses to the same tree (a fuzz target holds that); format.c breaks it over
 * lines. */
#include "logql/print.h"

#include <math.h>

#include "base/go_quote.h"
#include "base/num.h"
#include "base/values.h"
#include "model/labels.h"

static void put(struct buf *out, const char *text)
{
    buf_put(out, sv_of(text));
}

static void put_names(struct buf *out, struct name_list names)
{
    buf_put_u8(out, '(');
    for (size_t i = 0; i < names.n; i++) {
        if (i)
            buf_put_u8(out, ',');
        buf_put(out, names.v[i]);
    }
    buf_put_u8(out, ')');
}

/* Only folding yields what no literal can say; an operation that folds to it says it again. */
static void put_literal(struct buf *out, double v)
{
    if (isnan(v))
        put(out, "(0 / 0)");
    else if (isinf(v))
        put(out, v > 0 ? "(1e308 * 10)" : "(-1e308 * 10)");
    else
        num_put_float(out, v);
}

static void put_match(struct buf *out, struct str_view name, enum match_op op,
                      struct str_view value)
{
    buf_put(out, name);
    put(out, match_op_text(op));
    go_quote(out, value);
}

static void put_ip(struct buf *out, struct str_view text)
{
    put(out, "ip(");
    go_quote(out, text);
    buf_put_u8(out, ')');
}

void logql_print_selector(struct buf *out, const struct matcher *v, size_t n)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            put(out, ", ");
        put_match(out, v[i].name, v[i].op, v[i].value);
    }
    buf_put_u8(out, '}');
}

void logql_print_label_filter(struct buf *out, const struct label_filter *f)
{
    if (f->kind == LABEL_FILTER_AND || f->kind == LABEL_FILTER_OR) {
        put(out, "( ");
        logql_print_label_filter(out, f->pair.left);
        put(out, f->kind == LABEL_FILTER_AND ? " , " : " or ");
        logql_print_label_filter(out, f->pair.right);
        put(out, " )");
        return;
    }
    if (f->kind == LABEL_FILTER_STRING) {
        put_match(out, f->name, f->string.op, f->string.value);
        return;
    }
    buf_put(out, f->name);
    switch (f->kind) {
    case LABEL_FILTER_NUMBER:
        put(out, cmp_op_text(f->number.op));
        num_put_float(out, f->number.value);
        break;
    case LABEL_FILTER_DURATION:
        put(out, cmp_op_text(f->duration.op));
        buf_put_duration_go(out, f->duration.ns);
        break;
    case LABEL_FILTER_BYTES:
        put(out, cmp_op_text(f->bytes.op));
        buf_put(out, f->bytes.text);
        break;
    case LABEL_FILTER_IP:
        put(out, f->ip.negated ? "!=" : "=");
        put_ip(out, f->ip.text);
        break;
    case LABEL_FILTER_AND:
    case LABEL_FILTER_OR:
    case LABEL_FILTER_STRING:
        break;
    }
}

static void print_line_filter(struct buf *out, const struct line_filter *f)
{
    put(out, line_op_text(f->op));
    for (size_t i = 0; i < f->n_operands; i++) {
        put(out, i ? " or " : " ");
        if (f->operands[i].is_ip)
            put_ip(out, f->operands[i].text);
        else
            go_quote(out, f->operands[i].text);
    }
}

static void print_parser(struct buf *out, const struct stage *s)
{
    put(out, s->kind == STAGE_JSON ? "| json" : "| logfmt");
    if (s->parser.strict)
        put(out, " --strict");
    if (s->parser.keep_empty)
        put(out, " --keep-empty");
    for (size_t i = 0; i < s->parser.n_extractions; i++) {
        const struct extraction *x = &s->parser.extractions[i];
        buf_put_u8(out, i ? ',' : ' ');
        buf_put(out, x->dst);
        if (!x->bare) {
            buf_put_u8(out, '=');
            go_quote(out, x->expr);
        }
    }
}

static void print_label_format(struct buf *out, const struct stage *s)
{
    put(out, "| label_format ");
    for (size_t i = 0; i < s->label_format.n; i++) {
        const struct label_format *f = &s->label_format.v[i];
        if (i)
            buf_put_u8(out, ',');
        buf_put(out, f->dst);
        buf_put_u8(out, '=');
        if (f->is_template)
            go_quote(out, f->src);
        else
            buf_put(out, f->src);
    }
}

static void print_named(struct buf *out, const struct stage *s)
{
    put(out, s->kind == STAGE_DROP ? "| drop " : "| keep ");
    for (size_t i = 0; i < s->named.n; i++) {
        const struct named_label *l = &s->named.v[i];
        if (i)
            buf_put_u8(out, ',');
        if (l->has_matcher)
            put_match(out, l->name, l->op, l->value);
        else
            buf_put(out, l->name);
    }
}

static void print_with_text(struct buf *out, const char *word, struct str_view text)
{
    put(out, word);
    go_quote(out, text);
}

void logql_print_stage(struct buf *out, const struct stage *s)
{
    switch (s->kind) {
    case STAGE_LINE_FILTER:
        print_line_filter(out, &s->line_filter);
        break;
    case STAGE_JSON:
    case STAGE_LOGFMT:
        print_parser(out, s);
        break;
    case STAGE_REGEXP:
        print_with_text(out, "| regexp ", s->text);
        break;
    case STAGE_PATTERN:
        print_with_text(out, "| pattern ", s->text);
        break;
    case STAGE_LINE_FORMAT:
        print_with_text(out, "| line_format ", s->text);
        break;
    case STAGE_UNPACK:
        put(out, "| unpack");
        break;
    case STAGE_DECOLORIZE:
        put(out, "| decolorize");
        break;
    case STAGE_LABEL_FILTER:
        put(out, "| ");
        logql_print_label_filter(out, s->label_filter);
        break;
    case STAGE_LABEL_FORMAT:
        print_label_format(out, s);
        break;
    case STAGE_DROP:
    case STAGE_KEEP:
        print_named(out, s);
        break;
    }
}

static void print_log(struct buf *out, const struct log_query *log)
{
    logql_print_selector(out, log->matchers, log->n_matchers);
    for (size_t i = 0; i < log->n_stages; i++) {
        buf_put_u8(out, ' ');
        logql_print_stage(out, &log->stages[i]);
    }
}

void logql_print_unwrap(struct buf *out, const struct unwrap *u)
{
    static const char *const CONV[] = {"", "bytes", "duration", "duration_seconds"};
    put(out, "| unwrap ");
    put(out, CONV[u->conv]);
    if (u->conv != UNWRAP_NONE)
        buf_put_u8(out, '(');
    buf_put(out, u->name);
    if (u->conv != UNWRAP_NONE)
        buf_put_u8(out, ')');
}

void logql_print_grouping(struct buf *out, const struct grouping *g)
{
    if (!g->present)
        return;
    put(out, g->without ? " without " : " by ");
    put_names(out, g->names);
}

void logql_print_range(struct buf *out, const struct range_agg *agg)
{
    buf_put_u8(out, '[');
    buf_put_duration_prom(out, agg->range_ns);
    buf_put_u8(out, ']');
    if (agg->offset_ns) {
        put(out, " offset ");
        buf_put_duration_go(out, agg->offset_ns);
    }
}

static void print_range_agg(struct buf *out, const struct range_agg *agg)
{
    put(out, range_op_text(agg->op));
    buf_put_u8(out, '(');
    if (agg->op == RANGE_QUANTILE) {
        num_put_float(out, agg->param);
        buf_put_u8(out, ',');
    }
    print_log(out, &agg->log);
    if (agg->unwrap.present) {
        buf_put_u8(out, ' ');
        logql_print_unwrap(out, &agg->unwrap);
        for (size_t i = 0; i < agg->unwrap.n_post_filters; i++) {
            put(out, " | ");
            logql_print_label_filter(out, agg->unwrap.post_filters[i]);
        }
    }
    logql_print_range(out, agg);
    buf_put_u8(out, ')');
    logql_print_grouping(out, &agg->grouping);
}

static void print_vector_agg(struct buf *out, const struct logql_expr *e)
{
    put(out, vector_op_text(e->vector_agg.op));
    logql_print_grouping(out, &e->vector_agg.grouping);
    buf_put_u8(out, '(');
    if (e->vector_agg.k) {
        num_put_i64(out, e->vector_agg.k);
        buf_put_u8(out, ',');
    }
    logql_print(out, e->vector_agg.inner);
    buf_put_u8(out, ')');
}

void logql_print_operator(struct buf *out, const struct logql_expr *e)
{
    const struct vector_matching *m = &e->binary.matching;
    put(out, binary_op_text(e->binary.op));
    if (e->binary.returns_bool)
        put(out, " bool");
    if (!m->present)
        return;
    put(out, m->on ? " on " : " ignoring ");
    put_names(out, m->names);
    if (m->card == CARD_ONE_TO_ONE)
        return;
    /* An operand in parentheses would be taken for the list if that were left out. */
    put(out, m->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
    put_names(out, m->include);
}

static void print_binary(struct buf *out, const struct logql_expr *e)
{
    buf_put_u8(out, '(');
    logql_print(out, e->binary.left);
    buf_put_u8(out, ' ');
    logql_print_operator(out, e);
    buf_put_u8(out, ' ');
    logql_print(out, e->binary.right);
    buf_put_u8(out, ')');
}

static void print_label_replace(struct buf *out, const struct logql_expr *e)
{
    const struct str_view strings[] = {e->label_replace.dst, e->label_replace.replacement,
                                       e->label_replace.src, e->label_replace.regex};
    put(out, "label_replace(");
    logql_print(out, e->label_replace.inner);
    for (int i = 0; i < 4; i++) {
        buf_put_u8(out, ',');
        go_quote(out, strings[i]);
    }
    buf_put_u8(out, ')');
}

void logql_print(struct buf *out, const struct logql_expr *e)
{
    switch (e->kind) {
    case LOGQL_LOG:
        print_log(out, &e->log);
        break;
    case LOGQL_RANGE_AGG:
        print_range_agg(out, &e->range);
        break;
    case LOGQL_VECTOR_AGG:
        print_vector_agg(out, e);
        break;
    case LOGQL_BINARY:
        print_binary(out, e);
        break;
    case LOGQL_LITERAL:
        put_literal(out, e->number);
        break;
    case LOGQL_VECTOR:
        put(out, "vector(");
        num_put_float(out, e->number);
        buf_put_u8(out, ')');
        break;
    case LOGQL_LABEL_REPLACE:
        print_label_replace(out, e);
        break;
    }
}
