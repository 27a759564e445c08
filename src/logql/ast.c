/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the operators, and whether two trees say the same. */
#include "logql/ast.h"

const char *range_op_text(enum range_op op)
{
    static const char *const TEXT[] = {
        "rate",
        "rate_counter",
        "count_over_time",
        "bytes_rate",
        "bytes_over_time",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "quantile_over_time",
        "first_over_time",
        "last_over_time",
        "absent_over_time",
    };
    return TEXT[op];
}

const char *vector_op_text(enum vector_op op)
{
    static const char *const TEXT[] = {
        "sum",    "avg",  "min",     "max",         "count", "stddev",
        "stdvar", "topk", "bottomk", "approx_topk", "sort",  "sort_desc",
    };
    return TEXT[op];
}

const char *binary_op_text(enum binary_op op)
{
    static const char *const TEXT[] = {"or", "and", "unless", "==", "!=", ">", ">=", "<",
                                       "<=", "+",   "-",      "*",  "/",  "%", "^"};
    return TEXT[op];
}

static bool same_number(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

static bool same_names(struct name_list a, struct name_list b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (!sv_eq(a.v[i], b.v[i]))
            return false;
    return true;
}

static bool same_grouping(const struct grouping *a, const struct grouping *b)
{
    return a->present == b->present && a->without == b->without && same_names(a->names, b->names);
}

static bool same_filter(const struct label_filter *a, const struct label_filter *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == LABEL_FILTER_AND || a->kind == LABEL_FILTER_OR)
        return same_filter(a->pair.left, b->pair.left) && same_filter(a->pair.right, b->pair.right);
    if (!sv_eq(a->name, b->name))
        return false;
    switch (a->kind) {
    case LABEL_FILTER_STRING:
        return a->string.op == b->string.op && sv_eq(a->string.value, b->string.value);
    case LABEL_FILTER_NUMBER:
        return a->number.op == b->number.op && same_number(a->number.value, b->number.value);
    case LABEL_FILTER_DURATION:
        return a->duration.op == b->duration.op && a->duration.ns == b->duration.ns;
    case LABEL_FILTER_BYTES:
        return a->bytes.op == b->bytes.op && a->bytes.value == b->bytes.value;
    case LABEL_FILTER_IP:
        return a->ip.negated == b->ip.negated && sv_eq(a->ip.text, b->ip.text);
    case LABEL_FILTER_AND:
    case LABEL_FILTER_OR:
        break;
    }
    return false;
}

static bool same_line_filter(const struct line_filter *a, const struct line_filter *b)
{
    if (a->op != b->op || a->n_operands != b->n_operands)
        return false;
    for (size_t i = 0; i < a->n_operands; i++)
        if (a->operands[i].is_ip != b->operands[i].is_ip ||
            !sv_eq(a->operands[i].text, b->operands[i].text))
            return false;
    return true;
}

static bool same_parser(const struct parser_stage *a, const struct parser_stage *b)
{
    if (a->n_extractions != b->n_extractions || a->strict != b->strict ||
        a->keep_empty != b->keep_empty)
        return false;
    for (size_t i = 0; i < a->n_extractions; i++)
        if (!sv_eq(a->extractions[i].dst, b->extractions[i].dst) ||
            !sv_eq(a->extractions[i].expr, b->extractions[i].expr))
            return false;
    return true;
}

static bool same_label_format(const struct stage *a, const struct stage *b)
{
    if (a->label_format.n != b->label_format.n)
        return false;
    for (size_t i = 0; i < a->label_format.n; i++) {
        const struct label_format *x = &a->label_format.v[i], *y = &b->label_format.v[i];
        if (x->is_template != y->is_template || !sv_eq(x->dst, y->dst) || !sv_eq(x->src, y->src))
            return false;
    }
    return true;
}

static bool same_named(const struct stage *a, const struct stage *b)
{
    if (a->named.n != b->named.n)
        return false;
    for (size_t i = 0; i < a->named.n; i++) {
        const struct named_label *x = &a->named.v[i], *y = &b->named.v[i];
        if (x->has_matcher != y->has_matcher || !sv_eq(x->name, y->name))
            return false;
        if (x->has_matcher && (x->op != y->op || !sv_eq(x->value, y->value)))
            return false;
    }
    return true;
}

