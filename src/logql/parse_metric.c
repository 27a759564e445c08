/* SPDX-License-Identifier: Apache-2.0 */
/* Range and vector aggregations. */
#include "base/values.h"
#include "logql/check.h"
#include "logql/parser.h"

int parse_names(struct parser *p, struct name_list *ret)
{
    struct str_view *v = NULL;
    int r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0 && p->tok.kind == T_CLOSE_PAREN)
        return parser_next(p);
    const char *expecting = "IDENTIFIER or )";
    while (r == 0) {
        v = parser_grow(p, v, ret->n, sizeof *v);
        ret->v = v;
        r = parser_take_text(p, T_IDENTIFIER, expecting, &v[ret->n++]);
        if (r < 0 || p->tok.kind != T_COMMA)
            break;
        expecting = "IDENTIFIER";
        r = parser_next(p);
    }
    return r < 0 ? r : parser_take(p, T_CLOSE_PAREN, ", or )");
}

static bool starts_grouping(enum token_kind kind)
{
    return kind == T_BY || kind == T_WITHOUT;
}

int parse_grouping(struct parser *p, struct grouping *ret)
{
    ret->present = true;
    ret->without = p->tok.kind == T_WITHOUT;
    int r = parser_next(p);
    return r < 0 ? r : parse_names(p, &ret->names);
}

/* [offset DURATION] after a RANGE that stands in tok. */
static int parse_range(struct parser *p, struct range_agg *agg)
{
    if (p->tok.kind != T_RANGE)
        return parser_unexpected(p, "RANGE");
    agg->range_ns = p->tok.ns;
    int r = parser_next(p);
    if (r < 0 || p->tok.kind != T_OFFSET)
        return r;
    r = parser_next(p);
    if (r < 0)
        return r;
    agg->offset_ns = p->tok.ns;
    return parser_take(p, T_DURATION, "DURATION");
}

/* unwrap ( IDENT | conv ( IDENT ) ) { | label_filter } */
static int parse_unwrap(struct parser *p, struct unwrap *u)
{
    static const char NAMES[] =
        "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV";
    u->present = true;
    int r = parser_take(p, T_UNWRAP, "unwrap");
    if (r == 0 && p->tok.kind == T_CONV) {
        u->conv = (enum unwrap_conv)p->tok.op;
        r = parser_next(p);
        if (r == 0)
            r = parser_take(p, T_OPEN_PAREN, "(");
        if (r == 0)
            r = parser_take_text(p, T_IDENTIFIER, "IDENTIFIER", &u->name);
        if (r == 0)
            r = parser_take(p, T_CLOSE_PAREN, ")");
    } else if (r == 0) {
        r = parser_take_text(p, T_IDENTIFIER, NAMES, &u->name);
    }
    const struct label_filter **v = NULL;
    while (r == 0 && p->tok.kind == T_PIPE) {
        r = parser_next(p);
        if (r == 0 && p->tok.kind != T_IDENTIFIER && p->tok.kind != T_OPEN_PAREN)
            r = parser_unexpected(p, "IDENTIFIER or (");
        v = parser_grow(p, v, u->n_post_filters, sizeof *v);
        u->post_filters = v;
        if (r == 0)
            r = parse_label_filter(p, &v[u->n_post_filters++]);
    }
    return r;
}

static int parse_stages_and_unwrap(struct parser *p, struct range_agg *agg)
{
    bool unwraps;
    int r = parse_stages(p, &agg->log, &unwraps);
    return r == 0 && unwraps ? parse_unwrap(p, &agg->unwrap) : r;
}

/* The range after a pipeline, which may have stood in one pair of parentheses of its own. */
static int parse_range_at_end(struct parser *p, struct range_agg *agg, size_t *parens)
{
    if (p->tok.kind == T_RANGE)
        return parse_range(p, agg);
    if (p->tok.kind != T_CLOSE_PAREN || *parens == 0)
        return parser_unexpected(p, agg->unwrap.present ? "RANGE or |" : NULL);
    --*parens;
    int r = parser_next(p);
    if (r == 0)
        r = parse_range(p, agg);
    bool plain = agg->log.n_stages == 0 && !agg->unwrap.present;
    if (r < 0 || !plain || p->tok.kind != T_PIPE)
        return r;
    r = parser_next(p);
    return r < 0 ? r : parse_unwrap(p, &agg->unwrap);
}

