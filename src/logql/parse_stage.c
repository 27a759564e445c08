/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors and the stages of a pipeline. */
#include "logql/check.h"
#include "logql/parser.h"

static const char MATCH_OPS[] = "= or =~ or !~ or !=";

/* The operator and the string of a matcher whose name was taken. */
static int parse_match(struct parser *p, enum match_op *ret_op, struct str_view *ret_value)
{
    if (!match_op_of_token(p->tok.kind, ret_op))
        return parser_unexpected(p, MATCH_OPS);
    int r = parser_next(p);
    if (r == 0)
        r = parser_take_text(p, T_STRING, "STRING", ret_value);
    return r < 0 ? r : check_match_value(p->err, *ret_op, *ret_value);
}

int parse_selector(struct parser *p, struct log_query *log)
{
    struct matcher *v = NULL;
    int r = parser_take(p, T_OPEN_BRACE, NULL);
    const char *expecting = "IDENTIFIER or }";
    if (r == 0 && p->tok.kind == T_CLOSE_BRACE)
        return parser_next(p);
    while (r == 0) {
        v = parser_grow(p, v, log->n_matchers, sizeof *v);
        struct matcher *m = &v[log->n_matchers++];
        log->matchers = v;
        r = parser_take_text(p, T_IDENTIFIER, expecting, &m->name);
        if (r == 0)
            r = parse_match(p, &m->op, &m->value);
        if (r < 0 || p->tok.kind != T_COMMA)
            break;
        r = parser_next(p);
        expecting = "IDENTIFIER";
    }
    return r < 0 ? r : parser_take(p, T_CLOSE_BRACE, "} or ,");
}

static bool line_op_of_token(enum token_kind kind, enum line_op *ret)
{
    static const struct {
        enum token_kind kind;
        enum line_op op;
    } OPS[] = {
        {T_PIPE_EXACT, LINE_CONTAINS}, {T_NEQ, LINE_NOT_CONTAINS},     {T_PIPE_MATCH, LINE_RE},
        {T_NRE, LINE_NOT_RE},          {T_PIPE_PATTERN, LINE_PATTERN}, {T_NPA, LINE_NOT_PATTERN},
    };
    for (size_t i = 0; i < sizeof OPS / sizeof OPS[0]; i++)
        if (OPS[i].kind == kind) {
            *ret = OPS[i].op;
            return true;
        }
    return false;
}

static int parse_operand(struct parser *p, struct line_operand *operand)
{
    operand->is_ip = p->tok.kind == T_IP;
    if (operand->is_ip)
        return parse_ip(p, &operand->text);
    return parser_take_text(p, T_STRING, "STRING or ip", &operand->text);
}

/* tok is the first one after the operator. */
static int parse_line_filter(struct parser *p, struct line_filter *f)
{
    struct line_operand *v = NULL;
    for (;;) {
        v = parser_grow(p, v, f->n_operands, sizeof *v);
        f->operands = v;
        int r = parse_operand(p, &v[f->n_operands++]);
        if (r < 0 || p->tok.kind != T_OR)
            return r;
        r = parser_next(p);
        if (r < 0)
            return r;
    }
}

/* IDENTIFIER [= STRING], and so on */
static int parse_extractions(struct parser *p, struct parser_stage *stage)
{
    struct extraction *v = NULL;
    for (;;) {
        v = parser_grow(p, v, stage->n_extractions, sizeof *v);
        stage->extractions = v;
        struct extraction *x = &v[stage->n_extractions++];
        int r = parser_take_text(p, T_IDENTIFIER, "IDENTIFIER", &x->dst);
        if (r < 0)
            return r;
        x->expr = x->dst;
        x->bare = p->tok.kind != T_EQ;
        if (!x->bare) {
            r = parser_next(p);
            if (r == 0)
                r = parser_take_text(p, T_STRING, "STRING", &x->expr);
        }
        if (r < 0 || p->tok.kind != T_COMMA)
            return r;
        r = parser_next(p);
        if (r < 0)
            return r;
    }
}

static int parse_parser(struct parser *p, struct stage *s)
{
    int r = parser_next(p);
    while (r == 0 && s->kind == STAGE_LOGFMT && p->tok.kind == T_FLAG) {
        *(p->tok.op == FLAG_STRICT ? &s->parser.strict : &s->parser.keep_empty) = true;
        r = parser_next(p);
    }
    if (r == 0 && p->tok.kind == T_IDENTIFIER)
        r = parse_extractions(p, &s->parser);
    return r;
}