static bool same_stage(const struct stage *a, const struct stage *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case STAGE_LINE_FILTER:
        return same_line_filter(&a->line_filter, &b->line_filter);
    case STAGE_JSON:
    case STAGE_LOGFMT:
        return same_parser(&a->parser, &b->parser);
    case STAGE_REGEXP:
    case STAGE_PATTERN:
    case STAGE_LINE_FORMAT:
        return sv_eq(a->text, b->text);
    case STAGE_LABEL_FILTER:
        return same_filter(a->label_filter, b->label_filter);
    case STAGE_LABEL_FORMAT:
        return same_label_format(a, b);
    case STAGE_DROP:
    case STAGE_KEEP:
        return same_named(a, b);
    case STAGE_UNPACK:
    case STAGE_DECOLORIZE:
        break;
    }
    return true;
}

static bool same_log(const struct log_query *a, const struct log_query *b)
{
    if (a->n_matchers != b->n_matchers || a->n_stages != b->n_stages)
        return false;
    for (size_t i = 0; i < a->n_matchers; i++) {
        const struct matcher *x = &a->matchers[i], *y = &b->matchers[i];
        if (x->op != y->op || !sv_eq(x->name, y->name) || !sv_eq(x->value, y->value))
            return false;
    }
    for (size_t i = 0; i < a->n_stages; i++)
        if (!same_stage(&a->stages[i], &b->stages[i]))
            return false;
    return true;
}

static bool same_unwrap(const struct unwrap *a, const struct unwrap *b)
{
    if (a->present != b->present || a->conv != b->conv || !sv_eq(a->name, b->name) ||
        a->n_post_filters != b->n_post_filters)
        return false;
    for (size_t i = 0; i < a->n_post_filters; i++)
        if (!same_filter(a->post_filters[i], b->post_filters[i]))
            return false;
    return true;
}

static bool same_range(const struct range_agg *a, const struct range_agg *b)
{
    return a->op == b->op && same_number(a->param, b->param) && a->range_ns == b->range_ns &&
           a->offset_ns == b->offset_ns && same_log(&a->log, &b->log) &&
           same_unwrap(&a->unwrap, &b->unwrap) && same_grouping(&a->grouping, &b->grouping);
}

static bool same_binary(const struct logql_expr *a, const struct logql_expr *b)
{
    const struct vector_matching *x = &a->binary.matching, *y = &b->binary.matching;
    return a->binary.op == b->binary.op && a->binary.returns_bool == b->binary.returns_bool &&
           x->present == y->present && x->on == y->on && x->card == y->card &&
           same_names(x->names, y->names) && same_names(x->include, y->include) &&
           logql_equal(a->binary.left, b->binary.left) &&
           logql_equal(a->binary.right, b->binary.right);
}

bool logql_equal(const struct logql_expr *a, const struct logql_expr *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LOGQL_LOG:
        return same_log(&a->log, &b->log);
    case LOGQL_RANGE_AGG:
        return same_range(&a->range, &b->range);
    case LOGQL_VECTOR_AGG:
        return a->vector_agg.op == b->vector_agg.op && a->vector_agg.k == b->vector_agg.k &&
               same_grouping(&a->vector_agg.grouping, &b->vector_agg.grouping) &&
               logql_equal(a->vector_agg.inner, b->vector_agg.inner);
    case LOGQL_BINARY:
        return same_binary(a, b);
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        return same_number(a->number, b->number);
    case LOGQL_LABEL_REPLACE:
        return sv_eq(a->label_replace.dst, b->label_replace.dst) &&
               sv_eq(a->label_replace.replacement, b->label_replace.replacement) &&
               sv_eq(a->label_replace.src, b->label_replace.src) &&
               sv_eq(a->label_replace.regex, b->label_replace.regex) &&
               logql_equal(a->label_replace.inner, b->label_replace.inner);
    }
    return false;
}

int logql_each_selector(const struct logql_expr *e, logql_selector_fn *fn, void *ctx,
                        struct err *err)
{
    switch (e->kind) {
    case LOGQL_LOG:
        return fn(ctx, &e->log, NULL, err);
    case LOGQL_RANGE_AGG:
        return fn(ctx, &e->range.log, &e->range, err);
    case LOGQL_VECTOR_AGG:
        return logql_each_selector(e->vector_agg.inner, fn, ctx, err);
    case LOGQL_LABEL_REPLACE:
        return logql_each_selector(e->label_replace.inner, fn, ctx, err);
    case LOGQL_BINARY: {
        int r = logql_each_selector(e->binary.left, fn, ctx, err);
        return r != 0 ? r : logql_each_selector(e->binary.right, fn, ctx, err);
    }
    case LOGQL_LITERAL:
    case LOGQL_VECTOR:
        break;
    }
    return 0;
}