static int parse_log_range(struct parser *p, struct range_agg *agg)
{
    size_t parens = 0;
    int r = 0;
    for (; r == 0 && p->tok.kind == T_OPEN_PAREN; parens++) {
        r = parser_next(p);
        if (r == 0 && p->tok.kind != T_OPEN_PAREN && p->tok.kind != T_OPEN_BRACE)
            r = parser_unexpected(p, "{ or (");
    }
    if (r == 0)
        r = parse_selector(p, &agg->log);
    if (r == 0 && p->tok.kind == T_RANGE) {
        r = parse_range(p, agg);
        if (r == 0)
            r = parse_stages_and_unwrap(p, agg);
    } else if (r == 0) {
        r = parse_stages_and_unwrap(p, agg);
        if (r == 0)
            r = parse_range_at_end(p, agg, &parens);
    }
    for (; r == 0 && parens > 0; parens--)
        r = parser_take(p, T_CLOSE_PAREN, ")");
    return r;
}

/* NUMBER "," after the opening parenthesis. */
static int parse_range_param(struct parser *p, struct str_view *ret)
{
    *ret = p->tok.text;
    int r = parser_next(p);
    if (r == 0)
        r = parser_take(p, T_COMMA, ",");
    if (r == 0 && p->tok.kind != T_OPEN_BRACE && p->tok.kind != T_OPEN_PAREN)
        r = parser_unexpected(p, "{ or (");
    return r;
}

int parse_range_agg(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = ARENA_NEW(p->arena, struct logql_expr);
    struct str_view param = {NULL, 0};
    e->kind = LOGQL_RANGE_AGG;
    e->depth = 1;
    e->range.op = (enum range_op)p->tok.op;
    *ret = e;
    int r = parser_next(p);
    if (r == 0)
        r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0 && p->tok.kind == T_NUMBER)
        r = parse_range_param(p, &param);
    else if (r == 0 && p->tok.kind != T_OPEN_BRACE && p->tok.kind != T_OPEN_PAREN)
        r = parser_unexpected(p, "NUMBER or { or (");
    if (r == 0)
        r = parse_log_range(p, &e->range);
    if (r == 0)
        r = parser_take(p, T_CLOSE_PAREN, ")");
    if (r == 0 && starts_grouping(p->tok.kind))
        r = parse_grouping(p, &e->range.grouping);
    return r < 0 ? r : check_range_agg(p->err, &e->range, param);
}

/* NUMBER "," is a parameter; a NUMBER followed by anything else begins the operand. */
static int parse_vector_param(struct parser *p, struct str_view *ret)
{
    if (p->tok.kind != T_NUMBER)
        return 0;
    struct lexer ahead = p->lx;
    struct token after;
    if (lexer_next(&ahead, &after, NULL) < 0 || after.kind != T_COMMA)
        return 0;
    *ret = p->tok.text;
    int r = parser_next(p);
    return r < 0 ? r : parser_next(p);
}

int parse_vector_agg(struct parser *p, const struct logql_expr **ret)
{
    struct logql_expr *e = ARENA_NEW(p->arena, struct logql_expr);
    struct grouping *g = &e->vector_agg.grouping;
    struct str_view param = {NULL, 0};
    e->kind = LOGQL_VECTOR_AGG;
    e->vector_agg.op = (enum vector_op)p->tok.op;
    *ret = e;
    int r = parser_next(p);
    if (r == 0 && starts_grouping(p->tok.kind))
        r = parse_grouping(p, g);
    if (r == 0)
        r = parser_take(p, T_OPEN_PAREN, "(");
    if (r == 0)
        r = parse_vector_param(p, &param);
    if (r == 0)
        r = parse_metric_expr(p, &e->vector_agg.inner);
    if (r == 0)
        r = parser_take(p, T_CLOSE_PAREN, NULL);
    if (r == 0 && !g->present && starts_grouping(p->tok.kind))
        r = parse_grouping(p, g);
    if (r < 0)
        return r;
    e->depth = e->vector_agg.inner->depth + 1;
    if (e->depth > NEST_MAX)
        return parser_too_deep(p);
    return check_vector_agg(p->err, e, param);
}