static int parse_label_format(struct parser *p, struct stage *s)
{
    struct label_format *v = NULL;
    for (;;) {
        int r = parser_next(p); /* the word itself, then each comma */
        if (r < 0)
            return r;
        v = parser_grow(p, v, s->label_format.n, sizeof *v);
        s->label_format.v = v;
        struct label_format *f = &v[s->label_format.n++];
        r = parser_take_text(p, T_IDENTIFIER, "IDENTIFIER", &f->dst);
        if (r == 0)
            r = parser_take(p, T_EQ, "=");
        if (r < 0)
            return r;
        f->is_template = p->tok.kind == T_STRING;
        r = parser_take_text(p, f->is_template ? T_STRING : T_IDENTIFIER, "IDENTIFIER or STRING",
                             &f->src);
        if (r < 0 || p->tok.kind != T_COMMA)
            return r;
    }
}

static int parse_named(struct parser *p, struct stage *s)
{
    struct named_label *v = NULL;
    for (;;) {
        int r = parser_next(p);
        if (r < 0)
            return r;
        v = parser_grow(p, v, s->named.n, sizeof *v);
        s->named.v = v;
        struct named_label *l = &v[s->named.n++];
        r = parser_take_text(p, T_IDENTIFIER, "IDENTIFIER", &l->name);
        l->has_matcher = match_op_of_token(p->tok.kind, &l->op);
        if (r == 0 && l->has_matcher)
            r = parse_match(p, &l->op, &l->value);
        if (r < 0 || p->tok.kind != T_COMMA)
            return r;
    }
}

/* regexp, pattern, line_format: one string. */
static int parse_text_stage(struct parser *p, struct stage *s)
{
    int r = parser_next(p);
    if (r == 0)
        r = parser_take_text(p, T_STRING, "STRING", &s->text);
    return r < 0 ? r : check_parser_text(p->err, s);
}

static bool stage_of_token(enum token_kind kind, enum stage_kind *ret)
{
    static const struct {
        enum token_kind token;
        enum stage_kind stage;
    } KINDS[] = {
        {T_JSON, STAGE_JSON},
        {T_LOGFMT, STAGE_LOGFMT},
        {T_REGEXP, STAGE_REGEXP},
        {T_PATTERN, STAGE_PATTERN},
        {T_UNPACK, STAGE_UNPACK},
        {T_LINE_FORMAT, STAGE_LINE_FORMAT},
        {T_LABEL_FORMAT, STAGE_LABEL_FORMAT},
        {T_DECOLORIZE, STAGE_DECOLORIZE},
        {T_DROP, STAGE_DROP},
        {T_KEEP, STAGE_KEEP},
        {T_IDENTIFIER, STAGE_LABEL_FILTER},
        {T_OPEN_PAREN, STAGE_LABEL_FILTER},
    };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (KINDS[i].token == kind) {
            *ret = KINDS[i].stage;
            return true;
        }
    return false;
}

/* What stands after the "|". */
static int parse_piped(struct parser *p, struct stage *s)
{
    if (!stage_of_token(p->tok.kind, &s->kind))
        return parser_unexpected(p, NULL);
    switch (s->kind) {
    case STAGE_JSON:
    case STAGE_LOGFMT:
        return parse_parser(p, s);
    case STAGE_REGEXP:
    case STAGE_PATTERN:
    case STAGE_LINE_FORMAT:
        return parse_text_stage(p, s);
    case STAGE_LABEL_FORMAT:
        return parse_label_format(p, s);
    case STAGE_DROP:
    case STAGE_KEEP:
        return parse_named(p, s);
    case STAGE_LABEL_FILTER:
        return parse_label_filter(p, &s->label_filter);
    case STAGE_UNPACK:
    case STAGE_DECOLORIZE:
    case STAGE_LINE_FILTER:
        break;
    }
    return parser_next(p);
}

int parse_stages(struct parser *p, struct log_query *log, bool *ret_unwrap)
{
    struct stage *v = NULL;
    enum line_op op = LINE_CONTAINS;
    if (ret_unwrap)
        *ret_unwrap = false;
    for (;;) {
        bool is_line_filter = line_op_of_token(p->tok.kind, &op);
        if (!is_line_filter && p->tok.kind != T_PIPE)
            return 0;
        int r = parser_next(p);
        if (r < 0)
            return r;
        if (!is_line_filter && p->tok.kind == T_UNWRAP && ret_unwrap) {
            *ret_unwrap = true;
            return 0;
        }
        v = parser_grow(p, v, log->n_stages, sizeof *v);
        log->stages = v;
        struct stage *s = &v[log->n_stages++];
        if (is_line_filter) {
            s->kind = STAGE_LINE_FILTER;
            s->line_filter.op = op;
            r = parse_line_filter(p, &s->line_filter);
        } else {
            r = parse_piped(p, s);
        }
        if (r < 0)
            return r;
    }
}
